#!/usr/bin/perl

# Some hundred calls at the same time: each hears its own words to the end,
# and nothing is left behind.

use strict;
use warnings;

# it bounds a hang, also where others are busy
BEGIN { $ENV{VOICE_TEST_TIMEOUT} ||= 1800 }

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::IOLoop;
use Mojo::Promise;
use Voice::Edge;
use Voice::Scene;

my $n = 300;

# How many of them wait for an answer at the same time: the phone and the
# stand-ins are one process each, and on a busy machine as many as are there
# at once would not have theirs in Twilio's time.
my $flight = 60;

# each answer names its caller, so that no words get to another call
sub reply {
    my ($who) = $_[0] =~ /caller (\d+)/ or return 'Who is that?';
    my ($turn) = $_[0] =~ /turn (\d+)/;

    return "This is the answer for caller $who in turn $turn. "
        . "It has another sentence, for caller $who as well.";
}

sub expected {
    my ($who) = @_;

    return join ' ', (map { reply("caller $who turn $_") } 1 .. 3),
        'Thank you for calling. Goodbye.';
}

my %common = (
    connections => 4096,
    model => { reply => \&reply },
    main => 'worker_rlimit_nofile 8192;',
);

my %patient = (
    voice_filler_after => '20s', voice_first_token_timeout => '60s',
    voice_token_timeout => '60s', voice_speech_timeout => '12s',
    voice_answer_within => '12s',
);

# So many calls; each waits at its first question until all are there, and at
# each of them until it is its turn to wait for an answer.

sub crowd {
    my ($scene, $count, %option) = @_;

    my $phone = $scene->phone(%{ $option{phone} || {} });
    my $all = Mojo::Promise->new;
    my ($here, $free, @queue, @calls) = (0, $flight);

    my $arrived = sub {
        return if ++$here < $count;
        $option{all}->() if $option{all};
        $all->resolve;
    };

    my $land = sub {
        $free++;

        while ($free && @queue) {
            $free--;
            (shift @queue)->resolve;
        }
    };

    my $start = sub {
        push @queue, my $promise = Mojo::Promise->new;
        $free--;
        $land->();
        return $promise;
    };

    my @promises = map {
        my $who = $_;
        my $asked;

        my @lines = map {
            my $words = $_;

            sub {
                my $before = Mojo::Promise->resolve;

                $land->();

                if (!$asked++) {
                    $arrived->();
                    $before = $all;
                }

                return $before->then($start)->then(sub { $words });
            };
        } (map { "caller $who turn $_" } 1 .. 3), 'goodbye';

        $start->()->then(sub {
            return $phone->call_p(from => sprintf('+1500777%04d', $who),
                                  lines => \@lines);
        })->then(sub {
            $arrived->() unless $asked;      # refused: it did not get there
            $calls[$who] = $_[0];
            $land->();
        });
    } 1 .. $count;

    Mojo::Promise->all(@promises)->wait;

    return $scene->caption(@calls[1 .. $count]);
}

sub errors {
    my %errors;

    $errors{"$_->{code} $_->{message}"}++ for map { @{ $_->errors } } @_;

    return \%errors;
}

sub wrong {
    my ($who, $call) = @_;

    my $words = Voice::Scene::words($call);

    return $words eq expected($who) ? () : "$who: $words";
}

sub descriptors {
    my ($edge) = @_;

    return map { scalar(() = glob "/proc/$_/fd/*") } $edge->workers;
}


# --- all at once -----------------------------------------------------------

{
    my $scene = Voice::Scene->new(
        %common, directives => \%patient,
        http_directives => { voice_zone => 'voice:16m' },
        locations => { stub => 'location = /stub { stub_status; }' },
    );
    my $edge = $scene->edge;

    # once, so that what is kept for ever is there
    crowd($scene, 10);

    my @before = descriptors($edge);
    my ($live, @free);

    for my $count ($n, 100, 100) {
        my @calls = crowd($scene, $count, all => sub {
            $live = $scene->health->json->{calls};
        });

        is $live, $count, "$count calls at the same time";
        is_deeply errors(@calls), {}, 'without an error';
        is_deeply [ grep { $_->reason ne 'hangup' } @calls ], [],
            'each to its end';
        is_deeply [ map { wrong($_, $calls[$_ - 1]) } 1 .. $count ], [],
            'each caller hears the own answers';

        my $health = $scene->health->json;

        is $health->{calls}, 0, 'no call is left';
        is $health->{status}, 'ready', 'all is well';
        is $health->{counters}{failed_turns}, 0, 'no turn failed';
        push @free, $health->{zone}{free};

    }

    # the same words each time: only traces of ended calls come on top
    cmp_ok $free[-2] - $free[-1], '<', 100 * 2048,
        'the zone has its memory back';

    my $active = Voice::Edge::wait_for(sub {
        my ($count) = $edge->get('/stub')->body =~ /connections: (\d+)/;
        return $count == 1 && 'none';
    });

    is $active, 'none', 'no connection is left';

    # those to the providers are kept: 16 for each
    my @after = descriptors($edge);
    my ($more) = sort { $b <=> $a } map { $after[$_] - $before[$_] } 0, 1;

    cmp_ok $more, '<=', 36, 'no descriptor is left';

    ok Voice::Edge::wait_for(sub {
        !grep { $_->counters->{open} } $scene->model, $scene->speech;
    }), 'nor a request to a provider';

    my %texts;
    $texts{ $_->{text} }++ for @{ $scene->speech->requests };
    is_deeply [ grep { $texts{$_} > 1 } keys %texts ], [],
        'nothing was made twice';

    ok $edge->finish, 'and the log is clean';
}


# --- more than there is room for -------------------------------------------

{
    my $scene = Voice::Scene->new(
        %common, directives => \%patient,
        http_directives => { voice_zone => 'voice:1m' },
    );
    my $edge = $scene->edge;
    my ($many, $taken) = (120);

    for my $round (1 .. 2) {
        my @calls = crowd($scene, $many);
        my (@answered, @refused, @other);

        for my $who (1 .. $many) {
            my $call = $calls[$who - 1];
            my $heard = join ' ', map { $_->{text} // '?' } @{ $call->heard };

            if ($heard =~ /all our lines are busy/) {
                push @refused, $who;
            } elsif (!wrong($who, $call)) {
                push @answered, $who;
            } else {
                push @other, "$who: $heard";
            }
        }

        is_deeply errors(@calls), {}, "round $round: no webhook failed";
        is_deeply [ grep { $_->reason ne 'hangup' } @calls ], [],
            'each call has a proper end';
        is_deeply \@other, [], 'the whole conversation, or the busy line';
        cmp_ok scalar @answered, '>', 20, @answered . ' were taken';
        cmp_ok scalar @refused, '>', 20, @refused . ' were refused';

        is scalar @answered, $taken, 'as many as in the round before'
            if $taken;
        $taken = @answered;

        my $health = $scene->health->json;

        is $health->{calls}, 0, 'no call is left';
        is $health->{counters}{failed_turns}, 0, 'no turn failed';
        cmp_ok $health->{counters}{no_room}, '>=', scalar @refused,
            'health counts the refused';
    }

    like scalar $edge->log_lines(qr/is refused/), qr/\[error\].*zone is full/,
        'and the log names the cause';
}

done_testing;
