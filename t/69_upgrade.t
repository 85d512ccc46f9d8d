#!/usr/bin/perl

# A binary upgrade in the middle of calls: the new nginx has a memory of its
# own, both serve for a while, and each call goes back and forth between them.
# VOICE_TEST_CALLERS (4) call at the same time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use JSON::PP ();
use Test::More;
use Voice::Callers;
use Voice::Edge;
use Voice::Node;
use Voice::Postgres;

my $callers = $ENV{VOICE_TEST_CALLERS} || 4;

my $json = JSON::PP->new->utf8->canonical;
my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;

my $first = 'We are open from nine to five every day.';
my $second = 'On Saturday we close a little earlier than on other days.';
my $third = 'And on Sunday there is nobody here at all, I am afraid.';
my $story = "$first $second $third";

# A model that goes on where it is told that it was, and knows what was said.

sub reply {
    my ($words, $messages) = @_;
    my $reply = answer($words, $messages);
    my ($said, $last) = @$messages[-2, -1];

    if ($last->{role} eq 'system' && $last->{content} =~ /already spoken/) {
        $_ =~ s/\A\Q$said->{content}\E *//
            for ref $reply ? $reply->{say} : $reply;
    }

    return $reply;
}

sub answer {
    my ($words, $messages) = @_;
    my @user = map { $_->{content} } grep { $_->{role} eq 'user' } @$messages;

    return $story if $words =~ /^story/;

    # all of the call so far, as the model was told
    return 'You said ' . join(', ', @user) . '.' if $words ne 'ticket';

    my ($result) = results($messages);

    return { say => 'I write that down.', calls => [ {
        name => 'create_support_ticket', arguments => {
            title => 'Loose wheel', description => 'It is loose.' } } ] }
        if !$result;
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

my $node = Voice::Node->new($pg, 'a', organization => $larkspur, daemon => 1,
    model => { reply => \&reply },
    flow => { tools => ['create_support_ticket'] });

my $edge = $node->edge;
my $model = $node->model;
my $all = Voice::Callers->new(node => $node, dbh => $owner);

$edge->allow(qr/was locked by \d+/);

sub after { return Voice::Callers::after(@_) }

# what a call is to have heard, whoever has answered it

sub told {
    my ($call) = @_;
    my ($n) = map { $_->{params}{From} =~ /(\d+)/ } $call->webhooks->[0];
    my @lines = $all->lines($n);
    my @turns = @{ Voice::Callers::record($call) };

    return 'turns: ' . @turns if @turns != 1 + @lines;
    return "story: $turns[3][1]" if $turns[3][1] ne $story;
    return "again: $turns[4][1]"
        if $turns[4][1] ne 'You said ' . join(', ', @lines[0 .. 3]) . '.';
    return '';
}

sub whole {
    my ($what, @calls) = @_;

    $all->complete($what, @calls);
    is_deeply [ grep { $_ ne '' } map { told($_) } @calls ], [],
        "$what: each heard the whole of its answers, and the model all of the "
        . 'call';
}


# --- under continuous calls, twice: the second one is that of a child ---------

for my $time (1, 2) {
    my $old;

    my @calls = $all->meanwhile($callers, sub {
        my ($calls) = @_;

        return after($calls, 2, sub { $old = $edge->upgrade }),
            after($calls, 4 * $callers, sub { kill WINCH => $old }),
            sub { $edge->left($old) },
            sub {
                ok $edge->retire($old), "upgrade $time: the old one leaves";
                return 1;
            },
            after($calls, $callers);
    });

    whole("upgrade $time", @calls);
    cmp_ok $node->health->json->{counters}{resumed}, '>', 0,
        "upgrade $time: calls have come over";
}


# --- in the middle of an answer ------------------------------------------------

# the role, the nine words of the first sentence and one more: a hold there

sub begun {
    my ($held) = $model->counters->{held};
    my ($worker) = $edge->workers;
    my $line = $node->line(worker => $worker);
    my $target = $line->open;

    $model->arm({ match => { text => 'story' },
                  fault => { say => $story, hold => 11 } });

    my $r = $line->post($target, SpeechResult => 'story');

    is join(' ', Voice::Scene::Line::sounds($r)), $first,
        'the first sentence is heard';
    $model->wait_for('held', $held + 1);
    noted($line, 1, 'process-speech', $first);

    return ($line, $r);
}

# what a document follows is in the database, wherever it leads to

sub noted {
    my ($line, $turn, $route, $what) = @_;

    ok Voice::Edge::wait_for(sub { $owner->selectrow_array('select 1 from '
        . 'voice.steps where call_sid = ? and turn = ? and route = ? and '
        . 'twiml like ?', {}, $line->sid, $turn, $route, "%$what%") }),
        'which the database knows';
}

sub row {
    my ($line, $turn) = @_;

    return scalar $owner->selectrow_array('select said from voice.turns '
        . 'where call_sid = ? and turn = ?', {}, $line->sid, $turn) // '';
}

{
    # continue goes to the new one, while the old one still writes
    my ($line, $r) = begun();
    my $sid = $line->sid;

    $model->forget;

    my $old = $edge->upgrade;
    my ($new) = $edge->workers;
    my $there = $node->line(sid => $sid, worker => $new);

    my ($said, $last) = $node->rest($there,
        $there->post(Voice::Scene::Line::redirect($r)));

    is $said, "$second $third", 'the new one goes on with the answer';
    $model->release;
    my $worker = $line->worker;

    ok $edge->wait_for_log(qr/\] $worker#.*"$sid" turn 1 answered by /),
        'and the old one may end it, too';
    noted($line, 1, 'continue', $third);

    my $target = Voice::Scene::Line::action($last);

    # and the next turn goes back to the old one
    ($worker) = grep { Voice::Edge::title($_) =~ /worker/ }
        Voice::Edge::children($old);

    my $here = $node->line(sid => $sid, worker => $worker);

    ($said, $last) = $node->rest($here, $here->post($target,
                                     SpeechResult => 'again'));
    is $said, 'You said story, again.', 'the old one knows it, too';
    noted($line, 2, 'process-speech', 'You said story, again');

    my ($request) = grep { $_->{text} eq 'again' } @{ $model->requests };
    my ($answer) = grep { $_->{role} eq 'assistant'
                          && $_->{content} =~ /^\Q$first\E/ }
        @{ $request->{body}{messages} };

    is $answer->{content}, $story, 'and tells the model what was heard';

    $_->hang_up for $line, $here;
    ok $edge->retire($old), 'the old one leaves';

    ($said) = $node->rest($there, $there->post(
        Voice::Scene::Line::action($last), SpeechResult => 'and now'));
    is $said, 'You said story, again, and now.', 'the call is the new one\'s';

    $there->post('status', CallStatus => 'completed', CallDuration => 9);
    Voice::Edge::wait_for(sub { row($line, 3) ne '' && row($line, 1) eq $story
    });
    is row($line, 1), $story, 'the database has what was heard';
    is row($line, 3), $said, 'to the end';
}

{
    # the old one hears of the end, and what the new one did is not known yet
    my ($line, $r) = begun();
    my $sid = $line->sid;
    my $locker = $pg->connect($name);

    $locker->begin_work;
    $locker->do('lock table voice.turns in share row exclusive mode');

    my ($worker) = $edge->workers;
    my $old = $edge->upgrade;
    my ($new) = $edge->workers;
    my $there = $node->line(sid => $sid, worker => $new);
    my (undef, $last) = $node->rest($there,
        $there->post(Voice::Scene::Line::redirect($r)));

    $model->release;
    $node->rest($there, $there->post(Voice::Scene::Line::action($last),
                                     SpeechResult => 'and now'));

    my ($since) = $owner->selectrow_array('select clock_timestamp()');

    $line->hang_up;
    $node->line(sid => $sid, worker => $worker)->post('status',
        CallStatus => 'completed', CallDuration => 9);
    ok Voice::Edge::wait_for(sub { $owner->selectrow_array('select 1 from '
        . "pg_stat_activity where state = 'idle' and query_start > ? and "
        . "query like '%voice.resume(%'", {}, $since) }),
        'who hears of the end asks for what it does not know';
    $locker->rollback;

    Voice::Edge::wait_for(sub { row($line, 2) ne '' && row($line, 1) eq $story
    });
    is row($line, 1), $story, 'of an answer that others went on with';
    ok row($line, 2), 'and so of the next turn';
    $there->hang_up;
    ok $edge->retire($old), 'the old one leaves';
}

{
    # back and forth within one answer
    my ($line, $r) = begun();
    my $sid = $line->sid;
    my $old = $edge->upgrade;
    my ($new) = $edge->workers;
    my $there = $node->line(sid => $sid, worker => $new);
    my $held = $model->counters->{held};

    # the new one stops within the second sentence's successor
    $model->arm({ match => { text => 'story' },
                  fault => { say => "$second $third", hold => 13 } });

    my $s = $there->post(Voice::Scene::Line::redirect($r));

    is join(' ', Voice::Scene::Line::sounds($s)), $second,
        'one sentence comes from the new one';
    noted($line, 1, 'continue', $second);
    $model->wait_for('held', $held + 1);

    my ($said) = $node->rest($line, $line->post(
        Voice::Scene::Line::redirect($s)));

    is $said, $third, 'and the last one from the old one again';
    $model->release;
    Voice::Edge::wait_for(sub { row($line, 1) eq $story });
    is row($line, 1), $story, 'the database has what was heard';

    $_->hang_up for $line, $there;
    ok $edge->retire($old), 'the old one leaves';
}

done_testing;
