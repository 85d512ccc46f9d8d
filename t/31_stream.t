#!/usr/bin/perl

# The answer is heard while it is still being written, by whichever worker,
# whatever becomes of the connection that asked for it.

use strict;
use warnings;

use Test::More;

use Digest::SHA ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Scene;

my $first = 'We are open from nine to five every day.';
my $second = 'On Saturday we close a little earlier than on other days.';
my $third = 'And on Sunday there is nobody here at all, I am afraid.';
my $story = "$first $second $third";
my $filler = 'One moment.';

# the role, the nine words of the first sentence and one more: a hold there
my $after_first = 11;

my $flow = Voice::Edge->can('flow')->({});

my $scene = Voice::Scene->new(
    flows => {
        'general.json' => { %$flow, fillers => ['One moment.', 'Just now.'] },
        'short.json' => { %$flow, name => 'short',
                          limits => { answer => 60 } },
    },
    http_directives => {
        voice_number => ['default flow=general', '+15005550002 flow=short'],
    },
    directives => {
        voice_filler_after => '30s', voice_first_token_timeout => '60s',
        voice_token_timeout => '60s', voice_speech_timeout => '30s',
        voice_answer_within => '12s',
    },
    variants => {
        filler => 'voice_filler_after 100ms;',
        short => 'voice_turn_timeout 5s;',
    },
);

my ($model, $speech, $edge) = ($scene->model, $scene->speech, $scene->edge);

my %before;

# What was asked before is over, and the next answer has this fault.

sub prepare {
    my (%fault) = @_;

    $model->clear;
    Voice::Edge::wait_for(sub { !$model->counters->{open} })
        or die "a request to the model does not end\n";
    %before = %{ $model->counters };
    $model->forget;
    $model->arm({ fault => { say => $story, %fault } });
}

sub hold { prepare(hold => @_) }

# until the model did so once more

sub wait_for {
    my ($what) = @_;

    return $model->wait_for($what, 1 + ($before{$what} // 0));
}

sub wait_held { wait_for('held') }

sub say_of {
    my ($line, $target, $words) = @_;

    return $line->post($target, SpeechResult => $words, Confidence => '0.9');
}

# what the files of a document say

sub words {
    my ($r) = @_;

    my $captions = $speech->captions;

    return join ' ', map {
        m{^audio/}
            ? $captions->{ Digest::SHA::sha256_hex(
                  $edge->get("/api/voice/$_")->body) } // '?'
            : "[$_]"
    } Voice::Scene::Line::sounds($r);
}

sub redirect { Voice::Scene::Line::redirect(@_) }
sub action   { Voice::Scene::Line::action(@_) }

sub requests { scalar @{ $model->requests } }


# --- the first piece while the model still writes --------------------------

{
    hold($after_first);

    my $line = $scene->line;
    my $r = say_of($line, $line->open, 'tell me');

    # that it came is the proof: the stream is held
    is $r->status, 200, 'answered while the stream is held';
    wait_held();

    is words($r), $first, 'with the first sentence';
    unlike $r->body, qr/<Gather/, 'not listening yet';
    like redirect($r), qr/^continue\?k=[\w-]+&s=1&t=1#/, 'more is to come';
    is $r->header('Connection'), 'keep-alive', 'the connection is kept';

    # The request that waits is on the connection that the turn began on.
    $line->send(redirect($r));
    is $scene->health->status, 200, 'others are served';
    ok !$line->answered, 'continue waits';

    is $model->release, 1, 'the model goes on';
    $r = $line->read;

    is $r->status, 200, 'continue is answered on the same connection';

    my $heard = words($r);

    while (my $next = redirect($r)) {
        last if action($r);
        $r = $line->post($next);
        $heard = join ' ', grep { length } $heard, words($r);
    }

    is $heard, "$second $third", 'with the rest, in order';
    like action($r), qr/^process-speech\?k=[\w-]+&s=0&t=2#/,
        'then the caller is listened to';
    is requests(), 1, 'the model was asked once';

    # repeated: the same bytes
    my $again = $line->other;
    is say_of($again, action($r), 'goodbye')->status, 200, 'the call goes on';
}


# --- fillers ---------------------------------------------------------------

{
    hold('header');

    my $line = $scene->line(variant => 'filler');
    my $r = say_of($line, $line->open, 'tell me');
    my $fillers = 0;
    my $url = redirect($r);

    wait_held();

    # the first time a filler may be said: its audio was not yet there
    like words($r), qr/^\[?\Q$filler\E\]?$/, 'a filler while nothing is there';
    ok !action($r), 'without listening';

    $r = $line->post($url);
    like words($r), qr/^\[?Just now\.\]?$/, 'then another one';

    $model->release;

    my $heard = '';

    for (1 .. 500) {
        $r = $line->post(redirect($r));
        my $words = words($r);
        $heard .= " $words"
            unless $words =~ /^(?:\[?(?:\Q$filler\E|Just now)|$)/;
        last if action($r);
    }

    is $heard, " $story", 'then the answer';
    is requests(), 1, 'the model was asked once';
}


# --- the connection that waits ---------------------------------------------

{
    hold('header');

    my $line = $scene->line;
    my $target = $line->open;

    $line->send($target, SpeechResult => 'tell me');
    wait_held();

    my $second = $line->other;

    $second->send($target, SpeechResult => 'tell me');
    $scene->health;
    $line->reset;
    $model->release;

    my $r = $second->read;

    is $r->status, 200, 'reset while waiting: the repeated one is answered';
    like words($r), qr/^\Q$first\E/, 'with the answer';
    is requests(), 1, 'and the turn lived on';
}

{
    hold('header');

    my $line = $scene->line;
    my $target = $line->open;

    $line->send($target, SpeechResult => 'tell me');
    wait_held();
    $line->reset;

    my $second = $line->other;
    $second->send($target, SpeechResult => 'tell me');
    $scene->health;
    $model->release;

    my $r = $second->read;

    is $r->status, 200, 'repeated after the reset: answered';
    like words($r), qr/^\Q$first\E/, 'with the answer';
    is requests(), 1, 'of the same turn';
}

{
    hold('header');

    my $line = $scene->line;
    my $target = $line->open;

    $line->send($target, SpeechResult => 'tell me');
    wait_held();
    shutdown $line->socket, 1;
    $scene->health;
    $model->release;

    my $r = $line->read;

    is $r->status, 200, 'half closed while waiting: answered';
    like words($r), qr/^\Q$first\E/, 'with the answer';
}

{
    # nobody comes for it until it is complete
    hold('header');

    my $line = $scene->line;
    my $target = $line->open;

    $line->send($target, SpeechResult => 'tell me');
    wait_held();
    $line->reset;
    $model->release;
    $edge->wait_for_log(qr/"${\$line->sid}" turn 1 answered/);

    my $r = say_of($line->other, $target, 'tell me');

    my $heard = words($r);
    my $other = $line->other;

    until (action($r)) {
        $r = $other->post(redirect($r));
        $heard = join ' ', grep { length } $heard, words($r);
    }

    is $heard, $story, 'asked for when it was complete: nothing is lost';
    is requests(), 1, 'one request';
}


# --- workers ---------------------------------------------------------------

{
    my @workers = $edge->workers;

    hold($after_first);

    my $one = $scene->line(worker => $workers[0]);
    my $two = $one->other(worker => $workers[1]);

    isnt $one->worker, $two->worker, 'two workers';

    my $r = say_of($one, $one->open, 'tell me');
    wait_held();

    is $r->header('X-Worker'), $workers[0], 'one began the turn';
    is words($r), $first, 'and gave its first sentence';

    $two->send(redirect($r));
    $scene->health;
    $model->release;
    $r = $two->read;

    my $heard = words($r);

    while (!action($r)) {
        $r = $two->post(redirect($r));
        $heard = join ' ', grep { length } $heard, words($r);
    }

    is $r->header('X-Worker'), $workers[1], 'the other one went on';
    is $heard, "$second $third", 'with the rest';
    is requests(), 1, 'the model was asked once';
}

{
    my @workers = $edge->workers;

    hold('header');

    my $one = $scene->line(worker => $workers[1]);
    my $two = $one->other(worker => $workers[0]);
    my $target = $one->open;

    $_->send($target, SpeechResult => 'tell me') for $one, $two;
    wait_held();
    $model->release;

    my ($r, $copy) = map { $_->read } $one, $two;

    isnt $r->header('X-Worker'), $copy->header('X-Worker'),
        'the same webhook in two workers';
    is $r->body, $copy->body, 'the same bytes';
    is requests(), 1, 'one request';
}


# --- bounds and order ------------------------------------------------------

{
    hold(16);

    my $line = $scene->line;
    my $r = say_of($line, $line->open(To => '+15005550002'), 'tell me');

    wait_held();

    $model->clear;
    my $held_on = words($r);
    like $held_on, qr/^\Q$first\E/, 'within the limit';
    $model->release;

    until (action($r)) {
        $r = $line->post(redirect($r));
        $held_on = join ' ', grep { length } $held_on, words($r);
    }

    is $held_on, "$first $second", 'nothing begins beyond the limit';
    unlike $edge->log, qr/"${\$line->sid}" turn 1 .*failed/, 'no failure';
}

{
    # a stream that goes on beyond the limit is closed, not waited for
    # (at the first word of the third sentence)
    hold(22);

    my $line = $scene->line;
    my $r = say_of($line, $line->open(To => '+15005550002'), 'tell me');
    my $heard = words($r);

    wait_held();

    until (action($r)) {
        $r = $line->post(redirect($r));
        $heard = join ' ', grep { length } $heard, words($r);
    }

    is $heard, "$first $second", 'complete while the stream is held';
    ok wait_for('aborted'), 'which was closed';
    $model->release;
}

{
    # the first piece's speech is late: the others wait for their turn
    my @pieces = map { "Piece number $_ of this rather long answer here." }
        qw(one two three four five six);

    prepare(say => join ' ', @pieces);
    $speech->arm({ match => { text => 'number one' },
                   fault => { hold => 'header' } });

    my $line = $scene->line;
    my $target = $line->open;
    my $done = $speech->counters->{finished} // 0;

    $line->send($target, SpeechResult => 'tell me');
    $speech->wait_for('held', 1);
    $edge->wait_for_log(qr/"${\$line->sid}" turn 1 answered/);
    $speech->wait_for('finished', $done + 5);

    # the edge has read what the stand-in has sent
    my $watch = $scene->line(worker => $line->worker);
    $watch->hello for 1 .. 3;

    ok !$line->answered, 'nothing is played before the first piece';
    $speech->release;

    my $r = $line->read;

    is words($r), join(' ', @pieces), 'all pieces, in order';
    like $r->body, qr{<Response><Gather[^>]*>
                      (?:<Play>[^<]*</Play>)+</Gather><Redirect}x,
        'in one Gather, which can be interrupted';
}

{
    # more pieces than an answer can have
    prepare(say => join ' ', map {
        "This is sentence number $_ of the very long answer." } 1 .. 40);

    my $call = $scene->call('', lines => ['tell me', 'hello', 'goodbye']);

    like Voice::Scene::words($call),
        qr/number 1 of .* number 10 of .*Hello! It is good/,
        'an endless answer ends, and the call goes on';
    is_deeply $call->errors, [], 'without an error';
}


# --- a few pieces at a time ---------------------------------------------------

{
    my @said = map { "Here is part $_ of an answer that is all there at once." }
        1 .. 7;
    my $made = sub { scalar grep { $_->{text} =~ /^Here is part/ }
                         @{ $speech->requests } };

    prepare();
    $model->clear;
    $model->arm({ fault => { say => "@said", plain => 1 } });
    $speech->arm({ match => { text => '^Here is part' },
                   fault => { hold => 'header' }, times => -1 });

    my $held = $speech->counters->{held};
    my $line = $scene->line;

    $line->send($line->open, SpeechResult => 'tell me all',
                Confidence => '0.9');
    $edge->wait_for_log(qr/"\Q${\ $line->sid}\E" turn 1 answered by/);
    $speech->wait_for('held', $held + 3);

    is $made->(), 3, 'all is written, three pieces are being made';

    $speech->release;

    my $r = $line->read;
    my @heard = words($r);

    $speech->wait_for('held', $held + 4);
    cmp_ok $made->(), '<=', 6, 'the next ones while the first are heard';

    $speech->clear;
    $speech->release;

    until (action($r)) {
        $r = $line->post(redirect($r));
        push @heard, words($r);
    }

    is join(' ', grep { length } @heard), "@said", 'all is heard, in order';
    is $made->(), 7, 'and was made once';
}


# --- a model that takes all day -----------------------------------------------

{
    hold($after_first);

    my $line = $scene->line(variant => 'short');
    my $r = say_of($line, $line->open, 'tell me');
    my @heard = words($r);

    until (action($r)) {
        $r = $line->post(redirect($r));
        push @heard, words($r);
    }

    like join(' ', grep { length } @heard), qr/^(?:\Q$first\E|.*wrong\.)$/,
        'what is whole is heard';
    ok action($r), 'and the caller is listened to';
    ok wait_for('aborted'), 'the model is not asked any longer';
    ok $edge->wait_for_log(
        qr/"\Q${\ $line->sid}\E" turn 1 takes longer than 5000ms/),
        'the log says why';
    like $scene->reasons, qr/model_timeout/, 'and so does health';
}


# --- who goes on without the answer ----------------------------------------

{
    prepare(stall => $after_first);

    my $line = $scene->line;
    my $r = say_of($line, $line->open, 'tell me');

    is words($r), $first, 'the first sentence is out';

    # the operator's own URL: whatever comes next
    my $next = say_of($line->other, 'process-speech', 'hello');

    ok wait_for('aborted'),
        'a new turn closes the request of the one before';
    like words($next), qr/^Hello!/, 'and is answered';

    $r = $line->post(redirect($r));
    is $r->status, 200, 'a late continue of the old turn';
    unlike words($r), qr/Saturday/, 'does not bring the old answer back';
}

{
    prepare(stall => 'header');

    my $line = $scene->line;
    $line->send($line->open, SpeechResult => 'tell me');
    wait_for('stalled');

    is $line->other->post('status', CallStatus => 'completed')->status, 204,
        'the caller hangs up';
    ok wait_for('aborted'), 'the model is not waited for';
    is $line->read->status, 200, 'the waiting webhook is answered';
}

ok Voice::Edge::wait_for(sub { !$model->counters->{open} }),
    'no request to the model is left open';

done_testing;
