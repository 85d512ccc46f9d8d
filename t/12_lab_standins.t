#!/usr/bin/perl

# The stand-ins keep the providers' contracts, and fail on demand.

use strict;
use warnings;

use Test::More;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::JSON qw(decode_json encode_json);
use Mojo::Promise;
use Voice::Lab::Audio qw(inspect);
use Voice::Lab::Fetch;
use Voice::Lab::Model;
use Voice::Lab::Speech;

my $model = Voice::Lab::Model->new(key => 'sk-lab');
my $speech = Voice::Lab::Speech->new(key => 'xi-lab');
my %base = (model => 'http://127.0.0.1:' . $model->listen_on,
            speech => 'http://127.0.0.1:' . $speech->listen_on);
my $fetch = Voice::Lab::Fetch->new;
my $voice = '21m00Tcm4TlvDq8ikWAM';

# who stalls is given up after that; what comes before it is not to be late
my $impatient = { fragment => 'rt=2000&rc=0' };


sub wait_for {
    my ($promise) = @_;
    my @result;

    $promise->then(sub { @result = @_ })->wait;
    return $result[0];
}


sub chat_p {
    my ($body, $options) = @_;

    $body = { model => 'gpt-4o-mini', stream => \1,
              messages => [{ role => 'user', content => 'hello' }], %$body };

    return $fetch->fetch_p('POST', "$base{model}/v1/chat/completions", {
        body => encode_json($body),
        headers => { 'Content-Type' => 'application/json',
                     Authorization => 'Bearer sk-lab' },
        %{ $options || {} } });
}


sub chat { return wait_for(chat_p(@_)) }


sub speak {
    my ($text, $format, %headers) = @_;

    return wait_for($fetch->fetch_p('POST',
        "$base{speech}/v1/text-to-speech/" . ($headers{voice} // $voice)
        . "?output_format=" . ($format // 'mp3_22050_32'), {
        body => encode_json({ text => $text,
                              model_id => 'eleven_flash_v2_5' }),
        headers => { 'Content-Type' => 'application/json',
                     'xi-api-key' => $headers{key} // 'xi-lab' } }));
}


# What a client makes of a stream

sub words {
    my ($r) = @_;
    my $text = '';

    for my $event (split /\r\n\r\n|\n\n|\r\r/, $r->{body} // '') {
        for my $line (split /\r\n|\n|\r/, $event) {
            next if $line !~ /\Adata: ?(\{.*)/;
            my $json = eval { decode_json($1) } or next;
            $text .= $json->{choices}[0]{delta}{content} // ''
                if @{ $json->{choices} || [] };
        }
    }

    return $text;
}


# The calls of a stream, put together by index

sub calls {
    my ($r) = @_;
    my @calls;

    for my $line (split /\n/, $r->{body} // '') {
        next if $line !~ /\Adata: (\{.*)/;
        my $json = eval { decode_json($1) } or next;

        for my $part (map { @{ $_->{delta}{tool_calls} || [] } }
                          @{ $json->{choices} || [] })
        {
            my $call = $calls[ $part->{index} // 0 ] //= { arguments => '' };
            my $function = $part->{function};

            $call->{pieces}++;
            $call->{id} = $part->{id} if exists $part->{id};
            $call->{name} = $function->{name} if exists $function->{name};
            $call->{arguments} .= $function->{arguments};
        }
    }

    return @calls;
}


sub armed {
    my ($server, $fault, $match, $times) = @_;

    $server->faults->clear;
    $server->faults->arm([{ fault => $fault, match => $match || {},
                            times => $times // 1 }]);
}

my $hello = 'Hello! It is good to hear you. How can I help?';

# contracts of the model

{
    my $r = chat({});

    is($r->{status}, 200, 'stream: status');
    like($r->{type}, qr{\Atext/event-stream}, 'stream: type');
    is(words($r), $hello, 'stream: words');
    like($r->{body}, qr/data: \[DONE\]\n\n\z/, 'stream: DONE');
    unlike($r->{body}, qr/"usage"/, 'stream: no usage unasked');

    $r = chat({ stream_options => { include_usage => \1 } });
    like($r->{body}, qr/"choices":\[\].*"usage":\{/, 'stream: usage asked');

    $r = chat({ stream => \0 });
    is(decode_json($r->{body})->{choices}[0]{message}{content}, $hello,
       'plain: words');

    is(chat({ max_tokens => 2 })->{body} =~ /"length"/, 1, 'token limit');

    for my $bad ([{ tempo => 1 }, 400, 'unknown_parameter'],
                 [{ messages => [] }, 400, 'missing_required_parameter'],
                 [{ messages => [{ role => 'robot', content => 'x' }] }, 400,
                  'invalid_value'],
                 [{ model => 'gpt-5-mini', max_tokens => 5 }, 400,
                  'unsupported_parameter'])
    {
        my $r = chat($bad->[0]);
        is("$r->{status} " . decode_json($r->{body})->{error}{code},
           "$bad->[1] $bad->[2]", "refused: $bad->[2]");
    }

    is(chat({}, { headers => { 'Content-Type' => 'application/json' } })
           ->{status}, 401, 'no key');
}

# tools

{
    my @tools = map { +{ type => 'function', function => { name => $_,
        parameters => { type => 'object', properties => {} } } } }
        qw(weather note);
    my $two = [{ name => 'weather', arguments => { town => 'Bremen' } },
               { name => 'note', arguments => '{"broken":', id => 'call_x' }];
    my ($words, $seen, $offered);
    my $before = $model->reply;
    my $r;

    $model->reply(sub {
        ($words, $seen, $offered) = @_;
        return $seen->[-1]{role} eq 'tool' ? 'It rains.'
            : { say => 'One moment.', calls => $two };
    });

    $r = chat({ tools => \@tools });
    is_deeply([map { $_->{function}{name} } @$offered], ['weather', 'note'],
              'the reply sees what is offered');
    is(words($r), 'One moment.', 'calls: words before them');
    like($r->{body}, qr/"finish_reason":"tool_calls"/, 'calls: finish');

    my @calls = calls($r);

    is($calls[0]{name}, 'weather', 'first call');
    is($calls[0]{arguments}, '{"town":"Bremen"}', 'its arguments');
    like($calls[0]{id}, qr/\Acall_/, 'its id');
    cmp_ok($calls[0]{pieces}, '>', 2, 'in pieces');
    is("$calls[1]{id} $calls[1]{arguments}", 'call_x {"broken":', 'second');

    my $message = decode_json(chat({ tools => \@tools, stream => \0 })
                                  ->{body})->{choices}[0]{message};

    is($message->{content}, 'One moment.', 'plain: words');
    is_deeply([map { $_->{function}{name} } @{ $message->{tool_calls} }],
              ['weather', 'note'], 'plain: calls');

    my @asked = ({ role => 'user', content => 'and the weather?' },
                 { role => 'assistant', content => undef,
                   tool_calls => $message->{tool_calls} });
    my @told = map { +{ role => 'tool', tool_call_id => $_->{id},
                       content => '{}' } } @{ $message->{tool_calls} };

    is(words(chat({ tools => \@tools, messages => [@asked, @told] })),
       'It rains.', 'results are heard');
    is($words, 'and the weather?', 'with the words before them');

    for my $bad (['choice without tools', { tool_choice => 'auto' }],
                 ['parallel without tools', { parallel_tool_calls => \0 }],
                 ['no tools', { tools => [] }],
                 ['a tool without name', { tools => [{ type => 'function',
                     function => {} }] }],
                 ['a tool twice', { tools => [@tools[0, 0]] }],
                 ['unknown choice', { tools => \@tools, tool_choice => {
                     type => 'function', function => { name => 'x' } } }],
                 ['call without result', { messages => [@asked, $told[0]] }],
                 ['result without call', { messages => [$asked[0],
                     $told[0]] }],
                 ['words in between', { messages => [@asked, $told[0],
                     $asked[0], $told[1]] }],
                 ['a call without id', { messages => [$asked[0],
                     { role => 'assistant', content => undef, tool_calls =>
                       [{ type => 'function', function => { name => 'note',
                          arguments => '{}' } }] }] }])
    {
        is(chat($bad->[1])->{status}, 400, "refused: $bad->[0]");
    }

    armed($model, { whole_calls => 1, no_ids => 1 });
    @calls = calls(chat({ tools => \@tools }));
    is_deeply([map { [$_->{pieces}, $_->{id}] } @calls],
              [[1, undef], [1, undef]], 'whole calls without ids');

    armed($model, { amid => 'cut' });
    @calls = calls(chat({ tools => \@tools }));
    is(scalar @calls, 1, 'cut amid the first call');
    like($calls[0]{arguments}, qr/\A\{"to.*[^\}]\z/, 'and its arguments');

    armed($model, { amid => 'stall' });
    $r = chat({ tools => \@tools }, $impatient);
    is($r->{error}{kind}, 'partial', 'stalled amid the first call');

    armed($model, { calls => [$two->[0]] });
    @calls = calls($r = chat({ tools => \@tools }));
    is_deeply([words($r), map { $_->{name} } @calls], ['', 'weather'],
              'calls of a fault, without words');

    $model->reply($before);
    $model->faults->clear;
}

# faults that both have, shown on the model

{
    my $r;

    armed($model, { preset => 'rate_limit' });
    $r = chat({});
    is($r->{status}, 429, '429 rate');
    is($r->{headers}{'Retry-After'}, 20, 'Retry-After');
    is(chat({})->{status}, 200, 'once only');

    armed($model, { preset => 'quota' });
    like(chat({})->{body}, qr/insufficient_quota/, '429 money');

    armed($model, { preset => 'html' });
    is(chat({})->{type}, 'text/html', 'HTML of a gateway');

    armed($model, { preset => 'empty' });
    $r = chat({});
    is("$r->{status}-$r->{body}", '500-', 'empty 500');

    armed($model, { status => 200, body => '' }, { nth => 2 });
    is(words(chat({})), $hello, 'nth: not yet');
    is(chat({})->{body}, '', 'nth: now');

    armed($model, { say => 'Fish.' }, { text => 'fis[h]' });
    is(words(chat({})), $hello, 'text: not for these words');
    is(words(chat({ messages => [{ role => 'user', content => 'A FISH' }] })),
       'Fish.', 'text: for those, fixed words');

    armed($model, { cut => { chunks => 3 } });
    $r = chat({});
    is($r->{error}{kind}, 'partial', 'cut after chunks');
    is(words($r), 'Hello! It', 'two words came');

    armed($model, { cut => { bytes => 100 } });
    is(length(chat({})->{body}), 100, 'cut after bytes');

    armed($model, { cut => { bytes => 0 } });
    $r = chat({});
    is("$r->{status} $r->{body}", '200 ', 'cut after the header');

    armed($model, { cut => 'header' });
    is(chat({})->{error}{code}, 11205, 'cut before the header');

    armed($model, { garbage => 'http' });
    ok(chat({})->{error}, 'garbage for HTTP');

    armed($model, { garbage => 'body' });
    like(chat({})->{body}, qr/\{"cont\n\n/, 'garbage in the stream');

    armed($model, { error_event => 2 });
    $r = chat({});
    is(words($r), 'Hello! It', 'error event after two words');
    like($r->{body}, qr/event: error/, 'error event');
    unlike($r->{body}, qr/DONE/, 'no DONE after it');

    armed($model, { empty => 1 });
    is(words(chat({})), '', 'empty content');

    armed($model, { plain => 1 });
    like(chat({})->{type}, qr{application/json}, 'plain JSON for a stream');

    for my $fault ({ crlf => 1 }, { cr => 1 }, { bytewise => 1 },
                   { comments => 1 }, { at_once => 1 }, { no_done => 1 },
                   { no_usage => 1 }, { type => 'text/plain' })
    {
        armed($model, $fault);
        is(words(chat({})), $hello, "same words: @{[ keys %$fault ]}");
    }

    armed($model, { drip => { bytes => 500, every => 0.01 } });
    is(words(chat({})), $hello, 'slow drip');

    armed($model, { delay => 0.05 });
    cmp_ok(chat({})->{ms}, '>=', 45, 'delay');

    armed($model, { stall => 2 });
    $r = chat({}, $impatient);
    is(words($r), 'Hello!', 'stall after one word');
    is($r->{error}{kind}, 'partial', 'and nothing more');

    armed($model, { stall => 'header' });
    is(chat({}, $impatient)->{error}{kind}, 'rt',
       'stall before the header');
}

# holding and releasing

for my $hold ('header', 0, 3, { bytes => 50 }) {
    my $name = ref $hold ? "bytes $hold->{bytes}" : $hold;
    my $before = $model->counters->{held};
    my $done;

    armed($model, { hold => $hold });
    my $asked = chat_p({})->then(sub { $done = $_[0] });

    wait_for($model->wait_p('held', $before + 1));
    ok(!$done, "hold $name: held");
    is($model->release, 1, "hold $name: released");
    $asked->wait;
    is(words($done), $hello, "hold $name: all words");
}

# what was received, and how it ended

{
    $model->faults->clear;
    $model->received([]);
    chat({});

    my ($note) = @{ $model->received };
    is($note->{end}, 'finished', 'end: finished');
    is($note->{body}{messages}[0]{content}, 'hello', 'parsed body');
    is($note->{headers}{Authorization}, 'Bearer sk-lab', 'headers');

    armed($model, { stall => 2 });
    my $before = $model->counters->{aborted};
    chat({}, $impatient);
    wait_for($model->wait_p('aborted', $before + 1));
    is($model->received->[1]{end}, 'aborted', 'end: aborted by the client');
}

# the same over HTTP, from a process of its own

{
    my $child = Voice::Lab::Model->spawn;

    $child->arm({ match => { text => 'hello' }, fault => { say => 'Armed.' },
                  times => -1 });
    local $base{model} = $child->base;
    is(words(chat({})), 'Armed.', 'armed over HTTP');
    is($child->counters->{requests}, 1, 'counters over HTTP');
    is($child->requests->[0]{text}, 'hello', 'requests over HTTP');
    $child->clear;
    is(words(chat({})), $hello, 'cleared over HTTP');
    is($child->wait_for(requests => 2)->{requests}, 2, 'waited over HTTP');
    $child->stop;
}

# speech

{
    my ($r, $sound);
    my %expected = (mp3_22050_32 => 'mp3 22050', mp3_44100_128 => 'mp3 44100',
                    wav_8000 => 'wav 8000', ulaw_8000 => 'ulaw 8000');

    for my $format (sort keys %expected) {
        $r = speak('How can I help you?', $format);
        $sound = inspect($r->{body}, $r->{type});
        is("$sound->{format} $sound->{rate}", $expected{$format}, $format);
        cmp_ok($sound->{seconds}, '>', 1, "$format: seconds");
        is($speech->captions->{ sha256_hex($r->{body}) },
           'How can I help you?', "$format: caption");
    }

    is($r->{headers}{'character-cost'}, 10, 'character-cost');
    is(speak('How can I help you?')->{body},
       speak('How can I help you?')->{body}, 'same text, same bytes');
    cmp_ok($speech->counters->{synthesized}, '>=', 6, 'each request counts');

    for my $bad (['x', 'mp3_1_1', {}, 400, 'invalid_output_format'],
                 [' ', undef, {}, 400, 'invalid_parameters'],
                 ['x', undef, { voice => 'WrongVoice123' }, 404,
                  'voice_not_found'],
                 ['x', undef, { key => 'no' }, 401, 'invalid_api_key'])
    {
        $r = speak($bad->[0], $bad->[1], %{ $bad->[2] });
        is("$r->{status} " . decode_json($r->{body})->{detail}{code},
           "$bad->[3] $bad->[4]", "refused: $bad->[4]");
    }

    armed($speech, { json => 1 });
    $r = speak('Hi there');
    is("$r->{status} $r->{type}", '200 application/json', '200 with JSON');

    armed($speech, { zero => 1 });
    $r = speak('Hi there');
    is("$r->{status} " . length $r->{body}, '200 0', '0 bytes');

    armed($speech, { preset => 'concurrent' });
    like(speak('Hi there')->{body}, qr/concurrent_limit/, '429 concurrent');

    armed($speech, { preset => 'busy' });
    like(speak('Hi there')->{body}, qr/system_busy/, '429 busy');

    armed($speech, { cut => { bytes => 1000 } }, { text => 'there' });
    $r = speak('Hi there');
    is("$r->{error}{kind} " . length $r->{body}, 'partial 1000', 'cut');

    armed($speech, { status => 500, body => '' }, { path => 'text-to' });
    is(speak('Hi there')->{status}, 500, 'status 500');
}

# many at once do not block each other

{
    my $got = wait_for(Mojo::Promise->all(
        map { chat_p({ messages => [{ role => 'user',
                                      content => "hello $_" }] }) } 1 .. 50)
        ->then(sub { scalar grep { words($_->[0]) eq $hello } @_ }));

    is($got, 50, 'fifty streams at once');
}

# the shipped program

{
    my $pid = open my $out, '-|', $^X,
        "$FindBin::RealBin/../scripts/stand-ins", 'model',
        '--listen', '127.0.0.1:0', '--first', '0', '--token', '0'
        or die "stand-ins: $!";

    like(scalar <$out>, qr{stand-in model.* on http://127\.0\.0\.1:\d+\n},
         'ready line');
    kill TERM => $pid;
    close $out;
    is($?, 0, 'ends on TERM');
}

done_testing();
