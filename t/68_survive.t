#!/usr/bin/perl

# What survives what, under continuous calls: a database that stops, crashes,
# hangs, takes nobody in or writes nothing; workers that die, an nginx that is
# killed, reloads.  Afterwards the database has what the callers' telephones
# have, turn by turn.
#
# VOICE_TEST_CALLERS (4) call at the same time; VOICE_TEST_OUTAGE (0) is how
# many seconds the database stays away, besides the calls that it misses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use Voice::Callers;
use Voice::Edge;
use Voice::Node;
use Voice::Postgres;

my $callers = $ENV{VOICE_TEST_CALLERS} || 4;
my $outage = $ENV{VOICE_TEST_OUTAGE} || 0;

my $json = JSON::PP->new->utf8->canonical;
my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;

my $first = 'We are open from nine to five every day.';
my $story = "$first On Saturday we close a little earlier than on other days. "
    . 'And on Sunday there is nobody here at all, I am afraid.';

sub reply {
    my ($words, $messages) = @_;

    return "Nice to hear you, $words." if $words =~ /^hello/;
    return $story if $words =~ /^story/;
    return "You said $words." if $words ne 'ticket';

    my ($result) = results($messages);

    # words first, so that no filler is needed
    return { say => 'I write that down.', calls => [ {
        name => 'create_support_ticket', arguments => {
            title => 'Loose wheel', description => 'It is loose.' } } ] }
        if !$result;
    return 'It is noted for later.' if $result->{queued};
    return 'Your ticket is ' . ($result->{ticket}{number} // 'nowhere') . '.';
}

sub results {
    my ($messages) = @_;
    my @results;

    for my $m (reverse @$messages) {
        last if $m->{role} eq 'user';
        unshift @results, $json->decode($m->{content}) if $m->{role} eq 'tool';
    }

    return @results;
}

my $node = Voice::Node->new($pg, 'a', organization => $larkspur,
    model => { reply => \&reply },
    flow => { tools => ['create_support_ticket'],
              tool_fillers => ['I am on it.', 'Still on it.'] },
    directives => { voice_tool_timeout => '1500ms' },
    # a hung database is told from a slow one by time alone
    variants => { brief => 'voice_filler_after 300ms;' });

my $edge = $node->edge;
my $all = Voice::Callers->new(node => $node, dbh => $owner);

$edge->allow(qr/was locked by \d+/);

sub after { return Voice::Callers::after(@_) }

sub meanwhile { return $all->meanwhile($callers, @_) }

sub connect_again { $all->{dbh} = $owner = $pg->connect($name) }

sub health { return $node->health->json->{spool}{notes} }

# a step: so many notes wait, for so long

sub backed_up {
    my ($notes) = @_;
    my $since;

    return sub {
        $since //= time;
        return health() >= $notes && time - $since >= $outage;
    };
}

sub queued {
    return scalar grep { /noted for later/ } map { $_->[1] }
        map { @{ Voice::Callers::record($_) } } @_;
}


# --- the database stops ------------------------------------------------------

for my $signal (qw(INT QUIT)) {
    my $what = $signal eq 'INT' ? 'the database is stopped'
                                : 'the database is killed';

    my $over;
    my @calls = meanwhile(sub {
        my ($calls) = @_;

        return after($calls, 2, sub {
                $owner->disconnect;
                $over = $pg->stopping($signal);
            }),
            sub { $over->() },
            after($calls, 2 * $callers), backed_up(20 * $callers),
            after($calls, 1, sub { $over = $pg->starting }),
            sub { $over->() && connect_again() },
            after($calls, 2 * $callers);
    });

    $all->complete($what, @calls);
    cmp_ok queued(@calls), '>', 0, "$what: the agent says that it is noted";
}


# --- workers die, and reloads ------------------------------------------------

$all->complete('killed workers', meanwhile(sub {
    my ($calls) = @_;

    return map {
        my $last = $_ == 3;

        after($calls, $last ? $callers : 3, $last ? undef : sub {
            my @workers = $edge->workers;
            $edge->kill_worker($workers[rand @workers]);
        });
    } 0 .. 3;
}));

$all->complete('reloads', meanwhile(sub {
    my ($calls) = @_;

    return ((map { after($calls, 2, sub { $edge->reload }) } 1 .. 4),
            after($calls, $callers));
}));


# --- nginx is killed, and started again, in the middle of calls --------------

for my $how (qw(killed stopped)) {
    my $before = $node->health->json->{counters}{resumed};

    my @calls = meanwhile(sub {
        my ($calls) = @_;

        return after($calls, 2, sub { $all->{hold} = 1 }),
            sub {
                return if !$all->all_wait;

                # what was said a moment ago is not in the database yet
                $how eq 'killed' ? $node->crash : $edge->quit;

                $edge->start;
                $node->up;
                $all->release;
                return 1;
            },
            after($calls, 2 * $callers);
    });

    $all->complete("nginx is $how", @calls);
    cmp_ok $node->health->json->{counters}{resumed}, '>=', 1,
        "nginx is $how: calls were resumed";
}


# --- the database takes no writes, or nobody in -------------------------------

# Connections that there are already go on as they were: they are ended.  What
# is being made just now is not seen, so all of them have to be there.

sub reconnect {
    $edge->reconnect_database($owner) or die "no new connections\n";
}

sub troubled {
    my ($what, $begin, $end, $log) = @_;

    my @calls = meanwhile(sub {
        my ($calls) = @_;

        return after($calls, 2, $begin),
            after($calls, 2 * $callers), backed_up(10 * $callers),
            after($calls, 1, $end),
            after($calls, 2 * $callers);
    });

    $all->complete($what, @calls);
    cmp_ok queued(@calls), '>', 0, "$what: the agent says that it is noted";
    like $edge->log, $log, "$what: the log says what is wrong";
}

troubled('the database is read-only',
    sub {
        $owner->do("alter database $name set default_transaction_read_only "
            . '= on');
        reconnect();
    },
    sub {
        $owner->do("alter database $name reset default_transaction_read_only");
        reconnect();
    },
    qr/voice database refused "act": .*read-only/);

troubled('the database takes nobody in',
    sub {
        $edge->wait_for_database or die "not all connections are there\n";
        $owner->do('alter role voice_edge connection limit 0');
        $owner->do('select pg_terminate_backend(pid) from pg_stat_activity '
            . "where usename = 'voice_edge'");
    },
    sub { $owner->do('alter role voice_edge connection limit -1') },
    qr/too many connections for role/);


# --- the database hangs ------------------------------------------------------

{
    my @stopped;

    my @calls = meanwhile(sub {
        my ($calls) = @_;

        return after($calls, 2, sub {
                @stopped = $pg->hang('voice_edge', $owner);
            }),
            after($calls, $callers), backed_up(10 * $callers),
            after($calls, 1, sub { kill CONT => @stopped }),
            after($calls, 2 * $callers);
    });

    $all->complete('the database hangs', @calls);
    cmp_ok queued(@calls), '>', 0,
        'the database hangs: the agent says that it is noted';
    like $edge->log, qr/voice database did not answer "act" in time/,
        'the database hangs: the log says so';
}


# --- who hangs up in the middle of an answer ----------------------------------

sub said {
    my ($sid, $want) = @_;
    my $said;

    Voice::Edge::wait_for(sub {
        my ($ended) = $owner->selectrow_array('select ended_at from '
            . 'voice.calls where sid = ?', {}, $sid);

        ($said) = $owner->selectrow_array('select said from voice.turns where '
            . 'call_sid = ? and turn = 1', {}, $sid);
        $ended && ($said // '') eq $want;
    });

    return $said;
}

# the role, the nine words of the first sentence and one more: a hold there

for my $whole (0, 1) {
    my $model = $node->model;
    my $line = $node->line;
    my $held = $model->counters->{held};
    my $target = $line->open;

    $model->arm({ match => { text => 'story' },
                  fault => { say => $story, hold => 11 } });

    my $r = $line->post($target, SpeechResult => 'story');

    is join(' ', Voice::Scene::Line::sounds($r)), $first,
        'the first sentence is given out';
    $model->wait_for('held', $held + 1);

    if ($whole) {
        $model->release;
        $edge->wait_for_log(qr/"@{[$line->sid]}" turn 1 answered/);
    }

    $line->post('status', CallStatus => 'completed', CallDuration => 7);
    is said($line->sid, $first), $first, $whole
        ? 'hung up when all was written: that was said, and no more'
        : 'hung up while it was written: that was said';
    $model->release if !$whole;
}

# before the database has heard anything of the call

{
    my $model = $node->model;
    my $held = $model->counters->{held};
    my $locker = $pg->connect($name);

    $locker->begin_work;
    $locker->do('lock table voice.calls in share row exclusive mode');

    my $line = $node->line;

    $model->arm({ match => { text => 'story' },
                  fault => { say => $story, hold => 11 } });
    $line->post($line->open, SpeechResult => 'story');
    $model->wait_for('held', $held + 1);

    my ($since) = $owner->selectrow_array('select clock_timestamp()');

    $line->post('status', CallStatus => 'completed', CallDuration => 7);
    ok Voice::Edge::wait_for(sub { $owner->selectrow_array('select 1 from '
        . "pg_stat_activity where state = 'idle' and query_start > ? and "
        . "query like '%voice.resume(%'", {}, $since) }),
        'hung up: the database is asked, and knows no such call';
    $locker->rollback;
    is said($line->sid, $first), $first, 'yet what was said is noted';
    $model->release;
}

done_testing;
