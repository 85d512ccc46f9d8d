#!/usr/bin/perl

# What was said and done: notes in any order, each once; the CRM's row of each
# call; going on elsewhere; calls that nobody ended; jobs and utterances.
# no-sanitize

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use List::Util qw(shuffle);
use Voice::Postgres;

my $pg = Voice::Postgres->new;

$pg->database('crm');
my ($rc, $out) = $pg->migrate('crm', '--demo');
BAIL_OUT($out) if $rc;

my $dbh = $pg->connect('crm');
my $edge = $pg->connect('crm', user => 'voice_edge');

sub record { return $pg->call($edge, 'record', [@_]) }

sub recorded {
    my ($notes, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $result = record(@$notes);

    is_deeply $result->{refused}, [], $name || 'nothing is refused';
    is scalar @{ $result->{acknowledged} }, scalar @$notes, 'all acknowledged';

    return;
}

sub row {
    my ($table, $where, @values) = @_;

    return $dbh->selectrow_hashref("select * from $table where $where", {},
        @values);
}

my $at = '2026-11-23T09:00:0';

sub notes_of {
    my ($sid, $from) = @_;

    return (
        { key => "$sid/call", kind => 'call', call => $sid, at => "${at}0Z",
          caller => $from, called => '+15005550009', direction => 'inbound',
          status => 'in-progress', flow => 'general', language => 'en-US',
          node => 'one', started_at => "${at}0Z" },
        { key => "$sid/t0", kind => 'turn', call => $sid, at => "${at}1Z",
          turn => 0, said => 'Hello.', started_at => "${at}0Z" },
        { key => "$sid/t1", kind => 'turn', call => $sid, at => "${at}3Z",
          turn => 1, heard => 'My bike is broken.', said => 'Oh no.',
          confidence => 0.93, input => 'speech', started_at => "${at}2Z",
          timings => { first_token => 310 }, usage => { prompt => 90 },
          cost => 0.001 },
        { key => "$sid/t2", kind => 'turn', call => $sid, at => "${at}5Z",
          turn => 2, heard => 'Bye.', said => 'Goodbye.', estimated => \1,
          flow => 'support' },
        { key => "$sid/end", kind => 'outcome', call => $sid, at => "${at}7Z",
          status => 'completed', ended_at => "${at}7Z", duration => 7,
          cost => 0.004 },
        { key => "$sid/sum", kind => 'outcome', call => $sid, at => "${at}8Z",
          summary => 'A broken bike.', sentiment => 'calm', outcome => 'helped',
          next_step => 'None' },
    );
}


subtest 'a call in the CRM' => sub {
    my @notes = notes_of('CA1', '+15005550006');

    recorded([@notes[0, 1]], 'it begins');

    my $row = row('calls', "unique_id = 'CA1'");
    my %live = (
        organization_id => 1, provider_id => 1, unique_id => 'CA1',
        caller_id => '+15005550006', called_number => '+15005550009',
        direction => 'inbound', call_type => 'voice', status => 'answered',
        start_time => '2026-11-23 09:00:00', end_time => undef, duration => 0,
        talk_time => 0, hold_time => 0, wait_time => 0, cost => 0,
        cost_currency => 'USD', quality_score => undef, agent_id => undef,
        disposition => undef, extension_id => undef, queue_id => undef,
    );
    is $row->{$_}, $live{$_}, "live: $_" for sort keys %live;
    ok defined $row->{$_}, "live: $_ is not null"
        for qw(contact_id created_at updated_at);
    like $row->{cdr_data}, qr/^\{.*"flow": "general".*\}$/, 'cdr_data: an object';

    recorded([@notes[2 .. 5]], 'it goes on and ends');
    $row = row('calls', "unique_id = 'CA1'");

    my %over = (
        status => 'completed', end_time => '2026-11-23 09:00:07',
        answer_time => '2026-11-23 09:00:00', duration => 7, talk_time => 7,
        disposition => 'answered', cost => 0.004,
        transcription_text => "Agent: Hello.\nCaller: My bike is broken.\n"
            . "Agent: Oh no.\nCaller: Bye.\nAgent: Goodbye. "
            . '[not known how much was heard]',
        notes => "A broken bike.\nOutcome: helped\nSentiment: calm\n"
            . 'Next step: None',
    );
    is $row->{$_}, $over{$_}, "over: $_" for sort keys %over;

    $row = row('call_records', "external_call_id = 'CA1'");
    my %record = (
        agent_id => 'support', to_number => '+15005550009',
        from_number => '+15005550006', scenario => 'customer_support',
        direction => 'inbound', status => 'completed', duration => 7,
        start_time => '2026-11-23 09:00:00', end_time => '2026-11-23 09:00:07',
        cost => 0.004, user_id => 1,
    );
    is $row->{$_}, $record{$_}, "record: $_" for sort keys %record;
    ok $row->{contact_id}, 'record: reachable from a tenant';

    is $dbh->selectrow_array('select count(*) from voice.calls
        where crm_pending'), 0, 'nothing is left to do';
};


subtest 'any order, any number of times' => sub {
    my $state = sub {
        my ($sid) = @_;

        my $c = row('voice.calls', 'sid = ?', $sid);
        my $t = $dbh->selectall_arrayref('select turn, heard, said, estimated,
            flow, cost from voice.turns where call_sid = ? order by turn', {},
            $sid);
        my $r = row('calls', 'unique_id = ?', $sid);

        return [
            [@$c{qw(organization caller called status flow language duration
                outcome summary sentiment cost failures started_at ended_at
                contact_id disposition)}], $t,
            [@$r{qw(status caller_id start_time end_time duration talk_time
                notes transcription_text contact_id)}],
        ];
    };
    my $plain = $state->('CA1');

    for my $run (1 .. 12) {
        my $sid = "CAs$run";
        my @notes = notes_of($sid, '+15005550006');
        my @order = $run == 1 ? reverse @notes : shuffle @notes;

        # in batches of any size, some of them twice

        while (my @batch = splice @order, 0, 1 + int rand 3) {
            record(@batch);
            record(@batch) if rand() < 0.5;
        }

        record(shuffle @notes);

        is_deeply $state->($sid), $plain, "order $run";
    }

    record({ key => 'CA1/late', kind => 'turn', call => 'CA1', turn => 1,
        at => "${at}2Z", said => 'Something older.' });
    is row('voice.turns', "call_sid = 'CA1' and turn = 1")->{said}, 'Oh no.',
        'an older note does not undo a newer one';
    record({ key => 'CA1/newer', kind => 'turn', call => 'CA1', turn => 1,
        at => "${at}9Z", said => 'Oh no!', node => 'two' });
    is row('voice.turns', "call_sid = 'CA1' and turn = 1")->{said}, 'Oh no!',
        'a newer one adds to it';
    like row('calls', "unique_id = 'CA1'")->{transcription_text}, qr/Oh no!/,
        'in the CRM too';

    record({ key => 'CA1/ringing', kind => 'call', call => 'CA1',
        status => 'ringing', at => "${at}9Z", organization => 2,
        caller => '+15005550012' });
    my $c = row('voice.calls', "sid = 'CA1'");
    is "$c->{status} $c->{organization} $c->{caller}",
        'completed 1 +15005550006', 'a call never lives again or moves';
    is $dbh->selectrow_array("select count(*) from calls
        where unique_id = 'CA1'"), 1, 'one row';
};


subtest 'how calls end' => sub {
    my %end = (
        'busy' => ['busy', 'busy'], 'failed' => ['failed', 'failed'],
        'canceled' => ['failed', 'abandoned'],
        'no-answer' => ['no-answer', 'no-answer'],
        'completed' => ['completed', 'answered'],
    );

    for my $status (sort keys %end) {
        my $sid = "CAe$status";

        recorded([
            { key => "$sid/0", kind => 'call', call => $sid,
              direction => 'outbound', caller => '+15005550009',
              called => '+15005550012', status => 'queued' },
            { key => "$sid/1", kind => 'outcome', call => $sid,
              status => $status },
        ], $status);

        my $row = row('calls', 'unique_id = ?', $sid);
        is "$row->{status} $row->{disposition}", "@{ $end{$status} }", 'in its words';
        is $row->{direction}, 'outbound', 'outbound';
        ok $row->{end_time}, 'ended';
        ok $row->{deal_id}, 'the deal of who was called';
        is row('voice.calls', 'sid = ?', $sid)->{disposition}, $end{$status}[1],
            'and the edge says the same';
    }

    is row('calls', "unique_id = 'CAebusy'")->{talk_time}, 0, 'nobody talked';
};


subtest 'after the call' => sub {
    recorded([
        { key => 'CAd/0', kind => 'call', call => 'CAd',
          caller => '+15005550012', called => '+15005550009' },
        { key => 'CAd/1', kind => 'outcome', call => 'CAd',
          status => 'completed', duration => 30 },
        { key => 'CAd/2', kind => 'outcome', call => 'CAd',
          summary => 'Wants the quote.', next_step => 'Send it' },
    ]);

    my $row = row('activities', "type = 'Call Made'");
    like $row->{message}, qr/^Inbound call: Wants the quote\.\nNext step: Send/,
        'an activity on his deal';
    is $row->{user_id}, 1, 'by who acts';
    ok $row->{timestamp}, 'with its time';

    record({ key => 'CAd/3', kind => 'outcome', call => 'CAd', cost => 1 });
    is $dbh->selectrow_array("select count(*) from activities
        where type = 'Call Made'"), 1, 'once';

    recorded([
        { key => 'CAl/0', kind => 'call', call => 'CAl',
          caller => '+15005550014', called => '+15005550009' },
        { key => 'CAl/1', kind => 'outcome', call => 'CAl',
          status => 'completed', summary => 'Asked for a price.',
          lead => { name => 'Max', title => 'A tandem' } },
    ]);
    $row = row('leads', "title = 'A tandem'");
    ok $row, 'who showed interest becomes a lead';
    is row('calls', "unique_id = 'CAl'")->{lead_id}, $row->{id}, 'of that call';

    recorded([{ key => 'CAf/1', kind => 'action', call => 'CAf',
        name => 'create_lead', arguments => { name => 'First' },
        caller => '+12025550133', called => '+15005550009' }],
        'an action before its call');
    ok row('leads', "title = 'Phone enquiry: First'"), 'knows whose it is';

    recorded([
        { key => 'CAt/0', kind => 'call', call => 'CAt',
          caller => '+15005550006', called => '+15005550009' },
        { key => 'CAt/1/x', kind => 'action', call => 'CAt',
          name => 'create_support_ticket',
          arguments => { title => 'Spooled', description => 'x' } },
        { key => 'CAt/2', kind => 'outcome', call => 'CAt',
          status => 'completed', summary => 'A ticket was made.' },
    ], 'an action that had to wait');
    $row = row('support_tickets', "title = 'Spooled'");
    is $row->{ai_summary}, 'A ticket was made.', 'the summary is on the ticket';
    ok $row->{ai_summary_generated_at}, 'with its time';
    is $pg->call($edge, 'act', 'CAt', 'CAt/1/x', 'create_support_ticket', {})
        ->{ticket}{number}, $row->{ticket_number}, 'and the key is taken';
};


subtest 'notes that are none' => sub {
    my $result = record(
        { key => 'bad/1', kind => 'turn', call => 'CAb', turn => 'first' },
        { key => 'bad/2', kind => 'nonsense', call => 'CAb' },
        { key => 'bad/3', kind => 'call' },
        { kind => 'call', call => 'CAb' },
        { key => 'bad/5', kind => 'outcome', call => 'CAb', duration => 'long' },
        { key => 'x' x 201, kind => 'call', call => 'CAb' },
        'text',
        { key => 'bad/8', kind => 'action', call => 'CAnew', name => 'end_call',
          arguments => {} },
        { key => 'bad/9', kind => 'job', call => 'CAb', job => {} },
        { key => 'good', kind => 'call', call => 'CAb',
          caller => '+15005550014', called => '+15005550009' },
    );

    is_deeply $result->{acknowledged}, ['good'], 'do not hold up the others';
    is scalar @{ $result->{refused} }, 9, 'and are named';
    is_deeply [sort map { $_->{code} } grep { ($_->{key} // '') eq 'bad/2' }
        @{ $result->{refused} }], ['invalid_note'], 'with a code';
    ok !row('voice.calls', "sid = 'CAnew'"), 'they make no calls';
    is $dbh->selectrow_array('select count(*) from voice.calls '
        . "where updated_at = '-infinity'"), 0, 'and leave none half made';
    is $pg->call($edge, 'record', { a => 1 })->{refused}[0]{code},
        'invalid_batch', 'no array';
    is_deeply record()->{acknowledged}, [], 'an empty one';

    my $other = $pg->connect('crm');
    $other->begin_work;
    $other->do("select * from voice.calls where sid = 'CAb' for update");
    $edge->do("set lock_timeout = '100ms'");
    ok !eval { record({ key => 'w1', kind => 'call', call => 'CAa' },
        { key => 'w2', kind => 'call', call => 'CAb' }); 1 },
        'a lock that is held refuses nothing';
    $edge->do('reset lock_timeout');
    $other->rollback;
    recorded([{ key => 'w1', kind => 'call', call => 'CAa' },
        { key => 'w2', kind => 'call', call => 'CAb' }], 'it comes again');
};


subtest 'the CRM takes no row' => sub {
    $dbh->do('alter table calls rename column cost to price');

    recorded([{ key => 'CAc/0', kind => 'call', call => 'CAc',
        caller => '+15005550006', called => '+15005550009' },
        { key => 'CAc/1', kind => 'outcome', call => 'CAc',
          status => 'completed' }], 'the call is kept');

    my $c = row('voice.calls', "sid = 'CAc'");
    ok $c->{crm_pending}, 'and marked';
    like $c->{crm_error}, qr/cost/, 'with the reason';

    $dbh->do('alter table calls rename column price to cost');
    is $pg->call($edge, 'close_stale_calls')->{retried}, 1, 'tried again';
    is row('calls', "unique_id = 'CAc'")->{status}, 'completed',
        'when it can be';
};


subtest 'a CRM that is not as it should be' => sub {
    my @notes = map { [@$_] } (
        [key => 'CAx/0', kind => 'call'],
        [key => 'CAx/1', kind => 'turn', turn => 1, heard => 'Hello.'],
        [key => 'CAx/2/end_call/1', kind => 'action', name => 'end_call',
         arguments => {}],
    );

    @notes = map { +{ @$_, call => 'CAx', caller => '+15005550006',
                      called => '+15005550009' } } @notes;

    # a table that was restored has lost its grants

    my @broken = (
        ['a right', 'revoke select on contacts from voice_owner',
         'grant select on contacts to voice_owner'],
        ['a table', 'alter table contacts rename to persons',
         'alter table persons rename to contacts'],
        ['a column', 'alter table contacts rename column phone to telephone',
         'alter table contacts rename column telephone to phone'],
    );

    for my $case (@broken) {
        my ($what, $break, $mend) = @$case;

        $dbh->do($break);

        for my $note (@notes) {
            ok !eval { record($note); 1 },
                "$what is missing: a $note->{kind} is not refused, but waits";
        }

        $dbh->do($mend);
    }

    recorded(\@notes, 'it comes again');

    my $c = row('voice.calls', "sid = 'CAx'");
    is "$c->{organization} $c->{contact_match}", '1 exact', 'nothing is lost';
    is row('voice.turns', "call_sid = 'CAx'")->{heard}, 'Hello.', 'the turn';
    like row('voice.actions', "call_sid = 'CAx'")->{result}, qr/"end": true/,
        'the action';
};


subtest 'going on elsewhere' => sub {
    my @notes = notes_of('CAr', '+15005550006');

    recorded([@notes[0 .. 3],
        { key => 'CAr/t3', kind => 'turn', call => 'CAr', turn => 3,
          heard => 'Hello?', failed => \1, at => "${at}6Z" },
        map { { key => "CAr/s$_", kind => 'step', call => 'CAr',
            route => 'continue', turn => 3, step => $_,
            twiml => "<Response>$_</Response>", state => { spoken => $_ } } }
            1 .. 11]);
    $pg->call($edge, 'act', 'CAr', 'CAr/3/x', 'end_call', {});

    my $r = $pg->call($edge, 'resume', 'CAr');

    ok $r->{found} && !$r->{over}, 'a live call';
    is $r->{call}{flow}, 'support', 'its flow';
    is $r->{call}{organization}, 1, 'its tenant';
    is $r->{call}{caller}, '+15005550006', 'who calls';
    is $r->{call}{timezone}, 'America/New_York', 'its zone';
    is $r->{turn}, 3, 'its turn';
    is $r->{failures}, 1, 'its failures';
    is_deeply $r->{history}[1], { turn => 1, role => 'user',
        text => 'My bike is broken.' }, 'what was said';
    is_deeply [map { $_->{text} } @{ $r->{history} }], ['Hello.',
        'My bike is broken.', 'Oh no.', 'Bye.', 'Goodbye.', 'Hello?'],
        'in order';
    is scalar @{ $r->{steps} }, 8, 'the newest answers';
    is_deeply $r->{steps}[-1], { route => 'continue', turn => 3, step => 11,
        twiml => '<Response>11</Response>', state => { spoken => 11 } },
        'byte for byte';
    is $r->{actions}[0]{name}, 'end_call', 'what was done';

    record(@notes[4, 5]);
    $r = $pg->call($edge, 'resume', 'CAr');
    ok $r->{over}, 'over';
    is_deeply $r->{steps}, [], 'its answers are forgotten';
    is_deeply $pg->call($edge, 'resume', 'CAnone'), { found => JSON::PP::false() },
        'no such call';
};


subtest 'a hang-up, heard of by who does not know of all turns' => sub {
    my @note = map { { kind => 'turn', call => 'CAhu', %$_ } } (
        { key => 'CAhu/a', turn => 1, said => 'All of it.',
          at => '2026-03-02T10:00:01Z' },
        { key => 'CAhu/b', turn => 1, said => 'All', estimated => \1,
          hung_up => \1, at => '2026-03-02T10:00:09Z' },
        { key => 'CAhu/c', turn => 2, heard => 'And?',
          at => '2026-03-02T10:00:05Z' },
        { key => 'CAhu/d', turn => 1, said => 'Al', estimated => \1,
          hung_up => \1, at => '2026-03-02T10:00:10Z' },
    );
    my $turn = sub { my $row = row('voice.turns',
        "call_sid = 'CAhu' and turn = 1"); "$row->{said} $row->{estimated}" };

    for my $order ([0, 1, 3], [1, 0, 3], [3, 1, 0]) {
        recorded([@note[@$order]]);
        is $turn->(), 'Al 1', "@$order: the last words, if that was all";
        recorded([$note[2]]);
        is $turn->(), 'All of it. 0', "@$order: but the call went on";
        ok !(grep { /hung_up/ } row('voice.turns', "call_sid = 'CAhu' and "
            . 'turn = 1')->{noted}), "@$order: nothing is kept of it";
        $dbh->do("delete from voice.calls where sid = 'CAhu'");
        $dbh->do("delete from voice.recorded where key like 'CAhu/%'");
    }

    recorded([@note[2, 1, 3, 0]]);
    is $turn->(), 'All of it. 0', 'or had gone on before';
};


subtest 'calls that nobody ended' => sub {
    recorded([
        { key => 'CAo/0', kind => 'call', call => 'CAo',
          caller => '+15005550006', called => '+15005550009' },
        { key => 'CAo/1', kind => 'turn', call => 'CAo', turn => 1,
          heard => 'Hm.' },
        { key => 'CAp/0', kind => 'call', call => 'CAp', status => 'ringing',
          caller => '+15005550006', called => '+15005550009' },
    ]);
    $dbh->do("update voice.calls set updated_at = now() - interval '5 hours',
        started_at = now() - interval '6 hours',
        answered_at = answered_at - interval '6 hours'
        where sid in ('CAo', 'CAp')");

    is_deeply $pg->call($edge, 'close_stale_calls', '8 hours')->{closed}, [],
        'not yet';
    is_deeply $pg->call($edge, 'close_stale_calls')->{closed},
        ['CAo', 'CAp'], 'after four hours';

    my $row = row('calls', "unique_id = 'CAo'");
    is $row->{status}, 'completed', 'closed in the CRM';
    is $row->{disposition}, 'abandoned', 'as abandoned';
    is $dbh->selectrow_array("select round(extract(epoch from
        timezone('utc', now()) - end_time) / 3600) from calls
        where unique_id = 'CAo'"), 5, 'at the time of its last sign';
    is row('calls', "unique_id = 'CAp'")->{status}, 'failed', 'never answered';
    is $row->{duration}, row('voice.calls', "sid = 'CAo'")->{duration},
        'its length is known to both';
    is_deeply $pg->call($edge, 'close_stale_calls')->{closed}, [], 'once';
    is $dbh->selectrow_array("select count(*) from calls c
        where c.status in ('ringing', 'answered') and not exists (
            select from voice.calls v where v.sid = c.unique_id
            and v.ended_at is null)"), 0, 'no row is live that should not be';

    recorded([{ key => 'CAo/end', kind => 'outcome', call => 'CAo',
        status => 'completed', duration => 40 }], 'its end was only late');
    $row = row('calls', "unique_id = 'CAo'");
    is "$row->{duration} $row->{disposition}", '40 answered', 'and is believed';

    # rows that the CRM never takes

    $dbh->do("insert into voice.calls (sid, organization, ended_at, called,
        crm_pending) select 'CA' || g, 1, now(), '+15005550009', true
        from generate_series(100, 119) g");
    $dbh->do('create function deny() returns trigger language plpgsql as
        $$ begin raise exception $e$no$e$; end $$');
    $dbh->do("create trigger deny before insert on calls for each row
        when (new.unique_id <> 'CA119') execute function deny()");

    Test::More::ok((grep {
        $pg->call($edge, 'close_stale_calls', '4 hours', 5);
        row('calls', "unique_id = 'CA119'")
    } 1 .. 200), 'do not keep out the others');

    $dbh->do('drop trigger deny on calls');
    $pg->call($edge, 'close_stale_calls');
};


subtest 'jobs' => sub {
    my $put = sub { $pg->call($edge, 'put_job', { @_ }) };
    my $claim = sub { $pg->call($edge, 'claim_jobs', @_) };
    my $finish = sub { $pg->call($edge, 'finish_job', @_) };

    # each call that was answered has its own by now

    is $dbh->selectrow_array("select count(*) from voice.jobs
        where kind = 'summary' and call_sid = 'CAo'"), 1,
        'a call that ended without a summary gets one';
    is $dbh->selectrow_array("select count(*) from voice.jobs
        where call_sid = 'CAp'"), 0, 'one that was not answered does not';
    $dbh->do('delete from voice.jobs');

    my $job = $put->(kind => 'summary', key => 'CA1/summary', call => 'CA1',
        payload => { a => 1 });
    ok $job->{queued}, 'queued';
    is_deeply $put->(kind => 'summary', key => 'CA1/summary'),
        { queued => JSON::PP::false(), job => $job->{job} }, 'once by its key';
    $put->(kind => 'dial', run_at => '2999-01-01T00:00:00Z');
    is $put->(kind => 'Not A Kind')->{error}{code}, 'invalid_job', 'no kind';

    my $claims = $claim->(10, 'one');
    is_deeply $claims, [{ id => $job->{job}, key => 'CA1/summary',
        kind => 'summary', call => 'CA1', organization => undef,
        payload => { a => 1 }, attempt => 1, last => JSON::PP::false() }],
        'claimed: what is due';
    is_deeply $claim->(10, 'two'), [], 'by one';

    is_deeply $finish->($job->{job}, 1, { ok => \0, error => 'no line',
        retry_in => 0 }), { finished => JSON::PP::true(), state => 'queued' },
        'again';
    is $claim->(10, 'two')->[0]{attempt}, 2, 'the second claim';
    ok !$finish->($job->{job}, 1, { ok => \1 })->{finished},
        'the first one is void';

    $dbh->do("update voice.jobs set run_at = now() where id = $job->{job}");
    is $claim->(10, 'one')->[0]{attempt}, 3, 'a claim that ran out';
    is_deeply $finish->($job->{job}, 3, { ok => \1, result => { text => 'x' } }),
        { finished => JSON::PP::true(), state => 'done' }, 'done';
    is_deeply $claim->(10, 'one'), [], 'is done';

    $job = $put->(kind => 'x', max_attempts => 1);
    is $claim->(1)->[0]{last}, JSON::PP::true(), 'the last attempt';
    is $finish->($job->{job}, 1, { ok => \0 })->{state}, 'failed', 'fails';
    $job = $put->(kind => 'x');
    $claim->(1);
    is $finish->($job->{job}, 1, { ok => \0, final => \1 })->{state}, 'failed',
        'what can not be helped';
    $job = $put->(kind => 'x', max_attempts => 1);
    $claim->(1);
    $dbh->do("update voice.jobs set run_at = now() where id = $job->{job}");
    is_deeply $claim->(1), [], 'who died at the last attempt';
    is row('voice.jobs', "id = $job->{job}")->{state}, 'failed', 'has failed';

    recorded([{ key => 'CA1/job', kind => 'job', call => 'CA1',
        job => { kind => 'webhook', payload => { url => 'x' } } }],
        'by a note');
    is_deeply [map { $_->{kind} } @{ $claim->(5) }], ['webhook'], 'queued too';
};


subtest 'utterances' => sub {
    my $words = { text => "Gr\x{fc}\x{df}e", voice => 'V', format => 'mp3' };

    ok $pg->call($edge, 'utterance_put', 'abc', $words)->{stored}, 'kept';
    ok !$pg->call($edge, 'utterance_put', 'abc', { text => 'x' })->{stored},
        'once';
    is_deeply $pg->call($edge, 'utterance_get', 'abc'), $words, 'as it was';
    is $pg->call($edge, 'utterance_get', 'def'), undef, 'unknown';
    recorded([{ key => 'u1', kind => 'utterance', id => 'ghi',
        utterance => $words }], 'by a note');
    is_deeply $pg->call($edge, 'utterance_get', 'ghi'), $words, 'too';

    $dbh->do("update voice.utterances set created_at = now() - interval '2 days'");
    $pg->call($edge, 'close_stale_calls');
    is $pg->call($edge, 'utterance_get', 'abc'), undef, 'for a day';
};


subtest 'news' => sub {
    my $listener = $pg->connect('crm', user => 'voice_edge');
    $listener->do('listen voice_events');

    recorded([notes_of('CAn', '+15005550006')]);
    $pg->call($edge, 'act', 'CAn', 'CAn/x', 'end_call', {});

    my (%seen, $longest);

    for (1 .. 600) {
        while (my $news = $listener->pg_notifies) {
            my $event = JSON::PP->new->decode($news->[2]);

            $longest = length $news->[2] if length $news->[2] > ($longest // 0);
            $seen{ $event->{kind} }++ if $event->{call} eq 'CAn';
        }

        last if keys %seen == 5;
        select undef, undef, undef, 0.1;
    }

    cmp_ok $longest, '<', 300, 'small';

    is_deeply [sort keys %seen], ['action', 'call', 'end', 'job', 'turn'],
        'of all kinds';
};


subtest 'a server that dies' => sub {
    my $kept = 0;

    for my $turn (1 .. 30) {
        $kept++ if @{ record({ key => "CAk/$turn", kind => 'turn',
            call => 'CAk', turn => $turn, heard => 'x' })->{acknowledged} };
    }

    $pg->stop('QUIT');
    ok !eval { record({ key => 'CAk/31', kind => 'turn', call => 'CAk',
        turn => 31 }); 1 }, 'is noticed';
    $pg->start;
    $dbh = $pg->connect('crm');
    is $dbh->selectrow_array("select count(*) from voice.turns
        where call_sid = 'CAk'"), $kept, 'what was acknowledged is there';
};


done_testing;
