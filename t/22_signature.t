#!/usr/bin/perl

# X-Twilio-Signature over HTTP: what verifies, what is refused and how the log
# tells why, and that a refusal has no effect.

use strict;
use warnings;

use Test::More;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use Voice::Edge;
use Voice::Lab::Model;
use Voice::Lab::Signature qw(sign);

# The vectors that a server can meet: voice_public_url takes no userinfo and
# no other scheme.

my $vectors = do {
    open my $file, '<:raw', "$FindBin::RealBin/unit/signature_vectors.json"
        or die "vectors: $!";
    local $/;
    JSON::PP->new->utf8->decode(<$file>);
};

my @seen = grep { $_->{scheme} =~ /\Ahttps?\z/ && $_->{authority} !~ /@/ }
    @$vectors;

# one server for each public URL and token

my (%server, $servers);

$servers = '';

for my $vector (@seen) {
    my $key = join ' ', @$vector{qw(scheme authority token)};

    next if $server{$key};

    my $name = $server{$key} = 'v' . keys %server;

    $servers .= <<"CONF";
server {
    listen 127.0.0.1:%%PORT_http%%;
    server_name $name;
    voice_public_url $vector->{scheme}://$vector->{authority};
    voice_auth_token %%DIR%%/$name.token;
    voice_llm /voice/llm model=m;
    location / { voice_webhook inbound-webhook; }
    location = /voice/llm { internal; proxy_pass http://llm; }
}
CONF
}

my $model = Voice::Lab::Model->spawn(reply => sub { 'Yes.' });

my $edge = Voice::Edge->new(
    ports => { llm => $model->port },
    workers => 1,
    directives => {
        voice_auth_token => '%%DIR%%/new.token %%DIR%%/twilio.token',
        voice_tts => undef,
    },
    locations => {
        tts => undef, audio => undef,
        account => <<'CONF',
location /account/ {
            voice_webhook;
            voice_account_sid AC00000000000000000000000000000001;
        }
        location /moved/ {
            voice_webhook;
            voice_public_url http://tunnel.test:8080/;
        }
        location /rewritten/ {
            rewrite ^/rewritten/(.*)$ /api/voice/$1?k=new last;
        }
CONF
    },
    servers => $servers,
);

$edge->write_file('new.token', "ffffffffffffffffffffffffffffffff\r\n");

for my $vector (@seen) {
    my $name = $server{join ' ', @$vector{qw(scheme authority token)}};
    $edge->write_file("$name.token", "$vector->{token}\n");
}

$edge->start;

my $number = 0;

sub sid { return sprintf 'CA%032x', ++$number }

sub health { return $edge->get('/api/voice/health')->json }

sub effects {
    my $h = health();
    return join ' ', $h->{calls}, @{ $h->{counters} }{qw(calls turns)},
        scalar @{ $model->requests };
}

# a form or JSON, signed by the lab's own code unless a signature is given

sub post {
    my ($target, %o) = @_;

    $target = "/api/voice/$target" unless $target =~ m{^/};

    my @params = $o{raw} ? @{ $o{raw} }
        : $edge->params($o{call} // sid(), %{ $o{params} || {} });
    my $body = $o{body} // Voice::Edge::Client::form(@params);
    my $signature = exists $o{signature} ? $o{signature}
        : sign($o{token} // $edge->token, ($o{url} // 'https://voice.test')
               . ($o{signed} // $target), $o{json} ? [] : \@params);

    return $edge->request($target, body => $body, host => $o{host},
        headers => [
            'Content-Type' => $o{json} ? 'application/json'
                : 'application/x-www-form-urlencoded',
            (map { ('X-Twilio-Signature' => $_) }
             ref $signature ? @$signature : $signature // ()),
            @{ $o{headers} || [] } ]);
}

sub accepted {
    my ($name, @ask) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is post(@ask)->status, 200, "$name: accepted";
}

# refused with a reason, and nothing happened

sub refused {
    my ($name, $reason, @ask) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $before = effects();
    my $count = health()->{counters}{refused};
    my $r = post(@ask);
    my ($line) = reverse $edge->log_lines(qr/voice webhook refused/);

    is $r->status, 403, "$name: refused";
    is effects(), $before, "$name: no effect";
    is health()->{counters}{refused}, $count + 1, "$name: counted";
    like $line // '', qr/\[warn\].*voice webhook refused: $reason/,
        "$name: why";

    return $line;
}


# the vectors

sub bytes { my ($text) = @_; utf8::encode($text); return $text }

for my $vector (@seen) {
    my $host = $server{join ' ', @$vector{qw(scheme authority token)}};
    my $json = $vector->{json};
    my $body = $json // $vector->{form}
        // Voice::Edge::Client::form(map { bytes($_) } map { @$_ }
                             @{ $vector->{params} });

    my $before = effects();
    my $r = $edge->request(bytes($vector->{target}), host => $host,
        body => bytes($body), headers => [
            'Content-Type' => $json ? 'application/json'
                : 'application/x-www-form-urlencoded',
            'X-Twilio-Signature' => $vector->{signature} ]);

    # none of them is a whole webhook: an accepted one lacks its AccountSid

    is $r->status, $vector->{accept} ? 400 : 403, "vector $vector->{name}";
    is effects(), $before, "vector $vector->{name}: no effect";
}

is scalar(grep { !$_->{accept} } @seen), 4, 'vectors that are refused';
cmp_ok scalar(@seen), '>=', 30, 'vectors over HTTP';

# the header

my $differs = qr/the signature is not that of this URL, these parameters and/;

accepted('a webhook', 'inbound-webhook');
refused('no header', qr/X-Twilio-Signature is missing/, 'inbound-webhook',
        signature => undef);

{
    my $call = sid();
    my @params = $edge->params($call);
    my $good = sign($edge->token,
                    'https://voice.test/api/voice/inbound-webhook', \@params);
    my @ask = ('inbound-webhook', call => $call, signature => $good);

    refused('the header twice', qr/X-Twilio-Signature came more than once/,
            @ask, signature => [$good, $good]);
    refused('a wrong one and the right one',
            qr/X-Twilio-Signature came more than once/,
            @ask, signature => ["x$good", $good]);
    refused('too short', $differs, @ask, signature => substr $good, 0, 27);
    refused('too long', $differs, @ask, signature => "$good=");
    refused('empty', $differs, @ask, signature => '');
    refused('other case', $differs, @ask,
            signature => $good =~ tr/a-zA-Z/A-Za-z/r);
    refused('other last bit', $differs, @ask,
            signature => $good =~ s/(.)=\z/chr(1 + ord $1) . '='/er);
    refused('one parameter more', $differs, @ask,
            body => Voice::Edge::Client::form(@params, Extra => 1));
    refused('one parameter less', $differs, @ask,
            body => Voice::Edge::Client::form(@params[2 .. $#params]));
    refused('other value', $differs, @ask,
            body => Voice::Edge::Client::form(@params) =~ s/inbound/outbound/r);
    refused('other route', $differs, 'conversation-start', call => $call,
            signature => $good);
    refused('other query', $differs, 'inbound-webhook?a=b', call => $call,
            signature => $good);
    accepted('after all that', @ask);
    is $edge->request('/api/voice/inbound-webhook',
        body => Voice::Edge::Client::form($edge->params($call)),
        headers => ['Content-Type' => 'application/x-www-form-urlencoded',
                    'x-TWILIO-signature' => $good])->status, 200,
        'the header in other case';
}

# tokens

accepted('the second token', 'inbound-webhook');
accepted('the first token', 'inbound-webhook', token => 'f' x 32);
refused('an unknown token', $differs, 'inbound-webhook', token => 'e' x 32);
refused('no token', $differs, 'inbound-webhook', token => '');

# account

my @other = (params => { AccountSid => 'AC' . '2' x 32 });

accepted('any account', 'inbound-webhook', @other);
accepted('the account', '/account/inbound-webhook');
refused('another account', qr/AccountSid is not the configured account/,
        '/account/inbound-webhook', @other);
refused('no account', qr/AccountSid is not the configured account/,
        '/account/inbound-webhook', params => { AccountSid => undef });
refused('a longer one', qr/AccountSid is not the configured account/,
        '/account/inbound-webhook',
        params => { AccountSid => 'AC' . '0' x 31 . '10' });
refused('twice', qr/AccountSid is not the configured account/,
        '/account/inbound-webhook',
        raw => [AccountSid => 'AC' . '2' x 32, $edge->params(sid())]);

# the URL: the configured one, and the log shows what was computed

my $line = refused('a wrong public URL', $differs,
                   'inbound-webhook?site=7', url => 'https://other.test');

like $line, qr{computed for "https://voice\.test/api/voice/inbound-webhook\?site=7"},
    'the computed URL';
like $line, qr/with 10 parameters and 2 tokens/, 'and what went into it';

accepted('a URL of the location', '/moved/inbound-webhook',
         url => 'http://tunnel.test:8080');
$line = refused('the server\'s URL there', $differs,
                '/moved/inbound-webhook');
like $line, qr{"http://tunnel\.test:8080/moved/inbound-webhook"},
    'the computed URL of the location';

accepted('forwarded headers change nothing', 'inbound-webhook',
    headers => ['X-Forwarded-Host' => 'evil.test',
                'X-Forwarded-Proto' => 'http', 'X-Forwarded-Port' => '81',
                'Forwarded' => 'host=evil.test;proto=http']);
refused('forwarded headers are not trusted', $differs, 'inbound-webhook',
    url => 'https://evil.test',
    headers => ['X-Forwarded-Host' => 'evil.test',
                'X-Forwarded-Proto' => 'https',
                'X-Original-Host' => 'evil.test']);
accepted('nor is the host', 'inbound-webhook', host => 'evil.test');
refused('the host is not trusted', $differs, 'inbound-webhook',
        url => 'https://evil.test', host => 'evil.test');

accepted("port $_->[0]", 'inbound-webhook', url => $_->[1])
    for ['added', 'https://voice.test:443'];
accepted('port left out', '/moved/inbound-webhook', url => 'http://tunnel.test');
refused('another port', $differs, 'inbound-webhook',
        url => 'https://voice.test:444');
refused('another scheme', $differs, 'inbound-webhook',
        url => 'http://voice.test');

# the raw target is signed, whatever nginx makes of it

for my $target ('//api//voice///inbound-webhook', '/api/voice/inbound%2Dwebhook',
                '/api/voice/inbound-webhook?', '/api/voice/inbound-webhook??',
                '/api/voice/inbound-webhook?b=2&a=1&b=2',
                '/api/voice/inbound-webhook?a=%41+%2f&b=%',
                '/api/./voice/x/../inbound-webhook',
                "/api/voice/inbound-webhook?o='quoted'",
                "/api/voice/inbound-webhook?n=\xc3\xb1")
{
    accepted("target $target", $target);
}

for my $pair (['/api/voice/inbound%2Dwebhook', '/api/voice/inbound-webhook'],
              ['//api/voice/inbound-webhook', '/api/voice/inbound-webhook'],
              ['/api/voice/inbound-webhook?', '/api/voice/inbound-webhook'],
              ['/api/voice/inbound-webhook', '/api/voice/inbound-webhook?'],
              ['/api/voice/inbound-webhook?b=2&a=1',
               '/api/voice/inbound-webhook?a=1&b=2'],
              ['/api/voice/inbound-webhook?a=%41',
               '/api/voice/inbound-webhook?a=A'])
{
    refused("sent $pair->[0], signed $pair->[1]", $differs, $pair->[0],
            signed => $pair->[1]);
}

accepted('a rewritten target: the one that came', '/rewritten/inbound-webhook');
refused('a rewritten target', $differs, '/rewritten/inbound-webhook',
        signed => '/api/voice/inbound-webhook?k=new');

{
    my @params = $edge->params(sid());

    is $edge->request('http://elsewhere.test/api/voice/inbound-webhook?a=1',
        body => Voice::Edge::Client::form(@params), headers => [
            'Content-Type' => 'application/x-www-form-urlencoded',
            'X-Twilio-Signature' => sign($edge->token,
                'https://voice.test/api/voice/inbound-webhook?a=1',
                \@params) ])->status, 200, 'an absolute target: its path';
}

# parameters

accepted('duplicates count once', 'inbound-webhook',
         raw => [Tag => 'b', $edge->params(sid()), Tag => 'a', Tag => 'b']);
accepted('empty ones count', 'inbound-webhook',
         params => { Empty => '', CallerZip => '' });
accepted('a prefix of another name', 'inbound-webhook',
         params => { FromCity => '', Digits10 => 'b', Digits2 => 'a' });
accepted('bytes', 'inbound-webhook',
         params => { Name => "Z\xc3\xbcrich\0\xff%41+&=", ToCity => " a\r\nb " });
accepted('a name without a value', 'inbound-webhook',
         do { my @p = $edge->params(sid());
              (raw => [@p, Bare => ''], body => Voice::Edge::Client::form(@p)
               . '&&Bare&') });
accepted('many', 'inbound-webhook',
         raw => [$edge->params(sid()), map { ("P$_" => $_ % 7) } 1 .. 240]);

{
    my @p = $edge->params(sid());
    my $plain = Voice::Edge::Client::form(@p);

    accepted('encoded more than is needed', 'inbound-webhook', raw => \@p,
             body => $plain =~ s/CallSid/%43all%53id/r);
    refused('decoded twice', $differs, 'inbound-webhook', raw => \@p,
            body => $plain =~ s/inbound/%2569nbound/r);
    refused('the query is no part of the form', $differs,
            'inbound-webhook?Extra=1', raw => [@p, Extra => 1],
            body => $plain, signed => '/api/voice/inbound-webhook');
}

# JSON

{
    my $ask = sub {
        my ($call, %o) = @_;
        my $body = $o{body} // JSON::PP->new->canonical->encode({
            $edge->params($call), Number => 5, Nested => { CallSid => 'x' } });
        my $hash = $o{hash} // sha256_hex($body);
        my $target = "inbound-webhook?bodySHA256=$hash";

        return ($o{target} // $target, json => 1, body => $o{sent} // $body);
    };

    accepted('JSON', $ask->(sid()));
    is health()->{counters}{calls} > 0, 1, 'a call';
    refused('JSON: another body', qr/bodySHA256 is not the body's/,
            $ask->(sid(), sent => '{"CallSid":"x"}'));
    refused('JSON: no bodySHA256', qr/the body is JSON, bodySHA256 is not in/,
            $ask->(sid(), target => 'inbound-webhook'));
    refused('JSON: twice', qr/bodySHA256 is not the body's/,
            $ask->(sid(), target => 'inbound-webhook?bodySHA256='
                   . sha256_hex('{}') . '&bodySHA256=' . sha256_hex('{}'),
                   body => '{}'));
    refused('JSON: upper case', qr/bodySHA256 is not the body's/,
            $ask->(sid(), body => '{}', hash => uc sha256_hex('{}')));
    refused('JSON: unsigned', $differs, $ask->(sid()),
            signature => 'x' x 27 . '=');

    my $before = effects();
    is post($ask->(sid(), body => $_))->status, 400, "JSON: $_"
        for '[]', '{"CallSid":', '"text"', '{}', '{"CallSid":5}';
    is effects(), $before, 'JSON that is no webhook: no effect';

    # what nobody has signed is not read at all
    is post($ask->(sid(), body => $_), signature => 'x' x 27 . '=')->status,
        403, "JSON: unsigned $_" for '{"a":', '[' x 200;

    # the query does not make a form anything else

    accepted('a form with bodySHA256', 'inbound-webhook?bodySHA256='
             . sha256_hex(''));
    $before = effects();
    is post('inbound-webhook', json => 1, body => Voice::Edge::Client::form(
            $edge->params(sid())))->status, 403, 'a form called JSON';
    is effects(), $before, 'a form called JSON: no effect';
}

# a refused step of a live call changes nothing of it

{
    my $call = sid();
    my $r = post('inbound-webhook', call => $call);
    my ($start) = $r->body =~ m{>(conversation-start[^<#]*)};

    $start =~ s/&amp;/&/g;
    refused('an unsigned end', qr/X-Twilio-Signature is missing/, 'status',
            call => $call, params => { CallStatus => 'completed' },
            signature => undef);
    refused('an unsigned step', qr/X-Twilio-Signature is missing/, $start,
            call => $call, signature => undef);

    my $first = post($start, call => $call)->body;

    like $first, qr/<Gather/, 'the call goes on';
}

# no signature in the log, nor a token

{
    my $log = $edge->log;

    is index($log, $edge->token), -1, 'no token in the log';
    is index($log, 'f' x 32), -1, 'nor the other';
    unlike $log, qr/[A-Za-z0-9+\/]{27}=/, 'nor anything like a signature';
}

is health()->{status}, 'ready', 'health is content';
ok $edge->quit, 'left by itself';

# off, on loopback: everybody is believed, and everybody is told

my $open = Voice::Edge->new(
    ports => { llm => $model->port },
    directives => {
        voice_signature => 'off', voice_auth_token => undef,
        voice_public_url => undef, voice_tts => undef,
        voice_account_sid => 'AC00000000000000000000000000000001',
    },
    locations => { tts => undef, audio => undef },
)->start;

is $open->webhook('inbound-webhook', signature => undef)->status, 200,
    'off: unsigned';
is $open->webhook('inbound-webhook', signature => 'nonsense')->status, 200,
    'off: badly signed';
is $open->webhook('inbound-webhook', signature => undef, call => 'x')->status,
    400, 'off: still checked';
is $open->webhook('inbound-webhook', signature => undef,
                  params => { AccountSid => 'AC1' })->status, 403,
    'off: still for one account';

my $health = $open->get('/api/voice/health');

is $health->status, 200, 'off: health answers';
is $health->json->{status}, 'degraded', 'off: health is degraded';
is_deeply [map { $_->{code} } @{ $health->json->{reasons} }],
    ['signature_off'], 'off: health says why';
like $open->log, qr/\[warn\].*voice webhooks are NOT VERIFIED/,
    'off: the log shouts';

ok $open->quit, 'off: left by itself';

done_testing;
