#!/usr/bin/perl

# Defects that were found once, each with its reason.

use strict;
use warnings;

use Test::More;

use Digest::SHA qw(sha256_hex);
use FindBin;
use IO::Handle;
use IO::Socket::INET;
use lib "$FindBin::RealBin/lib";
use POSIX ();
use Time::HiRes qw(sleep);
use Voice::Edge;
use Voice::Scene;

my $first = 'We are open from nine to five every day.';
my $second = 'On Saturday we close a little earlier than on other days.';
my $story = "$first $second";
my $hello = 'Hello! It is good to hear you. How can I help?';
my $goodbye = 'Thank you for calling. Goodbye.';
my $apology = 'Sorry, something went wrong.';
my $known = '+15005550009';
my $unknown = '+15005550008';

my $flow = { %{ Voice::Edge->can('flow')->({}) },
             greeting => 'Welcome to {{company}}, {{caller.number|friend}}.' };

sub tts {
    my ($name, $more) = @_;

    return ("tts_$name" => <<"CONF");
location /voice/$name/ {
            internal;
            $more
            proxy_pass http://tts/v1/text-to-speech/\$voice_tts_voice?output_format=\$voice_tts_format;
            proxy_method POST;
            proxy_set_body \$voice_tts_body;
            proxy_pass_request_headers off;
            proxy_set_header Content-Type application/json;
            proxy_set_header xi-api-key \$elevenlabs_key;
            proxy_cache voice_tts;
            proxy_cache_key \$voice_tts_key;
            proxy_cache_valid 200 30d;
            proxy_no_cache \$voice_tts_uncacheable;
        }
CONF
}

# a location that answers by itself

sub own {
    my ($name, $upstream, $status) = @_;

    return ("own_$name" => "location /voice/$name { internal; "
        . "return $status; proxy_pass http://$upstream; }");
}

my $sorry = 'error_page 401 404 502 =200 /sorry.mp3;';

my $scene = Voice::Scene->new(
    flows => { 'general.json' => $flow },

    # no default: other numbers are not ours
    http_directives => { voice_number => "$known flow=general" },

    # what is held is released by the test: no time runs out before
    directives => {
        voice_filler_after => '30s', voice_first_token_timeout => '60s',
        voice_token_timeout => '60s', voice_speech_timeout => '12s',
        voice_answer_within => '12s',
    },

    # for each connection that is not kept, and for our own requests, too
    server => "lingering_close always;\nlingering_time 60s;\n"
        . "lingering_timeout 60s;\n",

    http => "upstream raw { server 127.0.0.1:%%PORT_raw%%; keepalive 4; }\n"
        . "limit_req_zone \$server_name zone=provider:64k rate=12r/m;\n",

    locations => {
        llm_raw => <<'CONF',
location = /voice/raw {
            internal;
            proxy_pass http://raw/v1/chat/completions;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }
CONF
        llm_limited => <<'CONF',
location = /voice/limited {
            internal;
            limit_req zone=provider burst=8;
            proxy_pass http://llm/v1/chat/completions;
            proxy_set_header Authorization "Bearer $openai_key";
            proxy_buffering off;
        }
CONF
        own("forbidden", "llm", 403), own("broken/", "tts", 500),
        own("denied/", "tts", 403),
        tts('sorry', $sorry),
        tts('intercept', "$sorry proxy_intercept_errors on;"),
        sorry => 'location = /sorry.mp3 { root %%DIR%%/www; }',
    },

    variants => {
        raw       => 'voice_llm /voice/raw model=raw;',
        limited   => 'voice_llm /voice/limited model=any;',
        stall     => 'voice_filler_after 12s; voice_answer_within 12s; '
                     . 'voice_first_token_timeout 30s; '
                     . 'voice_token_timeout 300ms;',
        short     => 'voice_answer_within 1s;',
        forbidden => 'voice_llm /voice/forbidden model=any;',
        broken    => 'voice_tts /voice/broken/;',
        denied    => 'voice_tts /voice/denied/;',
        sorry     => "voice_tts /voice/sorry/; $sorry",
        intercept => "voice_tts /voice/intercept/; $sorry",
    },
);

my ($model, $speech, $edge) = ($scene->model, $scene->speech, $scene->edge);

$edge->write_file('www/sorry.mp3', 'ID3 this is how sorry sounds');

my $send_bytes = Voice::Edge->can('send_bytes');
my $caller = 0;

sub next_caller { sprintf '+1500777%04d', ++$caller }
sub action      { Voice::Scene::Line::action(@_) }
sub redirect    { Voice::Scene::Line::redirect(@_) }

sub prepare {
    my (@faults) = @_;

    $model->clear;
    $speech->clear;
    $model->forget;
    $model->arm(map { { fault => { say => $story, %$_ } } } @faults)
        if @faults;

    return $model->counters->{held};
}

sub words {
    my ($r) = @_;

    my $captions = $speech->captions;

    return join ' ', map {
        m{audio/}
            ? $captions->{ sha256_hex(audio($_)->body) } // '?' : $_
    } Voice::Scene::Line::sounds($r);
}

# the words of a document and of those that it leads to

sub rest {
    my ($line, $r) = @_;

    my @words = words($r);

    until (action($r)) {
        $r = $line->post(redirect($r)) or last;
        push @words, words($r);
    }

    return join ' ', grep { length } @words;
}

sub audio {
    my ($name, %option) = @_;

    my $prefix = $option{prefix} // 'api/voice';

    return $edge->get("/$prefix/$name", %option);
}

# Each worker has done what it was sent before, and has read its news.

my %watch;

sub settle {
    for my $worker ($edge->workers) {
        $watch{$worker} ||= $scene->line(worker => $worker);
        $watch{$worker}->hello for 1 .. 3;
    }
}


# --- a connection that outlives its answer ---------------------------------

{
    my $held = prepare({ hold => 11 });
    my $line = $scene->line;
    my $say = $line->open;

    # the first sentence is there, its sound is not
    $speech->arm({ match => { text => 'nine to five' },
                   fault => { hold => 'header' } });
    my $sounds = $speech->counters->{held};

    $line->send($say, SpeechResult => 'tell me');
    $model->wait_for('held', $held + 1);
    $speech->wait_for('held', $sounds + 1);

    # Two in each worker: one connection is kept, one lingers
    my @again = map { my $kept = $_; map {
        my $other = $line->other(worker => $_);

        $send_bytes->($other->socket, $edge->webhook_bytes(
            Voice::Scene::path('', $say), call => $line->sid,
            keepalive => $kept, params => { SpeechResult => 'tell me' }));
        $other;
    } $edge->workers } 0, 1;

    settle();
    ok !grep({ $_->answered } @again), 'duplicates wait';
    $speech->release;

    my $r = $line->read;
    my @replays = map { $_->read } @again;

    is_deeply [ map { $_->body } @replays ], [ ($r->body) x @again ],
        'and are given the same bytes';
    is words($r), $first, 'the first sentence';

    # whose clients have not closed yet

    settle();
    $model->release;
    is rest($line, $line->post(redirect($r))), $second, 'the call goes on';
    settle();
    is $line->post('status', CallStatus => 'completed')->status, 204,
        'to its end';
    settle();
    is_deeply [ $edge->log_lines(qr/header already sent|\[alert\]/) ], [],
        'a duplicate that was replayed after a wait hears no more news';

    $_->hang_up for @again;
}

{
    prepare();

    my $call = $scene->call('', lines => ['hello', 'goodbye']);

    is Voice::Scene::words($call), "$hello $goodbye", 'a call';
    is_deeply $call->errors, [], 'as always';
    settle();
    is_deeply [ $edge->log_lines(qr/shutdown\(\)|not connected/) ], [],
        'lingering_close: our own requests have nobody to linger for';
}


# --- a request that its location delays -------------------------------------

{
    prepare({}, {}, {});

    my @lines = map { $scene->line(variant => 'limited') } 1 .. 3;
    my @say = map { $_->open } @lines;

    $lines[$_]->send($say[$_], SpeechResult => 'tell me') for 0 .. 2;

    # the last one has waited for ten seconds of the twelve before a filler
    is rest($_, $_->read) =~ s/One moment\. //gr, $story,
        'limit_req: an answer, now or later' for @lines;
    ok scalar $edge->log_lines(qr/delaying request/),
        'limit_req: there was one that had to wait';

    $_->hang_up for @lines;
}


# --- an ask that is aborted while a thread works for it ----------------------

SKIP: {
    skip 'threads cannot be held here', 3
        if $edge->is_sanitized || $edge->version !~ /--with-threads/;

    my $hold = $edge->path('hold');
    my $source = $edge->write_file('hold.c', <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t (*pread_pt)(int, void *, size_t, off_t);

static ssize_t
held(const char *name, int fd, void *buf, size_t n, off_t offset)
{
    char     link[64], path[512];
    ssize_t  len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    path[len > 0 ? len : 0] = '\0';

    while (strstr(path, "/cache/")
           && access(getenv("VOICE_TEST_HOLD"), F_OK) == 0)
    {
        usleep(10000);
    }

    return ((pread_pt) dlsym(RTLD_NEXT, name))(fd, buf, n, offset);
}

ssize_t
pread(int fd, void *buf, size_t n, off_t offset)
{
    return held("pread", fd, buf, n, offset);
}

ssize_t
pread64(int fd, void *buf, size_t n, off_t offset)
{
    return held("pread64", fd, buf, n, offset);
}
C
    my $shim = $edge->path('hold.so');

    skip 'no compiler', 3
        if system($ENV{CC} || 'cc', '-shared', '-fPIC', '-o', $shim, $source,
                  '-ldl');

    local $ENV{VOICE_TEST_HOLD} = $hold;
    local $ENV{LD_PRELOAD} = $shim;

    my $other = Voice::Scene->new(
        main => 'env VOICE_TEST_HOLD;', http => 'aio threads;', workers => 1,
        directives => { voice_speech_timeout => '500ms',
                        voice_answer_within => '12s' });
    my $line = $other->line;
    my $say = $line->open;

    $edge->write_file('hold', '');

    # one piece that has not come yet, another one that is there as a whole
    $other->speech->arm({ match => { text => 'hear you' },
                          fault => { stall => 1 }, times => 2 });

    my $r = $line->post($say, SpeechResult => 'hello');

    like $r->body, qr/<Say/, 'threads: speech that is late is said';
    ok $other->edge->wait_for_log(qr/voice speech .* failed: timeout/),
        'threads: and aborted';
    unlink $hold;
    $line->hang_up;
    $other->edge->quit;
    ok $other->edge->finish, 'threads: what they worked for ends, too';
}


# --- duplicates that wait for too long -------------------------------------

{
    my $held = prepare({ hold => 'header' });
    my $line = $scene->line;
    my $say = $line->open;

    $line->send($say, SpeechResult => 'tell me');
    $model->wait_for('held', $held + 1);

    # the same step, by a way with less patience
    my $other = $line->other;
    my $r = $other->post("/short/$say", SpeechResult => 'tell me');

    is action($r), undef, 'while an answer is made, a duplicate whose time '
        . 'is over does not ask for words';
    like redirect($r), qr/^continue\?/, 'but carries on to the answer';

    $other->send(redirect($r));
    settle();
    ok !$other->answered, 'where it waits';
    $model->release;

    # each part is given to one of them, as they come
    my $heard = join ' ', words($line->read), rest($other, $other->read);

    like $heard, qr/\Q$_\E/, 'and no part of the answer is lost'
        for $first, $second;
    is scalar(@{ $model->requests }), 1, 'the model was asked once';
    $_->hang_up for $line, $other;
}


# --- the model's connection ------------------------------------------------

# A model that ends its stream a moment after it said that it is over, or,
# when asked to, never.

sub raw_model {
    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $edge->port('raw'),
        Listen => 16, ReuseAddr => 1) or die "listen: $!";

    $SIG{CHLD} = $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $s = $listen->accept or next;
        my $pid = fork // die "fork: $!";

        if (!$pid) {
            close $listen;
            alarm 120;
            1 while raw_answer($s);
            raw_note('closed');
            POSIX::_exit(0);
        }

        close $s;
    }
}

sub raw_note {
    open my $file, '>>', $edge->path('raw.log') or die "raw.log: $!";
    $file->autoflush(1);
    print {$file} "$_[0] $$\n";
}

sub raw_notes {
    my ($what) = @_;

    my @pids = $edge->read_file('raw.log') =~ /^\Q$what\E (\d+)$/mg;

    return @pids;
}

sub raw_answer {
    my ($s) = @_;

    my $in = '';

    until ($in =~ /\r\nContent-Length: (\d+)\r\n.*?\r\n\r\n(.*)/s
           && length $2 >= $1)
    {
        sysread $s, $in, 65536, length $in or return;
    }

    raw_note('asked');

    syswrite $s, join '', "HTTP/1.1 200 OK\r\n",
        "Content-Type: text/event-stream\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        map { sprintf "%x\r\n%s\r\n", length, $_ } map { "data: $_\n\n" }
        '{"choices":[{"index":0,"delta":{"content":"' . $first . '"}}]}',
        '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '[DONE]';

    return 1 if $in =~ /never ends/;

    sleep 0.05;
    syswrite $s, "0\r\n\r\n";
    raw_note('ended');

    return 1;
}

$edge->run_daemon(\&raw_model, 'raw');

{
    # a line has one worker, and that has one set of kept connections
    my $line = $scene->line(variant => 'raw');
    my $turns = 5;
    my $say = $line->open;
    my ($turn, @last) = (0);

    # an end that takes longer than the edge waits for it, as on a machine
    # that is busy, costs the connection: so many in a row are looked for

    while (@last < $turns || grep { $_ != $last[0] } @last) {
        last if ++$turn > 5 * $turns;

        my $r = $line->post("/raw/$say", SpeechResult => "turn $turn");

        if (!action($r)) {
            $r = $line->post('/raw/' . redirect($r));
        }

        $say = action($r) or last;

        Voice::Edge::wait_for(sub { raw_notes('ended') >= $turn });
        $line->hello for 1 .. 2;

        @last = raw_notes('asked');
        @last = @last[-$turns .. -1] if @last > $turns;
    }

    my %connections = map { $_ => 1 } @last;

    is scalar(@last), $turns, "$turns turns";
    is scalar(keys %connections), 1, 'whose stream ends a moment after '
        . '[DONE]: one connection to the model';

    my $closed = raw_notes('closed');
    my $r = $line->post("/raw/$say", SpeechResult => 'this never ends');

    is words($r), $first, 'a stream that does not end after [DONE] is heard';
    ok Voice::Edge::wait_for(sub { raw_notes('closed') > $closed }),
        'and its connection is given up';
    is $scene->health->json->{status}, 'ready', 'which is no failure';
    $line->hang_up;
}


# --- clocks ----------------------------------------------------------------

{
    prepare({ at_once => 14, stall => 1 });

    # the second turn is none of this clock's business

    my $next = sub {
        my (undef, $gather) = @_;

        $gather->{attributes}{action} =~ s{^(?!/)}{/api/voice/};
        return 'hello';
    };

    my $log = length $edge->log;
    my $call = $scene->call('stall', lines => ['tell me', $next, 'goodbye']);
    my $lines = substr $edge->log, $log;

    # the clocks are far apart: between tokens, for a filler, for the first

    is Voice::Scene::words($call), "$first $hello $goodbye",
        'from the first token on, the clock between tokens counts: no filler '
        . 'before a stall is noticed';
    like $lines, qr/voice model "[^"]+" failed: stalled,/, 'as the log says';
}


# --- audio that the cache has lost -----------------------------------------

my $from = next_caller();
my $line = $scene->line;
my ($name) = Voice::Scene::Line::sounds(
    $line->post('inbound-webhook', From => $from));
my $file = audio($name);
my $etag = $file->header('ETag');

is $file->status, 200, 'a file';

sub lose {
    for my $kept (glob $edge->path('cache') . '/*/*/*') {
        unlink $kept or $!{ENOENT} or die "$kept: $!";
    }
}

sub asked { scalar @{ $speech->requests } }

# what is the provider's and nobody else's business

my %private = ('X-Private' => 'of the provider', 'request-id' => 'private');

for my $case (
    ['401', { preset => 'bad_key' }],
    ['JSON with 200', { json => 1 }],
    ['JSON with 200 and a length', { json => 1, length => 1 }],
    ['HTML with 503', { status => 503, type => 'text/html',
                        body => '<html>private</html>' }],
) {
    my ($what, $fault) = @$case;

    for my $method ('GET', 'HEAD') {
        lose();
        prepare();
        $speech->arm({ times => -1,
                       fault => { %$fault, headers => \%private } });

        my $r = audio($name, method => $method);

        is $r->status, 502,
            "$method: lost, and the provider answers $what: 502";
        unlike $r->raw, qr/private|provider|api.key|detail|immutable/i,
            "none of the provider's words or headers gets out";
        is scalar($r->header('ETag')), undef, 'an error has no tag';

        $speech->clear;

        for my $time ('at once', 'and again') {
            my $r = audio($name);

            is $r->status, 200, "the provider recovers: $time";
            is sha256_hex($r->body), sha256_hex($file->body), 'the same sound';
            is $r->header('ETag'), $etag, 'under its tag';
        }
    }
}


# --- conditions ------------------------------------------------------------

for my $case (
    ['If-Match' => $etag], ['If-Match' => "\"other\", $etag"],
    ['If-Match' => '*'],
    ['If-Unmodified-Since' => 'Thu, 01 Jan 2026 00:00:00 GMT'],
) {
    my $r = audio($name, headers => $case);

    is $r->status, 200, "$case->[0]: $case->[1] is not held against a tag "
        . 'or a date of the upstream';
    is sha256_hex($r->body), sha256_hex($file->body), 'the sound';
}

is audio($name, headers => ['If-Match' => '"other"'])->status, 200,
    'If-Match with another tag is passed over';


# --- error pages -----------------------------------------------------------

sub is_sorry {
    my ($r, $what) = @_;

    is $r->status, 200, "$what: the operator's page";
    is $r->body, $edge->read_file('www/sorry.mp3'), 'with its own bytes';
    isnt scalar($r->header('ETag')), $etag, 'is not tagged as the sound';
    is scalar($r->header('Cache-Control')), undef, 'nor kept for ever';
}

for my $variant ('sorry', 'intercept') {
    my %option = (prefix => $variant);

    is_sorry(audio('audio/none.mp3', %option), "$variant, 404");

    lose();
    prepare();
    $speech->arm({ times => -1, fault => { preset => 'bad_key' } });
    is_sorry(audio($name, %option), "$variant, lost and refused");
    $speech->clear;

    my $r = audio($name, %option);

    is sha256_hex($r->body), sha256_hex($file->body),
        "$variant: the sound is back";
    is $r->header('ETag'), $etag, 'with its tag';
}


# --- numbers ---------------------------------------------------------------

{
    my $parent = 'CA' . '0' x 31 . '7';
    my $leg = $scene->line;

    is $leg->post('status', CallStatus => 'completed', To => $unknown,
                  ParentCallSid => $parent)->status, 204,
        'the status of a leg to a number that is not ours';
    is $leg->post('status', CallStatus => 'ringing', To => $unknown)->status,
        204, 'or of any other call';

    my $calls = $scene->health->json->{calls};
    my $r = $leg->post('conversation-start', To => $unknown,
                       ParentCallSid => $parent);

    is $r->status, 200, 'a leg starts no conversation';
    unlike $r->body, qr/<(?:Gather|Play|Say|Redirect)/, 'and hears nothing';
    is $scene->health->json->{calls}, $calls, 'nor is it a call';
    is $leg->post('inbound-webhook', To => $unknown)->status, 404,
        'a caller of such a number is refused';
    $leg->hang_up;
}


# --- failures by a location's own word -------------------------------------

sub failing_speech {
    my ($variant, $cause) = @_;

    prepare();

    my $from = next_caller();
    my $call = $scene->call($variant, from => $from,
                            lines => ['hello', 'goodbye']);

    is Voice::Scene::heard($call)->[0], "say Welcome to Test Company, $from.",
        "$variant: the words are said";
    like $scene->reasons, qr/\bspeech_$cause\b/,
        'a location for speech that answers by itself is a failure in health';
}

failing_speech('broken', 'unreachable');
failing_speech('denied', 'unauthorized');

{
    prepare();

    my $call = $scene->call('forbidden', lines => ['hello', 'goodbye']);

    is Voice::Scene::words($call), "$apology $goodbye", 'a model that is a '
        . '403 of our own: an apology';
    like $scene->reasons, qr/\bmodel_unauthorized\b/,
        'and its cause in health';
}


# --- words in the log ------------------------------------------------------

my $secret = 'my code is swordfish';

for my $case (
    ['a 400', 'bad_request', { status => 400,
        body => qq({"error":{"message":"Invalid content: '$secret'",)
                . '"code":"invalid_value"}}' }],
    ['a 422', 'bad_request', { status => 422,
        body => qq({"detail":[{"msg":"bad","input":"$secret"}]}) }],
    ['a 413', 'bad_request', { status => 413,
        body => qq({"error":{"message":"too long: '$secret'"}}) }],
    ['a 500', 'server_error', { status => 500,
        body => qq({"error":{"message":"Failed to parse messages: '$secret'",)
                . '"type":"server_error"}}' }],
    ['a 503 of a proxy', 'server_error', { status => 503,
        type => 'text/html', body => "<h1>Busy</h1><p>$secret</p>" }],
    ['an error in the stream', 'stream_error', { status => 200,
        type => 'text/event-stream',
        body => qq(data: {"error":{"message":"flagged: '$secret'",)
                . qq("type":"invalid_request_error"}}\n\n) }],
    ['a named error event', 'stream_error', { status => 200,
        type => 'text/event-stream',
        body => qq(event: error\ndata: {"error":{"message":"'$secret'",)
                . qq("code":"content_filter"}}\n\n) }],
) {
    my ($what, $cause, $fault) = @$case;

    prepare($fault);

    my $log = length $edge->log;
    my $call = $scene->call('', lines => [$secret, 'goodbye']);
    my $lines = substr $edge->log, $log;

    is Voice::Scene::words($call), "$apology $goodbye", "$what: an apology";
    like $lines, qr/voice model "[^"]+" failed: $cause,/, 'a cause in the log';
    unlike $lines, qr/swordfish/, "and none of the caller's words that the "
        . 'model repeats';
}

for my $case (
    ['a 400', { status => 400, body =>
        qq({"detail":{"status":"invalid","message":"'$secret' is bad"}}) }],
    ['a 422', { status => 422, body =>
        qq({"detail":[{"loc":["text"],"msg":"'$secret'","input":"$secret"}]})
    }],
    ['a 500', { status => 500, body =>
        qq({"detail":{"status":"failed","message":"can not say '$secret'"}})
    }, 'server_error'],
) {
    my ($what, $fault, $cause) = @$case;

    $cause //= 'bad_request';

    prepare({ say => "For $what it is $secret and no more." });
    $speech->arm({ match => { text => 'swordfish' }, fault => $fault,
                   times => -1 });

    my $log = length $edge->log;
    my $call = $scene->call('', lines => ['tell me', 'goodbye'],
                            from => next_caller());
    my $lines = substr $edge->log, $log;

    like Voice::Scene::words($call), qr/swordfish/, "speech, $what: said";
    like $lines, qr/voice speech "[^"]+" failed: $cause,/,
        'a cause in the log';
    unlike $lines, qr/swordfish/, 'and no words';
    $model->clear;
    $speech->clear;
}


# --- words that a restart has forgotten ------------------------------------

{
    $_->hang_up for values %watch, $line;
    %watch = ();

    ok $edge->quit, 'nginx stops';
    $edge->start;
    is audio($name)->status, 200, 'after a start the sound is there';
    lose();
    $speech->forget;

    is audio($name, method => $_)->status, 404,
        "$_: neither sound nor words: 404" for qw(GET HEAD GET);
    is asked(), 0, 'the provider is not asked';
    is_sorry(audio($name, prefix => $_), "$_, forgotten")
        for 'sorry', 'intercept';

    $line = $scene->line;
    $line->post('inbound-webhook', From => $from);
    is sha256_hex(audio($name)->body), sha256_hex($file->body),
        'spoken again, it is back';
    $line->hang_up;
}


# --- what nginx -t finds ---------------------------------------------------

for my $case (
    [webhook => '/api/voice/', 'voice_webhook'],
    [audio => '/api/voice/audio/', 'voice_audio'],
    [health => '/api/voice/health', 'voice_health'],
) {
    my ($key, $path, $ours) = @$case;

    for my $other ('proxy_pass http://llm', 'stub_status', 'flv') {
        next if $other eq 'flv' && $edge->version !~ /http_flv_module/;

        $edge->bad_conf("a handler after $ours would take its place, and "
            . "verify nothing: $other", qr/overruled by another/,
            locations => { $key => "location $path { $ours; $other; }" });
        $edge->bad_conf("and so before it: $other", qr/conflicts|overruled/,
            locations => { $key => "location $path { $other; $ours; }" });
    }
}

$edge->good_conf('handlers of other locations are none of our business',
    locations => { z_other => 'location /other/ { voice_webhook; '
        . 'location /other/stub/ { stub_status; } '
        . 'location /other/pass/ { proxy_pass http://llm; } }' });

is_deeply [ $edge->log_lines(qr/\[alert\]/) ], [], 'no alert in all this';

done_testing;
