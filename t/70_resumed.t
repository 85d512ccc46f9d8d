#!/usr/bin/perl

# What a call that goes on elsewhere must not lose, and what it must not do
# twice: the end that was decided, the time that is used up, a flow that is
# gone, a database or a node that answers too late, a caller who has hung up.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IO::Socket::UNIX;
use JSON::PP ();
use Test::More;
use Voice::Edge;
use Voice::Node;
use Voice::Postgres;
use Voice::Spool;

my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;

my $first = 'We are open from nine to five every day.';
my $story = "$first On Saturday we close a little earlier than on other days.";
my ($second) = $story =~ /(On Saturday.*)/;

my %way = (
    leave => { name => 'end_call', arguments => { outcome => 'solved' } },
    person => { name => 'transfer_to_human',
                arguments => { reason => 'asked for it' } },
);

sub reply {
    my ($words, $messages) = @_;

    return "You said $words." if !$way{$words};
    return 'That was it.' if $messages->[-1]{role} eq 'tool';
    return { calls => [ $way{$words} ] };
}

sub node {
    my ($self, %option) = @_;

    return Voice::Node->new($pg, $self, organization => $larkspur,
        model => { reply => \&reply }, %option);
}

sub value { return scalar $owner->selectrow_array(shift, {}, @_) }

sub wait_value {
    my @query = @_;

    return Voice::Edge::wait_for(sub { value(@query) });
}

sub words { return join ' ', Voice::Scene::Line::sounds($_[0]) }

# a call with so many turns, of which the database knows all: where it goes on

sub talk {
    my ($node, $turns, %params) = @_;

    my $line = $node->line;
    my $next = $line->open(%params);

    for (1 .. $turns) {
        my (undef, $r) = $node->rest($line,
            $line->post($next, SpeechResult => "number $_", %params),
            %params);

        $next = Voice::Scene::Line::action($r);
    }

    wait_value('select 1 from voice.steps where call_sid = ? and turn = ? '
        . ($turns ? "and route <> 'conversation-start' "
                    . "and (state ->> 'last')::boolean"
                  : "and route = 'conversation-start'"),
        $line->sid, $turns || 1);

    return ($line, $next);
}

sub restart {
    my ($node) = @_;

    $node->edge->quit;
    $node->edge->start;

    return $node->up;
}

# what waits for a lock of another connection's, and who holds it

sub lock_calls {
    my $locker = $pg->connect($name);

    $locker->begin_work;
    $locker->do('lock table voice.calls in access exclusive mode');

    return $locker;
}

sub blocked {
    my ($n) = @_;

    return wait_value('select count(*) >= ? from pg_stat_activity where '
        . "wait_event_type = 'Lock' and query like '%voice.resume(%'", $n);
}

# --- the end that was decided ------------------------------------------------

{
    my $node = node('ends', flow => {
        tools => ['end_call', 'transfer_to_human'],
        tool_fillers => ['I am on it.', 'Still on it.'] });
    my $model = $node->model;
    my %end = (leave => [ qr/<Hangup/, 'the end' ],
               person => [ qr/<Dial[^>]*><Number>\+15005550010</,
                           'the human' ]);

    # the answer is whole, and done what it does; half of it was heard

    for my $what (qw(leave person)) {
        my ($document, $title) = @{ $end{$what} };
        my $line = $node->line;
        my $target = $line->open;
        my $held = $model->counters->{held};

        $model->arm({ match => { text => $what }, fault => {
            say => $story, calls => [ $way{$what} ], hold => 11 } });

        my $r = $line->post($target, SpeechResult => $what);

        is words($r), $first, "$title: the first sentence goes out";
        $model->wait_for('held', $held + 1);
        $model->release;

        ok wait_value('select 1 from voice.turns t join voice.actions a '
            . 'using (call_sid) where call_sid = ? and turn = 1 '
            . 'and said = ?', $line->sid, $story),
            "$title: is decided, and nobody was told";
        ok wait_value('select 1 from voice.steps where call_sid = ? and '
            . "route = 'process-speech'", $line->sid), "$title: half is heard";

        $node->crash;
        $model->clear;
        $model->forget;
        $node->edge->start;
        $node->up;

        my ($said, $last) = $node->rest($line = $node->line(
            sid => $line->sid), $line->post(
                Voice::Scene::Line::redirect($r)));

        like $said, qr/^\Q$second\E/, "$title: the rest comes after a restart";
        like $last->body, $document, "$title: and then it";
        unlike $last->body, qr/<Gather/, "$title: nobody listens";
        is scalar @{ $model->requests }, 0, "$title: the model is not asked";
    }

    # it is done without a word, when nginx is killed: no answer was made

    for my $what (qw(leave person)) {
        my ($document, $title) = @{ $end{$what} };
        my $line = $node->line;
        my $target = $line->open;

        ok wait_value('select 1 from voice.calls where sid = ?', $line->sid),
            "$title at once: a call";

        my $locker = $pg->connect($name);

        $locker->begin_work;
        $locker->do('lock table voice.actions in access exclusive mode');

        my $r = $line->post($target, SpeechResult => $what);

        is words($r), 'I am on it.', "$title at once: it takes a moment";
        ok wait_value('select 1 from voice.turns where call_sid = ? and '
            . 'turn = 1 and heard = ?', $line->sid, $what),
            "$title at once: the turn is known";
        ok wait_value('select count(*) from pg_stat_activity where '
            . "wait_event_type = 'Lock' and query like '%voice.act(%'"),
            "$title at once: the tool waits";

        $node->crash;
        $locker->rollback;

        ok wait_value('select 1 from voice.actions where call_sid = ?',
            $line->sid), "$title at once: it is done, and nobody knows";

        $node->edge->start;
        $node->up;
        $line = $node->line(sid => $line->sid);

        my ($said, $last) = $node->rest($line,
            $line->post(Voice::Scene::Line::redirect($r)));

        like $last->body, $document, "$title at once: after a restart";
        is value('select count(*) from voice.actions where call_sid = ?',
            $line->sid), 1, "$title at once: it was done once";
    }

    $node->edge->stop;
}


# --- the time that is used up ------------------------------------------------

{
    my $node = node('time', directives => { voice_max_duration => '1h' });
    my ($young, $young_next) = talk($node, 1);
    my ($old, $old_next) = talk($node, 1);

    # its real beginning, which only the database knows

    $owner->do("update voice.calls set started_at = started_at - interval "
        . "'2 hours' where sid = ?", {}, $old->sid);
    restart($node);

    my ($said, $r) = $node->rest($young = $node->line(sid => $young->sid),
        $young->post($young_next, SpeechResult => 'more'));

    is $said, 'You said more.', 'a young call: the answer';
    like $r->body, qr/<Gather/, 'and it goes on';

    ($said, $r) = $node->rest($old = $node->line(sid => $old->sid),
        $old->post($old_next, SpeechResult => 'more'));

    like $said, qr/^You said more\./, 'an old call: the answer is given';
    like $r->body, qr/<Hangup/, 'and then its time is over';
    unlike $r->body, qr/<Gather/, 'after a restart, too';
    like $node->edge->log, qr/"@{[$old->sid]}" has reached its limit/,
        'the log says why';

    $node->edge->stop;
}


# --- a document that is none -------------------------------------------------

{
    my $node = node('long');
    my $line = $node->line;
    my $target = $line->open;

    $node->rest($line, $line->post($target, SpeechResult => 'number 1'));
    ok wait_value('select 1 from voice.steps where call_sid = ? and '
        . "route = 'process-speech'", $line->sid), 'a step is known';
    $owner->do("update voice.steps set twiml = repeat('long ', 40000) where "
        . "call_sid = ? and route = 'process-speech'", {}, $line->sid);
    restart($node);

    $line = $node->line(sid => $line->sid);

    my $r = $line->post($target, SpeechResult => 'number 1');

    is $r->status, 200, 'what is longer than a document can be';
    like $r->body, qr/<Gather/, 'is not given out: the call goes on';
    $node->edge->stop;
}


# --- a database that answers late --------------------------------------------

{
    my $node = node('late', workers => 1,
        directives => { voice_answer_within => '8s' },
        http_directives => {
            voice_database => "\"host=$pg->{dir} dbname=$name "
                . 'user=voice_edge" timeout=40s' });
    my $model = $node->model;
    my ($line, $next) = talk($node, 1);
    my ($other, $other_next) = talk($node, 1);

    restart($node);
    $model->forget;

    # the model holds, so that the request that answers is not the one that
    # asked the database

    my $held = $model->counters->{held};

    $model->arm({ match => { text => 'more' },
                  fault => { hold => 'header' } });

    my $locker = lock_calls();

    $line = $node->line(sid => $line->sid);
    $line->send($next, SpeechResult => 'more');
    ok blocked(1), 'the database is asked for the call';

    my $r = $line->read;

    is $r->status, 200, 'the webhook is answered while it does not answer';
    $model->wait_for('held', $held + 1);

    # what comes next waits for the model, on the same connection

    $line->send(Voice::Scene::Line::redirect($r));
    $locker->rollback;

    # one worker has one connection: this is read behind what came late

    $other = $node->line(sid => $other->sid);

    my ($said, $last) = $node->rest($other,
        $other->post($other_next, SpeechResult => 'again'));

    is $said, 'You said again.', 'another call, after the lock';
    like $node->edge->log, qr/"@{[$other->sid]}" is resumed/, 'is resumed';
    unlike $node->edge->log, qr/"@{[$line->sid]}" is resumed/,
        'what came too late is dropped';

    $model->release;
    ($said, $last) = $node->rest($line, $line->read);
    like $said, qr/You said more\./, 'the answer follows';
    ok !$line->answered, 'once';
    is scalar(grep { /more/ } map { $_->{body}{messages}[-1]{content} }
              @{ $model->requests }), 1, 'the model was asked once';

    ($said, $last) = $node->rest($line, $line->post(
        Voice::Scene::Line::action($last), SpeechResult => 'and more'));
    is $said, 'You said and more.', 'and the next webhook works';
    ok !$line->answered, 'once, too';

    $node->edge->stop;
}


# --- a node that answers late, or never --------------------------------------

{
    my $far = node('far');
    my %call = map { $_ => [ talk($far, 1) ] } qw(never early late silent);
    my $socket = $far->{socket};

    $far->edge->quit;
    unlink $socket;

    my $fake = IO::Socket::UNIX->new(Local => $socket, Listen => 16)
        or die "$socket: $!";

    chmod 0777, $socket;

    my $near = node('near', peer => 'far', workers => 1,
                    server => 'add_header X-Time $msec always;',
                    # a quarter of it is for going on
                    directives => { voice_answer_within => '12s' },
                    variants => { soon => 'voice_filler_after 5s;',
                                  later => 'voice_filler_after 11500ms;' });
    my $model = $near->model;
    my @taken;

    my $begin = sub {
        my ($what, %option) = @_;
        my ($line, $next) = @{ $call{$what} };

        $line = $near->line(sid => $line->sid, %option);
        $line->send($next, SpeechResult => 'more');

        push @taken, scalar $fake->accept;

        my $bytes = '';

        1 while $bytes !~ /\r\n\r\n/
            && sysread $taken[-1], $bytes, 65536, length $bytes;
        like $bytes, qr/^X-Voice-Node: near\r$/m, "$what: the node is asked";

        return $line;
    };

    my $answer = sub {
        my $document = '<Response><Say>Too late.</Say></Response>';
        my $peer = $taken[-1];

        syswrite $peer, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
            . 'Content-Length: ' . length($document)
            . "\r\nConnection: close\r\n\r\n$document";

        # closed by who has read it
        1 while sysread $peer, my $bytes, 65536;
    };

    my $end = sub {
        my ($what, $line, $r) = @_;
        my ($said, $last) = $near->rest($line, $r);

        like $said, qr/You said more\.$/, "$what: it goes on here";
        unlike $said, qr/Too late/, "$what: without what came too late";

        ($said, $last) = $near->rest($line, $line->post(
            Voice::Scene::Line::action($last), SpeechResult => 'and more'));
        is $said, 'You said and more.', "$what: and so does the next turn";
        ok !$line->answered, "$what: nothing is answered twice";
        ok wait_value("select 1 from voice.turns where call_sid = ? and "
            . "heard = 'and more'", $line->sid), "$what: which is noted";
        is wait_value("select count(*) from voice.turns where call_sid = ? and "
            . "heard = 'more'", $line->sid), 1, "$what: one turn was one";
    };

    # never

    my $line = $begin->('never');

    $end->('never', $line, $line->read);
    like $near->edge->log, qr/"@{[$line->sid]}" is resumed/,
        'never: it is resumed';

    # when all is over

    $line = $begin->('late');

    my $r = $line->read;

    $answer->();
    $end->('late', $line, $r);

    # in between: the request goes on, and waits for the model

    my $held = $model->counters->{held};

    $model->arm({ match => { text => '^more' },
                  fault => { hold => 'header' } });
    $line = $begin->('early');
    $model->wait_for('held', $held + 1);
    $answer->();
    $model->release;
    $end->('early', $line, $line->read);

    # the time that the node takes is silence, too: one worker's clock tells
    # a filler after nine seconds from one that comes after twelve

    $held = $model->counters->{held};
    $model->arm({ times => 2, fault => { hold => 'header' } });

    my $other = $near->line(variant => 'later');
    my $open = $other->open;

    $line = $begin->('silent', variant => 'soon');
    $other->send($open, SpeechResult => 'hello');
    $r = $line->read;

    my $later = $other->read;

    cmp_ok $r->header('X-Time'), '<', $later->header('X-Time'),
        'silent: the filler is not late';
    like $r->body, qr/One moment|Let me think/, 'silent: it is one';
    like $later->body, qr/One moment|Let me think/, 'the other comes';
    $model->wait_for('held', $held + 2);
    $model->release;

    close $_ for @taken, $fake;
    $near->edge->stop;
}


# --- what a worker has left behind ---------------------------------------------

{
    my $node = node('left', workers => 1);
    my ($line, $next) = talk($node, 1);
    my $sid = $line->sid;

    restart($node);

    # as if it had not been sent: it is nowhere but in the worker's file

    my ($note) = $owner->selectrow_array("select jsonb_build_object('key', "
        . "call_sid || '/left', 'kind', 'step', 'call', call_sid, 'route', "
        . "route, 'turn', turn, 'step', step, 'twiml', twiml, 'state', state, "
        . "'at', at)::text from voice.steps where call_sid = ? and turn = 1 "
        . "and route = 'process-speech'", {}, $sid);

    $owner->do('delete from voice.steps where call_sid = ?', {}, $sid);
    Voice::Spool::leave($node->edge->path('spool'), '1-1-0.spool',
        Voice::Spool::line(JSON::PP->new->utf8->decode($note)));

    my $r = $node->line(sid => $sid)->post($next, SpeechResult => 'more');

    is words($r), 'You said more.', 'left behind: the webhook that follows it';
    like $node->edge->log,
        qr/1-1-0\.spool" of a worker that is gone is taken over/,
        'left behind: looks for it at once';
    ok wait_value('select 1 from voice.steps where call_sid = ? and turn = 1',
                  $sid), 'left behind: and the database has it';

    $node->edge->stop;
}


# --- a flow that is gone -----------------------------------------------------

{
    my %base = %{ Voice::Edge->can('flow')->({}) };

    delete @base{qw(voice keys)};

    my $flow = sub {
        my ($self, %more) = @_;

        return { %base, name => $self, rules => [$base{rules}[0]],
                 prompt => "You are \U$self\E.", %more };
    };

    my $node = node('flows',
        flows => {
            'general.json' => $flow->('general'),
            'shop.json' => $flow->('shop', consent => 'This is recorded.',
                routes => [
                { to => 'repair', when => 'broken' } ]),
            'repair.json' => $flow->('repair') },
        http_directives => { voice_number => [
            "default flow=general organization=$larkspur",
            "+15005550009 flow=shop organization=$larkspur" ] });
    my $edge = $node->edge;
    my $model = $node->model;
    my %who = (From => '+15005550006', To => '+15005550009');
    my $persona = sub {
        return $model->requests->[-1]{body}{messages}[0]{content}
            =~ /^You are (\w+)\./ ? $1 : 'nobody';
    };
    my $line = $node->line;
    my ($said, $r) = $node->rest($line, $line->post($line->open(%who),
        SpeechResult => 'it is broken', %who), %who);

    is $persona->(), 'REPAIR', 'a call goes to another flow';
    ok wait_value('select 1 from voice.calls c join voice.steps s '
        . "on s.call_sid = c.sid where c.sid = ? and c.flow = 'repair' and "
        . "s.route = 'process-speech'", $line->sid), 'which is noted';
    is wait_value('select said from voice.turns where call_sid = ? and '
        . 'turn = 0', $line->sid), 'This is recorded. Welcome to Test Company. '
        . 'How can I help you?', 'as what its caller was told first is';

    $edge->quit;
    unlink $edge->path('flows/repair.json');
    $edge->write_file('flows/shop.json', JSON::PP->new->encode(
        $flow->('shop')));
    $edge->start;
    $node->up;

    $line = $node->line(sid => $line->sid);
    ($said, $r) = $node->rest($line, $line->post(
        Voice::Scene::Line::action($r), SpeechResult => 'hello', %who), %who);

    is $said, 'You said hello.', 'without that flow it goes on';
    is $persona->(), 'SHOP', "with its number's";
    like $r->body, qr/<Gather/, 'and the caller is listened to';
    like join("\n", map { $_->{content} }
              @{ $model->requests->[-1]{body}{messages} }), qr/it is broken/,
        'and what was said is known';
    like $edge->log, qr/"@{[$line->sid]}" is resumed/, 'it is resumed';
    like $edge->log, qr/names flow "repair", which no "voice_flow" has loaded/,
        'and the log says what is gone';

    $edge->stop;
}


# --- a caller who has hung up ------------------------------------------------

{
    my $node = node('over', workers => 1, http_directives => {
        voice_database => "\"host=$pg->{dir} dbname=$name user=voice_edge\" "
            . 'timeout=40s' });
    my $model = $node->model;
    my $ended = 'select ended_at from voice.calls where sid = ?';
    my ($line, $next) = talk($node, 1);
    my ($second, $second_next) = talk($node, 1);

    # ended elsewhere: the memory that is asked afterwards is another one

    restart($node);
    $model->forget;

    my $sid = $line->sid;

    $node->line(sid => $sid)->post('status', CallStatus => 'completed',
                                   CallDuration => 7);
    ok wait_value($ended, $sid), 'ended: the database knows';

    # and all else that is noted of it
    Voice::Edge::wait_for(sub { !$node->health->json->{spool}{notes} });

    my @before = $owner->selectrow_array('select status, ended_at, updated_at '
        . 'from voice.calls where sid = ?', {}, $sid);

    $line = $node->line(sid => $sid);

    for my $n (1, 2) {
        my $r = $line->post($next, SpeechResult => 'hello?');

        is $r->status, 200, "ended: a webhook that comes $n. is answered";
        like $r->body, qr/<Hangup/, 'ended: by the end';
    }

    is scalar @{ $model->requests }, 0, 'ended: the model is not asked';
    is $node->health->json->{calls}, 0, 'ended: no call is there';

    # while it is being resumed

    $sid = $second->sid;

    my $locker = lock_calls();

    $second = $node->line(sid => $sid);
    $second->send($second_next, SpeechResult => 'still here');
    ok blocked(1), 'meanwhile: the call is being resumed';
    is $node->line(sid => $sid)->post('status', CallStatus => 'completed',
        CallDuration => 9)->status, 204, 'meanwhile: the caller hangs up';
    $locker->rollback;

    is $second->read->status, 200, 'meanwhile: the webhook is answered';
    ok wait_value($ended, $sid), 'meanwhile: the database knows the end';

    my $r = $second->post($second_next, SpeechResult => 'still there');

    ok wait_value('select 1 from voice.turns where call_sid = ? and turn = 2',
        $sid), 'meanwhile: what was still said is noted';
    is value('select status from voice.calls where sid = ?', $sid),
        'completed', 'meanwhile: and it stays ended';
    ok value($ended, $sid), 'meanwhile: since then';
    is value('select count(*) from voice.calls where sid = ?', $sid), 1,
        'meanwhile: one row';
    is $node->health->json->{calls}, 0, 'meanwhile: no call is there';

    # all that is noted by now is in the database
    talk($node, 1);
    is_deeply [ $owner->selectrow_array('select status, ended_at, updated_at '
        . 'from voice.calls where sid = ?', {}, $line->sid) ], \@before,
        'ended: no row is opened again';

    $node->edge->stop;
}

done_testing;
