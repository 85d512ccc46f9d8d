#!/usr/bin/perl

# No call is lost: reloads, killed workers, shutdowns, at every moment.
# VOICE_TEST_RELOADS (100) and VOICE_TEST_KILLS (10) say how many under load.

use strict;
use warnings;

use Test::More;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::IOLoop;
use Mojo::UserAgent;
use Voice::Edge;
use Voice::Lab::FrontDesk;
use Voice::Scene;

my $first = 'We are open from nine to five every day.';
my $second = 'On Saturday we close a little earlier than on other days.';
my $third = 'And on Sunday there is nobody here at all, I am afraid.';
my $story = "$first $second $third";
my $hello = 'Hello! It is good to hear you. How can I help?';

# the role, the nine words of the first sentence and one more: a hold there
my $after_first = 11;

my $timeout = '30s';

my $flow = { %{ Voice::Edge->can('flow')->({}) },
             greeting => 'Welcome to {{company}}, {{caller.number|friend}}.' };

my $reloads = $ENV{VOICE_TEST_RELOADS} || 100;
my $kills = $ENV{VOICE_TEST_KILLS} || 10;

# a model that goes on where it is told that it was

sub model_reply {
    my ($text, $messages, @more) = @_;

    my $reply = Voice::Lab::FrontDesk::reply($text, $messages, @more);
    my ($said, $last) = @$messages[-2, -1];

    return $reply if ref $reply || $last->{role} ne 'system'
        || $last->{content} !~ /already spoken/;

    return $reply =~ s/\A\Q$said->{content}\E *//r;
}

my $scene = Voice::Scene->new(
    model => { reply => \&model_reply },
    flows => { 'general.json' => $flow },
    directives => {
        voice_filler_after => '30s', voice_first_token_timeout => '60s',
        voice_token_timeout => '60s', voice_speech_timeout => '12s',
        voice_answer_within => '12s',
    },
    edit => \&settings,
);

# A killed worker leaves the cache's own lock behind for so long, and what
# never ends holds up a worker for so long.

sub settings {
    s/proxy_cache_lock_age 5s/proxy_cache_lock_age 1s/ or die;
    s/worker_shutdown_timeout 10s/worker_shutdown_timeout $timeout/ or die;
}

my ($model, $speech, $edge) = ($scene->model, $scene->speech, $scene->edge);
my %before;

sub prepare {
    my (@faults) = @_;

    $model->clear;
    Voice::Edge::wait_for(sub { !$model->counters->{open} })
        or die "a request to the model does not end\n";
    %before = %{ $model->counters };
    $model->forget;
    $model->arm(map { { fault => { say => $story, %$_ } } } @faults);
}

sub wait_held { $model->wait_for('held', 1 + $before{held}) }
sub requests  { scalar @{ $model->requests } }
sub redirect  { Voice::Scene::Line::redirect(@_) }
sub action    { Voice::Scene::Line::action(@_) }

sub words {
    my ($r) = @_;

    my $captions = $speech->captions;

    return join ' ', map {
        m{^audio/}
            ? $captions->{ sha256_hex($edge->get("/api/voice/$_")->body) }
              // '?'
            : $_
    } Voice::Scene::Line::sounds($r);
}

# fetches the rest of an answer; returns its words and the last document

sub rest {
    my ($line, $r) = @_;

    my @words = words($r);

    until (action($r)) {
        $r = $line->post(redirect($r)) or last;
        push @words, words($r);
    }

    return (join(' ', grep { length } @words), $r);
}

sub reloaded {
    ok $edge->reload, $_[0] // 'reload';
}

sub left {
    $_->hang_up for @_;
    ok $edge->wait_for_old_workers, 'the old workers leave by themselves';
}


# --- reload ----------------------------------------------------------------

{
    prepare({ hold => 'header' });

    my $line = $scene->line;

    $line->send($line->open, SpeechResult => 'tell me');
    wait_held();
    reloaded('reload while a webhook waits');
    ok !$line->answered, 'it still waits';
    $model->release;

    my $r = $line->read;

    is $r->status, 200, 'and is answered by the old worker';

    my ($words, $last) = rest($scene->line(sid => $line->sid), $r);

    is $words, $story, 'with the answer';
    is requests(), 1, 'the model was asked once';
    my $other = $line->other;

    $r = $other->post(action($last), SpeechResult => 'hello');
    is +(rest($other, $r))[0], $hello, 'the call goes on in the new one';
    left($line, $other);
}

{
    prepare({ hold => $after_first });

    my $line = $scene->line;
    my $r = $line->post($line->open, SpeechResult => 'tell me');

    wait_held();
    is words($r), $first, 'the first sentence';
    reloaded('reload while the answer is written');

    my $other = $line->other;

    $other->send(redirect($r));
    $scene->health;
    ok !$other->answered, 'continue waits in the new worker';
    $model->release;
    $r = $other->read;

    is +(rest($other, $r))[0], "$second $third",
        'for what the old one writes';
    is requests(), 1, 'the model was asked once';
    left($line, $other);
}

{
    # speech that an old worker makes and a new one waits for
    my $from = '+15006661001';

    $speech->arm({ match => { text => '15006661001' },
                   fault => { hold => 'header' } });

    my $held = $speech->counters->{held};
    my $line = $scene->line;

    $line->send('inbound-webhook', From => $from);
    $speech->wait_for('held', $held + 1);
    reloaded('reload while speech is made');

    my $other = $scene->line;

    $other->send('inbound-webhook', From => $from);
    $scene->health;
    $speech->release;

    is words($_->read), "Welcome to Test Company, $from.",
        'both callers hear it' for $line, $other;
    is scalar(grep { $_->{text} =~ /1001/ } @{ $speech->requests }), 1,
        'one synthesis';
    left($line, $other);
}

{
    prepare();

    my $call = $scene->call('', lines => [
        'hello',
        sub { $edge->reload; 'what does it cost' },
        sub { $edge->reload; $edge->wait_for_old_workers; 'hello' },
        'goodbye' ]);

    is_deeply $call->errors, [], 'reloads between turns';
    is $call->reason, 'hangup', 'the call goes on to its end';

    my @messages = @{ $model->requests->[-1]{body}{messages} };

    is join(' ', map { $_->{content} } grep { $_->{role} eq 'user' }
                 @messages), 'hello what does it cost hello',
        'and nothing is forgotten';
}


# --- killed workers --------------------------------------------------------

{
    prepare();

    my $call = $scene->call('', lines => [
        'hello',
        sub { $edge->kill_worker($_) for $edge->workers;
              'what does it cost' },
        'goodbye' ]);

    is_deeply $call->errors, [], 'all workers killed between turns';
    is $call->reason, 'hangup', 'the call goes on to its end';

    my @messages = @{ $model->requests->[-1]{body}{messages} };

    is join(' ', map { $_->{content} } grep { $_->{role} eq 'user' }
                 @messages), 'hello what does it cost',
        'and nothing is forgotten';
}

{
    prepare({ hold => 'header' }, { say => $hello });

    my $line = $scene->line;
    my $target = $line->open;

    $line->send($target, SpeechResult => 'tell me');
    wait_held();
    $edge->kill_worker($line->worker);

    is $line->read, undef, 'killed while a webhook waits: cut off';

    my $again = $line->other;
    my $r = $again->post($target, SpeechResult => 'tell me');

    is $r->status, 200, 'the repeated one is answered';
    is +(rest($again, $r))[0], $hello, 'with an answer';
    is requests(), 2, 'the model was asked again';
    $model->release;
}

{
    # the same as the phone does it: a retry, as the URL's overrides say
    prepare({ hold => 'header' }, {});

    my $ua = Mojo::UserAgent->new(inactivity_timeout => 120);
    my $least = 1 + $before{held};

    $ua->get_p($model->base . "/_lab/wait?counter=held&least=$least")
       ->then(sub { $edge->kill_worker($_) for $edge->workers });

    my $call = $scene->phone(keep_alive => 0)
                    ->call_p(lines => ['tell me', 'goodbye']);
    my $done;

    $call->then(sub { $done = $_[0] })->wait;
    $scene->caption($done);

    is $done->reason, 'hangup', 'on the phone: to its end';
    like Voice::Scene::words($done), qr/^\Q$story\E/, 'with the answer';
    is_deeply $done->errors, [], 'without an error';
    ok scalar(grep { ($_->{attempts} // 1) == 2 } @{ $done->webhooks }),
        'by one retry';
    $model->release;
}

{
    # in the middle of an answer, continue is already waiting elsewhere
    prepare({ hold => $after_first }, { say => "$second $third" });

    my @workers = $edge->workers;
    my $one = $scene->line(worker => $workers[0]);
    my $two = $one->other(worker => $workers[1]);
    my $r = $one->post($one->open, SpeechResult => 'tell me');

    wait_held();
    is words($r), $first, 'the first sentence is heard';

    $two->send(redirect($r));
    $scene->health;
    $edge->kill_worker($workers[0]);

    is +(rest($two, $two->read))[0], "$second $third",
        'its worker is killed: another one takes over, nothing is said twice';
    is requests(), 2, 'the model was asked again';

    my @messages = @{ $model->requests->[-1]{body}{messages} };

    is_deeply [ map { $_->{role} } @messages[-3 .. -1] ],
        [qw(user assistant system)], 'what was said is told to it';
    is $messages[-2]{content}, $first, 'word by word';
    ok scalar $edge->log_lines(qr/turn 1 is taken over from a worker/),
        'and logged';
    $model->release;
}

{
    # in the middle of an answer, continue comes afterwards
    prepare({ hold => $after_first }, { say => "$second $third" });

    my $line = $scene->line;
    my $target = $line->open;
    my $r = $line->post($target, SpeechResult => 'tell me');

    wait_held();
    $edge->kill_worker($line->worker);

    my $other = $line->other;
    my ($words, $last) = rest($other, $other->post(redirect($r)));

    is $words, "$second $third", 'continue after the kill: the rest';

    # what the model is told of it in the next turn
    $r = $other->post(action($last), SpeechResult => 'hello');
    is +(rest($other, $r))[0], $hello, 'the next turn';

    my @messages = @{ $model->requests->[-1]{body}{messages} };

    is $messages[-2]{content}, $story, 'the history has the answer once';
    is $messages[-1]{content}, 'hello', 'then the new words';
    $model->release;
}

{
    # while speech is made that another worker waits for
    my $from = '+15006661002';
    my @workers = $edge->workers;

    $speech->arm({ match => { text => '15006661002' },
                   fault => { hold => 'header' } });

    my $held = $speech->counters->{held};
    my $one = $scene->line(worker => $workers[0]);
    my $two = $scene->line(worker => $workers[1]);

    $one->send('inbound-webhook', From => $from);
    $speech->wait_for('held', $held + 1);
    $two->send('inbound-webhook', From => $from);
    $scene->health;
    $edge->kill_worker($workers[0]);

    my $r = $two->read;

    is $r->status, 200, 'killed while it makes speech: who waits is answered';
    is words($r), "Welcome to Test Company, $from.", 'with the words';
    like $r->body, qr/<Play>/, 'which were made again';
    $speech->release;
}


# --- many reloads, and many killed workers, under load -----------------------

my @lines = ('hello', 'what does it cost', 'tell me the whole story');

# Calls, a dozen at a time, each followed by the next one until what is to
# happen meanwhile has: $next does the next of it, and is false in the end.  It
# is told the numbers of the last call that began and of the first of those
# that are not over.

sub under_load {
    my ($name, $next, %phone) = @_;

    prepare();

    my $before = $scene->health->json;
    my ($begun, $over, %running, @calls) = (0, 0);
    my $phone = $scene->phone(media_cache => {}, %phone);

    my $caller;
    $caller = sub {
        my $n = ++$begun;

        $running{$n} = 1;
        return $phone->call_p(lines => [@lines, 'goodbye'])->then(sub {
            push @calls, $_[0];
            delete $running{$n};
            $caller->() if !$over;
        });
    };

    $caller->() for 1 .. 12;

    my $timer = Mojo::IOLoop->recurring(0.02 => sub {
        $over ||= !$next->($begun, sort { $a <=> $b } keys %running);
        Mojo::IOLoop->stop if $over && !%running;
    });

    Mojo::IOLoop->start;
    Mojo::IOLoop->remove($timer);
    $scene->caption(@calls);

    my (%errors, %words, @turns);

    $errors{ "$_->{code} $_->{message}" }++ for map { @{ $_->errors } } @calls;
    $words{ Voice::Scene::words($_) }++ for @calls;

    cmp_ok scalar @calls, '>=', 12, "$name: during " . @calls . ' calls';
    is_deeply \%errors, {}, "$name: no webhook and no file failed"
        or diag explain \%errors;
    is_deeply [ grep { $_->reason ne 'hangup' } @calls ], [],
        "$name: each call came to its end";
    is scalar(keys %words), 1, "$name: each caller heard the same"
        or diag explain \%words;

    # whatever was asked for: all that was said before, once and in order
    for my $messages (map { $_->{body}{messages} } @{ $model->requests }) {
        my @user = map { $_->{content} } grep { $_->{role} eq 'user' }
            @$messages;

        push @turns, "@user" if "@user" ne join ' ', @lines[0 .. $#user];
    }

    is_deeply \@turns, [], "$name: no turn is lost or doubled";

    my $after = $scene->health->json;

    is $after->{counters}{turns} - $before->{counters}{turns}, 4 * @calls,
        "$name: as many turns as there were words";
    is $after->{calls}, $before->{calls}, "$name: none of the calls is left";

    return @calls;
}

{
    my ($done, %generation) = (0);

    under_load("$reloads reloads", sub {
        my @now = $edge->workers;

        return 1 if @now != 2 || grep { $generation{$_} } @now;

        # the last one is done when none of its workers is left
        return 0 if $done == $reloads;

        %generation = map { $_ => 1 } @now;
        $done++;
        kill HUP => $edge->master;
        return 1;
    });

    is $done, $reloads, "$reloads reloads";
    left();
}

{
    my ($done, $killed, $hit) = (0, 0, 0);

    # what Twilio is told of URLs that are not ours: to repeat once
    my $again = 'rc=1&rp=ct,rt,5xx';

    # a killed process may have been the one who held the zone
    $edge->allow(qr/worker process \d+ exited on signal 9/,
                 qr/was locked by \d+/);

    my @calls = under_load("$kills killed workers", sub {
        my ($begun, $running) = @_;
        my @workers = $edge->workers;

        # when all calls that the one before may have hit are over
        return 1 if $running <= $hit || @workers != 2
                    || grep { $_ == $killed } @workers;
        return 0 if $done == $kills;

        $hit = $begun;
        $killed = $workers[rand @workers];
        $done++;
        kill KILL => $killed;
        return 1;
    }, connect => $again, status_url => "/api/voice/status#$again");

    is $done, $kills, "$kills killed workers";
    is_deeply [ grep { ($_->{attempts} // 1) > 2 }
                map { @{ $_->webhooks } } @calls ], [],
        'no webhook was repeated more than once';
    left();
}


# --- the end ---------------------------------------------------------------

{
    prepare({ hold => 'header' });

    my $line = $scene->line;

    $line->send($line->open, SpeechResult => 'tell me');
    wait_held();
    kill QUIT => $edge->master;
    Voice::Edge::wait_for(sub { !$edge->workers });
    $model->release;

    my $r = $line->read;

    is $r && $r->status, 200, 'a graceful quit lets who waits finish';
    $line->hang_up;
    ok $edge->quit, 'then nginx stops';
}

{
    # by force: a stream, speech and webhooks that never end
    $timeout = '500ms';
    $scene->edit(\&settings);
    $edge->start;

    prepare({ stall => 'header' }, { stall => $after_first });
    $speech->arm({ match => { text => '15006661003' },
                   fault => { stall => 'header' } });

    my %asked = (%{ $model->counters }, speech =>
                 $speech->counters->{stalled} // 0);
    my @lines = map { $scene->line } 1 .. 3;

    $_->send($_->open, SpeechResult => 'tell me') for @lines[0, 1];
    $lines[2]->send('inbound-webhook', From => '+15006661003');

    $model->wait_for('stalled', 2 + ($before{stalled} // 0));
    $speech->wait_for('stalled', 1 + $asked{speech});

    my $joiner = $lines[2]->other;
    $joiner->send('inbound-webhook', From => '+15006661003');
    $scene->health;

    # an old worker first, then all
    ok $edge->reload, 'reload with what never ends';
    ok $edge->wait_for_old_workers, 'the old worker is forced to leave';

    my $line = $scene->line;
    $model->arm({ fault => { stall => 'header' } });
    $line->send($line->open, SpeechResult => 'tell me');
    $model->wait_for('stalled', 3 + ($before{stalled} // 0));

    ok $edge->quit, 'nginx stops though the stream does not';
    ok Voice::Edge::wait_for(sub { !$model->counters->{open} }),
        'and leaves no request to the model behind';
}

done_testing;
