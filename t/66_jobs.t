#!/usr/bin/perl

# Work that no caller waits for: summaries of calls, recordings that are to be
# deleted, calls that nobody ended, and whatever may go wrong with it.

use strict;
use warnings;

use Test::More;

use FindBin;
use JSON::PP;
use lib "$FindBin::RealBin/lib";
use Mojo::UserAgent;
use Voice::Edge;
use Voice::Postgres;
use Voice::Scene;

my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;
my $number = '+15005550009';
my $known = '+15005550012';           # Omar Haddad, who has an open deal

my $scene;

sub node {
    my ($self, %option) = @_;

    return Voice::Scene->new(
        transcription => {}, twilio => {},
        http_directives => {
            voice_database =>
                "\"host=$pg->{dir} dbname=$name user=voice_edge\" timeout=5s",
            voice_node => $self,
            voice_number => "$number flow=general organization=$larkspur",
            voice_jobs => 'on concurrency=2 interval=100ms',
            %{ delete $option{http_directives} || {} },
        },
        directives => {
            voice_filler_after => '20s', voice_first_token_timeout => '20s',
            voice_token_timeout => '20s', voice_speech_timeout => '8s',
            voice_answer_within => '10s',
        },
        %option,
    );
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

sub voice_call { return row('select * from voice.calls where sid = ?', @_) }

# jobs do not wait for last turns here, nor for a second attempt

sub now {
    $owner->do("update voice.jobs set run_at = now() where state = 'queued'");
}

sub job {
    my ($sid, $where) = @_;

    $where = $where ? " and $where" : '';

    my $found = Voice::Edge::wait_for(sub {
        now();
        row("select * from voice.jobs where call_sid = ?$where", $sid);
    });

    return $found || row('select * from voice.jobs where call_sid = ?', $sid);
}

sub done { return job($_[0], "state in ('done', 'failed')") }

# The database has heard of so many turns: each may be noted by another worker
# than the one that notes the end, for which a job waits some seconds.

sub noted {
    my ($sid, $turns) = @_;

    return wait_row(q{select 1 from voice.turns where call_sid = ? and said
        <> '' and (turn = 0 or heard <> '') having count(*) = ?}, $sid,
        1 + $turns);
}

# a row is there before the worker that has written it knows that

sub log_tells { return ok $scene->edge->wait_for_log($_[0]), $_[1] }


# a call as another machine has told of it, which then is over

my $calls = 0;
my $minute = 0;

sub told {
    my ($caller, @turns) = @_;

    my $sid = sprintf 'CA%032x', ++$calls;
    my %who = (call => $sid, caller => $caller, called => $number,
               organization => $larkspur, language => 'en-US');
    my $n = 0;
    my @notes = ({ key => "$sid/call", kind => 'call', %who },
                 { key => "$sid/0", kind => 'turn', turn => 0,
                   said => 'Welcome.', %who });

    for my $turn (@turns) {
        if (ref $turn eq 'HASH') {
            push @notes, { key => "$sid/$n/$turn->{name}/1", kind => 'action',
                           %$turn, %who };
            next;
        }

        $n++;
        push @notes, { key => "$sid/$n", kind => 'turn', turn => $n,
                       heard => $turn, said => "Answer $n.", %who };
    }

    push @notes, { key => "$sid/end", kind => 'outcome', call => $sid,
                   status => 'completed', duration => 60 };

    my $result = $pg->call($owner, 'record', \@notes);

    is_deeply $result->{refused}, [], 'a call is told of' or diag explain $result;

    return $sid;
}

$scene = node('a');
my $model = $scene->model;


# --- a call, from the first ring to its summary ----------------------------

my $call = $scene->call('', from => '+15005550077', to => $number,
    lines => ['hello, my name is Zoe Doe', 'I want to buy two bikes', { hangup => 1 }]);

is_deeply $call->errors, [], 'a call';
ok noted($call->sid, 2), 'of which all is noted';

my $done = done($call->sid);

is $done->{state}, 'done', 'its summary is done';
is $done->{attempts}, 1, 'at once';
is $done->{claimed_by}, 'a', 'by this node';
is decode_json($done->{result})->{model}, 'test-model', 'and this model';

my $row = wait_row('select * from voice.calls where sid = ? and summary '
    . 'is not null', $call->sid);

like $row->{summary}, qr/my name is Zoe Doe.*At the end: .*two bikes/i,
    'what was said stands in it';
is $row->{sentiment}, 'neutral', 'its sentiment';
is $row->{outcome}, 'information', 'its outcome';
is $row->{next_step}, 'Call back about it', 'what is to be done';

$row = wait_row('select * from calls where unique_id = ? and notes is not null',
                $call->sid);
like $row->{notes}, qr/\AThe caller said: .*\nOutcome: information\nSentiment: neutral\nNext step: Call back about it\z/s,
    'the CRM has it as notes';

my $lead = row('select l.*, c.name, c.phone from leads l join contacts c '
    . 'on c.id = l.contact_id where l.id = ?', $row->{lead_id});

is $lead->{title}, 'Enquiry by telephone', 'an unknown caller is a lead';
is $lead->{name}, 'Zoe Doe', 'with a name';
is $lead->{phone}, '+15005550077', 'and a number';
is $lead->{organization_id}, $larkspur, 'of the tenant';

my ($asked) = grep { $_->{body}{messages}[0]{content} =~ /summary/ }
    @{ $model->requests };

ok $asked, 'the model was asked';
is $asked->{body}{max_tokens}, 1500, 'within bounds';
like $asked->{body}{messages}[0]{content},
    qr/in the language "en-US"/, 'in the language of the call';
like $asked->{body}{messages}[1]{content},
    qr/\AAgent: Welcome.*^Caller: .*^Agent: /ms, 'with all that was said';


# --- what the CRM has of it ------------------------------------------------

my $sid = told($known, 'The bikes are great, thank you',
    { name => 'schedule_meeting', arguments => {} },
    { name => 'create_support_ticket', arguments => {
        title => 'Squeaking brake', description => 'It squeaks.' } }, 'Bye');

done($sid);

$row = wait_row('select * from voice.calls where sid = ? and summary is not null', $sid);
like $row->{summary}, qr/Done: create_support_ticket, schedule_meeting\./,
    'what tools did stands in the summary';
is $row->{sentiment}, 'positive', 'a happy caller';
is $row->{outcome}, 'ticket_created', 'the outcome that a tool has set stays';
is $row->{lead_id}, undef, 'who is known is no new lead';

my $activity = wait_row("select * from activities where deal_id = ? and type = "
    . "'Call Made'", $row->{deal_id});
like $activity->{message}, qr/Inbound call: The caller said/,
    'the deal has an activity';

my $ticket = row('select * from support_tickets where id = ?', $row->{ticket_id});
like $ticket->{ai_summary}, qr/The caller said/, 'the ticket has the summary';

# done again, by whoever: nothing changes

$owner->do("update voice.jobs set state = 'queued', run_at = now() where "
    . 'call_sid = ?', {}, $sid);
job($sid, "attempts = 2 and state = 'done'");

my $same = row('select summary, updated_at from voice.calls where sid = ?', $sid);
is $same->{updated_at}, $row->{updated_at}, 'a second time changes nothing';
is row("select count(*) as n from activities where deal_id = ? and type = "
       . "'Call Made'", $row->{deal_id})->{n}, 1, 'nor in the CRM';

# an unknown caller without interest

$sid = told('+15005550078', 'When do you open');
done($sid);
$row = wait_row('select * from voice.calls where sid = ? and summary is not null', $sid);
is $row->{outcome}, 'unresolved', 'a question';
is $row->{lead_id}, undef, 'is no lead';

# one who said nothing

$model->forget;
$sid = told('+15005550078');
done($sid);
$row = wait_row('select * from voice.calls where sid = ? and summary is not null', $sid);
is $row->{summary}, 'The caller said nothing.', 'silence';
is $row->{outcome}, 'abandoned', 'is a call that was abandoned';
is scalar @{ $model->requests }, 0, 'and the model has nothing to make up';


# --- a model that is not there, and then is --------------------------------

my %summary = (match => { text => '^(?:Agent|Caller): ' });

my $held = $model->counters->{held};

$model->arm({ %summary, fault => { preset => 'error' } },
            { %summary, fault => { hold => 'header' } });
$sid = told('+15005550079', 'hello');
my $job = job($sid, "attempts > 0 and error is not null");
like $job->{error}, qr/no model has written it, the last one failed: server_error/,
    'the job says why it failed';
is voice_call($sid)->{summary}, undef, 'there is no summary yet';
job($sid, "attempts = 2 and state = 'running'");
$model->wait_for('held', $held + 1);
$model->release;
$job = done($sid);
is $job->{state}, 'done', 'then it is written';
is $job->{attempts}, 2, 'at the second attempt';
ok wait_row('select 1 from voice.calls where sid = ? and summary is not null',
            $sid), 'and there';
log_tells(qr/voice job \d+ "summary" failed: no model has written it.* tried again, call: "$sid"/,
    'the log tells');

# what is no JSON, what is wrapped, what is not asked for

my $json = '{"summary": "A word.", "sentiment": "neutral", "outcome": '
    . '"Call back", "next_step": null, "interest": false, "lead": null}';

$model->clear;
$model->arm({ %summary, fault => { say => 'Gladly: the caller said hello.' } },
            { %summary, fault => { say => '{"summary": "It was cut' } },
            { %summary, fault => { say => $json =~ s/neutral/jolly/r } },
            { %summary, fault => { say => "Here it is:\n```json\n$json\n```\n" } });
$sid = told('+15005550079', 'hello');
$job = done($sid);
is $job->{state}, 'done', 'a model that writes garbage thrice';
is $job->{attempts}, 4, 'is asked four times';
$row = wait_row('select * from voice.calls where sid = ? and summary is not null', $sid);
is $row->{summary}, 'A word.', 'a fence is no matter';
is $row->{outcome}, 'call_back', 'the outcome is a word';

# never

$model->clear;
$model->arm({ %summary, times => -1, fault => { say => 'No.' } });
$sid = told($known, 'hello', 'bye',
    { name => 'create_support_ticket', arguments => {
        title => 'A dent', description => 'In the frame.' } });
$job = done($sid);
is $job->{state}, 'done', 'a model that writes nothing else';
is $job->{attempts}, 5, 'until the last attempt';
is_deeply decode_json($job->{result}), {}, 'then it is done without';
$row = wait_row('select * from voice.calls where sid = ? and summary is not null', $sid);
is $row->{summary}, 'Not summarized by the model: the caller spoke 2 times, '
    . 'the agent 3. Done: create_support_ticket.', 'by what is known';
is $row->{sentiment}, undef, 'without a guess';
log_tells(qr/voice call "$sid" is summarized without the model: /,
    'the log tells');
$model->clear;


# --- other kinds -----------------------------------------------------------

$pg->call($owner, 'put_job', { kind => 'dance', key => 'x' });
$job = wait_row("select * from voice.jobs where key = 'x' and state = 'failed'");
like $job->{error}, qr/nobody here knows this kind/, 'an unknown kind';
is $job->{attempts}, 1, 'is not tried again';
log_tells(qr/voice job \d+ .* failed: .*, it is given up/,
    'and the log says so');

$pg->call($owner, 'put_job', { kind => 'summary', key => 'y' });
like wait_row("select * from voice.jobs where key = 'y' and state = 'failed'")
    ->{error}, qr/names no call/, 'a summary of no call';

$pg->call($owner, 'put_job', { kind => 'summary', key => 'z',
                               call => 'CA' . 'f' x 32 });
like wait_row("select * from voice.jobs where key = 'z' and state = 'failed'")
    ->{error}, qr/no such call/, 'a summary of an unknown call';

my $recording = 'RE' . '1' x 32;
my %delete = (kind => 'delete_recording', payload => {
    account => $scene->edge->account, recording => $recording });
my $path = "_lab/recordings/" . $scene->edge->account . "/$recording";

Mojo::UserAgent->new->post($scene->twilio->base . "/$path" => 'sound');
$scene->twilio->arm({ match => { text => 'DELETE' },
                      fault => { preset => 'empty' } });
$pg->call($owner, 'put_job', { %delete, key => 'r' });
Voice::Edge::wait_for(sub { now();
    row("select 1 from voice.jobs where key = 'r' and state = 'done'") });
is row("select * from voice.jobs where key = 'r'")->{attempts}, 2,
    'a recording that cannot be deleted is deleted later';
is_deeply $scene->twilio->deleted, [$recording], 'and is gone';

$pg->call($owner, 'put_job', { %delete, key => 's' });
ok wait_row("select * from voice.jobs where key = 's' and state = 'done'"),
    'one that is not there is deleted, too';

$pg->call($owner, 'put_job', { kind => 'delete_recording', key => 't',
    payload => { account => '../..', recording => $recording } });
like wait_row("select * from voice.jobs where key = 't' and state = 'failed'")
    ->{error}, qr/names no recording/, 'what is no recording is not asked for';


# --- a worker that dies with a job -----------------------------------------

$model->arm({ %summary, fault => { hold => 'header' } });
my $requests = @{ $model->requests };
$sid = told('+15005550079', 'hello');
job($sid, "state = 'running'");
Voice::Edge::wait_for(sub { @{ $model->requests } > $requests });

$scene->edge->kill_worker($_) for $scene->edge->workers;
is row('select * from voice.jobs where call_sid = ?', $sid)->{state}, 'running',
    'the claim of a dead worker stays';

$model->release;
$owner->do('update voice.jobs set run_at = now() where call_sid = ?', {}, $sid);
$job = done($sid);
is $job->{state}, 'done', 'and is taken by another one when it has run out';
is $job->{attempts}, 2, 'at the second attempt';


# --- a worker that leaves with a job ---------------------------------------

$model->clear;
$model->arm({ %summary, fault => { hold => 'header' } });
$requests = @{ $model->requests };
$sid = told('+15005550079', 'hello');
job($sid, "state = 'running'");
Voice::Edge::wait_for(sub { @{ $model->requests } > $requests });

ok $scene->edge->reload, 'a reload';
is row('select * from voice.jobs where call_sid = ?', $sid)->{state}, 'running',
    'does not end a job';
$model->release;
$job = done($sid);
is $job->{state}, 'done', 'which the old worker does to its end';
is $job->{attempts}, 1, 'and nobody else';
ok wait_row('select 1 from voice.calls where sid = ? and summary is not null',
            $sid), 'what it has found out is noted';
ok $scene->edge->wait_for_old_workers, 'then it leaves';


# --- callers come first ----------------------------------------------------

$scene->edge->reconfigure(directives => {
    %{ $scene->edge->{directives} },
    voice_llm => '/voice/llm model=test-model concurrency=1' });
ok $scene->edge->reload, 'one request at a time';
$scene->edge->wait_for_old_workers;

$model->clear;
$model->arm({ match => { text => 'tell me' }, fault => { hold => 'header' } });

my $line = $scene->line;
my $next = $line->open(From => '+15005550077', To => $number);
$line->send($next, SpeechResult => 'tell me', From => '+15005550077',
            To => $number);
Voice::Edge::wait_for(sub {
    grep { ($_->{text} // '') =~ /tell me/ } @{ $model->requests } });

$sid = told('+15005550079', 'hello');
job($sid, "state = 'running'");
is voice_call($sid)->{summary}, undef, 'a summary stands aside for a caller';
$model->release;
$line->read;
$job = done($sid);
is $job->{attempts}, 1, 'and is written in the same attempt';


# --- calls that nobody ended -----------------------------------------------

my $lost = sprintf 'CA%032x', ++$calls;

$pg->call($owner, 'record', [
    { key => "$lost/call", kind => 'call', call => $lost, caller => $known,
      called => $number, organization => $larkspur },
    { key => "$lost/1", kind => 'turn', call => $lost, turn => 1,
      heard => 'hello', said => 'Hello.' } ]);
$owner->do("update voice.calls set updated_at = now() - interval '5 hours' "
    . 'where sid = ?', {}, $lost);

# a worker that begins looks at once

ok $scene->edge->reload, 'the final callback never comes';

$row = wait_row('select * from voice.calls where sid = ? and ended_at is not '
    . 'null', $lost);
is $row->{disposition}, 'abandoned', 'the call is closed';
is $row->{outcome}, 'lost', 'as one that was lost';
log_tells(qr/voice calls that nobody ended are closed: 1/, 'the log tells');

done($lost);
$row = wait_row('select * from voice.calls where sid = ? and summary is not null', $lost);
is $row->{outcome}, 'unresolved', 'and the summary knows better';
is wait_row("select * from calls where unique_id = ? and status = 'completed'",
            $lost)->{disposition}, 'abandoned', 'the CRM has it closed';


# --- two nodes -------------------------------------------------------------

my $other = node('b');

$_->model->clear, $_->model->forget for $scene, $other;

my @sids = map { told('+15005550079', "hello $_") } 1 .. 20;

now();
done($_) for @sids;

my $jobs = $owner->selectall_arrayref('select * from voice.jobs where '
    . 'call_sid = any (?)', { Slice => {} }, \@sids);

is scalar(grep { $_->{state} eq 'done' && $_->{attempts} == 1 } @$jobs), 20,
    'two nodes do every job once';
is scalar(map { @{ $_->model->requests } } $scene, $other), 20,
    'and ask their models once for each';

$other->edge->stop;


# --- what it costs ---------------------------------------------------------

$other = node('c', http_directives => {
    voice_jobs => 'off',
    voice_price => ['model.input_token 10 per=1k', 'model.output_token 0.1',
                    'speech.character 1000 per=1m', 'call.minute 2',
                    'transcription.second 0.5'],
});

sub cost {
    my ($sid) = @_;

    # another worker may note the turn than the one that heard of the end
    noted($sid, 1);
    wait_row('select 1 from voice.turns where call_sid = ? and turn = 1 and '
        . 'usage is not null', $sid);

    my $over = wait_row("select * from voice.calls where sid = ? and ended_at "
        . 'is not null', $sid);
    my $turns = $owner->selectall_arrayref('select * from voice.turns where '
        . 'call_sid = ? and turn > 0 and usage is not null order by turn',
        { Slice => {} }, $sid);

    return ($over->{cost}, map { +{ %$_, %{ decode_json($_->{usage}) } } }
                           @$turns);
}

sub tokens {
    my ($turn) = @_;

    return $turn->{prompt_tokens} / 100 + $turn->{completion_tokens} / 10;
}

for my $time (1, 2) {
    my $paid = $other->call('', to => $number, lines => ['hello',
                                                         { hangup => 1 }]);
    my ($total, $turn) = cost($paid->sid);
    my $characters = $time == 1
        ? length('Hello!' . 'It is good to hear you. How can I help?') : 0;

    ok $turn->{prompt_tokens} && $turn->{completion_tokens}, 'a turn';
    is $turn->{characters}, $characters, 'what was made into speech';
    is 0 + $turn->{cost}, tokens($turn) + $characters / 1000,
        $time == 1 ? 'costs its tokens and its characters'
                   : 'whose words were spoken before costs its tokens';
    is 0 + $total, $turn->{cost} + 2, 'the call a minute more';
    is 0 + row('select * from calls where unique_id = ?',
               $paid->sid)->{cost}, 0 + $total, 'and the CRM knows';
}

$other->edge->reconfigure(flow => { listen => { mode => 'whisper' } });
ok $other->edge->reload, 'callers are recorded';

my $recorded = $other->call('', to => $number, lines => ['hello',
                                                         { hangup => 1 }]);
my ($total, $turn) = cost($recorded->sid);

cmp_ok $total, '>', $turn->{cost} + 2, 'the seconds of a transcription';
is 0 + row('select cost from voice.turns where call_sid = ? and turn = 1',
           $recorded->sid)->{cost}, tokens($turn), 'are the call\'s, not a turn\'s';

$sid = $scene->call('', to => $number,
                    lines => ['hello', { hangup => 1 }])->sid;
($total, $turn) = cost($sid);
is $total, undef, 'without prices a call has no cost';
is $turn->{cost}, undef, 'nor a turn';

$other->edge->stop;


# --- a call for which there is no room -------------------------------------

my $full = node('full', flow => { busy => { say => 'Later, please.' } },
                http_directives => { voice_max_calls => 1 });
my $first = $full->line;

ok $first->open(From => '+15005550077', To => $number), 'one call is there';

$sid = $full->call('', from => $known, to => $number, lines => ['no'])->sid;
done($sid);
$row = wait_row("select * from calls where unique_id = ? and notes like 'The %'",
                $sid);

is $row->{caller_id}, $known, 'who is refused is in the CRM';
ok $row->{contact_id}, 'as who it is';
is "$row->{status} $row->{disposition}", 'completed busy', 'the row is closed';
like $row->{notes}, qr/^The caller said nothing\.\nOutcome: refused/,
    'and tells what came of it';
is $row->{transcription_text}, 'Agent: Later, please.', 'and what was said';

$full->edge->reconfigure(flow => { busy => { say => 'A colleague, then.',
                                             do => 'human' },
                                   fallback => { number => '+15005550010' } });
ok $full->edge->reload, 'somebody else takes it';

$call = $full->call('', from => $known, to => $number, lines => ['no']);
is scalar @{ $call->dialed }, 1, 'a human is dialled';

$row = wait_row('select * from calls where unique_id = ?', $call->sid);
like $row->{cdr_data}, qr/"outcome": "refused"/, 'that is in the CRM as well';

$full->edge->stop;


# --- off, and the database away --------------------------------------------

$scene->edge->reconfigure(http_directives => {
    %{ $scene->edge->{http_directives} }, voice_jobs => 'off' });
ok $scene->edge->reload, 'jobs are off';
$scene->edge->wait_for_old_workers;
$sid = told('+15005550079', 'hello');
now();
is $scene->call('', lines => [{ hangup => 1 }])->errors->[0], undef,
    'calls go on';
is row('select * from voice.jobs where call_sid = ?', $sid)->{state}, 'queued',
    'and the job waits for somebody';

$scene->edge->reconfigure(http_directives => {
    %{ $scene->edge->{http_directives} },
    voice_jobs => 'on interval=100ms' });
ok $scene->edge->reload, 'on again';
$pg->stop;
$pg->start;
$owner = $pg->connect($name);

# it may have been claimed just before, and nobody got the answer

$owner->do('update voice.jobs set run_at = now() where call_sid = ?', {}, $sid);
is done($sid)->{state}, 'done', 'a database that was away has its job done';

# a worker that is told to leave at once

$model->arm({ %summary, fault => { hold => 'header' } });
$requests = @{ $model->requests };
$sid = told('+15005550079', 'hello');
job($sid, "state = 'running'");
Voice::Edge::wait_for(sub { @{ $model->requests } > $requests });

# the master itself gives its workers a second and a half, and then kills them

my @workers = $scene->edge->workers;

kill TERM => @workers;
ok Voice::Edge::wait_for(sub { !grep { kill 0, $_ } @workers }),
    'a fast shutdown does not wait for jobs';

done_testing();
