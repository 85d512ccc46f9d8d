#!/usr/bin/perl

# Webhooks as requests: what is taken, what is refused and how that is told,
# what the documents look like, and what the log does not say.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Lab::Model;
use Voice::Lab::Speech;
use Voice::Lab::TwiML;

my $words = q{So 3 < 5 & 7 > 6 is "true" and it's ]]> said.};
my $nasty = "<Redirect>http://evil.test/</Redirect>$words";

my $model = Voice::Lab::Model->spawn(
    reply => sub { $_[0] =~ /nasty/ ? $nasty : 'The answer is here.' });
my $speech = Voice::Lab::Speech->spawn(real => 0);

# an answer is read as text only where it is said
$speech->arm({ match => { text => 'said' }, times => -1,
               fault => { preset => 'error' } });

my $edge = Voice::Edge->new(
    ports => { llm => $model->port, tts => $speech->port },
    directives => {
        voice_filler_after => '12s', voice_first_token_timeout => '60s',
        voice_token_timeout => '60s', voice_speech_timeout => '12s',
        voice_answer_within => '12s',
    },
    flow => { rules => [{ when => 'markup', do => 'goodbye',
                          say => "<Hangup/> & \"$words\"" }] },
    listen => ['127.0.0.1:%%PORT_h2%% http2',
               '127.0.0.1:%%PORT_tls%% ssl http2'],
    server => <<'CONF',
ssl_certificate %%DIR%%/tls.crt;
ssl_certificate_key %%DIR%%/tls.key;
CONF
    locations => {
        fixed => 'location = /ended { voice_webhook status; }',
        tiny  => <<'CONF',
location /tiny/ { voice_webhook; client_body_buffer_size 16; }
        location /file/ { voice_webhook; client_body_in_file_only clean; }
        location /small/ { voice_webhook; client_max_body_size 1k; }
        location /if/ {
            voice_webhook;
            if ($http_user_agent) { set $unused 1; }
        }
        location /plain/ { voice_webhook; }
CONF
    },
);

system(q{openssl req -x509 -newkey rsa:2048 -nodes -days 2 -batch }
       . qq{-subj /CN=voice.test -keyout $edge->{dir}/tls.key }
       . qq{-out $edge->{dir}/tls.crt 2>/dev/null}) == 0
    or BAIL_OUT('no certificate');

$edge->start;

my ($number, @signatures) = 0;

sub sid { return sprintf 'CA%032x', ++$number }

# a signed form, every part of which can be replaced

sub post {
    my ($target, %o) = @_;

    $target = "/api/voice/$target" unless $target =~ m{^/};

    my @params = $o{raw} ? @{ $o{raw} }
        : $edge->params($o{call} // sid(), %{ $o{params} || {} });
    my $body = $o{body} // Voice::Edge::Client::form(@params);
    my $signature = $edge->signature($target, \@params);

    push @signatures, $signature;

    my @type = exists $o{type} ? $o{type} // ()
        : 'application/x-www-form-urlencoded';

    my @headers = (
        (map { ('Content-Type' => $_) } @type),
        'X-Twilio-Signature' => $signature, @{ $o{headers} || [] });

    if ($o{chunks}) {
        push @headers, 'Transfer-Encoding' => 'chunked';
        $body = join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
                         unpack "(a$o{chunks})*", $body) . "0\r\n\r\n";
    }

    return $edge->request($target, method => $o{method} // 'POST',
                          body => $body, headers => \@headers,
                          version => $o{version} // '1.1');
}

sub calls { return $edge->get('/api/voice/health')->json->{counters}{calls} }

# refused, told in the log once, and without an effect

sub refused {
    my ($name, $status, $like, $ask) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $calls = calls();
    my $before = () = $edge->log_lines($like);
    my $r = $ask->();
    my $after = () = $edge->log_lines($like);

    is $r->status, $status, "$name: $status";
    is $after - $before, 1, "$name: a line in the log";
    is calls(), $calls, "$name: no call";

    return $r;
}

# a document as Twilio wants it; returns its verbs

sub twiml {
    my ($name, $r) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $twiml = Voice::Lab::TwiML->parse($r->body, $r->header('Content-Type'));

    is $r->status, 200, "$name: 200";
    is $r->header('Content-Type'), 'text/xml; charset=utf-8', "$name: type";
    is $r->header('Content-Length'), length $r->body, "$name: length";
    is_deeply [@{ $twiml->errors }, @{ $twiml->warnings }], [],
        "$name: a clean document";

    return @{ $twiml->verbs };
}

sub names { return join ' ', map { $_->{verb} } @_ }

# the URL of a verb that leads on

sub next_url { return '/api/voice/' . $_[-1]{text} =~ s/#.*//sr }


# methods

for my $method (qw(GET HEAD PUT DELETE PATCH OPTIONS)) {
    my $r = refused($method, 405, qr/"inbound-webhook" is not a POST, set/,
                    sub { post('inbound-webhook', method => $method) });
    is $r->header('Allow'), 'POST', "$method: what is allowed";
}

# content types

for my $type (undef, 'text/plain', 'multipart/form-data; boundary=x',
              'application/x-www-form-urlencodedd', 'application/xml', '')
{
    refused('type ' . ($type // 'missing'), 415,
            qr/voice webhook is neither a form nor JSON/,
            sub { post('inbound-webhook', type => $type) });
}

for my $type ('application/x-www-form-urlencoded; charset=UTF-8',
              'application/x-www-form-urlencoded;charset=utf-8',
              'APPLICATION/X-www-Form-UrlEncoded',
              'application/x-www-form-urlencoded ; charset=UTF-8')
{
    is post('status', type => $type)->status, 204, "type $type";
}

# sizes

my $fill = sub {
    my ($size) = @_;

    my $call = sid();
    my @params = $edge->params($call, Padding => '');
    my $left = $size - length Voice::Edge::Client::form(@params);

    return (call => $call, params => { Padding => 'x' x $left });
};

my $large = qr/voice webhook is too large: \d+ bytes/;

is post('status', $fill->(65536))->status, 204, '64 kB';
is post('status', $fill->(65536), chunks => 5000)->status, 204,
    '64 kB in chunks';

refused('64 kB and a byte', 413, $large, sub { post('status', $fill->(65537)) });
refused('too large in chunks', 413, $large,
        sub { post('status', $fill->(65537), chunks => 8000) });
refused('too large for its location', 413,
        qr/intended to send too large body/,
        sub { post('/small/status', $fill->(1025)) });

# parameters

refused('no AccountSid', 400, qr/voice webhook has no AccountSid/,
        sub { post('inbound-webhook', params => { AccountSid => undef }) });
refused('empty AccountSid', 400, qr/voice webhook has no AccountSid/,
        sub { post('inbound-webhook', params => { AccountSid => '' }) });

for my $sid (undef, '', 'CA123', 'CB' . '0' x 32, 'CA' . '0' x 33,
             'CA' . 'g' x 32, 'ca' . '0' x 32, 'CA' . '0' x 31 . "\n",
             'CA' . '0' x 31 . '`')
{
    refused('CallSid ' . ($sid // 'missing'), 400,
            qr/voice webhook has no CallSid, or a malformed one/,
            sub { post('inbound-webhook', params => { CallSid => $sid }) });
}

{
    my @many = map { ("P$_" => $_) } 1 .. 257;
    my @params = $edge->params(sid());
    my @most = (@params, @many[0 .. 2 * 256 - 1 - @params]);

    is post('status', raw => \@most)->status, 204, '256 parameters';
    refused('257 parameters', 400, qr/has more than 256 parameters/,
            sub { post('status', raw => [@most, Last => 1]) });
}

refused('an empty body', 400, qr/voice webhook has no AccountSid/,
        sub { post('inbound-webhook', raw => []) });
refused('only separators', 400, qr/voice webhook has no AccountSid/,
        sub { post('inbound-webhook', raw => [], body => '&&&') });

# routes

for my $target (qw(nothing outbound inbound-webhook/ inbound-webhook/x), '') {
    refused("/api/voice/$target", 404, qr/voice webhook is unknown: the last part/,
            sub { post($target) });
}

is post('/ended')->status, 204, 'a route that the location fixes';
is post('/plain/status')->status, 204, 'a route under another prefix';
is post('/if/status')->status, 204, '"if" within the location';
is names(twiml('if', post('/if/inbound-webhook'))), 'Play Redirect',
    '"if" within the location: greets';

# how a body comes

is names(twiml('plain', post('inbound-webhook'))), 'Play Redirect', 'plain';
is names(twiml('chunked', post('inbound-webhook', chunks => 7))),
    'Play Redirect', 'chunked';
is names(twiml('HTTP/1.0', post('inbound-webhook', version => '1.0'))),
    'Play Redirect', 'HTTP/1.0';

for my $place (qw(tiny file)) {
    my $bytes = $edge->webhook_bytes("/$place/inbound-webhook", call => sid(),
                                     params => { Padding => 'x' x 2000 });
    my ($head, $body) = $bytes =~ /\A(.*?\r\n\r\n)(.*)\z/s;
    my $s = $edge->connect;
    my $before = () = $edge->log_lines(qr/buffered to a temporary file/);

    # the body on its own, so that it does not fit beside the header

    Voice::Edge::Client::send_bytes($s, $head . substr $body, 0, 5);
    Voice::Edge::wait_for(sub { $edge->get('/api/voice/health')->status });
    Voice::Edge::Client::send_bytes($s, substr $body, 5);

    my $r = Voice::Edge::Response->parse($edge->read_all($s));

    is names(twiml($place, $r)), 'Play Redirect', "$place: a body in a file";
    cmp_ok scalar(() = $edge->log_lines(qr/buffered to a temporary file/)),
        '>', $before, "$place: it was one";
}

# several on one connection

{
    my $s = $edge->connect;

    for my $n (1 .. 3) {
        Voice::Edge::Client::send_bytes($s, $edge->webhook_bytes('inbound-webhook',
            call => sid(), keepalive => 1));
        twiml("kept alive $n", $edge->read_response($s));
    }

    Voice::Edge::Client::send_bytes($s, $edge->webhook_bytes('inbound-webhook',
        call => sid(), keepalive => 1, signature => 'no'));
    is $edge->read_response($s)->status, 403, 'kept alive: refused';

    Voice::Edge::Client::send_bytes($s, $edge->webhook_bytes('inbound-webhook',
        call => sid()));
    twiml('kept alive after a refusal', $edge->read_response($s));
}

{
    my $s = $edge->connect;
    my $call = sid();

    my ($start) = next_url(twiml('pipelining: a call',
                                 post('inbound-webhook', call => $call)));
    my ($gather) = twiml('pipelining: listens', post($start, call => $call));
    my $action = '/api/voice/' . $gather->{attributes}{action} =~ s/#.*//sr;

    $model->arm({ match => { text => 'pipe' }, fault => { hold => 'header' } });

    Voice::Edge::Client::send_bytes($s, join '',
        $edge->webhook_bytes('inbound-webhook', call => sid(), keepalive => 1),
        $edge->webhook_bytes($action, call => $call, keepalive => 1,
                             params => { SpeechResult => 'the pipe' }),
        $edge->webhook_bytes('status', call => sid()));

    is names(twiml('pipelined, first', $edge->read_response($s))),
        'Play Redirect', 'pipelined, first';

    $model->wait_for('held');
    $model->release;

    is names(twiml('pipelined, second', $edge->read_response($s))),
        'Gather Redirect', 'pipelined, second waits for the model';
    is $edge->read_response($s)->status, 204, 'pipelined, third';
}

# HTTP/2

sub curl {
    my ($target, $port, $call, %params) = @_;

    my @params = $edge->params($call, %params);

    $target = "/api/voice/$target" unless $target =~ m{^/};

    my $scheme = $port eq 'tls' ? 'https' : 'http';
    my @how = $port eq 'tls' ? ('--http2', '--insecure')
        : '--http2-prior-knowledge';

    $edge->write_file('curl.body', Voice::Edge::Client::form(@params));

    open my $curl, '-|', 'curl', '-s', '-i', '--noproxy', '*', @how,
        '--data-binary', '@' . $edge->path('curl.body'),
        '-H', 'X-Twilio-Signature: ' . $edge->signature($target, \@params),
        "$scheme://127.0.0.1:" . $edge->port($port) . $target
        or die "curl: $!";

    my $answer = do { local $/; <$curl> };

    return Voice::Edge::Response->parse($answer);
}

for my $port (qw(h2 tls)) {
    my $call = sid();
    my $r = curl('inbound-webhook', $port, $call);

    like $r->raw, qr{\AHTTP/2 200}, "$port: HTTP/2";

    my ($gather) = twiml("$port: listens",
        curl(next_url(twiml("$port: greets", $r)), $port, $call));
    my $action = '/api/voice/' . $gather->{attributes}{action} =~ s/#.*//sr;

    is names(twiml("$port: answers",
                   curl($action, $port, $call, SpeechResult => 'over two'))),
        'Gather Redirect', "$port: a whole turn";

    is curl('status', $port, $call, CallStatus => 'completed')->status, 204,
        "$port: over";
    is curl('inbound-webhook', $port, sid(), CallSid => 'x')->status, 400,
        "$port: refused";
}

# what is written

{
    my $call = sid();

    my ($gather) = twiml('nasty: listens', post(
        next_url(twiml('nasty: greets', post('inbound-webhook',
                                             call => $call))),
        call => $call));
    my $action = $gather->{attributes}{action} =~ s/#.*//sr;

    my $r = post($action, call => $call,
                 params => { SpeechResult => 'something nasty <&">' });
    my @verbs = twiml('nasty: answers', $r);

    is names(@verbs), 'Gather Redirect', 'nasty: no verb of the model';
    is names(@{ $verbs[0]{children} }), 'Say', 'nasty: said';
    like $verbs[0]{children}[0]{text}, qr/5 & 7 6 is "true" and it's said\.\z/,
        'nasty: what can be spoken';
    cmp_ok length $r->body, '<', 65536, 'nasty: below 64 kB';

    @verbs = twiml('markup: leaves', post(
        $verbs[0]{attributes}{action} =~ s/#.*//sr, call => $call,
        params => { SpeechResult => 'markup' }));

    is names(@verbs), 'Say Hangup', 'markup: a line of the flow is said';
    is $verbs[0]{text}, "<Hangup/> & \"$words\"", 'markup: as words';
}

# what creates nothing

sub nothing {
    my ($name, $route, %params) = @_;

    my $calls = calls();
    my $r = post($route, params => \%params);

    is names(twiml("$name: $route", $r)), '', "$name: $route does nothing";
    is calls(), $calls, "$name: $route creates nothing";
}

for my $route (qw(inbound-webhook conversation-start process-speech)) {
    nothing('child leg', $route, ParentCallSid => sid());
    nothing("call is $_", $route, CallStatus => $_, SpeechResult => 'hello')
        for qw(completed busy failed no-answer canceled);
}

{
    my $calls = calls();

    is post('status', params => { CallStatus => $_ })->status, 204,
        "status $_ of an unknown call"
        for qw(initiated ringing in-progress completed busy no-answer);

    is post('status', params => { CallStatus => 'completed',
                                  ParentCallSid => sid() })->status, 204,
        'status of a child leg';
    is calls(), $calls, 'statuses create nothing';
}

# the end of a call

{
    my $call = sid();
    my $live = sub { $edge->get('/api/voice/health')->json->{calls} };
    my $before = $live->();

    my @greeting = twiml('end: greets', post('inbound-webhook',
                                             call => $call));
    my $start = next_url(@greeting);
    my ($gather) = twiml('end: listens', post($start, call => $call));
    my $action = $gather->{attributes}{action} =~ s/#.*//sr;

    is $live->(), $before + 1, 'a call is live';

    is post('status', call => $call, params => { CallStatus => $_ })->status,
        204, "status $_ in a call" for qw(ringing in-progress answered);
    is $live->(), $before + 1, 'still live';

    is post('status', call => $call,
            params => { CallStatus => 'completed', CallDuration => 5 })
        ->status, 204, 'status completed';
    is $live->(), $before, 'the call is over';
    is scalar(() = $edge->log_lines(qr/voice call "$call" is over/)), 1,
        'and the log says so';

    is post('status', call => $call, params => { CallStatus => 'completed' })
        ->status, 204, 'status completed again';
    is scalar(() = $edge->log_lines(qr/voice call "$call" is over/)), 1,
        'once';

    my $calls = calls();
    my $asked = @{ $model->requests };

    for my $late ('inbound-webhook', $start, $action) {
        is names(twiml("late $late", post($late, call => $call,
                       params => { SpeechResult => 'too late' }))),
            'Hangup', 'a late webhook hangs up';
    }

    is names(twiml('late final', post($action, call => $call,
                   params => { SpeechResult => 'too late',
                               CallStatus => 'completed' }))),
        '', 'a late webhook that nobody hears';

    is calls(), $calls, 'late webhooks create nothing';
    is $live->(), $before, 'nor bring the call back';
    is @{ $model->requests }, $asked, 'nor ask the model';

    $call = sid();
    twiml('end by action: greets', post('inbound-webhook', call => $call));
    is $live->(), $before + 1, 'one more';
    is names(twiml('end by action', post('process-speech', call => $call,
                   params => { CallStatus => 'completed' }))),
        '', 'the final status may come with any webhook';
    is $live->(), $before, 'it ends the call';
}

{
    # nobody records here: a URL of the operator's own making
    my $r = $edge->webhook('process-recording',
        call => 'CA' . 'e5' x 16, params => { RecordingDuration => 2,
                                              RecordingSid => 'RE' . 'a' x 32 });

    is $r->status, 200, 'a recording that is not to be transcribed';
    like $r->body, qr/<Gather /, 'the caller is asked again';
    like $edge->log, qr/has a recording, but there is no "voice_stt"/,
        'the log says why';
}

# the log

{
    my $log = $edge->log;
    my %secret = (
        'the token' => $edge->token,
        "the caller's words" => 'something nasty',
        'the words in a pipe' => 'the pipe',
        'the words as they came' => 'something+nasty',
        "the model's words" => 'The answer is here',
        'the key' => 'test key of the voice edge',
        "the model's key" => 'sk-test-openai',
        "the speech's key" => 'test-elevenlabs',
    );

    is index($log, $secret{$_}), -1, "$_: not in the log"
        for sort keys %secret;

    is scalar(grep { index($log, $_) >= 0 } @signatures), 0,
        scalar(@signatures) . ' signatures: none in the log';
}

ok $edge->quit, 'left by itself';

done_testing;
