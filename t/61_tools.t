#!/usr/bin/perl

# Tools, against a real database: what the model calls is done once, what can
# not be done is said so, and nobody waits for it in silence.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);
use Voice::Edge;
use Voice::Postgres;
use Voice::Scene;

my $json = JSON::PP->new->utf8->canonical;
my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;

# What the model does with the caller's words, request by request; a string is
# an answer.  Without a plan the words are said.

my $lead = { name => 'create_lead', arguments => { title => 'A gravel bike',
                                                   name => 'Kim Reyes' } };
my $ticket = { name => 'create_support_ticket', arguments => {
    title => 'Loose wheel', description => 'The front wheel is loose.',
    priority => 'high' } };
my $article = { name => 'lookup_knowledge',
                arguments => { query => 'return' } };

my %plan = (
    lead => [{ calls => [$lead] }, 'I have noted your interest.'],
    kindly => [{ say => 'I write that down.', calls => [$lead] },
               'I have noted your interest.'],
    both => [{ calls => [$lead, $ticket] }, 'Both are done.'],
    ticket => [{ calls => [$ticket] }, 'Your ticket is open.'],
    article => [{ calls => [$article] }, 'Here is what I found.'],
    wrong => [{ calls => [{ name => 'create_support_ticket', arguments => {
                    title => 'x', priority => 'now' } }] },
              { calls => [$ticket] }, 'Your ticket is open.'],
    broken => [{ calls => [{ name => 'create_lead',
                             arguments => '{"title":"A bi' }] },
               'That did not work.'],
    nulls => [{ calls => [{ name => 'create_lead',
                            arguments => { title => 'A helmet',
                                           email => undef } }] }, 'Good.'],
    unknown => [{ calls => [{ name => 'drop_table', arguments => {} }] },
                'I can not do that.'],
    nine => [{ calls => [ ($article) x 9 ] }],
    long => [{ calls => [{ name => 'create_support_ticket', arguments => {
                  title => 'Long', description => 'x' x 3900 } }] },
             'It is a long one.'],
    huge => [{ calls => [{ name => 'create_lead', arguments => {
                  title => 'x' x 17000 } }] }],
    leave => [{ say => 'So long.', calls => [{ name => 'end_call',
                arguments => { outcome => 'all well' } }] }],
    both_ways => [{ calls => [$ticket, { name => 'end_call' }] },
                  'Your ticket is open. Goodbye.'],
    person => [{ say => 'I connect you.', calls => [
                   { name => 'transfer_to_human',
                     arguments => { reason => 'asked for it' } }] }],
);

sub reply {
    my ($words, $messages, $tools) = @_;
    my $round = 0;

    # whoever may call calls, again and again
    return @$tools ? { calls => [$article] } : 'That is all I know.'
        if $words =~ /^again/;

    return @$tools ? { calls => [($article) x 8] } : 'So much for that.'
        if $words =~ /^a lot/;

    # and who does not stop when there is nothing to call
    return { calls => [$article] } if $words =~ /^for ever/;

    for my $m (reverse @$messages) {
        last if $m->{role} eq 'user';
        $round++ if $m->{tool_calls};
    }

    # eight pieces in each of the three rounds are all that an answer has
    return $round == 3 ? 'One word more.' : {
        say => join(' ', map { "This is a sentence of its own and has the "
                               . "number $round and $_." } 1 .. 8),
        calls => [$article] } if $words =~ /^at length/;

    return $plan{$words}[$round] // "You said $words.";
}

my @tools = qw(create_lead create_support_ticket lookup_knowledge
    qualify_lead end_call transfer_to_human no_such_tool);

# words alone: they stand in the documents

my %flow = (
    voice => undef, tools => \@tools,
    fillers => ['A filler.', 'Another filler.'],
    tool_fillers => ['I am on it.', 'Still on it.'],
    rules => [{ when => '^a human$', do => 'human' }],
    keys => { 0 => 'human' },
    listen => { confidence => 0.4, speech_timeout => 30 },
    limits => { rounds => 3, misheard => 1 },
);

my $scene = Voice::Scene->new(
    model => { reply => \&reply },
    flows => {
        'general.json' => Voice::Edge->can('flow')->({}, %flow),
        # where time tells what was heard
        'brisk.json' => Voice::Edge->can('flow')->({}, %flow,
            name => 'brisk', listen => undef),
    },
    http_directives => {
        voice_database => "\"host=$pg->{dir} dbname=$name user=voice_edge\" "
            . 'timeout=6s',
        voice_number => ["default flow=general organization=$larkspur",
                         "+15005550003 flow=brisk organization=$larkspur"],
    },
    directives => {
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_answer_within => '10s',
        voice_tool_timeout => '20s',
    },
    variants => {
        two => 'voice_llm /voice/llm model=first; '
               . 'voice_llm /voice/llm model=second;',
        brief => 'voice_tool_timeout 1s;',
        # what is slow on purpose is slower than a busy machine
        slow => 'voice_tool_timeout 6s;',
        fillers => 'voice_filler_after 500ms;',
        outlived => 'voice_tool_timeout 4s;',
        hasty => 'voice_turn_timeout 6s;',
        stall => 'voice_token_timeout 4s;',
        late => 'voice_filler_after 500ms; voice_token_timeout 4s; '
            . 'voice_first_token_timeout 4s;',
    },
);

my $edge = $scene->edge;
my $model = $scene->model;
my $caller = 15005553000;

sub up { ok $edge->wait_for_database, 'the database is reached' }

# Tools that make a lead are held in the middle of it, until the connection is
# given up that this returns.  A lock would be waited for half of that time.

$owner->do(<<'SQL');
create function public.held() returns trigger language plpgsql as $$
begin
    while not pg_try_advisory_xact_lock_shared(1) loop
        perform pg_sleep(0.02);
    end loop;
    return new;
end
$$
SQL
$owner->do('create trigger held before insert on leads for each row '
    . 'execute function public.held()');

sub hold {
    my $holder = $pg->connect($name);

    $holder->do('select pg_advisory_lock(1)');

    return $holder;
}

sub is_held {
    return Voice::Edge::wait_for(sub { $owner->selectrow_array(
        "select count(*) from pg_stat_activity where usename = 'voice_edge' "
        . "and wait_event = 'PgSleep'") });
}

# A line to where the caller is listened to, from a number of its own.

sub line {
    my ($variant, %option) = @_;
    my $to = delete $option{to};

    $model->forget;
    $model->clear;

    my $line = $scene->line(variant => $variant // '', %option);

    $line->{who} = [From => '+' . ++$caller, $to ? (To => $to) : ()];
    $line->{target} = $line->open(@{ $line->{who} });

    return $line;
}

# what is said to words, until the caller is listened to, or all is over

sub say {
    my ($line, $words) = @_;

    return rest($line, $line->post($line->{target}, SpeechResult => $words,
                                   @{ $line->{who} }));
}

sub rest {
    my ($line, $r) = @_;
    my @said;

    for (1 .. 40) {
        push @said, Voice::Scene::Line::sounds($r);
        $line->{last} = $r;
        $line->{target} = Voice::Scene::Line::action($r) and last;
        my $next = Voice::Scene::Line::redirect($r) or last;
        $r = $line->post($next, @{ $line->{who} });
    }

    return join ' ', @said;
}

sub messages { return @{ $model->requests->[$_[0]]{body}{messages} } }

# the results that the model got in its n-th request

sub results {
    my ($n) = @_;

    return map { $json->decode($_->{content} =~ s/([^\x00-\x7f])/?/gr) }
        grep { $_->{role} eq 'tool' } messages($n);
}

sub offered {
    my ($n) = @_;

    return join ' ', map { $_->{function}{name} }
        @{ $model->requests->[$n]{body}{tools} || [] };
}

sub actions {
    my ($line) = @_;

    return @{ $owner->selectcol_arrayref('select key from voice.actions '
        . 'where call_sid = ? order by key', undef, $line->sid) };
}

# rows of the caller's: the number is in no other test

sub leads {
    my ($line) = @_;

    return @{ $owner->selectall_arrayref('select l.* from leads l join '
        . 'contacts c on c.id = l.contact_id where c.phone = ?',
        { Slice => {} }, $line->{who}[1]) };
}

sub tickets {
    my ($line) = @_;

    return @{ $owner->selectall_arrayref('select * from support_tickets '
        . 'where description like ?', { Slice => {} },
        '%' . $line->sid . '%') };
}

up();

# --- one, and several --------------------------------------------------------

{
    my $line = line();

    is say($line, 'lead'), 'I am on it. I have noted your interest.',
        'a lead: a line of its own, then what the model says of it';

    my ($row, @more) = leads($line);

    is $row->{title}, 'A gravel bike', 'the row is there';
    is $row->{organization_id}, $larkspur, 'in the right organization';
    is scalar @more, 0, 'once';
    is_deeply [actions($line)], [$line->sid . '/1/create_lead/1'],
        'under a key of call, turn, name and number';

    my ($result) = results(1);

    is $result->{lead}{title}, 'A gravel bike', 'the model has the result';
    is offered(0), 'transfer_to_human end_call create_lead qualify_lead '
        . 'create_support_ticket lookup_knowledge',
        'what the flow names and the database has is offered';

    is say($line, 'and now'), 'You said and now.', 'the next turn';
    is join(' ', map { $_->{role} } (messages(2))[-5 .. -1]),
        'user assistant tool assistant user', 'knows what was done';
    is +(messages(2))[-4]{tool_calls}[0]{id}, 'call_1_1', 'with an id of ours';
    is +(messages(2))[-4]{content}, undef, 'and no words twice';
    like +(messages(0))[0]{content},
        qr/has been done only when the result of a tool says so/,
        'the prompt forbids to make things up';
}

{
    my $line = line();

    is say($line, 'kindly'), 'I write that down. I have noted your interest.',
        'words before the call are spoken, and no other line';
    is +(messages(1))[-2]{content}, 'I write that down.',
        'and stand with the call';
    is +(messages(1))[-1]{role}, 'tool', 'before its result';
}

{
    my $line = line();

    like say($line, 'both'), qr/Both are done\.$/, 'two calls in one answer';
    is_deeply [map { (split m{/})[2] } actions($line)],
        ['create_lead', 'create_support_ticket'], 'both are done';
    is scalar @{ (messages(1))[-3]{tool_calls} }, 2,
        'and are one message, as they came';

    my ($first, $second) = results(1);

    ok $first->{lead} && $second->{ticket}, 'with their results in order';
    is +(tickets($line))[0]{priority}, 'high', 'a row is as it was said';
}

{
    # webhooks that Twilio repeats
    my $line = line();
    my $target = $line->{target};
    my @others = map { $line->other } 1 .. 4;

    $_->send($target, SpeechResult => 'ticket', @{ $line->{who} })
        for $line, @others;

    my @answers = map { $_->read->body } $line, @others;

    is scalar(grep { $_ eq $answers[0] } @answers), 5,
        'five times the same webhook: the same bytes';

    rest($line, $line->post($target, SpeechResult => 'ticket',
                            @{ $line->{who} }));
    is scalar(my @t = tickets($line)), 1, 'and one ticket';
}

# --- what is wrong -----------------------------------------------------------

{
    my $line = line();

    like say($line, 'wrong'), qr/Your ticket is open\.$/, 'wrong arguments';

    my @results = results(2);

    is $results[0]{error}{code}, 'invalid_argument', 'the model is told';
    like $results[0]{error}{message}, qr/"description" is missing/, 'what';
    ok $results[1]{ticket}, 'and does it right';
    is_deeply [actions($line)], [$line->sid . '/1/create_support_ticket/2'],
        'the database was asked once';

    $line = line();
    like say($line, 'broken'), qr/That did not work\.$/, 'broken JSON';
    like +(results(1))[0]{error}{message}, qr/are no JSON/, 'is told';
    is +(messages(1))[-2]{tool_calls}[0]{function}{arguments}, '{}',
        'and not sent back as it was';
    is_deeply [actions($line)], [], 'nothing happened';

    $line = line();
    like say($line, 'nulls'), qr/Good\.$/, 'null for what is left out';
    is scalar(my @leads = leads($line)), 1, 'is left out';

    $line = line();
    like say($line, 'unknown'), qr/I can not do that\.$/, 'an unknown tool';
    is +(results(1))[0]{error}{code}, 'unknown_tool', 'is told';
    is_deeply [actions($line)], [], 'nothing happened';

    $line = line();
    like say($line, 'long'), qr/It is a long one\.$/, 'long arguments';
    like +(tickets($line))[0]{description}, qr/x{3900}/, 'are all done';
    cmp_ok length +(messages(1))[-2]{tool_calls}[0]{function}{arguments}, '<',
        1025, 'and cut in the conversation';
}

for my $words (qw(nine huge)) {
    my $line = line();

    like say($line, $words), qr/^Sorry, something went wrong\./,
        "$words: the turn fails";
    is_deeply [actions($line)], [], "$words: and nothing happened";
}

ok $edge->wait_for_log(qr/failed: too_many_calls/), 'the log says why';
ok $edge->wait_for_log(qr/failed: call_too_large/), 'in both cases';

{
    my $line = line();

    $model->arm({ match => { text => 'lead' }, fault => { calls => [
        { name => '', arguments => {} }] } });
    like say($line, 'lead'), qr/^Sorry, something went wrong\./,
        'a call of nothing';
    ok $edge->wait_for_log(qr/failed: malformed_call/), 'the log says so';
}

for my $amid (qw(cut stall)) {
    my $line = line('stall');

    $model->arm({ match => { text => 'kindly' }, fault => { amid => $amid,
        say => 'I write that down.', calls => [$lead] } });

    is say($line, 'kindly'),
        'I write that down. Sorry, something went wrong.',
        "$amid amid the arguments: what was announced did not happen";
    is_deeply [actions($line)], [], 'and the caller is not told it did';
    is say($line, 'lead'), 'I am on it. I have noted your interest.',
        'the next turn does it';
}

{
    my $line = line();

    $model->arm({ match => { text => 'lead' }, fault => {
        finish => 'length', calls => [$lead] } });
    like say($line, 'lead'), qr/something went wrong/,
        'a call without room for its end is none';

    for my $fault (qw(no_ids no_index same_index whole_calls
                      object_arguments at_once bytewise plain))
    {
        $line = line();
        $model->arm({ match => { text => 'both' },
                      fault => { $fault => 1, calls => [$lead, $ticket] } });
        like say($line, 'both'), qr/Both are done\.$/,
            "$fault: other servers' spelling";
        is scalar(my @a = actions($line)), 2, "$fault: both are done";
    }
}

# --- rounds ------------------------------------------------------------------

{
    my $line = line();

    like say($line, 'again'), qr/That is all I know\.$/, 'round after round';
    is scalar @{ $model->requests }, 4, 'three, and then an answer';
    isnt offered(2), '', 'the third may still call';
    is offered(3), '', 'the last has nothing to call';
    is +(messages(3))[-1]{role}, 'tool', 'but all the results';
    is_deeply [actions($line)], [ map { $line->sid . "/1/lookup_knowledge/$_" }
                                  1 .. 3 ], 'each has a key of its own';
}

{
    my $line = line();

    like say($line, 'a lot'), qr/So much for that\.$/, 'eight calls a round';
    is scalar @{ $model->requests }, 3, 'after two rounds it is enough';
    is offered(2), '', 'nothing can be called any more';
    is join(' ', map { $_->{error}{code} // 'ok' } results(2)),
        'ok ' x 12 . 'too_many ' x 3 . 'too_many', 'the last four were not';
    is scalar(my @a = actions($line)), 12, 'twelve were done';
}

{
    my $line = line('two');

    is say($line, 'for ever'), 'I am on it. Sorry, something went wrong.',
        'who calls what is not offered fails';
    is scalar @{ $model->requests }, 5, 'each model once after the third round';
    is offered(4), '', 'with nothing to call';
    is scalar(my @a = actions($line)), 3, 'and nothing is done for it';
    ok $edge->wait_for_log(qr/called tools in call "CA\w+" when it was offered/),
        'the log says why';
}

{
    my $line = line();
    my $said = say($line, 'at length');

    like $said, qr/number 0 and 1\. .* number 2 and 8\.$/,
        'an answer that is full is an answer';
    unlike $said, qr/One word more|went wrong/, 'without what has no room';
}

# --- a second request that fails ----------------------------------------------

{
    my $line = line('two');

    $model->arm({ match => { text => 'lead', nth => 2 },
                  fault => { preset => 'error' } });

    like say($line, 'lead'), qr/I have noted your interest\.$/,
        'the second request fails: the next model is asked';
    is join(' ', map { $_->{body}{model} } @{ $model->requests }),
        'first first second', 'with the results';
    is scalar(my @l = leads($line)), 1, 'what was done is not done again';

    $line = line();
    $model->arm({ match => { text => 'lead', nth => 2 },
                  fault => { preset => 'error' } });

    like say($line, 'lead'), qr/I am on it\. Sorry, something went wrong\./,
        'there is no next one: the turn fails';
    is say($line, 'ticket'), 'Still on it. Your ticket is open.', 'the next';
    is join(' ', map { $_->{role} } grep { $_->{role} ne 'system' }
                     (messages(2))[0 .. 5]),
        'assistant user assistant tool', 'knows that the lead was made';
}

# The caller hears something, and what was done is neither lost nor done again,
# wherever a round stalls.

{
    my $line = line('late');

    $model->arm({ match => { text => 'lead' },
                  fault => { stall => 'header' } });

    like say($line, 'lead'), qr/\bfiller\. .*Sorry, something went wrong\.$/,
        'a stall before the calls';
    is scalar(my @l = leads($line)), 0, 'nothing is done';
}

for my $where ('header', 'inside', 4) {
    my $line = line('late');

    $model->arm({ match => { text => 'lead', nth => 2 },
                  fault => { stall => $where,
                             say => 'I have noted your interest.' } });

    my $mark = length $edge->log;
    my $said = say($line, 'lead');

    like $said, qr/^(?:I am on it|A filler|Another filler)\. .*Sorry, something/,
        "a stall after the result, at $where: a line, then the apology";
    unlike $said, qr/I have noted/, 'and no half a sentence';
    is scalar(my @l = leads($line)), 1, 'what was done is done';
    like substr($edge->log, $mark), $where eq '4' ? qr/failed: stalled/
                                                  : qr/failed: timeout/,
        'the log says why';
    like say($line, 'ticket'), qr/Your ticket is open\.$/, 'the next turn';
}

# --- slow --------------------------------------------------------------------

{
    my $line = line('slow');
    my $holder = hold();

    my $r = $line->post($line->{target}, SpeechResult => 'lead',
                        @{ $line->{who} });

    is_deeply [Voice::Scene::Line::sounds($r)], ['I am on it.'],
        'a slow tool: a line at once';
    is scalar @{ $model->requests }, 1, 'while it is at work';

    # the model had its time, from here on a filler is due
    $line->{variant} = 'fillers';

    $r = $line->post(Voice::Scene::Line::redirect($r), @{ $line->{who} });
    is_deeply [Voice::Scene::Line::sounds($r)], ['Still on it.'],
        'and one more when it takes long';

    like rest($line, $line->post(Voice::Scene::Line::redirect($r),
                                 @{ $line->{who} })),
        qr/I have noted your interest\.$/, 'it takes too long';
    ok +(results(1))[0]{queued}, 'the model is told that it is queued';

    $holder->disconnect;

    Voice::Edge::wait_for(sub { scalar(leads($line)) });
    is scalar(my @l = leads($line)), 1, 'it is done later, once';
    is_deeply [actions($line)], [$line->sid . '/1/create_lead/1'],
        'under the same key';
    ok scalar $edge->log_lines(
           qr/"\Q${\ $line->sid}\E" turn 1 tool "create_lead": no answer/),
        'and the log says why it waited';

    my $timings;

    Voice::Edge::wait_for(sub {
        ($timings) = $owner->selectrow_array("select timings from voice.turns
            where call_sid = ? and turn = 1 and timings is not null", {},
            $line->sid) });
    cmp_ok $json->decode($timings // '{}')->{tools} // 0, '>', 0,
        'how long it took is noted';
}

{
    # a reload meanwhile
    my $line = line();
    my $holder = hold();

    $line->send($line->{target}, SpeechResult => 'kindly', @{ $line->{who} });

    is_held();
    ok $edge->reload, 'a reload while it is being done';
    $holder->disconnect;

    my $said = rest($line->other(who => $line->{who}), $line->read);

    like $said, qr/^I write that down\. .*I have noted your interest\.$/,
        'the old worker goes on with the turn';
    Voice::Edge::wait_for(sub { scalar(leads($line)) });
    is scalar(my @l = leads($line)), 1, 'it is done once';
    is scalar @{ $model->requests }, 2, 'and nobody began anew';
    $line->hang_up;
    ok $edge->wait_for_old_workers, 'the old worker leaves';
    up();
}

{
    # longer than the whole answer may take
    my $line = line('hasty');
    my $holder = hold();

    $line->send($line->{target}, SpeechResult => 'kindly', @{ $line->{who} });
    ok $edge->wait_for_log(
        qr/"\Q${\ $line->sid}\E" turn 1 takes longer than 6000ms/),
        'longer than the answer may take';
    $holder->disconnect;

    is rest($line, $line->read) =~ s/ ?(?:I am|Still) on it\.//gr,
        'I write that down.', 'what was said is heard';
    ok $line->{target}, 'and the caller is listened to';
    is scalar @{ $model->requests }, 1, 'the model is asked no more';

    Voice::Edge::wait_for(sub { scalar(leads($line)) });
    is scalar(my @l = leads($line)), 1, 'it is done all the same';
}

# --- an action that outlives its turn -----------------------------------------

{
    my $line = line('outlived', to => '+15005550003');
    my $holder = hold();
    my $long = join ' ', map { "Here comes another sentence, which is there "
        . "so that the answer is long enough, number $_." } 1 .. 6;

    $model->arm({ match => { text => 'tell me' },
                  fault => { say => $long, plain => 1 } });

    $line->post($line->{target}, SpeechResult => 'lead', @{ $line->{who} });

    is rest($line, $line->post('process-speech', SpeechResult => 'tell me',
                               @{ $line->{who} })),
        $long, 'the caller goes on while it is being done';

    my $sid = $line->sid;

    ok $edge->wait_for_log(qr/"$sid" turn 1 tool "create_lead": /),
        'it ends when the next turn was answered';
    $holder->disconnect;

    # a pause in which a part of it is heard
    sleep 2;
    say($line, 'stop');

    my @said = grep { ($_->{content} // '') =~ /Here comes/ } messages(-1);

    is scalar @said, 1, 'the answer that was interrupted is there once';
    like $said[0]{content}, qr/\[interrupted by the caller about here\]$/,
        'as far as it was heard';
}

# --- killed workers ----------------------------------------------------------

{
    # done, but the model does not know it yet
    my ($one, $two) = $edge->workers;
    my $line = line('', worker => $one);

    my $held = $model->counters->{held};

    $model->arm({ match => { text => 'lead', nth => 2 },
                  fault => { hold => 'header' } });

    my $r = $line->post($line->{target}, SpeechResult => 'lead',
                        @{ $line->{who} });

    $model->wait_for('held', $held + 1);
    $edge->kill_worker($one);

    my $other = $line->other(who => $line->{who});

    like rest($other, $other->post(Voice::Scene::Line::redirect($r),
                                   @{ $line->{who} })),
        qr/I have noted your interest\.$/,
        'killed after it was done: another one goes on';
    is scalar @{ $model->requests }, 3, 'with one more request';
    ok +(results(2))[0]{lead}, 'that has the result';
    is scalar(my @l = leads($line)), 1, 'what was done is not done again';
    $model->release;
    up();
}

{
    # while it is being done
    my ($one) = $edge->workers;
    my $line = line('', worker => $one);
    my $holder = hold();

    my $r = $line->post($line->{target}, SpeechResult => 'lead',
                        @{ $line->{who} });

    is_held();
    $edge->kill_worker($one);

    my $other = $line->other(who => $line->{who});

    $other->send(Voice::Scene::Line::redirect($r), @{ $line->{who} });
    Voice::Edge::wait_for(sub { @{ $model->requests } == 2 });
    $holder->disconnect;

    like rest($other, $other->read), qr/I have noted your interest\.$/,
        'killed while it was being done: another one does it';
    Voice::Edge::wait_for(sub { scalar(leads($line)) });
    is scalar(my @l = leads($line)), 1, 'and it is there once';
    is_deeply [actions($line)], [$line->sid . '/1/create_lead/1'],
        'under one key';
    up();
}

# --- ways out ----------------------------------------------------------------

{
    my $line = line();

    is say($line, 'leave'), 'So long.', 'end_call: the words of the model';
    like $line->{last}->body, qr/<Hangup/, 'and the end';
    is_deeply [actions($line)], [$line->sid . '/1/end_call/1'],
        'which the database knows';

    $line = line();
    like say($line, 'both_ways'), qr/Your ticket is open\. Goodbye\.$/,
        'something is done, and then it is over: the result is still told';
    like $line->{last}->body, qr/<Hangup/, 'before the end';

    $line = line();
    like say($line, 'person'), qr/^I connect you\./, 'transfer_to_human';
    like $line->{last}->body, qr/<Dial[^>]*><Number>\+15005550010</,
        'calls the human';
    is +($owner->selectrow_array('select outcome from voice.calls where '
        . 'sid = ?', undef, $line->sid))[0], 'transferred',
        'which the database knows';
}

# the flow's own ways to a human leave the same traces as the model's

sub transferred {
    my ($line, $turn, $reason, $what) = @_;

    like $line->{last}->body, qr/<Dial[^>]*><Number>\+15005550010</,
        "$what: the human is called";
    Voice::Edge::wait_for(sub { scalar(actions($line)) });
    is_deeply [actions($line)], [$line->sid . "/$turn/transfer_to_human/line"],
        "$what: an action, once";

    my ($id, $outcome) = $owner->selectrow_array('select crm_id, outcome '
        . 'from voice.calls where sid = ?', undef, $line->sid);

    is $outcome, 'transferred', "$what: which is what came of the call";
    is $json->decode($owner->selectrow_array('select activity_data from '
        . "call_activities where call_id = ? and activity_type = 'transfer'",
        undef, $id))->{reason}, $reason, "$what: the CRM has the reason";
}

{
    my $asked = 'The caller asked for a person';
    my $line = line();

    say($line, 'a human');
    transferred($line, 1, $asked, 'a rule');

    $line = line();
    rest($line, $line->post($line->{target}, Digits => '0',
                            @{ $line->{who} }));
    transferred($line, 1, $asked, 'a key');

    $line = line();

    for my $turn (1, 2) {
        rest($line, $line->post($line->{target}, SpeechResult => 'mumble',
                                Confidence => '0.1', @{ $line->{who} }));
    }

    transferred($line, 2, 'The caller was not understood', 'misheard');

    $line = line();
    $model->arm(({ fault => { status => 500 } }) x 4);
    say($line, 'hello') for 1 .. 2;
    transferred($line, 2, 'The agent had no answer', 'failed');
}

# --- a database that is hung, and one that is gone ----------------------------

{
    up();

    my $line = line('brief');
    my @backends = $pg->hang('voice_edge', $owner);

    like say($line, 'ticket'), qr/^I am on it\. .*Your ticket is open\.$/,
        'hung: the caller is not left in silence';
    ok +(results(1))[0]{queued}, 'hung: the model is told that it is queued';
    like +(results(1))[0]{message}, qr/noted, not that it is done/,
        'and what to say';

    my $second = line('brief');

    like say($second, 'article'), qr/Here is what I found\.$/, 'a look-up';
    is +(results(1))[0]{error}{code}, 'unavailable',
        'is not put off but given up';

    kill CONT => @backends;

    Voice::Edge::wait_for(sub { scalar(tickets($line)) });
    is scalar(my @t = tickets($line)), 1, 'done when it goes on, once';
}

{
    up();

    my $mark = length $edge->log;

    $pg->stop;
    Voice::Edge::wait_for(sub {
        my $log = substr $edge->log, $mark;
        !grep { $log !~ /\] $_#.* for actions is lost/ } $edge->workers });

    my $line = line();

    like say($line, 'ticket'), qr/Your ticket is open\.$/, 'gone: an answer';
    ok +(results(1))[0]{queued}, 'gone: the model is told that it is queued';
    ok scalar $edge->log_lines(
           qr/"\Q${\ $line->sid}\E" turn 1 tool "\w+": not reachable/),
        'gone: the log says why';
    like offered(0), qr/create_lead/, 'what was known is still offered';
    is say($line, 'leave'), 'So long.', 'gone: a goodbye needs no database';
    like $line->{last}->body, qr/<Hangup/, 'and is one';

    $pg->start;
    $owner = $pg->connect($name);

    Voice::Edge::wait_for(sub { actions($line) == 2 });
    is scalar(my @t = tickets($line)), 1, 'all is done when it is back, once';
    is +(tickets($line))[0]{title}, 'Loose wheel', 'as it was said';
}

# --- no memory for what was done -------------------------------------------------

{
    my $small = Voice::Scene->new(
        model => { reply => \&reply },
        flow => {
            voice => undef, tools => \@tools,
            limits => { rounds => 3, history => 32000 },
            rules => [{ when => 'zzz', do => 'wait', say => 'Yes.' }],
        },
        http_directives => {
            voice_zone => 'voice:256k',
            voice_database => "\"host=$pg->{dir} dbname=$name "
                . 'user=voice_edge" timeout=6s',
            voice_number => "default flow=general organization=$larkspur",
        },
        directives => {
            voice_filler_after => '20s', voice_token_timeout => '20s',
            voice_answer_within => '10s', voice_tool_timeout => '20s',
            # all the calls come in meanwhile
            voice_first_token_timeout => '300s',
        },
        edit => sub { s/proxy_read_timeout 15s/proxy_read_timeout 300s/ },
    );
    my $other = $small->edge;

    ok $other->wait_for_database, 'the database is reached';

    my $line = $small->line;
    $line->{who} = [From => '+' . ++$caller];

    my $target = $line->open(@{ $line->{who} });

    $small->model->arm({ match => { text => 'long' },
                         fault => { hold => 'header' } });
    $line->send($target, SpeechResult => 'long', @{ $line->{who} });
    $small->model->wait_for('held', 1);

    # calls come in until there is no room for one more, and say a lot
    my @lines;

    for (1 .. 400) {
        push @lines, $small->line;
        last if $lines[-1]->post('inbound-webhook')->body !~ /<Redirect/;
    }

    cmp_ok scalar @lines, '<', 400, 'the zone is full';

    for my $size (20000, 6000, 1900, 1900, 900, 900) {
        $_->post('process-speech', SpeechResult => 'z' x $size) for @lines;
    }

    $small->model->release;
    ok $other->wait_for_log(qr/tool "create_support_ticket": done/),
        'a tool is called';
    $other->quit;

    is scalar(my @t = tickets($line)), 1,
        'what the model can not be told is not done again';
    is scalar @{ $small->model->requests }, 1, 'it is not asked';
}

unlike $edge->log, qr/Kim Reyes|gravel|Loose wheel/,
    'nothing of it is in the log';

done_testing;
