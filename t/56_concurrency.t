#!/usr/bin/perl

# Many at once: duplicates, ticket numbers, contacts, meetings, batches, jobs,
# migrations.  What runs at once is shown to be open at once, not timed.
# no-sanitize

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use DBD::Pg qw(:async);
use POSIX ();
use Voice::Postgres;

my $pg = Voice::Postgres->new;

$pg->database('crm');
my ($rc, $out) = $pg->migrate('crm', '--demo');
BAIL_OUT($out) if $rc;

my $dbh = $pg->connect('crm');
my $edge = $pg->connect('crm', user => 'voice_edge');
my $json = JSON::PP->new->utf8->canonical;
my @many = map { $pg->connect('crm', user => 'voice_edge') } 1 .. 100;
my $gate = $pg->connect('crm');

# until so many of the edge's connections wait for a lock

sub all_wait {
    my ($n) = @_;

    for (1 .. 2400) {
        my $waiting = $dbh->selectrow_array(q{
            select count(*) from pg_stat_activity
            where usename = 'voice_edge' and wait_event_type = 'Lock'});

        return 1 if $waiting == $n;
        select undef, undef, undef, 0.05;
    }

    return;
}

# Calls a function on so many connections at once and returns all results.
# With a call's name its row is held until everybody waits for it.

sub at_once {
    my ($held, @calls) = @_;

    if (defined $held) {
        $gate->begin_work;
        $gate->do('select * from voice.calls where sid = ? for update', {},
            $held);
    }

    my @statements;

    for my $i (0 .. $#calls) {
        my ($function, @arguments) = @{ $calls[$i] };
        my $marks = join ', ', map { ref $_ ? '?::jsonb' : '?' } @arguments;
        my $sth = $many[$i]->prepare("select voice.$function($marks)::text",
            { pg_async => PG_ASYNC });

        $sth->execute(map { ref $_ ? $json->encode($_) : $_ } @arguments);
        push @statements, $sth;
    }

    if (defined $held) {
        all_wait(scalar @calls);
        $gate->commit;
    }

    my @results;

    for my $i (0 .. $#statements) {
        my $result = eval {
            $many[$i]->pg_result;
            ($statements[$i]->fetchrow_array)[0];
        };
        push @results, defined $result ? $result : "died: $@";
    }

    return @results;
}

sub open_call {
    my ($sid, $from, $to) = @_;

    $pg->call($edge, 'record', [{ key => "$sid/0", kind => 'call',
        call => $sid, caller => $from, called => $to || '+15005550009' }]);

    return $sid;
}

sub distinct {
    my %seen = map { $_ => 1 } @_;

    my @sorted = sort keys %seen;

    return @sorted;
}

sub count {
    return $dbh->selectrow_array("select count(*) from $_[0]");
}


subtest 'a hundred duplicates of an action' => sub {
    my $sid = open_call('CA1', '+15005550006');
    my $before = count('support_tickets');

    my @results = at_once($sid, map { ['act', $sid, "$sid/1/x",
        'create_support_ticket', { title => 'T', description => 'D' }] }
        1 .. 100);

    is scalar distinct(@results), 1, 'one answer' or diag join "\n", distinct(@results);
    like $results[0], qr/TKT-001-000002/, 'the real one';
    is count('support_tickets'), $before + 1, 'one row';
    is count("voice.actions where key = '$sid/1/x'"), 1, 'one action';
};


subtest 'a hundred duplicates of a batch' => sub {
    open_call('CA2', '+15005550012');

    my @batch = (
        { key => 'CA2/t1', kind => 'turn', call => 'CA2', turn => 1,
          heard => 'One.' },
        { key => 'CA2/t2', kind => 'turn', call => 'CA2', turn => 2,
          heard => 'Two.' },
        { key => 'CA2/end', kind => 'outcome', call => 'CA2',
          status => 'completed', summary => 'S' },
    );
    my @results = at_once('CA2', map { ['record', [@batch]] } 1 .. 100);

    is_deeply [distinct(@results)],
        ['{"refused": [], "acknowledged": ["CA2/t1", "CA2/t2", "CA2/end"]}'],
        'all are acknowledged';
    is count("voice.turns where call_sid = 'CA2'"), 2, 'two turns';
    is count("calls where unique_id = 'CA2'"), 1, 'one row';
    is count("activities where type = 'Call Made'"), 1, 'one activity';
};


subtest 'tickets of fifty calls' => sub {
    my @sids = map { open_call("CAt$_", 'anonymous') } 1 .. 50;

    # the CRM itself counts without a lock: it is ahead of the count

    $dbh->do("insert into support_tickets (ticket_number, organization_id,
        title, description, category, customer_email, customer_name,
        created_at, updated_at)
        select 'TKT-001-' || lpad(n::text, 6, '0'), 1, 'x', 'x', 'x', '', 'x',
            now(), now() from generate_series(10, 14) n");

    my @results = at_once(undef, map { ['act', $_, "$_/1",
        'create_support_ticket', { title => 'T', description => 'D' }] } @sids);
    my @numbers = map { /"number": "(TKT-001-\d{6})"/ } @results;

    is scalar distinct(@numbers), 50, 'fifty numbers' or diag join "\n", distinct(@results);
    is scalar(grep { /TKT-001-0000(10|11|12|13|14)$/ } @numbers), 0,
        'none that was taken';
};


subtest 'contacts of one number' => sub {
    my @sids = map { open_call("CAc$_", '+12025550160') } 1 .. 40;

    my @results = at_once(undef, map { ['act', $_, "$_/1", 'create_lead',
        { name => 'Twin' }] } @sids);

    is scalar(grep { /"lead"/ } @results), 40, 'all have a lead'
        or diag join "\n", distinct(@results);
    is count("contacts where name = 'Twin'"), 1, 'one contact';
    is count("leads l join contacts c on c.id = l.contact_id
        where c.name = 'Twin'"), 1, 'one lead';
};


subtest 'a lead that somebody converts at this moment' => sub {
    my $sid = open_call('CAlead', '+15005550012');
    my ($contact) = $dbh->selectrow_array(
        "select id from contacts where name = 'Omar Haddad'");
    my ($lead) = $dbh->selectrow_array('select id from leads
        where contact_id = ?', {}, $contact);

    $gate->begin_work;
    $gate->do("update leads set status = 'converted' where id = ?", {}, $lead);

    my $sth = $many[0]->prepare("select voice.act(?, ?, 'qualify_lead',
        '{\"budget\": \"confirmed\"}')::text", { pg_async => PG_ASYNC });
    $sth->execute($sid, "$sid/1/x");

    all_wait(1);
    $gate->commit;
    $many[0]->pg_result;

    is $json->decode(($sth->fetchrow_array)[0])->{score}, 25, 'is not its';
    is_deeply $dbh->selectall_arrayref('select status, score from leads
        where contact_id = ? order by id', {}, $contact),
        [['converted', 26], ['contacted', 25]], 'what is converted stays so';
};


subtest 'one hour for thirty callers' => sub {
    my $monday = $dbh->selectrow_array("select to_char(date_trunc('week',
        now()) + interval '14 days', 'YYYY-MM-DD')");
    my @sids = map { open_call("CAm$_", sprintf '+120255502%02d', $_) } 1 .. 30;

    my @results = at_once(undef, map { ['act', $_, "$_/1", 'schedule_meeting',
        { start => "${monday}T10:00", name => "Guest $_" }] } @sids);

    is scalar(grep { /"meeting"/ } @results), 1, 'one has it'
        or diag join "\n", distinct(@results);
    is scalar(grep { /"code": "taken"/ } @results), 29, 'the others are told';
    is count('voice.meetings'), 1, 'one meeting';
};


subtest 'one new call, many notes' => sub {
    my @results = at_once(undef, map { ['record', [
        { key => "CAn/t$_", kind => 'turn', call => 'CAn', turn => $_,
          heard => "Turn $_." },
        { key => 'CAn/0', kind => 'call', call => 'CAn',
          caller => '+15005550006', called => '+15005550009' }]] } 1 .. 60);

    is scalar(grep { /"refused": \[\]/ } @results), 60, 'acknowledged'
        or diag join "\n", distinct(@results);
    is count("voice.turns where call_sid = 'CAn'"), 60, 'every turn once';
    is count("calls where unique_id = 'CAn'"), 1, 'one row of the CRM';
    is_deeply [map { $_->{text} }
        @{ $pg->call($edge, 'resume', 'CAn')->{history} }],
        [map { "Turn $_." } 1 .. 60], 'in order';
};


subtest 'a tenant\'s first calls' => sub {
    $dbh->do("insert into organizations (id, name) values (90, 'Fresh')");
    $dbh->do("insert into users (name, email, password_hash, organization_id)
        values ('U', 'u\@fresh.example', '!', 90)");

    my @results = at_once(undef, map { ['record', [
        { key => "CAf$_", kind => 'call', call => "CAf$_",
          caller => '+15005550006', called => '+15005550077',
          organization => 90 }]] } 1 .. 40);

    is scalar(grep { /"refused": \[\]/ } @results), 40, 'acknowledged'
        or diag join "\n", distinct(@results);
    is count('pbx_providers where organization_id = 90'), 1,
        'one provider row is made';
    is count('calls where organization_id = 90'), 40, 'for all calls';
};


# A batch that waits for what another transaction has, which then wants what
# the batch might have: whether it was told so, and what the batch came to.

sub crossed {
    my ($have, $want, @batch) = @_;

    $gate->begin_work;
    $gate->do($have);

    my $sth = $many[0]->prepare('select voice.record(?::jsonb)::text',
        { pg_async => PG_ASYNC });

    $sth->execute($json->encode(\@batch));
    ok all_wait(1), 'the batch waits';

    ok eval { $gate->do($want) }, 'the other goes on' or diag $@;
    $gate->commit;

    my $result = eval { $many[0]->pg_result; ($sth->fetchrow_array)[0] };

    ok $result, 'and so does the batch' or diag $@;
    is_deeply $json->decode($result // '{}')->{refused}, [], 'all of it';
}

subtest 'an action in a batch, and a tool' => sub {
    my @sids = map { open_call("CAo$_", '+15005550006') } 1 .. 2;
    my $before = count('support_tickets');

    crossed("select from voice.calls where sid = '$sids[1]' for update",
        "select voice.act('$sids[1]', '$sids[1]/1', 'create_support_ticket',
            '{\"title\": \"T\", \"description\": \"D\"}')",
        { key => "$sids[0]/1", kind => 'action', call => $sids[0],
          caller => '+15005550006', called => '+15005550009',
          name => 'create_support_ticket',
          arguments => { title => 'T', description => 'D' } },
        { key => "$sids[1]/t1", kind => 'turn', call => $sids[1], turn => 1,
          heard => 'One.' });

    is count('support_tickets'), $before + 2, 'both tickets are there';
};


subtest 'a call that is new to both' => sub {
    open_call('CAw2', '+15005550006');

    crossed(q{insert into voice.calls (sid) values ('CAw1')},
        q{select from voice.calls where sid = 'CAw2' for update},
        map { { key => "$_/t1", kind => 'turn', call => $_, turn => 1,
                heard => 'One.' } } qw(CAw1 CAw2));
};


subtest 'words that two batches bring' => sub {
    crossed(q{select voice.utterance_put('a', '{"text": "A"}')},
        q{select voice.utterance_put('b', '{"text": "B"}')},
        map { { key => "CAu/$_", kind => 'utterance', call => 'CAu',
                id => $_, utterance => { text => uc } } } qw(b a));

    is count("voice.utterances where id in ('a', 'b')"), 2, 'each is there';
};


subtest 'jobs for many workers' => sub {
    $pg->call($edge, 'put_job', { kind => 'x', key => "j$_" }) for 1 .. 200;

    my @results = at_once(undef, map { ['claim_jobs', 3, "node $_"] } 1 .. 100);
    my @ids = map { map { $_->{id} } @{ $json->decode($_) } } @results;

    is scalar @ids, scalar distinct(@ids), 'nobody gets another\'s';

    while (my @more = @{ $pg->call($edge, 'claim_jobs', 50) }) {
        push @ids, map { $_->{id} } @more;
    }

    is scalar distinct(@ids), 200, 'and none is forgotten';
};


subtest 'two migrations at once' => sub {
    $pg->database('twice');

    my @pids;

    for (1 .. 3) {
        my $pid = fork;

        if (!$pid) {
            my ($rc) = $pg->migrate('twice', '--demo');
            POSIX::_exit($rc);
        }

        push @pids, $pid;
    }

    for my $pid (@pids) {
        waitpid $pid, 0;
        is $? >> 8, 0, 'done';
    }

    my $twice = $pg->connect('twice');
    my $files = () = glob "$Voice::Postgres::ROOT/migrations/0*.sql";

    is $twice->selectrow_array('select count(*) from voice.migrations'), $files,
        'each file once';
    is $twice->selectrow_array('select count(*) from organizations'), 2,
        'and the tenants';
};


done_testing;
