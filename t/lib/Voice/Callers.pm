package Voice::Callers;

# Callers who call again and again while something happens, and what they have
# heard and said afterwards, next to what the database knows of it.
#
#     my $callers = Voice::Callers->new(node => $node, dbh => $dbh);
#     my @calls = $callers->meanwhile(4, sub ($calls) { steps });
#     $callers->complete('reloads', @calls);
#
# A step is code that is called until it returns true; callers begin no new
# call after the last one.  None of them waits for a time.

use strict;
use warnings;

use Mojo::IOLoop;
use Mojo::Promise;
use Test::More ();
use Voice::Edge;
use Voice::Spool;

# what Twilio is told of URLs that are not ours: to repeat once
my $AGAIN = 'rc=1&rp=ct,rt,5xx';

sub new {
    my ($class, %option) = @_;

    return bless { number => 15005559000, waiting => [], running => 0,
                   %option }, $class;
}

# Lines of a call, each with something of its own.  Those of a held call wait
# before the one of that number, until release().

sub lines {
    my ($self, $n) = @_;

    return ("hello from $n", 'ticket', "story for $n", "again $n",
            'goodbye');
}

sub call_p {
    my ($self) = @_;

    my $n = ++$self->{number};
    my @lines = $self->lines($n);
    my $at = 0;

    for my $line (@lines) {
        my $words = $line;
        my $place = $at++;

        $line = sub {
            # at different places of their calls
            return $words if !$self->{hold} || $place != $n % @lines;

            my $promise = Mojo::Promise->new;

            push @{ $self->{waiting} }, $promise;
            return $promise->then(sub { $words });
        };
    }

    # half of them come on a new connection each time, to any worker
    return $self->{node}->phone(connect => $AGAIN, from => "+$n",
        keep_alive => $n % 2,
        status_url => "/api/voice/status#$AGAIN")->call_p(lines => \@lines);
}

sub release {
    my ($self) = @_;

    $self->{hold} = 0;
    $_->resolve for splice @{ $self->{waiting} };
}

# true when each caller waits in the middle of a call

sub all_wait {
    my ($self) = @_;

    return $self->{running} && @{ $self->{waiting} } == $self->{running};
}

sub meanwhile {
    my ($self, $callers, $code) = @_;

    my ($over, @calls);
    my @steps = $code->(\@calls);
    my $caller;

    $caller = sub {
        $self->{running}++;
        $self->call_p->then(sub {
            push @calls, $_[0];
            $self->{running}--;
            $over ? ($self->{running} || Mojo::IOLoop->stop) : $caller->();
        });
    };

    $caller->() for 1 .. $callers;

    my $timer;

    $timer = Mojo::IOLoop->recurring(0.02 => sub {
        return if !@steps || !eval { $steps[0]->() } && !$@;

        if ($@) {
            Test::More::fail("a step: $@");
            @steps = (1);
        }

        shift @steps;
        return if @steps;
        $over = 1;
        $self->release;
    });

    Mojo::IOLoop->start;
    Mojo::IOLoop->remove($timer);
    undef $caller;

    return @calls;
}

# a step: when so many more calls are over than when it was first looked at

sub after {
    my ($calls, $more, $do) = @_;

    my $begun;

    return sub {
        $begun //= @$calls;
        return if @$calls < $begun + $more;
        $do->() if $do;
        return 1;
    };
}

# What a call was, by the phone: [ heard, said ] of each turn, from 0.

sub record {
    my ($call) = @_;

    my @turns = (['', '']);

    for my $line (@{ $call->transcript }) {

        if ($line->{who} eq 'caller') {
            push @turns, [ $line->{text}, '' ];

        } else {
            $turns[-1][1] .= ' ' if length $turns[-1][1];
            $turns[-1][1] .= $line->{text} // '?';
        }
    }

    return \@turns;
}

# and by the database

sub turns {
    my ($self, $sid) = @_;

    my @turns;

    for my $row (@{ $self->{dbh}->selectall_arrayref('select turn, heard, '
        . 'said from voice.turns where call_sid = ? order by turn', {}, $sid)
    })
    {
        push @turns, [ @turns == $row->[0] ? $row->[1] // ''
                                           : "turn $row->[0]",
                       $row->[2] // '' ];
    }

    return \@turns;
}

sub same { return join('|', map { "@$_" } @{ $_[0] })
                  eq join('|', map { "@$_" } @{ $_[1] }) }

# Nobody has suffered, and the database has all of it, once and in order.

sub complete {
    my ($self, $what, @calls) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $dbh = $self->{dbh};
    my $n = @calls;

    Test::More::cmp_ok($n, '>', 0, "$what: $n calls");

    my @errors = map { "$_->{code} $_->{message}" }
        map { @{ $_->errors } } @calls;
    my @hooks = map { @{ $_->webhooks } } @calls;

    Test::More::is_deeply(\@errors, [], "$what: no webhook failed");
    Test::More::is_deeply([ grep { $_ ne 'hangup' } map { $_->reason }
                            @calls ], [], "$what: no call was dropped");
    Test::More::is_deeply([ grep { $_->{seconds} >= 15 } @hooks ], [],
        "$what: each webhook was answered in time");
    Test::More::is_deeply([ grep { ($_->{attempts} // 1) > 2 } @hooks ], [],
        "$what: none was repeated more than once");

    my $folder = $self->{node}->edge->path('spool');
    my %left = map { $_->sid => $_ } @calls;

    Voice::Edge::wait_for(sub {
        for my $call (values %left) {
            my ($closed) = $dbh->selectrow_array(q{
                select 1 from voice.calls v join calls c on
                c.unique_id = v.sid where v.sid = ? and v.ended_at is not null
                and v.status = 'completed' and c.status = 'completed'
                and c.duration is not null}, {}, $call->sid);

            delete $left{ $call->sid } if $closed
                && same($self->turns($call->sid), record($call));
        }

        !%left && !Voice::Spool::notes($folder);
    }, $self->{patience} || 180);

    Test::More::is(scalar(keys %left), 0, "$what: the database has each turn "
        . 'of each call as it was heard and said, and all are closed');

    for my $call (splice @{ [ values %left ] }, 0, 3) {
        Test::More::diag(Test::More::explain($call->sid, record($call),
            $self->turns($call->sid), $dbh->selectrow_hashref('select * from '
            . 'voice.calls where sid = ?', {}, $call->sid)));
    }

    my @sids = map { $_->sid } @calls;
    my ($twice) = $dbh->selectrow_array('select count(*) from (select '
        . "substring(description from 'CA[0-9a-f]{32}') as sid from "
        . 'support_tickets) t where sid = any(?) group by sid '
        . 'having count(*) > 1', {}, \@sids);
    my ($tickets) = $dbh->selectrow_array('select count(distinct '
        . "substring(description from 'CA[0-9a-f]{32}')) from support_tickets "
        . "where substring(description from 'CA[0-9a-f]{32}') = any(?)", {},
        \@sids);

    Test::More::is($tickets, $n, "$what: each call has its ticket");
    Test::More::is($twice // 0, 0, "$what: and only one");
}

1;
