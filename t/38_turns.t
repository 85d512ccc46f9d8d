#!/usr/bin/perl

# Turn-taking: words that were not understood, callers who ask for time, and
# the last turn of a call.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);
use Voice::Edge;
use Voice::Scene;

my $goodbye = 'Thank you for calling. Goodbye.';
my %base = %{ Voice::Edge->can('flow')->({}) };

sub flow {
    my (%more) = @_;

    return { %base, misheard => ['Pardon?', 'Once more, please.'],
             patience => 'Take your time.',
             fallback => { after => 2, say => 'I give up.',
                           number => '+15005550010' }, %more };
}

my $scene = Voice::Scene->new(
    flows => {
        'general.json' => flow(
            listen => { confidence => 0.5, timeout => 4, patience => 25,
                        speech_timeout => 30 },
            limits => { misheard => 2 },
            rules => [$base{rules}[0], { when => '^hold on', do => 'wait' },
                      { when => '^wait', do => 'wait',
                        say => 'Of course.' }]),
        'lonely.json' => flow(name => 'lonely',
            listen => { confidence => 0.5, speech_timeout => 30 },
            limits => { misheard => 1 },
            fallback => { say => 'I give up.' }, keys => {},
            rules => [$base{rules}[0]]),
        'short.json' => flow(name => 'short', limits => { turns => 2 }),
        'keys.json' => flow(name => 'keys', keys => { 5 => 'wait' },
                            limits => { turns => 3 }),
        'last.json' => flow(name => 'last', listen => { confidence => 0.5 },
                            apology => 'Once more, please.',
                            limits => { turns => 1 }),
        'slow.json' => flow(name => 'slow',
                            fillers => ['One.', 'Two.', 'Three.']),
        'here.json' => flow(name => 'here', fillers => ['One.', 'Two.'],
                            routes => [{ to => 'there',
                                         description => 'elsewhere' }]),
        'there.json' => flow(name => 'there', fillers => ['Three.', 'One.'],
                             tool_fillers => ['Busy.', 'One.']),
        'single.json' => flow(name => 'single', fillers => ['One.'],
                              tool_fillers => ['Busy.'],
                              routes => [{ to => 'alike',
                                           description => 'likewise' }]),
        'alike.json' => flow(name => 'alike', fillers => ['One.', 'Two.'],
                             tool_fillers => ['Busy.']),
        'said.json' => flow(name => 'said', consent => 'This is recorded.'),
    },
    http_directives => { voice_number => [
        'default flow=general', '+15005550001 flow=lonely',
        '+15005550002 flow=short', '+15005550003 flow=keys',
        '+15005550004 flow=last', '+15005550005 flow=said',
        '+15005550006 flow=slow', '+15005550007 flow=here',
        '+15005550008 flow=single' ] },

    # where a filler is not asked for, a busy machine is to make none
    directives => {
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_speech_timeout => '8s',
        voice_answer_within => '10s',
    },
    variants => {
        brief => 'voice_max_duration 1s;',
        slow => 'voice_filler_after 0; voice_first_token_timeout 60s;',
    },
);

sub asked { return scalar @{ $scene->model->requests } }

sub gathers {
    my ($call) = @_;

    return map { $_->{body} =~ /<Gather [^>]*?\btimeout="(\d+)"/ ? $1 : () }
        @{ $call->webhooks };
}

# --- not sure ---------------------------------------------------------------

{
    my $call = $scene->call('/', lines => [
        { say => 'mumble', confidence => 0.2 }, 'hello',
        { say => 'mumble', confidence => 0.49 },
        { say => 'mumble', confidence => '0.1000000' }, 'goodbye' ]);
    my $heard = Voice::Scene::words($call);

    is_deeply $call->errors, [], 'misheard: a proper call';
    like $heard, qr/Pardon\? Hello! .*Pardon\? Once more, please\./,
        'misheard: asked again, in turn, from the first line after a success';

    my $said = join ' ', map { $_->{body}{messages}[-1]{content} }
        @{ $scene->model->requests };

    unlike $said, qr/mumble/, 'misheard: the model never hears of it';
    unlike $scene->edge->log, qr/mumble/, 'misheard: nor does the log';
}

{
    my $call = $scene->call('/', lines => [
        map { { say => 'mumble', confidence => 0.2 } } 1 .. 3 ]);

    like Voice::Scene::words($call), qr/Once more, please\. I give up\./,
        'misheard three times in a row: given up';
    is_deeply [map { $_->{number} } @{ $call->dialed }], ['+15005550010'],
        'to a human';
    like $scene->edge->log, qr/was not understood 3 times in a row/,
        'and the log says so';
}

{
    my $call = $scene->call('/', to => '+15005550001', lines => [
        map { { say => 'mumble', confidence => 0.2 } } 1 .. 2 ]);

    like Voice::Scene::words($call), qr/Pardon\? I give up\. \Q$goodbye\E$/,
        'nobody to call: it is said, then goodbye';
    is $call->reason, 'hangup', 'and the call ends';
}

for my $confidence (0.5, 1, '0.0', '', 'high', '.9', '1e-3') {
    my $asked = asked();
    my $call = $scene->call('/', lines => [
        { say => 'hello', confidence => $confidence }, 'goodbye' ]);

    unlike Voice::Scene::words($call), qr/Pardon/,
        "confidence \"$confidence\" is believed";
    cmp_ok asked(), '>', $asked, 'and the model is asked';
}

# --- one moment -------------------------------------------------------------

{
    my $asked = asked();
    my $call = $scene->call('/', lines => ['hold on please', 'wait',
                                           { hangup => 1 }]);

    like Voice::Scene::words($call), qr/Take your time\. Of course\./,
        'a moment: the flow\'s patience, or the rule\'s own words';
    is asked(), $asked, 'a moment: the model is not asked';
    is join(' ', gathers($call)), '4 25 25',
        'a moment: more time than usual';
}

{
    my $call = $scene->call('/', lines => ['hold on', 'hello', 'goodbye']);
    my ($request) = grep { $_->{body}{messages}[-1]{content} eq 'hello' }
        reverse @{ $scene->model->requests };
    my @roles = map { $_->{role} } @{ $request->{body}{messages} };

    is "@roles", 'system assistant user assistant user',
        'a moment: the model knows of it';
}

{
    my $call = $scene->call('/', to => '+15005550003', lines => [
        { digits => '5' }, 'hello', map { { digits => '5' } } 1 .. 3 ]);
    my ($request) = grep { $_->{body}{messages}[-1]{content} eq 'hello' }
        reverse @{ $scene->model->requests };
    my @roles = map { $_->{role} } @{ $request->{body}{messages} };

    is "@roles", 'system assistant user assistant user',
        'a moment by key: the model knows of it';
    like Voice::Scene::words($call),
        qr/Take your time\. Hello! .* How can I help\? \Q$goodbye\E$/,
        'a moment by key: a turn like any other, and the last one ends';
    is $call->reason, 'hangup', 'a moment by key: and the call ends';
}

# --- the last turn ----------------------------------------------------------

{
    my $call = $scene->call('/', to => '+15005550002',
                            lines => ['hello', 'hello', 'not heard']);

    like Voice::Scene::words($call),
        qr/How can I help\? Hello! .* How can I help\? \Q$goodbye\E$/,
        'turns: the last is answered, then goodbye';
    is $call->reason, 'hangup', 'turns: and the call ends';
}

for my $bad ('misheard', 'failed') {
    $scene->model->arm({ match => { text => 'fail' },
                         fault => { status => 500, body => '{}' } });

    my $call = $scene->call('/', to => '+15005550004', lines => [
        { say => 'fail', confidence => $bad eq 'failed' ? 0.9 : 0.2 },
        'not heard' ]);

    like Voice::Scene::words($call), qr/^I give up\./,
        "the last turn $bad: the caller is not asked again";
    is_deeply [map { $_->{number} } @{ $call->dialed }], ['+15005550010'],
        'but gets a human';
    $scene->model->clear;
}

{
    my $waited;
    my $call = $scene->call('brief', lines => [
        sub { sleep 2 if !$waited++; 'hello' }, 'not heard' ]);

    like Voice::Scene::words($call), qr/How can I help\? \Q$goodbye\E$/,
        'duration: the turn is answered, then goodbye';
    is $call->reason, 'hangup', 'duration: and the call ends';
    like $scene->edge->log, qr/has reached its limit after 1 turns/,
        'duration: logged';
}

# --- fillers ----------------------------------------------------------------

{
    my ($held, $n) = ($scene->model->counters->{held}, 0);

    $scene->model->arm({ match => { text => 'slowly' }, times => 2,
                         fault => { hold => 'header' } });

    # the answer comes with the fourth filler of each turn
    my $call = $scene->call('slow', to => '+15005550006',
        lines => ['slowly', 'slowly', 'goodbye'],
        on_event => sub {
            my ($call, $event) = @_;
            $scene->model->release if $event->{kind} eq 'sound'
                && $event->{sound}{url} && ++$n > 2 && !(($n - 2) % 5);
        });
    my @heard = @{ Voice::Scene::heard($call) };
    my @again = grep { $heard[$_] eq $heard[$_ - 1] } 1 .. $#heard;

    is_deeply $call->errors, [], 'voice_filler_after 0: a proper call';
    like "@heard[2 .. 4]", qr/One\..*Two\..*Three\./,
        'voice_filler_after 0: fillers at once, in their order';
    is_deeply [ map { $heard[$_] } @again ], [],
        'voice_filler_after 0: never the same twice in a row';
    is scalar(grep { $_->{body} =~ /<Pause/ } @{ $call->webhooks }), 0,
        'and never a pause';
    cmp_ok $scene->model->counters->{held}, '>', $held, 'it was slow';
}

# The model goes to another flow after the first filler, and answers after
# so many more: the lines that were heard, and when.

sub fillers {
    my ($number, $to, $more) = @_;

    my (@heard, @when);
    my $held = $scene->model->counters->{held};

    $scene->model->arm(
        { match => { text => 'elsewhere' }, fault => { hold => 'header',
            calls => [{ name => 'route', arguments => { to => $to } }] } },
        { match => { text => 'elsewhere' }, fault => { hold => 'header',
            say => 'There you are.' } });

    my $call = $scene->call('slow', to => $number,
        lines => ['elsewhere', 'goodbye'],
        on_event => sub {
            my ($call, $event) = @_;

            return if $event->{kind} ne 'sound' || @{ $call->heard } < 3;
            push @when, time;

            # the next line is of the other flow, however long that takes
            if (@when == 1) {
                $scene->model->wait_for('held', $held + 1);
                $scene->model->release;
                $scene->model->wait_for('held', $held + 2);
            }

            $scene->model->release if @when == 1 + $more;
        });

    is_deeply $call->errors, [], "$to: a proper call";

    @heard = @{ Voice::Scene::heard($call) };
    splice @heard, 0, 2;

    return (\@heard, \@when);
}

{
    my ($heard) = fillers('+15005550007', 'there', 1);
    my @again = grep { $heard->[$_] eq $heard->[$_ - 1] } 1 .. $#$heard;

    is_deeply [ map { $heard->[$_] } @again ], [],
        'nor in two flows, nor in two kinds of fillers';
}

{
    my ($heard, $when) = fillers('+15005550008', 'alike', 2);
    my ($n) = grep { $heard->[$_] =~ /Busy/ && $heard->[$_ - 1] =~ /Busy/ }
        1 .. $#$heard;

    ok $n, 'a single line is said again' or diag explain $heard;
    cmp_ok $when->[$n] - $when->[$n - 1], '>', 2.5,
        'after a longer silence only';
}

# --- consent ----------------------------------------------------------------

{
    my $call = $scene->call('/', to => '+15005550005',
                            lines => ['hello', 'goodbye']);
    my ($request) = grep { $_->{body}{messages}[-1]{content} eq 'hello' }
        reverse @{ $scene->model->requests };

    is join('|', @{ Voice::Scene::heard($call) }[0 .. 2]),
        'play This is recorded.|play Welcome to Test Company.'
        . '|play How can I help you?', 'consent: before the greeting';
    is $request->{body}{messages}[1]{content}, 'This is recorded. Welcome to '
        . 'Test Company. How can I help you?', 'consent: the model knows';

    my $r = $scene->line->post('conversation-start', To => '+15005550005');

    is scalar(my @sounds = Voice::Scene::Line::sounds($r)), 2,
        'consent: also where a call begins with the opening';
}

done_testing();
