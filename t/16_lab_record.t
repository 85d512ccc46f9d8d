#!/usr/bin/perl

# The lab's phone records by Twilio's rules, and the stand-ins for recordings
# and their transcription keep the providers' contracts.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MIME::Base64 qw(encode_base64);
use Mojo::JSON qw(decode_json);
use Mojo::Server::Daemon;
use Mojo::UserAgent;
use Mojolicious;
use Voice::Lab::Audio qw(inspect);
use Voice::Lab::Espeak;
use Voice::Lab::Fetch;
use Voice::Lab::Phone;
use Voice::Lab::Recording qw(recording words_of);
use Voice::Lab::Transcription;
use Voice::Lab::TwiML;
use Voice::Lab::Twilio;

my $account = 'AC' . 'a' x 32;
my $token = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
my $stt = Voice::Lab::Transcription->new(key => 'sk-lab');
my $twilio = Voice::Lab::Twilio->new(account => $account, token => $token);
my $transcribe = 'http://127.0.0.1:' . $stt->listen_on
    . '/v1/audio/transcriptions';
my $rest = 'http://127.0.0.1:' . $twilio->listen_on;
my $fetch = Voice::Lab::Fetch->new;

my (%routes, @asked);

my $app = Mojolicious->new;
$app->log->level('fatal');
$app->routes->any('/*where' => sub {
    my ($c) = @_;
    my $where = $c->param('where');

    push @asked, [$where, { @{ $c->req->body_params->pairs } }];
    $c->res->headers->content_type('text/xml; charset=utf-8');
    $c->render(data => qq{<?xml version="1.0" encoding="UTF-8"?>\n}
               . '<Response>' . ($routes{$where} // '') . '</Response>');
});

my $daemon = Mojo::Server::Daemon->new(app => $app, silent => 1,
    listen => ['http://127.0.0.1:0'])->start;
my $port = $daemon->ports->[0];


sub call {
    my ($record, $line, %more) = @_;

    @asked = ();
    %routes = (in => $record . '<Redirect>quiet</Redirect>',
               done => '<Hangup/>', quiet => '<Hangup/>');

    return Voice::Lab::Phone->new(base => "http://127.0.0.1:$port",
        public_url => 'https://lab.test', token => $token, path => '/in',
        account => $account, recorder => $rest,
        %more)->call(lines => ref $line eq 'ARRAY' ? $line : [$line]);
}


sub get {
    my ($method, $url, $options) = @_;
    my $result;

    $fetch->fetch_p($method, $url, $options || {})
        ->then(sub { $result = $_[0] })->wait;
    return $result;
}


sub basic {
    return (Authorization => 'Basic '
            . encode_base64(join(':', $_[0] // $account, $_[1] // $token), ''));
}


# --- sound -----------------------------------------------------------------

{
    my $wav = recording("caf\x{e9} and tea", 1.5);

    is_deeply inspect($wav, 'audio/wav'),
        { format => 'wav', rate => 8000, channels => 1, seconds => 1.5 },
        'a recording is a WAV of a telephone';
    is words_of($wav), "caf\xc3\xa9 and tea", 'that has its words';
    is words_of(recording('odd', 0.1)), 'odd', 'of odd length, too';
    is words_of(recording('', 1)), '', 'silence has none';

    my $spoken = recording('', 1);
    substr $spoken, -100, 10, 'not silent';
    is words_of($spoken), undef, 'real sound has to be listened to';
}


# --- Record ----------------------------------------------------------------

my $record = '<Record action="done" timeout="3" maxLength="2"/>';

{
    my $call = call($record, 'hello there');
    my ($where, $sent) = @{ $asked[-1] };
    my $sid = $call->recordings->[0]{sid};

    is_deeply $call->errors, [], 'a recording';
    is $where, 'done', 'goes to its action';
    like $sid, qr/\ARE[0-9a-f]{32}\z/, 'has an id';
    is $sent->{RecordingSid}, $sid, 'which is told';
    is $sent->{RecordingUrl}, "https://api.twilio.com/2010-04-01/Accounts/"
        . "$account/Recordings/$sid", 'and in the URL, without an extension';
    is $sent->{RecordingDuration}, 2, 'seconds';
    ok !exists $sent->{Digits}, 'no key';
    is $sent->{CallStatus}, 'in-progress', 'the caller is there';
    is words_of($twilio->kept->{$sid}{audio}), 'hello there', 'it is kept';
    cmp_ok $call->clock, '>=', 3, 'the pause that ended it went by';
}

for my $key ('0', '#') {
    call($record, { digits => "${key}1" });
    is $asked[-1][1]{Digits}, $key, "\"$key\" ends it and is told";
}

call('<Record action="done" finishOnKey="5"/>', { digits => '0' });
is $asked[-1][1]{Digits}, undef, 'another key does not';

{
    my $call = call($record, { silence => 1 });

    is $asked[-1][0], 'done', 'silence is a recording';
    is words_of($twilio->kept->{ $call->recordings->[0]{sid} }{audio}), '',
        'of nothing';

    call($record, { silence => 1 }, silence_recorded => 0);
    is $asked[-1][0], 'quiet', 'or goes on to what follows';
}

{
    my $call = call($record, { hangup => 1 });

    is $asked[-1][0], 'done', 'who hangs up';
    is $asked[-1][1]{Digits}, 'hangup', 'is told of';
    is $asked[-1][1]{CallStatus}, 'completed', 'when the call is over';
    is $call->reason, 'caller', 'by the caller';
}

{
    my $sound = recording('from elsewhere', 1);
    my $call = call($record, { say => 'words', audio => $sound });

    is $twilio->kept->{ $call->recordings->[0]{sid} }{audio}, $sound,
        'a sound of its own';
    is $asked[-1][1]{RecordingDuration}, 1, 'and its length';
}

for ([ 'timeout="-1"', 13612 ], [ 'finishOnKey="x"', 13613 ],
     [ 'maxLength="0"', 13614 ], [ 'playBeep="no"', 13610 ],
     [ 'trim="all"', 13610 ])
{
    my $twiml = Voice::Lab::TwiML->parse('<?xml version="1.0" '
        . "encoding=\"UTF-8\"?><Response><Record $_->[0]/></Response>",
        'text/xml');

    is $twiml->errors->[0]{code}, $_->[1], "Record $_->[0]";
}


# --- Twilio's recordings ---------------------------------------------------

my $sid = 'RE' . 'b' x 32;
my $api = "$rest/2010-04-01/Accounts/$account/Recordings/$sid";
my $sound = recording('hello', 1);

get('POST', "$rest/_lab/recordings/$account/$sid", { body => $sound });

is get('GET', "$api.wav")->{status}, 401, 'no credentials';
is get('GET', "$api.wav", { headers => { basic(undef, 'x') } })->{status},
    401, 'wrong ones';
is get('GET', "$rest/2010-04-01/Accounts/AC" . 'c' x 32
       . "/Recordings/$sid.wav", { headers => { basic() } })->{status}, 404,
    'another account';

{
    # the fetcher would follow
    my $tx;

    Mojo::UserAgent->new->get_p("$api.wav" => { basic() })
        ->then(sub { $tx = $_[0] })->wait;

    my $to = $tx->res->headers->location;

    is $tx->res->code, 302, 'media are redirected';
    like $to, qr{^\Q$rest\E/storage/$sid\.wav\?Expires=60&Signature=},
        'to a storage';
    is get('GET', $to)->{body}, $sound, 'which has them';
    is get('GET', $to, { headers => { basic() } })->{status}, 400,
        'and wants no credentials';
    is get('GET', $to =~ s/\?.*//r)->{status}, 403, 'but the signature';
}

$twilio->storage(0);
is get('GET', "$api.wav", { headers => { basic() } })->{body}, $sound,
    'or at once';
is get('GET', $api, { headers => { basic() } })->{type}, 'audio/x-wav',
    'without an extension, too';
$twilio->not_yet(1);
$twilio->kept->{$sid}{asked} = 0;
is get('GET', $api, { headers => { basic() } })->{status}, 404, 'not yet';
is get('GET', $api, { headers => { basic() } })->{status}, 200, 'now';
is get('DELETE', "$api.json", { headers => { basic() } })->{status}, 204,
    'deleted';
is get('GET', $api, { headers => { basic() } })->{status}, 404, 'gone';
is get('DELETE', "$api.json", { headers => { basic() } })->{status}, 404,
    'is gone once';
is_deeply $twilio->deleted, [$sid], 'which is kept in mind';


# --- a form ----------------------------------------------------------------

sub form {
    my (@parts) = @_;
    my $body = '';

    while (my ($name, $value) = splice @parts, 0, 2) {
        $body .= "--b\r\nContent-Disposition: form-data; name=\"$name\"";
        $body .= ref $value
            ? "; filename=\"$value->[0]\"\r\nContent-Type: $value->[1]\r\n"
              . "\r\n$value->[2]\r\n"
            : "\r\n\r\n$value\r\n";
    }

    return "$body--b--\r\n";
}

sub ask {
    my ($body, %headers) = @_;

    return get('POST', $transcribe, { body => $body, headers => {
        'Content-Type' => 'multipart/form-data; boundary=b',
        Authorization => 'Bearer sk-lab', %headers } });
}

my @file = (file => ['a.wav', 'audio/wav', $sound]);

{
    my $r = ask(form(model => 'whisper-1', @file));

    is $r->{status}, 200, 'a form';
    is decode_json($r->{body})->{text}, 'hello', 'its words';

    $r = decode_json(ask(form(model => 'whisper-1', language => 'en',
        response_format => 'verbose_json', @file))->{body});
    is $r->{segments}[0]{text}, ' hello', 'segments';
    cmp_ok $r->{segments}[0]{no_speech_prob}, '<', 0.1, 'of speech';

    $r = decode_json(ask(form(model => 'whisper-1',
        response_format => 'verbose_json',
        file => ['a.wav', 'audio/wav', recording('', 1)]))->{body});
    isnt $r->{text}, '', 'words are made of silence';
    cmp_ok $r->{segments}[0]{no_speech_prob}, '>', 0.6, 'with some doubt';

    $r = ask(form(model => 'gpt-4o-transcribe', response_format => 'json',
                  'include[]' => 'logprobs', @file));
    ok decode_json($r->{body})->{logprobs}[0]{logprob} < 0, 'tokens';
}

my $good = form(model => 'whisper-1', @file);

for ([ 401, 'a wrong key', $good, Authorization => 'Bearer x' ],
     [ 400, 'no form', $good, 'Content-Type' => 'application/json' ],
     [ 400, 'another boundary', $good,
       'Content-Type' => 'multipart/form-data; boundary=c' ],
     [ 400, 'cut', substr $good, 0, -4 ],
     [ 400, 'no file', form(model => 'whisper-1') ],
     [ 400, 'no model', form(@file) ],
     [ 404, 'no such model', form(model => 'whisper-9', @file) ],
     [ 400, 'an unknown field', form(model => 'whisper-1', x => 1, @file) ],
     [ 400, 'a field twice', form(model => 'whisper-1', model => 'whisper-1',
                                  @file) ],
     [ 400, 'a language of three letters',
       form(model => 'whisper-1', language => 'eng', @file) ],
     [ 400, 'an empty field', form(model => 'whisper-1', prompt => '',
                                   @file) ],
     [ 400, 'verbose_json of a newer model',
       form(model => 'gpt-4o-transcribe', response_format => 'verbose_json',
            @file) ],
     [ 400, 'tokens of an older one',
       form(model => 'whisper-1', 'include[]' => 'logprobs', @file) ],
     [ 400, 'hints where they are not taken',
       form(model => 'gpt-4o-transcribe-diarize', prompt => 'x', @file) ],
     [ 400, 'a file without a name',
       form(model => 'whisper-1', file => $sound) ],
     [ 400, 'a name without an extension', form(model => 'whisper-1',
            file => ['a', 'audio/wav', $sound]) ],
     [ 400, 'a type that is not its', form(model => 'whisper-1',
            file => ['a.wav', 'audio/mpeg', $sound]) ],
     [ 400, 'no sound', form(model => 'whisper-1',
            file => ['a.wav', 'audio/wav', 'words']) ],
     [ 400, 'hardly any', form(model => 'whisper-1',
            file => ['a.wav', 'audio/wav', recording('', 0.05)]) ])
{
    my ($status, $what, $body, %headers) = @$_;

    is ask($body, %headers)->{status}, $status, "refused: $what";
}

{
    # what has no words with it is listened to
    my $spoken;

    Voice::Lab::Espeak->new->speak_p('good morning', { format => 'wav_16000',
        speed => 0.8, voice => 'en-us+f3' })->then(sub { $spoken = $_[0] })
        ->wait;
    $stt->lines(['Good morning.', 'What are your opening hours?']);

    # which takes the time it needs, and the fetcher has Twilio's patience
    my $tx;

    Mojo::UserAgent->new(inactivity_timeout => 0)->post_p($transcribe => {
        'Content-Type' => 'multipart/form-data; boundary=b',
        Authorization => 'Bearer sk-lab',
    } => form(model => 'whisper-1', file => ['a.wav', 'audio/wav', $spoken]))
        ->then(sub { $tx = $_[0] })->wait;
    is $tx->res->json->{text}, 'good morning', 'real sound';
}

$stt->faults->arm({ match => { text => 'hello' },
                    fault => { say => 'something else' } });
is decode_json(ask($good)->{body})->{text}, 'something else', 'a fault';
$stt->faults->arm({ fault => { garbage => '{"te' } });
is ask($good)->{body}, '{"te', 'garbage';

done_testing();
