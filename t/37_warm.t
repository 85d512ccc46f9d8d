#!/usr/bin/perl

# Stock phrases are made before the first call: each once, one at a time,
# whatever happens to workers and to the provider meanwhile.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Lab::Speech;
use Voice::Scene;

my $on = 'on interval=10ms';

my %lines = (
    greeting => 'Welcome to the shop.',
    opening  => 'How can I help you?',
    silence  => ['Are you still there?', 'I can not hear you.'],
    fillers  => ['One moment.', 'Let me see.'],
    tool_fillers => ['I am on it.'],
    misheard => ['Pardon?'],
    patience => 'Take your time.',
    apology  => 'Sorry, something went wrong.',
    goodbye  => 'Goodbye.',
    rules    => [
        { when => '\\bcurtain\\b', do => 'goodbye', say => 'The end.' },
        { when => '\\bday\\b', do => 'goodbye', say => 'It is {{weekday}}.' },
        { when => '\\bbye\\b', do => 'goodbye' },
    ],
    fallback => { say => 'I connect you now.', number => '+15005550010' },
    busy     => { say => 'All lines are busy.' },
);

# what is said in every call the same: 14 phrases of %lines

my @stock = ('Welcome to the shop.', 'How can I help you?',
             'Are you still there?', 'I can not hear you.', 'One moment.',
             'Let me see.', 'I am on it.', 'Pardon?', 'Take your time.',
             'Sorry, something went wrong.', 'Goodbye.', 'The end.',
             'I connect you now.', 'All lines are busy.');


# the flow with other keys

sub flow { Voice::Edge->can('flow')->({ flow => \%lines }, @_) }

# "voice text" of every piece that a stand-in was asked for, in order

sub asked {
    my ($speech) = @_;

    return map { ($_->{path} =~ m{([^/]+)$})[0] . " $_->{text}" }
        @{ $speech->requests };
}

# waits for the n-th end of a round, returns its log line

sub finished {
    my ($edge, $n) = @_;

    my @lines;

    Voice::Edge::wait_for(sub {
        @lines = $edge->log_lines(qr/voice stock phrases/);
        return @lines >= $n;
    });

    return $lines[$n - 1] // '';
}

# An edge alone, with a stand-in for speech that has faults.

sub alone {
    my ($warm, @faults) = @_;

    my $speech = Voice::Lab::Speech->spawn(key => 'test-elevenlabs',
                                           real => 0);
    my $edge = Voice::Edge->new(
        flow => \%lines, ports => { tts => $speech->port },
        directives => { voice_speech_timeout => '60s' },
        http_directives => { voice_warm => $warm });

    # what is held is released by the test, or its worker killed
    my $conf = $edge->conf;
    $conf =~ s/(worker_shutdown_timeout) \d+s/$1 60s/ or die;
    $edge->write_file('nginx.conf', $conf);

    $speech->arm(@faults);
    $edge->start;

    return ($edge, $speech);
}


# --- one phrase fails for a while, another one for ever --------------------

# it needs some seconds, and is looked at in the end

my ($poor, $moody) = alone("$on pause=5s",
    { match => { text => '^Are you still' }, fault => { status => 500 } },
    { match => { text => '^The end' }, fault => { preset => 'concurrent' },
      times => -1 });


# --- the directive ---------------------------------------------------------

{
    my $edge = Voice::Edge->new(ports => { llm => 9, tts => 9 });

    for my $good ('on', 'off', 'on interval=0', 'on interval=1s pause=1m') {
        $edge->good_conf("voice_warm $good",
                         http_directives => { voice_warm => $good });
    }

    my %bad = (
        'maybe'        => qr/"voice_warm" .*is either "on" or "off"/,
        'on pause=x'   => qr/invalid parameter "pause=x"/,
        'on pause=0'   => qr/invalid parameter "pause=0"/,
        'on interval=' => qr/invalid parameter "interval="/,
        'on pace=1s'   => qr/invalid parameter "pace=1s"/,
    );

    for my $bad (sort keys %bad) {
        $edge->bad_conf("voice_warm $bad is refused", $bad{$bad},
                        http_directives => { voice_warm => $bad });
    }

    $edge->bad_conf('once only', qr/is duplicate/,
                    http_directives => { voice_warm => ['on', 'on'] });
    $edge->bad_conf('for all servers', qr/is not allowed here/,
                    directives => { voice_warm => 'on' });
}


# --- several flows, voices and places; a worker that dies ------------------

my $scene = Voice::Scene->new(
    directives => { voice_filler_after => '12s',
                    voice_speech_timeout => '12s',
                    voice_answer_within => '12s' },
    variants => { hasty => 'voice_filler_after 50ms;' },
    http_directives => {
        voice_number => [
            'default flow=general',
            '+15005550001 flow=general voice=TestVoice0002',
            '+15005550002 flow=sales',
            '+15005550003 flow=general language=en-GB',
            '+15005550004 flow=mute',
        ],
    },
    flows => {
        'general.json' => flow(),
        'sales.json' => flow(name => 'sales', opening => 'What do you need?',
                             greeting => 'Sales, {{caller.number|friend}}.'),
        'mute.json' => flow(name => 'mute', voice => undef),
    },
);

my ($edge, $model, $speech) = ($scene->edge, $scene->model, $scene->speech);
my $line = qr/voice stock phrases/;

# "kind words" of all that the caller hears, the stand-ins' words apart

sub heard {
    my ($call) = @_;

    my %known = map { $_ => 1 } @stock, 'What do you need?';

    return [ grep { $known{s/^\w+ //r} } @{ Voice::Scene::heard($call) } ];
}

{
    my $call = $scene->call('', to => '+15005550004', lines => ['bye']);

    is $call->reason, 'hangup', 'off: a call';
    is_deeply [ asked($speech) ], [], 'nothing is made';
    is $edge->log_lines($line), undef, 'nothing is logged';
}

{
    $edge->reconfigure(http_directives =>
        { %{ $edge->{http_directives} }, voice_warm => $on });

    # a killed worker leaves the cache's own lock behind for so long
    $scene->edit(sub { s/(proxy_cache_lock_age) \d+s/$1 1s/ or die });

    my $held = 'I can not hear you.';

    $speech->arm({ match => { text => "^\Q$held" },
                   fault => { hold => 'header' } });

    ok $edge->reload, 'on';
    $speech->wait_for('held');

    my $before = () = asked($speech);

    $scene->health for 1 .. 10;
    is scalar(my @now = asked($speech)), $before,
        'the next piece waits for the last';

    $edge->kill_worker($_) for $edge->workers;

    like finished($edge, 1), qr/are ready: 41$/,
        'another worker goes on where the killed one was';

    my @asked = asked($speech);

    is_deeply [ @asked[0 .. 2] ],
        [ "TestVoice0001 $stock[0]", "TestVoice0002 $stock[0]",
          'TestVoice0001 What do you need?' ], 'first phrases come first';

    is_deeply [ sort @asked ],
        [ sort 'TestVoice0001 What do you need?', "TestVoice0001 $held",
               map { ("TestVoice0001 $_", "TestVoice0002 $_") } @stock ],
        'every phrase in every voice once, what the killed one had twice';
    is $speech->counters->{open_max}, 1, 'one at a time';
    is $scene->reasons, '', 'all is well';
}

{
    $speech->forget;
    $model->arm({ fault => { delay => 0.5 } });

    my $call = $scene->call('hasty', lines => ['what is it', 'curtain']);

    is_deeply $call->errors, [], 'the first call';

    my @heard = @{ heard($call) };

    is_deeply [ @heard[0 .. 2], $heard[-1] ],
        [ map { "play $_" } @stock[0, 1, 4], 'The end.' ],
        'greeting, opening, a filler and the end are played';

    $call = $scene->call('', to => '+15005550001', after => 'silence');

    is_deeply heard($call), [ map { "play $_" } @stock[0 .. 3] ],
        'and so is silence, in another voice';

    $call = $scene->call('', to => '+15005550002', lines => ['bye']);

    is_deeply heard($call),
        [ map { "play $_" } 'What do you need?', 'Goodbye.' ],
        'and another flow';

    my %stock = map { $_ => 1 } @stock, 'What do you need?';

    is_deeply [ grep { $stock{ $_->{text} } } @{ $speech->requests } ], [],
        'nothing was made for it';
    is scalar(grep { $_->{text} =~ /^Sales/ } @{ $speech->requests }), 1,
        'but what has a caller in it';
}

{
    $speech->forget;

    ok $edge->reload, 'reload';
    like finished($edge, 2), qr/are ready: 41$/, 'all is there';
    ok $edge->quit, 'restart';
    $edge->start;
    like finished($edge, 3), qr/are ready: 41$/, 'all comes from the cache';
    is_deeply [ asked($speech) ], [], 'nothing is made twice';
}


# --- a caller's piece ------------------------------------------------------

{
    my ($edge, $speech) = alone('off', { fault => { hold => 'header' } });

    my $caller = $edge->connect;
    Voice::Edge::Client::send_bytes($caller,
        $edge->webhook_bytes('inbound-webhook'));
    $speech->wait_for('held');

    $edge->reconfigure(http_directives =>
        { voice_warm => "$on pause=100ms" });

    my $conf = $edge->conf;
    $conf =~ s/(proxy_cache_lock_age) \d+s/$1 1s/ or die;
    $edge->write_file('nginx.conf', $conf);
    $edge->reload;
    $edge->get('/api/voice/health') for 1 .. 20;

    is_deeply [ asked($speech) ], [ "TestVoice0001 $stock[0]" ],
        'what is made for a caller is waited for';

    my %new = map { $_ => 1 } $edge->workers;
    my @old;

    # the other one leaves by itself
    Voice::Edge::wait_for(sub {
        @old = grep { !$new{$_} } $edge->workers(1);
        @old == 1;
    });

    is scalar(@old), 1, 'by the worker that leaves';

    for my $pid (@old) {
        $edge->allow(qr/worker process $pid exited on signal/,
                     qr/was locked by $pid\b/);
        kill KILL => $pid;
    }

    like finished($edge, 1), qr/are ready: 14$/,
        'the worker that made it is killed while it leaves';
    is_deeply [ map { $_->{text} } @{ $speech->requests } ],
        [ $stock[0], @stock ], 'it is made again, and the others';
}


# --- leaving ---------------------------------------------------------------

{
    my ($edge, $speech) = alone("$on pause=10m",
        { fault => { hold => 'header' } }, { fault => { status => 500 } });

    $speech->wait_for('held');
    kill QUIT => $edge->master;
    Voice::Edge::wait_for(sub { !$edge->workers });
    $speech->release;
    ok $edge->quit, 'a worker leaves when its piece is made';
    is scalar(my @one = asked($speech)), 1, 'it begins no other';

    $edge->start;
    ok $edge->wait_for_log(qr/voice speech .* failed: server_error/),
        'the next piece fails';
    ok $edge->quit, 'a worker does not stay for what failed';
    is scalar(my @two = asked($speech)), 2, 'which it has not tried again';

    $edge->start;
    like finished($edge, 1), qr/are ready: 14$/, 'the next start makes it';
    is scalar(my @all = asked($speech)), 15, 'and what is left';
}


# --- what became of the failures -------------------------------------------

{
    is finished($poor, 1) =~ /(\[warn\]).*(voice .*)/ ? "$1 $2" : '',
        '[warn] voice stock phrases: 13 are ready, 1 could not be made and '
        . 'are made when they are wanted', 'the provider fails: in the end';

    my @asked = map { $_->{text} } @{ $moody->requests };

    is_deeply [ sort @asked[0 .. $#stock] ], [ sort @stock ], 'all were tried';
    is_deeply [ @asked[@stock .. $#asked] ], [ $stock[2], ('The end.') x 2 ],
        'what failed once more, then twice more, then no more';
    is $moody->counters->{open_max}, 1, 'one at a time';
    like $poor->get('/api/voice/health')->body, qr/"speech_rate_limited"/,
        'health has seen it';
}

done_testing;
