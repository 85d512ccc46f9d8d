#!/usr/bin/perl

# Exactly once: whatever comes again, at the same time or later, to another
# worker, another node or another life of nginx, what a turn does is done once,
# and whoever asks gets the same bytes.  VOICE_TEST_CROWD (100) says how many
# ask at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use JSON::PP ();
use Test::More;
use Voice::Edge;
use Voice::Node;
use Voice::Postgres;

my $crowd = $ENV{VOICE_TEST_CROWD} || 100;

my $json = JSON::PP->new->utf8->canonical;
my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;

my %tool = (
    ticket => { name => 'create_support_ticket', arguments => {
        title => 'Loose wheel', description => 'The front wheel is loose.' } },
    lead => { name => 'create_lead', arguments => {
        title => 'A gravel bike', name => 'Kim Reyes' } },
);

# A tool for its word, then an answer with what came of it.

sub reply {
    my ($words, $messages) = @_;
    my $last = $messages->[-1];

    return "You said $words." if !$tool{$words};
    return { calls => [ $tool{$words} ] } if !results($messages);

    my ($result) = results($messages);
    my $number = $result->{ticket} ? $result->{ticket}{number}
                                   : $result->{lead}{title};

    return 'It is noted as ' . ($number // 'nothing') . '.';
}

# what came of the tools since the caller's last words

sub results {
    my ($messages) = @_;
    my @results;

    for my $m (reverse @$messages) {
        last if $m->{role} eq 'user';
        unshift @results, $json->decode($m->{content}) if $m->{role} eq 'tool';
    }

    return @results;
}

sub node {
    my ($self, %option) = @_;

    return Voice::Node->new($pg, $self, organization => $larkspur,
        model => { reply => \&reply },
        flow => { tools => ['create_support_ticket', 'create_lead'],
                  tool_fillers => ['I am on it.', 'Still on it.'] },
        %option);
}

my $caller = 15005556000;

sub who { return (From => '+' . ++$caller, To => '+15005550009') }

sub value { return scalar $owner->selectrow_array(shift, {}, @_) }

# rows of the caller's, who is in no other call

sub rows {
    my ($what, $sid, %who) = @_;

    return value('select count(*) from support_tickets where description '
        . 'like ?', "%$sid%") if $what eq 'ticket';
    return value('select count(*) from leads l join contacts c on '
        . 'c.id = l.contact_id where c.phone = ?', $who{From});
}

# what the database has of the turn, when it has all of it

sub once {
    my ($title, $what, $sid, $said, %who) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Voice::Edge::wait_for(sub { value('select count(*) from voice.turns '
        . "where call_sid = ? and turn = 1 and heard <> '' and said = ?",
        $sid, $said) });

    is rows($what, $sid, %who), 1, "$title: one row of the CRM's";
    is_deeply $owner->selectcol_arrayref('select key from voice.actions '
        . 'where call_sid = ?', {}, $sid),
        [ "$sid/1/$tool{$what}{name}/1" ], "$title: one action";
    is_deeply $owner->selectall_arrayref('select turn, heard, said from '
        . 'voice.turns where call_sid = ? and turn > 0', {}, $sid),
        [ [ 1, $what, $said ] ], "$title: one turn";
}

# the document before a turn, or its first one, has come to the database, and
# all before it

sub noted {
    my ($sid, $turn, $route) = @_;

    Voice::Edge::wait_for(sub { value('select count(*) from voice.steps where '
        . 'call_sid = ? and turn = ? and route = ?', $sid, $turn, $route) });
}

sub bytes {
    my %seen;

    $seen{ $_ ? $_->body : 'none' }++ for @_;

    return keys %seen;
}

sub requests { return map { @{ $_->model->requests } } @_ }

sub forget { $_->model->forget for @_ }


# --- one node ----------------------------------------------------------------

my $node = node('one');

for my $what (qw(ticket lead)) {
    my %who = who();
    my $line = $node->line;
    my $sid = $line->sid;
    my $target = $line->open(%who);

    forget($node);

    my @answers = $node->crowd($crowd, $sid, $target, SpeechResult => $what,
                               %who);

    is scalar(@answers), $crowd, "$what: $crowd times the same webhook";
    is scalar(bytes(@answers)), 1, "$what: all have the same bytes";
    is $answers[0]->status, 200, "$what: which are an answer";

    my @said = Voice::Scene::Line::sounds($answers[0]);

    # what continues is asked for by all of them as well
    for (my $r = $answers[0]; my $next = Voice::Scene::Line::redirect($r); ) {
        last if $next !~ /continue/;
        @answers = $node->crowd($crowd, $sid, $next, %who);
        is scalar(bytes(@answers)), 1, "$what: and so has what continues";
        $r = $answers[0];
        push @said, Voice::Scene::Line::sounds($r);
    }

    like "@said", qr/It is noted as (?!nothing)/, "$what: it was done";
    is scalar(requests($node)), 2, "$what: the model was asked for one turn";

    # the lines of the flow are not part of the answer
    once($what, $what, $sid, (grep { /noted/ } @said)[0], %who);
    is scalar(bytes($node->crowd(3, $sid, $target, SpeechResult => $what,
                                 %who))), 1, "$what: those that come later";
    is scalar(requests($node)), 2, "$what: ask the model nothing";
}


# --- a worker that dies when it is done and not yet told ---------------------

{
    my %who = who();
    my ($first) = $node->edge->workers;
    my $line = $node->line(worker => $first);
    my $sid = $line->sid;
    my $target = $line->open(%who);
    my $held = $node->model->counters->{held};

    forget($node);
    $node->model->arm({ match => { text => 'ticket', nth => 2 },
                        fault => { hold => 'header' } });

    my $r = $line->post($target, SpeechResult => 'ticket', %who);

    is_deeply [ Voice::Scene::Line::sounds($r) ], ['I am on it.'],
        'killed: the caller hears that it takes a moment';
    $node->model->wait_for('held', $held + 1);
    is rows('ticket', $sid), 1, 'killed: it is done';

    # those who wait for the answer when it happens, at both workers
    my $next = Voice::Scene::Line::redirect($r);
    my @workers = $node->edge->workers;
    my @lines = map { $node->line(sid => $sid, worker => $workers[$_ % 2]) }
        1 .. 10;

    $_->send($next, %who) for @lines;

    $node->edge->kill_worker($first);

    my @left = grep { $_->worker != $first } @lines;
    my @answers = map { $_->read } @left;

    is scalar @answers, 5, 'killed: others wait at another worker';
    is scalar(bytes(@answers)), 1, 'killed: they have the same answer';

    # what has lost its worker comes again, as Twilio would do it
    push @answers, $node->crowd(@lines - @left, $sid, $next, %who);
    is scalar(bytes(@answers)), 1, 'killed: as has who comes again';

    my ($said) = Voice::Scene::Line::sounds($answers[0]);
    my ($result) = results($node->model->requests->[-1]{body}{messages});

    is $result->{ticket}{number}, value('select ticket_number from '
        . 'support_tickets where description like ?', "%$sid%"),
        'killed: the model is told what came of it';
    is $said, "It is noted as $result->{ticket}{number}.",
        'killed: and so is the caller';
    is scalar(requests($node)), 3, 'killed: one request more';
    once('killed', 'ticket', $sid, $said, %who);
    $node->model->release;
    $node->model->clear;
}

# the same with the whole of nginx, after which the memory is another one

{
    my %who = who();
    my $line = $node->line;
    my $sid = $line->sid;
    my $target = $line->open(%who);
    my $held = $node->model->counters->{held};

    forget($node);
    $node->model->arm({ match => { text => 'ticket', nth => 2 },
                        fault => { hold => 'header' } });

    my $r = $line->post($target, SpeechResult => 'ticket', %who);
    my $next = Voice::Scene::Line::redirect($r);

    $node->model->wait_for('held', $held + 1);
    $node->crash;
    $node->model->release;
    $node->model->clear;
    $node->edge->start;
    $node->up;
    noted($sid, 1, 'process-speech');

    my @answers = $node->crowd(10, $sid, $next, %who);

    is scalar(bytes(@answers)), 1, 'restart: ten times the same bytes';

    my ($said) = Voice::Scene::Line::sounds($answers[0]);
    my ($result) = results($node->model->requests->[-1]{body}{messages});

    is $result->{ticket}{number}, value('select ticket_number from '
        . 'support_tickets where description like ?', "%$sid%"),
        'restart: the model is told what came of it';
    like $said // '', qr/It is noted as \Q$result->{ticket}{number}\E\./,
        'restart: and so is the caller';
    once('restart', 'ticket', $sid, $said, %who);
}

$node->edge->stop;


# --- two nodes ---------------------------------------------------------------

# at the same time at both, and each time what continues

sub both {
    my ($a, $b, $what, %who) = @_;

    my $line = $a->line;
    my $sid = $line->sid;
    my $target = $line->open(%who);
    my $half = int $crowd / 2;

    # it is in its database, too
    Voice::Edge::wait_for(sub { value('select count(*) from voice.turns '
        . "where call_sid = ? and said <> ''", $sid) });
    noted($sid, 1, 'conversation-start');

    forget($a, $b);

    my @lines = map { $_->line(sid => $sid) } map { ($a, $b) } 1 .. $half;

    $_->send($target, SpeechResult => $what, %who) for @lines;

    return ($sid, $target, map { $_->read } @lines);
}

{
    my ($a, $b) = (node('a', peer => 'b'), node('b', peer => 'a'));

    for my $what (qw(ticket lead)) {
        my %who = who();
        my ($sid, undef, @answers) = both($a, $b, $what, %who);

        is scalar(bytes(@answers)), 1,
            "$what at nodes that ask each other: the same bytes";

        my ($said) = $b->rest($b->line(sid => $sid), $answers[0], %who);

        like $said, qr/It is noted as (?!nothing)/, "$what there: it was done";
        is scalar(requests($a, $b)), 2, "$what there: one turn of one model";
        once("$what there", $what, $sid, $said =~ s/.*(?=It is)//r, %who);
    }

    $_->edge->stop for $a, $b;
}

{
    my ($a, $b) = (node('a'), node('b'));

    # at the same time: neither can know what the other one answers
    for my $what (qw(ticket lead)) {
        my %who = who();
        my ($sid, undef, @answers) = both($a, $b, $what, %who);
        my @here = map { $answers[2 * $_] } 0 .. @answers / 2 - 1;
        my @there = map { $answers[2 * $_ + 1] } 0 .. @answers / 2 - 1;

        is scalar(bytes(@here)), 1, "$what at nodes with a database in "
            . 'common: one answer of the first';
        is scalar(bytes(@there)), 1, "$what: one of the second";

        my ($one) = $a->rest($a->line(sid => $sid), $here[0], %who);
        my ($two) = $b->rest($b->line(sid => $sid), $there[0], %who);

        s/.*(?=It is)// for $one, $two;
        is $two, $one, "$what: both callers are told of the same effect";
        once("$what at both", $what, $sid, $one, %who);
    }

    # one after the other
    my %who = who();
    my $line = $a->line;
    my $sid = $line->sid;
    my $target = $line->open(%who);

    forget($a, $b);

    my $first = $line->post($target, SpeechResult => 'ticket', %who);
    my ($said, $last) = $a->rest($line, $first, %who);

    once('first here', 'ticket', $sid, $said =~ s/.*(?=It is)//r, %who);
    Voice::Edge::wait_for(sub { value('select count(*) from voice.steps '
        . "where call_sid = ? and state ->> 'last' = 'true' and turn = 1",
        $sid) });

    is join(' ', bytes($b->crowd($crowd / 2, $sid, $target,
                                 SpeechResult => 'ticket', %who))),
        $first->body, 'then there: the bytes of the first';

    my $next = Voice::Scene::Line::redirect($first);

    is join(' ', bytes($b->crowd($crowd / 2, $sid, $next, %who))),
        $last->body, 'and of what continues';
    is scalar(requests($a, $b)), 2, 'no model is asked again';
    once('then there', 'ticket', $sid, $said =~ s/.*(?=It is)//r, %who);
}

done_testing;
