#!/usr/bin/perl

# Whatever the model does, the caller hears something, the call goes on, and
# health and log name the cause.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Scene;

my $welcome = 'Welcome to Test Company.';
my $opening = 'How can I help you?';
my $apology = 'Sorry, something went wrong.';
my $hello = 'Hello! It is good to hear you. How can I help?';
my $goodbye = 'Thank you for calling. Goodbye.';
my $filler = 'One moment.';
my $story = 'We are open from nine to five every day. On Saturday we close '
    . 'a little earlier than on other days.';

my $edge = Voice::Edge->can('flow')->({});
my %flow = (%$edge, model => { temperature => 0.4, max_tokens => 123 });

# One location for each kind of model

sub location {
    my ($name, $pass, $key) = @_;

    $key //= '';

    return ("llm_$name" => <<"CONF");
location = /voice/$name {
            internal;
            proxy_pass $pass;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            $key
            proxy_buffering off;
        }
CONF
}

my $key = 'proxy_set_header Authorization "Bearer $openai_key";';

my $scene = Voice::Scene->new(
    model => { models => [qw(test-model second gpt-4o-mini o3-mini gpt-5)] },

    flows => {
        'general.json' => \%flow,
        'alone.json' => { %flow, name => 'alone', keys => {}, rules => [],
            fallback => { after => 1, say => 'I give up.' } },
    },
    http_directives => {
        voice_number => ['default flow=general', '+15005550001 flow=alone'],
    },

    # far apart, so that a busy machine does not mix them up
    directives => {
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_speech_timeout => '8s',
        voice_answer_within => '10s',
    },

    locations => {
        location('down', 'http://127.0.0.1:%%PORT_nobody%%'),
        location('keyless', 'http://llm/v1/chat/completions'),
        location('nowhere', 'http://llm/v2/chat/completions', $key),
    },

    variants => {
        down    => 'voice_llm /voice/down model=test-model;',
        nowhere => 'voice_llm /voice/nowhere model=test-model;',
        keyless => 'voice_llm /voice/keyless model=test-model;',
        wrong   => 'voice_llm /voice/llm model=no-such-model;',
        quick   => 'voice_filler_after 200ms; '
                   . 'voice_first_token_timeout 900ms;',
        brief   => 'voice_filler_after 200ms; voice_token_timeout 700ms;',
        late    => 'voice_filler_after 300ms;',
        two     => 'voice_llm /voice/down model=first; '
                   . 'voice_llm /voice/llm model=second;',
        same    => 'voice_llm /voice/llm model=test-model; '
                   . 'voice_llm /voice/llm model=second;',
        hasty   => 'voice_llm /voice/llm model=test-model; '
                   . 'voice_llm /voice/llm model=second; '
                   . 'voice_first_token_timeout 4s;',
        gpt4    => 'voice_llm /voice/llm model=gpt-4o-mini;',
        o3      => 'voice_llm /voice/llm model=o3-mini;',
        gpt5    => 'voice_llm /voice/llm model=gpt-5;',
        newer   => 'voice_llm /voice/llm model=gpt-4o-mini '
                   . 'max_tokens_field=max_completion_tokens;',
    },
);

my $model = $scene->model;


# A fault in the first turn; the second one is as always.

sub fault {
    my ($name, $fault, %expect) = @_;

    my $variant = $expect{variant} // '';
    my $health;

    $model->clear;
    $model->forget;
    $model->arm({ fault => { say => $story, %$fault } }) if $fault;

    my $log = length $scene->edge->log;

    my $call = $scene->call($variant, lines => [
        'tell me',

        # the next turn has the patience of the default again
        sub {
            my (undef, $gather) = @_;

            $gather->{attributes}{action} =~ s{^(?!/)}{/api/voice/};
            $health = $scene->health;
            return 'hello';
        },
        'goodbye',
    ]);

    my $lines = substr $scene->edge->log, $log;
    my $words = Voice::Scene::words($call);

    subtest $name => sub {
        is_deeply $call->errors, [], 'no error on the phone'
            or diag explain $call->errors;
        is $call->reason, 'hangup', 'and its end is proper';

        if ($expect{fillers}) {
            like $words, qr/\Q$filler\E/, 'a filler while nothing comes'
                if $expect{fillers} eq 'sure';

            # how often is a matter of time
            $words =~ s/\Q$filler\E //g;
        }

        is $words, "$expect{hear} $hello $goodbye", 'what is heard';

        cmp_ok Voice::Scene::slowest($call), '<', 14, 'each answer in time';

        if (my $cause = $expect{cause}) {
            is $health->status, 200, 'one failure: health is served';
            is $health->json->{status}, 'degraded', 'degraded';
            like join(' ', map { $_->{code} } @{ $health->json->{reasons} }),
                qr/^model_(?:$cause)$/, 'health names the cause';
            like $lines,
                qr/\[error\].*voice\ model\ "[^"]+"\ failed:\ (?:$cause),
                   .*call:\ "\Q${\$call->sid}\E"/x,
                'so does the log, with the call';
        } else {
            is $health->json->{status}, 'ready', 'health sees no failure';
            unlike $lines, qr/voice model .* failed/, 'nor does the log';
            like $lines, $expect{log}, 'but it tells' if $expect{log};
        }

        unlike $lines, qr/sk-test-openai/, 'no key in the log';
        unlike $lines, qr/tell me|hello/, 'no words in the log';
    } or diag $lines;

    return $call;
}

my $first = 'We are open from nine to five every day.';


# --- answers of a strange form that are answers ----------------------------

fault('a plain stream', {}, hear => $story);
fault('lines end with CRLF', { crlf => 1 }, hear => $story);
fault('lines end with CR', { cr => 1 }, hear => $story);

# some thousand writes and reads
fault('byte by byte', { bytewise => 1, crlf => 1 }, hear => $story,
      fillers => 'maybe');

fault('the whole stream at once', { at_once => 1 }, hear => $story);
fault('comments and a byte order mark', { comments => 1, bom => 1 },
      hear => $story);
fault('no [DONE]', { no_done => 1 }, hear => $story);
fault('no usage', { no_usage => 1 }, hear => $story);
fault('with a length', { length => 1 }, hear => $story);
fault('JSON though a stream was asked for', { plain => 1 }, hear => $story);
fault('cut by the limit of tokens', { finish => 'length' }, hear => $story);


# --- failures before anything was said -------------------------------------

my %code = (
    unauthorized => [ bad_key => {} ],
    rate_limited => [ rate_limit => {} ],
    server_error => [ error => {} ],
);

for my $cause (sort keys %code) {
    my ($preset) = @{ $code{$cause} };

    # what a Retry-After does, and quota, is in 64_admission
    fault("$preset", { preset => $preset, headers => {} }, hear => $apology,
          cause => $cause);
}

fault('503 with Retry-After', { preset => 'overloaded' }, hear => $apology,
      cause => 'server_error');
fault('an HTML page of a gateway', { preset => 'html' }, hear => $apology,
      cause => 'server_error');
fault('an empty body with 500', { preset => 'empty' }, hear => $apology,
      cause => 'server_error');
fault('a 400', { status => 400, body => '{"error":"no such thing"}' },
      hear => $apology, cause => 'bad_request');
fault('a 401 that repeats the key', { status => 401, body =>
          '{"error":{"message":"Incorrect API key provided: sk-test-openai",'
          . '"code":"invalid_api_key"}}' },
      hear => $apology, cause => 'unauthorized');
fault('HTML with 200', { status => 200, type => 'text/html',
                         body => '<html><body>Welcome</body></html>' },
      hear => $apology, cause => 'not_json');
fault('nothing with 200', { status => 200, body => '' },
      hear => $apology, cause => 'not_json|empty|cut');
fault('broken JSON with 200', { status => 200, body => '{"choices":[{' },
      hear => $apology, cause => 'not_json');
fault('JSON of another kind with 200', { status => 200, body => '[1, 2]' },
      hear => $apology, cause => 'not_json|empty');
fault('no content', { empty => 1 }, hear => $apology, cause => 'empty');
fault('nothing but marks', { say => "** ... ** \x{2026} -" },
      hear => $apology, log => qr/\[error\].*said nothing speakable/);
fault('closed before the header', { cut => 'header' }, hear => $apology,
      cause => 'unreachable');
fault('closed inside the header', { cut => 'inside' }, hear => $apology,
      cause => 'unreachable');
fault('closed after the header', { cut => 0 }, hear => $apology,
      cause => 'cut');
fault('cut in the first sentence', { cut => 4 }, hear => $apology,
      cause => 'cut');
fault('no HTTP', { garbage => 'http' }, hear => $apology,
      cause => 'unreachable|bad_response|bad_request|server_error');
fault('an error in the stream, at once', { error_event => 0 },
      hear => $apology, cause => 'stream_error');
fault('an event without an end', { say => 'x' x 40000 }, hear => $apology,
      cause => 'event_too_large');


# --- failures after something was said -------------------------------------

fault('cut in the second sentence', { cut => 14 }, hear => $first,
      cause => 'cut');
fault('an error in the second sentence', { error_event => 13 },
      hear => $first, cause => 'stream_error');
fault('broken JSON in the second sentence', { garbage => 'yes' },
      hear => $first, cause => 'not_json');
fault('neither [DONE] nor a reason', { no_done => 1, no_finish => 1 },
      hear => $story, cause => 'cut');


# --- slow ------------------------------------------------------------------

fault('no first token in time', { stall => 'header' }, variant => 'quick',
      hear => $apology, cause => 'timeout', fillers => 'sure');
fault('stalled inside the header', { stall => 'inside' },
      variant => 'quick', hear => $apology, cause => 'timeout',
      fillers => 'sure');
fault('no token after the header', { stall => 1 }, variant => 'quick',
      hear => $apology, cause => 'timeout', fillers => 'sure');
fault('stalled in the second sentence', { at_once => 14, stall => 1 },
      variant => 'brief', hear => $first, cause => 'stalled',
      fillers => 'maybe');
fault('stalled in a word', { at_once => 1, stall => { bytes => 4000 } },
      variant => 'brief', hear => $first, cause => 'stalled',
      fillers => 'maybe');
fault('events without words in the second sentence',
      { at_once => 15, idle => 14 }, variant => 'brief', hear => $first,
      cause => 'stalled', fillers => 'maybe');
fault('nothing but events without words', { idle => 0 }, variant => 'quick',
      hear => $apology, cause => 'timeout', fillers => 'sure');

{
    # the filler is heard before the answer, however late that is

    $model->arm({ fault => { say => $story, hold => 'header' } });

    my $call = $scene->call('late', lines => [ 'tell me', 'goodbye' ],
        on_event => sub {
            my ($call, $event) = @_;
            $model->release if $event->{kind} eq 'sound'
                && ($event->{sound}{text} // '') eq '';
        });

    like Voice::Scene::words($call), qr/^\Q$filler\E .*other days/,
        'a filler, then the answer';
    is_deeply $call->errors, [], 'without an error';
}


# --- wrong settings --------------------------------------------------------

sub given_up {
    my ($variant, $cause, $to) = @_;

    my $log = length $scene->edge->log;
    my $call = $scene->call($variant, lines => ['one', 'two', 'three'],
                            dial => { status => 'busy' });
    my $lines = substr $scene->edge->log, $log;

    is Voice::Scene::words($call),
        "$apology I connect you now. $goodbye",
        "$variant: an apology, then a human";
    is_deeply [ map { $_->{number} } @{ $call->dialed } ],
        ['+15005550010'], 'who is dialled';
    is_deeply $call->errors, [], 'without an error';
    like $lines, qr/\[error\].*voice model "[^"]+" failed: $cause,/,
        "log: $cause";
    like $lines, qr/\[error\].*given up after 2 failed turns, a human/,
        'and that it was given up';
    like $scene->reasons, qr/\bmodel_$cause\b/, 'health says it';
}

given_up('down', 'unreachable');
given_up('nowhere', 'model_not_found');
given_up('wrong', 'model_not_found');
given_up('keyless', 'unauthorized');

is $scene->health->status, 503,
    'after so many failures calls should go elsewhere';
is $scene->health->json->{status}, 'failing', 'failing';

{
    my $call = $scene->call('down', to => '+15005550001', lines => ['one']);

    is Voice::Scene::words($call), "I give up. $goodbye",
        'no human: the flow says so, then goodbye';
    is $call->reason, 'hangup', 'and the call ends';
    is_deeply $call->dialed, [], 'nobody is dialled';
    like scalar $scene->edge->log_lines(qr/given up after 1 failed turns/),
        qr/ends with a goodbye/, 'and the log says so';
}

$scene->call('', lines => ['hello']);
is $scene->health->json->{status}, 'ready', 'a success ends it';


# --- several models --------------------------------------------------------

sub models {
    return join ' ', map { $_->{body}{model} } @{ $model->requests };
}

{
    $model->forget;
    my $call = $scene->call('two', lines => ['hello', 'hello', 'goodbye']);

    is Voice::Scene::words($call), "$hello $hello $goodbye",
        'the first is down: the second answers';
    is models(), 'second second', 'under its own name';
}

for my $case (['bad_key', preset => 'bad_key'], ['html', preset => 'html'],
              ['no content', empty => 1], ['cut', cut => 3],
              ['timeout', stall => 'header'])
{
    my ($name, @fault) = @$case;

    $model->clear;
    $model->forget;
    $model->arm({ fault => { say => $story, @fault } });

    my $call = $scene->call($name eq 'timeout' ? 'hasty' : 'same',
                            lines => ['hello', 'goodbye']);

    is Voice::Scene::words($call), "$hello $goodbye",
        "$name: nothing was said, the second answers";
    is models(), 'test-model second', 'each is asked once';
}

{
    $model->clear;
    $model->forget;
    $model->arm({ fault => { say => $story, cut => 14 } });

    my $call = $scene->call('same', lines => ['tell me', 'goodbye']);

    is Voice::Scene::words($call), "$first $goodbye",
        'something was said: nobody else is asked';
    is models(), 'test-model', 'one request';
}

{
    $model->clear;
    $model->forget;
    $model->arm({ times => 2, fault => { preset => 'error' } });

    my $call = $scene->call('same', lines => ['hello', 'hello', 'goodbye']);

    is Voice::Scene::words($call), "$apology $hello $goodbye",
        'both fail: one apology';
    is models(), 'test-model second test-model', 'the next turn begins anew';
}


# --- the request -----------------------------------------------------------

sub asked {
    my ($variant) = @_;

    $model->clear;
    $model->forget;

    $scene->call($variant, lines => ['hello'], misbehave => {
        headers => { Cookie => 'private=1', 'X-Private' => 'yes',
                     Authorization => 'Basic c2VjcmV0' } });

    my ($request) = @{ $model->requests };

    return $request;
}

{
    my $request = asked('');
    my %headers = map { lc $_ => $request->{headers}{$_} }
        keys %{ $request->{headers} };
    my $body = $request->{body};

    is $request->{method}, 'POST', 'method';
    is $headers{authorization}, 'Bearer sk-test-openai',
        'the key of the location';
    is $headers{'content-type'}, 'application/json', 'content type';
    is join(' ', grep { /twilio|cookie|private|accept-encoding|home-region/ }
                 sort keys %headers), '',
        'nothing of the caller reaches the provider';
    is join(' ', sort keys %$body), 'max_tokens messages model stream '
        . 'stream_options temperature', 'fields';
    ok $body->{stream}, 'a stream';
    # true is an object, or text, as the JSON library at hand has it
    is_deeply [ map { "$_" } %{ $body->{stream_options} } ],
        ['include_usage', '1'], 'with usage';
    is $body->{model}, 'test-model', 'model';
    is $body->{max_tokens}, 123, 'max_tokens';
    is $body->{temperature}, 0.4, 'temperature';

    my @messages = @{ $body->{messages} };

    is $messages[0]{role}, 'system', 'persona first';
    like $messages[0]{content}, qr/^You are Tess, the front desk of Test/,
        'as the flow has it';
    like $messages[0]{content}, qr/\+15005550006/, 'and who is calling';
    is_deeply $messages[-1], { role => 'user', content => 'hello' },
        "the caller's words last";
}

for my $case (
    ['gpt4',  'gpt-4o-mini', 'max_tokens', 1],
    ['newer', 'gpt-4o-mini', 'max_completion_tokens', 1],
    ['o3',    'o3-mini',     'max_completion_tokens', 0],
    ['gpt5',  'gpt-5',       'max_completion_tokens', 0],
) {
    my ($variant, $name, $field, $temperature) = @$case;
    my $body = asked($variant)->{body};

    is $body->{model}, $name, "$variant: model";
    is join(' ', grep { /max/ } sort keys %$body), $field, "$variant: $field";
    is exists $body->{temperature} ? 1 : 0, $temperature,
        "$variant: temperature " . ($temperature ? 'sent' : 'left out');
}

ok Voice::Edge::wait_for(sub {
    !grep { $_->{end} eq 'open' } @{ $model->requests }
}), 'no request is left open';

done_testing;
