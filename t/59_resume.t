#!/usr/bin/perl

# What the database is told of a call, and a call that goes on from there:
# after a restart, in the memory of another node, with that node or without.

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Lab::Model;
use Voice::Postgres;
use Voice::Scene;
use Voice::Spool;

my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;

my $sockets = tempdir('voice-nodes-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $sockets;

my $number = '+15005550009';
my $story = 'We are open from nine to five every day. On Saturday we close '
    . 'a little earlier than on other days. Please come by at any time.';

# a node: its name, and where the other one is

sub node {
    my ($self, $other, %option) = @_;

    my %directives = (
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_answer_within => '10s',
        voice_speech_timeout => '8s',
    );

    $directives{voice_peer} = '/voice/peer/' if $other;

    return Voice::Scene->new(
        flow => { voice => undef, prompt => 'You answer.',
                  %{ delete $option{flow} || {} } },
        listen => ["unix:$sockets/$self.sock"],
        http_directives => {
            voice_database => "\"host=$pg->{dir} dbname=$name\" timeout=8s",
            voice_spool => '%%DIR%%/spool',
            voice_node => $self,
            voice_number => "$number flow=general organization=$larkspur",
        },
        directives => \%directives,
        locations => $other ? { peer => <<"CONF" } : {},
location /voice/peer/$other/ {
            internal;
            proxy_pass http://unix:$sockets/$other.sock:/;
            proxy_set_header Host voice.test;
            proxy_connect_timeout 1s;
        }
CONF
        allow => [], %option,
    );
}

sub up { ok $_[0]->edge->wait_for_database, 'the database is reached' }

# nothing waits for the database any more

sub all_noted {
    my ($scene) = @_;

    Voice::Edge::wait_for(sub { !$scene->health->json->{spool}{notes}
        && !Voice::Spool::notes($scene->edge->path('spool')) });
}

sub row {
    my ($sql, @values) = @_;

    return $owner->selectrow_hashref($sql, {}, @values);
}

sub wait_row {
    my ($sql, @values) = @_;

    Voice::Edge::wait_for(sub { row($sql, @values) });

    return row($sql, @values);
}

# a webhook, and what follows until the caller is listened to again: all that
# is said, and the document that listens

sub answer {
    my ($line, $target, %params) = @_;

    my $r = $line->post($target, %params);
    my @said = Voice::Scene::Line::sounds($r);

    for (1 .. 20) {
        my $next = Voice::Scene::Line::redirect($r);
        last if !$next || $next !~ /continue/;
        $r = $line->post($next, From => $params{From}, To => $params{To});
        push @said, Voice::Scene::Line::sounds($r);
    }

    return ("@said", $r);
}

my %who = (From => '+15005550006', To => $number);

my $scene = node('a', undef);
my $model = $scene->model;

up($scene);


# --- what is told ----------------------------------------------------------

my $line = $scene->line;
my $sid = $line->sid;
my $next = $line->open(%who);

my ($said, $r) = answer($line, $next, SpeechResult => 'my card is 4111 1111 '
    . "1111 1111, and S\xe3o is no UTF-8", Confidence => '0.8712', %who);

is $r->status, 200, 'a turn';

my $call = wait_row("select * from voice.calls where sid = ? and status = "
    . "'in-progress'", $sid);

is $call->{caller}, '+15005550006', 'the call has its caller';
is $call->{organization}, $larkspur, 'its tenant';
is $call->{flow}, 'general', 'its flow';
is $call->{node}, 'a', 'its node';

my $turn = wait_row('select * from voice.turns where call_sid = ? and turn = 0 '
    . "and said <> ''", $sid);

is $turn->{said}, 'Welcome to Test Company. How can I help you?',
    'turn 0 is the greeting with the opening';

$turn = wait_row('select * from voice.turns where call_sid = ? and turn = 1 '
    . "and heard <> '' and said <> ''", $sid);

like $turn->{heard}, qr/\AMy card|my card is 4111.*S\x{fffd}o/,
    'what was heard, and what is no UTF-8 does not stop it';
is $turn->{confidence}, '0.871', 'how sure the recognizer was';
is $turn->{said}, $said, 'what was said';

my $usage = JSON::PP->new->decode($turn->{usage} || '{}');
my $timings = JSON::PP->new->decode($turn->{timings} || '{}');

is $usage->{model}, 'test-model', 'by which model';
ok $usage->{prompt_tokens} && $usage->{completion_tokens}, 'for how much';
ok exists $timings->{first_token} && exists $timings->{last_token},
    'in what time';

$call = wait_row('select * from calls where unique_id = ?', $sid);
is $call->{status}, 'answered', 'the CRM has a row of it';

# its end, twice, and the end of something that was no call of ours

my %end = (CallStatus => 'completed', CallDuration => 77, %who);

is $line->post('status', %end)->status, 204, 'it ends';
is $line->post('status', %end)->status, 204, 'and is told again';

$call = wait_row("select * from calls where unique_id = ? and status = "
    . "'completed'", $sid);
is $call->{duration}, 77, 'the CRM knows how long it was';

# the end of a call whose number no configuration names any more, told twice

$line = $scene->line;
$line->open(%who);

for my $route ('status', 'process-recording') {
    is $line->post($route, %end, To => '+15005550098', Digits => 'hangup',
        $route eq 'status' ? () : (ParentCallSid => 'CA' . '0' x 32))->status,
        $route eq 'status' ? 204 : 200, "$route of a number that is gone";
}

ok wait_row("select 1 from calls where unique_id = ? and status = 'completed'",
            $line->sid), 'is an end, too';

my $stranger = $scene->line;
is $stranger->post('status', %end)->status, 204, 'the end of a stranger';

$line = $scene->line(worker => $stranger->worker);
$line->open(%who);
wait_row('select 1 from voice.calls where sid = ?', $line->sid);

ok !row('select 1 from voice.calls where sid = ?', $stranger->sid),
    'makes no call';


# --- a restart -------------------------------------------------------------

# between two turns

$line = $scene->line;
$sid = $line->sid;
$next = $line->open(%who);
($said, $r) = answer($line, $next, SpeechResult => 'hello', %who);
$next = Voice::Scene::Line::action($r);

wait_row("select 1 from voice.turns where call_sid = ? and turn = 1 "
    . "and said <> ''", $sid);
wait_row("select 1 from voice.steps where call_sid = ? and route = "
    . "'process-speech'", $sid);
all_noted($scene);

$scene->edge->quit;
$scene->edge->start;
up($scene);

$model->forget;

my $again = $scene->line(sid => $sid);

($said, $r) = answer($again, $next, SpeechResult => 'what did I say', %who);
like $said, qr/other words/, 'a turn after a restart';
like $r->body, qr/<Gather/, 'and the caller is listened to again';

my ($request) = @{ $model->requests };
my @said = map { "$_->{role}: $_->{content}" }
    grep { $_->{role} =~ /user|assistant/ } @{ $request->{body}{messages} };

is_deeply [ @said[0, 1, -1] ],
    [ 'assistant: Welcome to Test Company. How can I help you?',
      'user: hello', 'user: what did I say' ],
    'the model knows what was said before';

like $scene->edge->log, qr/call "$sid" is resumed from the database/,
    'the log says so';

# a webhook that was answered before the restart, repeated

my $old = $scene->line;
my $old_next = $old->open(%who);
my $answer = $old->post($old_next, SpeechResult => 'hello', %who);

wait_row("select 1 from voice.steps where call_sid = ? and route = "
    . "'process-speech'", $old->sid);
all_noted($scene);

$scene->edge->quit;
$scene->edge->start;
up($scene);

$model->forget;

my $repeated = $scene->line(sid => $old->sid)->post($old_next,
    SpeechResult => 'hello', %who);

is $repeated->body, $answer->body, 'the same bytes after a restart';
is scalar @{ $model->requests }, 0, 'and the model is not asked again';

# in the middle of an answer, whose worker is killed with all the others

$model->arm({ fault => { say => $story, hold => 14 } });

my $cut = $scene->line;
my $cut_next = $cut->open(%who);

$r = $cut->post($cut_next, SpeechResult => 'tell me', %who);
like $r->body, qr/continue\?/, 'the first sentence goes out';

my $rest = Voice::Scene::Line::redirect($r);
my @heard = Voice::Scene::Line::sounds($r);

wait_row("select 1 from voice.steps where call_sid = ? and route = "
    . "'process-speech'", $cut->sid);
all_noted($scene);

$scene->edge->crash;
unlink "$sockets/a.sock";

$model->clear;
$model->forget;
$scene->edge->start;
up($scene);

$model->arm({ fault => { say => 'And on Saturday we close early.' } });

$r = $scene->line(sid => $cut->sid)->post($rest, %who);
is join(' ', Voice::Scene::Line::sounds($r)),
    'And on Saturday we close early.', 'the rest comes from a new memory';

($request) = @{ $model->requests };
my @all = map { $_->{content} // '' } @{ $request->{body}{messages} };
ok +(grep { $_ eq "@heard" } @all), 'the model is told what was heard already';

$model->clear;

# without a database the call goes on, and knows nothing

$line = $scene->line;
$next = $line->open(%who);
$scene->edge->quit;
$pg->stop;
$scene->edge->start;

($said, $r) = answer($scene->line(sid => $line->sid), $next,
                     SpeechResult => 'hello', %who);
like $said, qr/Hello! It is good to hear you/,
    'a call after a restart without a database is answered as it can be';
like $scene->edge->log, qr/not known here, and the database could not be asked/,
    'and the log tells why';

$pg->start;
$owner = $pg->connect($name);

$scene->edge->stop;


# --- two nodes -------------------------------------------------------------

sub alternate {
    my ($a, $b, $what) = @_;

    my $left = $a->line;
    my $right = $b->line(sid => $left->sid);

    $next = $left->open(%who);
    wait_row("select 1 from voice.steps where call_sid = ? and route = "
        . "'conversation-start'", $left->sid);

    ($said, $r) = answer($right, $next, SpeechResult => 'hello', %who);
    like $said, qr/Hello! It is good to hear you/, "$what: a turn there";
    $next = Voice::Scene::Line::action($r);

    wait_row("select 1 from voice.turns where call_sid = ? and turn = 1 "
        . "and said <> ''", $left->sid);
    wait_row("select 1 from voice.steps where call_sid = ? and turn = 1 and "
        . "route = 'process-speech'", $left->sid);
    all_noted($_) for $a, $b;

    for my $fake ($a->model, $b->model) { $fake->forget }

    ($said, $r) = answer($left, $next, SpeechResult => 'what did I say', %who);
    like $said, qr/other words/, "$what: the next one here";
    $next = Voice::Scene::Line::action($r);

    my @requests = map { @{ $_->requests } } $a->model, $b->model;
    is scalar @requests, 1, "$what: one model was asked";

    @said = map { "$_->{role}: $_->{content}" }
        grep { $_->{role} =~ /user|assistant/ }
        @{ $requests[0]{body}{messages} };

    is_deeply [ @said[0, 1] ],
        [ 'assistant: Welcome to Test Company. How can I help you?',
          'user: hello' ], "$what: it knows the first turn";
    like $said[2], qr/Hello! It is good to hear you/,
        "$what: and what the other node answered";

    # the same webhook at both nodes, one after the other

    wait_row("select 1 from voice.turns where call_sid = ? and turn = 2 "
        . "and said <> ''", $left->sid);
    wait_row("select 1 from voice.steps where call_sid = ? and turn = 2 and "
        . "route = 'process-speech'", $left->sid);
    all_noted($_) for $a, $b;

    my $one = $left->post($next, SpeechResult => 'again', %who);

    wait_row("select 1 from voice.steps where call_sid = ? and turn = 3 "
        . "and route = 'process-speech'", $left->sid);

    my $two = $right->post($next, SpeechResult => 'again', %who);

    is $two->body, $one->body, "$what: a repeated webhook has the same bytes";

    all_noted($_) for $a, $b;

    my $turns = $owner->selectrow_array('select count(*) from voice.turns '
        . "where call_sid = ? and heard <> ''", {}, $left->sid);
    is $turns, 3, "$what: three turns are three turns";

    return ($left, $right);
}

my ($a, $b) = (node('a', undef), node('b', undef));
up($_) for $a, $b;

alternate($a, $b, 'nodes with a database in common');
$_->edge->stop for $a, $b;

($a, $b) = (node('a', 'b'), node('b', 'a'));
up($_) for $a, $b;

alternate($a, $b, 'nodes that ask each other');

# the end of a call is told to the node that has it, whoever hears of it

$line = $a->line;
$line->open(%who);
wait_row('select 1 from voice.calls where sid = ? and node = ?', $line->sid,
         'a');

my $calls = $a->health->json->{calls};

is $b->line(sid => $line->sid)->post('status', %end)->status, 204,
    'the end of a call that another node has';
Voice::Edge::wait_for(sub { $a->health->json->{calls} == $calls - 1 });
is $a->health->json->{calls}, $calls - 1, 'is told to that node';
ok wait_row("select 1 from voice.calls where sid = ? and status = 'completed'",
            $line->sid), 'and to the database';

is $b->line->post('status', %end)->status, 204,
    'the end of a call that nobody has';

# an answer in the making is fetched from who makes it

$a->model->arm({ fault => { say => $story, hold => 14 } });

$line = $a->line;
$next = $line->open(%who);
$r = $line->post($next, SpeechResult => 'tell me', %who);
$rest = Voice::Scene::Line::redirect($r);
$a->model->wait_for('held', 1);

my $there = $b->line(sid => $line->sid);

$there->send($rest, %who);
ok !$there->answered, 'the other node waits';
$a->model->release;
$r = $there->read;
like join(' ', Voice::Scene::Line::sounds($r)), qr/Saturday/,
    'and has the rest from the node that makes it';
is scalar(() = $b->edge->log =~ /call "@{[$line->sid]}" is resumed/g), 0,
    'nothing had to be resumed';

# the node that makes it is killed

$a->model->clear;
$a->model->arm({ fault => { say => $story, hold => 14 } });

$line = $a->line;
$next = $line->open(%who);
$r = $line->post($next, SpeechResult => 'tell me', %who);
$rest = Voice::Scene::Line::redirect($r);

wait_row("select 1 from voice.steps where call_sid = ? and route = "
    . "'process-speech'", $line->sid);

$there = $b->line(sid => $line->sid);
$there->send($rest, %who);

$b->model->arm({ fault => { say => 'And on Saturday we close early.' } });
$a->edge->crash;

$r = $there->read;
is join(' ', Voice::Scene::Line::sounds($r)),
    'And on Saturday we close early.',
    'a node that is killed in the middle of an answer: the rest comes';
like $b->edge->log, qr/node "a" did not answer for call/, 'the log says why';

$next = Voice::Scene::Line::action($r);
($said, $r) = answer($there, $next, SpeechResult => 'hello', %who);
like $said, qr/Hello! It is good to hear you/, 'and the call goes on there';

$b->edge->stop;


# --- the words behind a sound ----------------------------------------------

my $speaks = node('c', undef, flow => { voice => { id => 'TestVoice0001' } });
up($speaks);

$line = $speaks->line;
$next = $line->open(%who);
($said, $r) = answer($line, $next, SpeechResult => 'hello', %who);

my ($sound) = grep { /audio/ } split ' ', $said;
my $edge = $speaks->edge;

is $edge->get("/api/voice/$sound")->status, 200, 'a sound';

all_noted($speaks);
ok row('select 1 from voice.utterances limit 1'), 'its words are noted';

# as on another node: neither the words nor the audio are there

$edge->quit;
system 'rm', '-rf', $edge->path('cache');
mkdir $edge->path('cache');
chmod 0777, $edge->path('cache');
$edge->start;
up($speaks);

$r = $edge->get("/api/voice/$sound");
is $r->status, 200, 'is made again of the words in the database';
is $r->header('Content-Type'), 'audio/mpeg', 'and is a sound';

all_noted($speaks);
$owner->do('delete from voice.utterances');

$edge->quit;
system 'rm', '-rf', $edge->path('cache');
mkdir $edge->path('cache');
chmod 0777, $edge->path('cache');
$edge->start;
up($speaks);

is $edge->get("/api/voice/$sound")->status, 404,
    'words that nobody knows are not found';

done_testing;
