#!/usr/bin/perl

# Speech is made once, kept, and served as a file; where it fails, the same
# words are said.

use strict;
use warnings;

use Test::More;

use Digest::SHA qw(hmac_sha256 sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";
use MIME::Base64 qw(encode_base64url);
use Mojo::Promise;
use Time::HiRes qw(time);
use Voice::Edge;
use Voice::Lab::Audio qw(inspect);
use Voice::Scene;

my $key = 'test key of the voice edge';

my $flow = { %{ Voice::Edge->can('flow')->({}) },
             greeting => 'Welcome to {{company}}, {{caller.number|friend}}.' };

my $deaf = <<'CONF';
location /voice/deaf/ {
            internal;
            proxy_pass http://127.0.0.1:%%PORT_nobody%%;
            proxy_method POST;
            proxy_set_body $voice_tts_body;
            proxy_pass_request_headers off;
            proxy_cache voice_tts;
            proxy_cache_key $voice_tts_key;
            proxy_cache_valid 200 30d;
            proxy_no_cache $voice_tts_uncacheable;
        }
CONF

my @numbers = ('default flow=general', '+15005550002 flow=fancy',
               '+15005550003 flow=general voice=WrongVoice01',
               '+15005550004 flow=general voice=OtherVoice01',
               '+15005550005 flow=wave', '+15005550006 flow=mute');

my $scene = Voice::Scene->new(
    flows => {
        'general.json' => $flow,
        'wave.json' => { %$flow, name => 'wave',
            voice => { id => 'WaveVoice0001', format => 'wav_16000' } },
        'mute.json' => { (map { $_ => $flow->{$_} }
                              grep { $_ ne 'voice' } keys %$flow),
                         name => 'mute' },
        'fancy.json' => { %$flow, name => 'fancy', voice => {
            id => 'FancyVoice001', model => 'eleven_multilingual_v2',
            format => 'mp3_44100_64', settings => {
                stability => 0.5, similarity_boost => 0.75, style => 0,
                use_speaker_boost => \1, speed => 1.1 } } },
    },
    http_directives => { voice_number => \@numbers },
    directives => {
        voice_filler_after => '30s', voice_first_token_timeout => '60s',
        voice_token_timeout => '60s', voice_speech_timeout => '12s',
        voice_answer_within => '12s',
    },
    locations => { deaf => $deaf },
    variants => {
        deaf => 'voice_tts /voice/deaf/;',
        slow => 'voice_speech_timeout 500ms;',
    },
);

my ($model, $speech, $edge) = ($scene->model, $scene->speech, $scene->edge);

my $caller = 0;

sub next_caller { sprintf '+1500666%04d', ++$caller }
sub greeting    { "Welcome to Test Company, $_[0]." }
sub digits      { substr $_[0], 1 }

# what was asked of the provider, for these words

sub made {
    my ($text) = @_;

    return grep { !defined $text || $_->{text} eq $text }
        @{ $speech->requests };
}

sub held { $speech->wait_for('held', $_[0]) }

# the names of the files that a document plays

sub plays { $_[0]->body =~ m{<Play>([^<]*)</Play>}g }

sub audio {
    my ($name, %option) = @_;

    return $edge->get("/api/voice/$name", %option);
}

# the same on a line, whose worker is known

sub fetch {
    my ($line, $name) = @_;

    Voice::Edge::Client::send_bytes($line->socket,
        "GET /api/voice/$name HTTP/1.1\r\nHost: voice.test\r\n\r\n");
}

# Audio ids as the module makes them, from words

sub mac {
    my ($secret, @parts) = @_;

    return hmac_sha256(join('', map { pack('Q>', length) . $_ } @parts),
                       $secret);
}

sub name {
    my ($text, $secret) = @_;

    my $digest = substr mac('voice audio digest', 'TestVoice0001',
        'eleven_flash_v2_5', 'mp3_22050_32', '', $text), 0, 16;
    my $mac = substr mac($secret // $key, 'audio id', $digest), 0, 16;

    return 'audio/' . encode_base64url($digest . $mac) . '.mp3';
}


# --- made once -------------------------------------------------------------

{
    my $call = $scene->call('', lines => ['hello', 'hello', 'goodbye']);

    is_deeply $call->errors, [], 'a call';
    is scalar(grep { $_->{kind} ne 'play' } @{ $call->heard }), 0,
        'everything is played';

    my %seen;
    $seen{ $_->{text} }++ for made();

    is_deeply [ grep { $seen{$_} > 1 } keys %seen ], [],
        'nothing is made twice';

    my $before = made();

    my $again = $scene->call('', lines => ['hello', 'hello', 'goodbye']);

    is_deeply [ map { $_->{text} } @{ $again->heard } ],
        [ map { $_->{text} } @{ $call->heard } ], 'the same call again';
    is scalar(made()), $before, 'needs no new synthesis';
}

{
    # many callers, the same words, nobody has them yet
    my $from = next_caller();
    my $before = $scene->health->json->{calls};

    $speech->arm({ match => { text => digits($from) },
                   fault => { hold => 'header' } });

    my @lines = map { $scene->line } 1 .. 30;

    $_->send('inbound-webhook', From => $from) for @lines;
    held(1);
    Voice::Edge::wait_for(
        sub { $scene->health->json->{calls} == $before + @lines });
    $speech->release;

    my @answers = map { $_->read } @lines;
    my %name = map { $_ => 1 } map { plays($_) } @answers;

    is scalar(grep { $_->status == 200 } @answers), 30, '30 callers';
    is_deeply [ keys %name ], [ name(greeting($from)) ], 'one file';
    is scalar(made(greeting($from))), 1, 'one synthesis';
    cmp_ok scalar(keys %{{ map { $_->worker => 1 } @lines }}), '>', 1,
        'by several workers';
}

{
    # a file that is asked for while it is made, in every worker
    my $from = next_caller();
    my $name = name(greeting($from));
    my @workers = $edge->workers;

    $speech->arm({ match => { text => digits($from) },
                   fault => { hold => 1 } });

    my $line = $scene->line(worker => $workers[0]);

    $line->send('inbound-webhook', From => $from);
    held(2);

    my @joiners = map { $scene->line(worker => $_) } @workers, @workers;

    fetch($_, $name) for @joiners;
    $scene->health;
    ok !grep({ $_->answered } @joiners), 'who comes while it is made waits';
    $speech->release;

    my @files = map { $_->read } @joiners;

    is_deeply [ map { $_->status } @files ], [ (200) x 4 ],
        'and gets it, in any worker';
    is scalar(keys %{{ map { $_->body => 1 } @files }}), 1, 'the same bytes';
    is $speech->captions->{ sha256_hex($files[0]->body) }, greeting($from),
        'the right ones';
    is $line->read->status, 200, 'the webhook has it, too';
    is scalar(made(greeting($from))), 1, 'one synthesis';
}


# --- as a file -------------------------------------------------------------

my $from = next_caller();
my ($name) = plays($scene->line->post('inbound-webhook', From => $from));
my $file = audio($name);
my $etag = $file->header('ETag');
my $size = length $file->body;
my $asked = made();

is $name, name(greeting($from)), 'its name tells the content, under a MAC';

sub served {
    my ($r, $what) = @_;

    is $r->status, 200, "$what: served";
    is $r->header('Content-Type'), 'audio/mpeg', "$what: content type";
    is $r->header('Content-Length'), $size, "$what: length";
    is $r->header('ETag'), $etag, "$what: tag";
    is $r->header('Accept-Ranges'), 'bytes', "$what: ranges";
    is $r->header('Cache-Control'), 'public, max-age=31536000, immutable',
        "$what: for ever";
    is scalar($r->header('Transfer-Encoding')), undef, "$what: not chunked";
}

sub files {
    my ($when) = @_;

    my $r = audio($name);

    served($r, "$when: GET");
    is sha256_hex($r->body), sha256_hex($file->body), "$when: the bytes";

    $r = audio($name, method => 'HEAD');
    served($r, "$when: HEAD");
    is $r->body, '', "$when: without a body";

    for my $tag ($etag, "W/$etag", "\"other\", $etag", '*') {
        $r = audio($name, headers => ['If-None-Match' => $tag]);
        is $r->status, 304, "$when: $tag: not modified";
        is $r->body, '', "$when: no body";
    }

    $r = audio($name, headers => ['If-None-Match' => '"other"']);
    is $r->status, 200, "$when: another tag";

    $r = audio($name, headers => [Range => 'bytes=10-19']);
    is $r->status, 206, "$when: a range";
    is $r->body, substr($file->body, 10, 10), "$when: its bytes";
    is $r->header('Content-Range'), "bytes 10-19/$size", "$when: its place";

    $r = audio($name, headers => [Range => 'bytes=-5']);
    is $r->body, substr($file->body, -5), "$when: the last bytes";

    $r = audio($name, headers => [Range => "bytes=$size-"]);
    is $r->status, 416, "$when: beyond the end";

    $r = audio($name, headers => [Range => 'bytes=0-0', 'If-Range' => $etag]);
    is $r->status, 206, "$when: If-Range";

    $r = audio($name, headers => [Range => 'bytes=0-0',
                                  'If-Range' => '"other"']);
    is $r->status, 200, "$when: If-Range of another";

    is scalar(made()), $asked, "$when: no new synthesis";
}

ok inspect($file->body, 'audio/mpeg')->{seconds}, 'it is sound';
like $etag, qr/^"[^"]+"$/, 'a strong tag';
files('warm');

is join(' ', sort map { lc $_->[0] } $file->headers),
    'accept-ranges cache-control connection content-length content-type date '
    . 'etag server x-worker', "none of the provider's headers gets out";

sub missing {
    my ($path, $what, %option) = @_;

    my $before = made();

    is audio($path, %option)->status, $option{status} // 404, $what;
    is scalar(made()), $before, 'the provider is not asked';
}

(my $forged = $name) =~ s{(audio/.{5})(.)}{$1 . ($2 eq 'A' ? 'B' : 'A')}e;
(my $unsigned = $name) =~ s{(.)(\.mp3)}{($1 eq 'A' ? 'E' : 'A') . $2}e;

missing($forged, 'a forged name');
missing($unsigned, 'a forged MAC');
missing(name('never spoken'), 'a good name of words that nobody knows');
missing(name('never spoken'), 'and once more');
missing(name(greeting($from), 'another key'), 'a name under another key');
missing($name =~ s/mp3$/ogg/r, 'an unknown extension');
missing($name =~ s/\.mp3$//r, 'no extension');
missing($name =~ s/mp3$/mp3x/r, 'a longer extension');
missing('audio/', 'no name');
missing('audio/.mp3', 'an empty name');
missing($name, 'another method', method => 'DELETE', status => 405);
missing($name, 'POST', body => '', status => 405);

is $edge->get('/voice/tts/AAAAAAAAAAAAAAAAAAAAAA')->status, 404,
    'the location of the provider is internal';


# --- the request to the provider -------------------------------------------

{
    my ($request) = made(greeting($from));
    my %headers = map { lc $_ => $request->{headers}{$_} }
        keys %{ $request->{headers} };

    is $request->{method}, 'POST', 'method';
    is $request->{path}, '/v1/text-to-speech/TestVoice0001', 'the voice';
    is_deeply $request->{query}, { output_format => 'mp3_22050_32' },
        'the format';
    is_deeply $request->{body}, { text => greeting($from),
                                  model_id => 'eleven_flash_v2_5' },
        'the words and the model';
    is $headers{'xi-api-key'}, 'test-elevenlabs', 'the key of the location';
    is $headers{'content-type'}, 'application/json', 'content type';
    is join(' ', grep { /twilio|cookie|authorization|accept-encoding|range/ }
                 sort keys %headers), '', 'nothing of the caller';
}

sub greeted {
    my ($to, $variant) = @_;

    my $from = next_caller();
    my $line = $scene->line(variant => $variant // '');
    my $r = $line->post('inbound-webhook', From => $from, To => $to);
    my ($request) = made(greeting($from));

    return ($r, $request, $from);
}

{
    my ($r, $request) = greeted('+15005550002');

    is $request->{path}, '/v1/text-to-speech/FancyVoice001', 'its own voice';
    is_deeply $request->{query}, { output_format => 'mp3_44100_64' },
        'and format';
    is $request->{body}{model_id}, 'eleven_multilingual_v2', 'and model';
    is_deeply { %{ $request->{body}{voice_settings} },
                use_speaker_boost => 'yes' x
                    !!$request->{body}{voice_settings}{use_speaker_boost} },
        { stability => 0.5, similarity_boost => 0.75, style => 0,
          use_speaker_boost => 'yes', speed => 1.1 }, 'and settings';
    is audio(plays($r))->status, 200, 'served';
}

{
    my ($r, $request) = greeted('+15005550004');

    is $request->{path}, '/v1/text-to-speech/OtherVoice01',
        'the voice of the number';
    is audio(plays($r))->status, 200, 'served';
}

{
    my ($r, $request) = greeted('+15005550005');
    my ($wave) = plays($r);

    like $wave, qr/\.wav$/, 'a wave file';
    is_deeply $request->{query}, { output_format => 'wav_16000' }, 'asked for';

    my $answer = audio($wave);

    is $answer->header('Content-Type'), 'audio/wav', 'content type';
    like $answer->body, qr/^RIFF....WAVE/s, 'content';
}


# --- failures --------------------------------------------------------------

my @failed;

# What is never made for this caller, and what is asked for it afterwards: for
# some seconds nothing.  Where this machine has taken longer, once more.

sub unmade {
    my ($fault, $variant) = @_;

    my ($status, $again);

    for (1 .. 20) {
        my $from = next_caller();

        $speech->arm({ match => { text => digits($from) }, fault => $fault,
                       times => -1 }) if $fault;

        my $begun = time;

        $scene->line(variant => $variant)->post('inbound-webhook',
                                                From => $from);

        # who is given up may come to the provider later than the answer here
        Voice::Edge::wait_for(sub { scalar made(greeting($from)) }) if $fault;

        my $asked = made(greeting($from));

        $status = audio(name(greeting($from)))->status;
        $again = made(greeting($from)) - $asked;

        last if time - $begun < 4;
    }

    return ($status, $again);
}

sub fails {
    my ($name, $fault, $cause, %option) = @_;

    my $from = next_caller();
    my $log = length $edge->log;

    # for ever: what fails on a kept connection is tried on others
    $speech->clear;
    $speech->arm({ match => { text => digits($from) }, fault => $fault,
                   times => -1 }) if $fault;

    my $call = $scene->call($option{variant} // '', from => $from,
                            to => $option{to} // '+15005550009',
                            lines => ['hello', 'goodbye']);
    my $lines = substr $edge->log, $log;
    my ($first, $second) = @{ Voice::Scene::heard($call) };

    subtest $name => sub {
        is $first, 'say ' . greeting($from), 'the same words are said';
        is_deeply $call->errors, [], 'the call goes on';
        is $call->reason, 'hangup', 'to its end';

        if (!$option{to}) {
            is $second, 'play How can I help you?', 'other words are played';
        }

        like $scene->reasons, qr/\bspeech_(?:$cause)\b/, 'health names it';
        is $scene->health->status, 200, 'which is no reason to send no calls';
        like $lines, qr/\[error\].*voice\ speech\ "[^"]+"\ failed:
                        \ (?:$cause),.*call:\ "${\$call->sid}"/x,
            'so does the log, with the call';
        unlike $lines, qr/Welcome|test-elevenlabs/, 'no words, no key';

        if (!$option{to}) {
            my ($status, $again) = unmade($fault, $option{variant} // '');

            is $status, 502, 'there is no file';
            is $again, 0, 'and nobody insists';
        }
    };

    push @failed, $from if !$option{to};
}

fails('connection refused', undef, 'unreachable', variant => 'deaf');
fails('wrong voice', undef, 'voice_not_found', to => '+15005550003');
fails('status 401', { preset => 'bad_key' }, 'unauthorized');
fails('429, too many at once', { preset => 'concurrent' }, 'rate_limited');
fails('429, busy', { preset => 'busy' }, 'rate_limited');
fails('status 500', { preset => 'error' }, 'server_error');
fails('HTML', { preset => 'html' }, 'server_error');
fails('status 400', { status => 400, body => '{"detail":"no"}' },
      'bad_request');
fails('HTML with 200', { status => 200, type => 'text/html',
                         body => '<html></html>' }, 'not_audio');
fails('JSON with 200', { json => 1 }, 'not_audio');
fails('JSON with 200 and a length', { json => 1, length => 1 }, 'not_audio');
fails('nothing with 200', { zero => 1 }, 'empty');
fails('nothing with 200 and a length', { zero => 1, length => 1 }, 'empty');
fails('closed before the header', { cut => 'header' }, 'unreachable');
fails('closed after the header', { cut => 0 }, 'cut|empty');
fails('cut', { cut => { bytes => 3000 } }, 'cut');
fails('cut, with a length', { cut => { bytes => 3000 }, length => 1 }, 'cut');
fails('no HTTP', { garbage => 'http' },
      'unreachable|bad_response|bad_request|server_error');
fails('no answer', { stall => 'header' }, 'timeout', variant => 'slow');
fails('no end of the header', { stall => 'inside' }, 'timeout',
      variant => 'slow');
fails('no end', { stall => { bytes => 3000 } }, 'timeout', variant => 'slow');

greeted();
is $scene->health->json->{status}, 'ready', 'a success ends it';

{
    my ($r) = greeted('+15005550006');

    my $greeting = greeting(sprintf '+1500666%04d', $caller);

    like $r->body, qr/<Say[^>]*>\Q$greeting\E/, 'a flow without a voice: said';
}


# --- after a stop and a start ----------------------------------------------

$speech->clear;
ok $edge->quit, 'nginx stops';
$edge->start;
$asked = made();

is audio($name, headers => ['If-None-Match' => $etag])->status, 304,
    'a conditional request at once';

for my $worker ($edge->workers) {
    my $line = $scene->line(worker => $worker);

    fetch($line, $name);

    is sha256_hex($line->read->body), sha256_hex($file->body),
        'a worker that never saw the words serves them';
}

files('after a restart');
missing(name('never spoken'), 'unknown words');

for my $from (@failed) {
    my $r = $scene->line->post('inbound-webhook', From => $from);

    like $r->body, qr/<Play>/, digits($from) . ': nothing bad was kept';
}

for my $from (@failed) {
    my $r = audio(name(greeting($from)));

    is $speech->captions->{ sha256_hex($r->body) }, greeting($from),
        'and is whole';
}


# --- keys ------------------------------------------------------------------

$edge->write_file('new.key', "another key, newer than the first\n");
$edge->reconfigure(http_directives => { voice_number => \@numbers,
    voice_key => '%%DIR%%/new.key %%DIR%%/voice.key' });
ok $edge->reload, 'a new key before the old one';

$asked = made();
my ($newer) = plays($scene->line->post('inbound-webhook', From => $from));

isnt $newer, $name, 'new names are made with the new key';
is sha256_hex(audio($newer)->body), sha256_hex($file->body), 'for the file';
is sha256_hex(audio($name)->body), sha256_hex($file->body),
    'and the old name works';
is scalar(made()), $asked, 'nothing is made again';

$edge->reconfigure(http_directives => { voice_number => \@numbers,
    voice_key => '%%DIR%%/new.key' });
ok $edge->reload, 'the old key is gone';
is audio($name)->status, 404, 'and its names with it';
is audio($newer)->status, 200, 'the new ones are not';


# --- the cache is gone -----------------------------------------------------

ok $edge->quit, 'nginx stops';
system 'rm', '-rf', $edge->path('cache');
mkdir $edge->path('cache');
$edge->start;
missing($newer, 'neither words nor a file: not found');
ok plays($scene->line->post('inbound-webhook', From => $from)),
    'it is made anew when it is to be spoken';
is audio($newer)->status, 200, 'and served';

# files that are lost while nginx takes them for kept

sub lose { system 'rm -rf ' . $edge->path('cache') . '/*' }

lose();
is sha256_hex(audio($newer)->body), sha256_hex($file->body),
    'a lost file is made again when it is asked for';

ok $edge->quit, 'nginx stops';
$edge->start;
is audio($newer)->status, 200, 'the file is there, the words are not';
lose();
$asked = made();
isnt audio($newer)->status, 200, 'it is lost';
is audio($newer)->status, 404, 'and stays so';
is scalar(made()), $asked, 'the provider is not asked';
ok plays($scene->line->post('inbound-webhook', From => $from)), 'spoken again';
is sha256_hex(audio($newer)->body), sha256_hex($file->body), 'it is back';

lose();
$speech->arm({ times => -1, fault => { preset => 'bad_key',
    headers => { 'request-id' => 'private' } } });

my $refused = audio($newer);

is $refused->status, 502, 'lost, and the provider refuses';
unlike $refused->raw, qr/private|api.key/i, 'which is between it and us';

done_testing;
