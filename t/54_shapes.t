#!/usr/bin/perl

# The shapes of deployed CRMs: the same calls and tools on each, and what is
# not there is not used.
# no-sanitize

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Postgres;

my $pg = Voice::Postgres->new;
my ($dbh, $edge);
my $n = 0;

# what a deployment script once made by hand

my $TELEPHONY = <<'SQL';
drop table call_activities, call_records, calls, call_queue_members,
    call_queues, pbx_providers cascade;

create table pbx_providers (
    id serial primary key,
    organization_id integer not null references organizations on delete cascade,
    name varchar(255) not null,
    provider_type varchar(50) not null check (provider_type in
        ('asterisk', 'freepbx', '3cx', 'twilio', 'custom')),
    display_name varchar(255) not null, description text,
    host varchar(255) not null, port integer default 5060,
    username varchar(255) not null, password varchar(255) not null,
    api_key varchar(255), api_secret varchar(255), webhook_url varchar(500),
    webhook_secret varchar(255), context varchar(100) default 'default',
    caller_id_field varchar(100), recording_enabled boolean default true,
    recording_path varchar(500), transcription_enabled boolean default false,
    cdr_enabled boolean default true, cdr_path varchar(500),
    is_active boolean default true, is_primary boolean default false,
    last_sync timestamp, created_by integer not null references users,
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp
);

create table calls (
    id serial primary key,
    organization_id integer not null references organizations on delete cascade,
    provider_id integer references pbx_providers on delete set null,
    extension_id integer, unique_id varchar(50) unique,
    pbx_call_id varchar(50), session_id varchar(50), caller_id varchar(50),
    caller_name varchar(255), called_number varchar(50),
    called_name varchar(255),
    direction varchar(20) not null
        check (direction in ('inbound', 'outbound', 'internal')),
    call_type varchar(20) default 'voice'
        check (call_type in ('voice', 'video', 'conference')),
    contact_id integer references contacts on delete set null,
    lead_id integer references leads on delete set null,
    deal_id integer references deals on delete set null,
    agent_id integer references users on delete set null, queue_id integer,
    status varchar(20) not null default 'ringing' check (status in ('ringing',
        'answered', 'completed', 'busy', 'no_answer', 'failed', 'cancelled')),
    start_time timestamp default current_timestamp, answer_time timestamp,
    end_time timestamp, duration integer default 0,
    talk_time integer default 0, hold_time integer default 0,
    wait_time integer default 0, quality_score numeric(3,2),
    recording_url varchar(500), recording_duration integer,
    transcription_url varchar(500), transcription_text text,
    disposition varchar(50), hangup_cause varchar(50), notes text,
    cost numeric(10,4), cost_currency varchar(3) default 'USD',
    cdr_data jsonb, created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp
);

create table call_activities (
    id serial primary key,
    call_id integer not null references calls on delete cascade,
    user_id integer not null references users on delete cascade,
    activity_type varchar(50) not null check (activity_type in ('answer',
        'hold', 'unhold', 'transfer', 'conference', 'mute', 'unmute', 'hangup')),
    activity_data jsonb, "timestamp" timestamp default current_timestamp
);

create table call_records (
    id serial primary key, external_call_id varchar not null unique,
    agent_id varchar not null, to_number varchar not null,
    from_number varchar, scenario varchar not null,
    direction varchar not null default 'outbound',
    status varchar not null default 'pending', start_time timestamp,
    end_time timestamp, duration integer, recording_url varchar,
    transcript text, cost double precision not null default 0,
    lead_id integer references leads, contact_id integer references contacts,
    user_id integer references users, call_metadata json,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create table tasks (
    id serial primary key, title varchar(255) not null, description text,
    organization_id integer not null references organizations,
    task_type varchar(100) not null, status varchar(50), priority varchar(20),
    assigned_to_id integer not null references users,
    created_by_id integer not null references users, lead_id integer,
    deal_id integer references deals, contact_id integer references contacts,
    due_date timestamp, completed_at timestamp, template_id integer,
    created_at timestamp, updated_at timestamp
);

alter table support_tickets drop column ai_summary,
    drop column ai_summary_generated_at, drop column ai_summary_model;
SQL

# a copy that the CRM's sync script made, and Lost at order 0

my $COPY = <<'SQL';
alter table calls drop constraint calls_unique_id_key;
alter table call_records drop constraint call_records_external_call_id_key;
alter table support_tickets drop constraint support_tickets_ticket_number_key;
drop table call_activities, assignment_audits;
truncate stages cascade;
insert into stages (id, name, "order") values (11, 'Qualification', 1),
    (12, 'Proposal', 2), (13, 'Negotiation', 3), (14, 'Contract Review', 4),
    (15, 'Won', 5), (16, 'Lost', 0);
SQL

sub shape {
    my ($name, $sql) = @_;

    $pg->database($name, 'demo');
    $dbh = $pg->connect($name);
    $dbh->do($sql);

    my ($rc, $out) = $pg->migrate($name);
    is $rc, 0, "$name is adopted" or diag $out;

    $edge = $pg->connect($name, user => 'voice_edge');

    return $pg->call($edge, 'crm_probe');
}

sub record {
    my $result = $pg->call($edge, 'record', [@_]);

    is_deeply $result->{refused}, [], 'noted';

    return;
}

sub act {
    my ($sid, $name, $arguments) = @_;

    return $pg->call($edge, 'act', $sid, "$sid/" . ++$n, $name, $arguments);
}

sub row {
    my ($table, $where, @values) = @_;

    return $dbh->selectrow_hashref("select * from $table where $where", {},
        @values);
}

# a whole call, and what must be there afterwards whatever the shape

sub whole_call {
    my ($sid, $from) = @_;

    my $monday = $dbh->selectrow_array("select to_char(date_trunc('week',
        now()) + interval '14 days', 'YYYY-MM-DD')");

    record({ key => "$sid/0", kind => 'call', call => $sid, caller => $from,
        called => '+15005550009', organization => 1 });
    ok act($sid, 'schedule_meeting', { start => "${monday}T10:00",
        name => 'Sam Hill' })->{meeting}, 'a meeting';
    ok act($sid, 'qualify_lead', { need => 'strong' })->{score}, 'a lead';
    ok act($sid, 'create_support_ticket', { title => 'T', description => 'D' })
        ->{ticket}{number}, 'a ticket';
    ok act($sid, 'add_ticket_comment', { comment => 'C' })->{added}, 'a comment';
    ok act($sid, 'transfer_to_human', {})->{transfer}, 'a transfer';
    record({ key => "$sid/1", kind => 'turn', call => $sid, turn => 1,
        heard => 'Hi.' },
        { key => "$sid/2", kind => 'outcome', call => $sid,
          status => 'completed', duration => 40, summary => 'All of it.' });

    my $c = row('voice.calls', 'sid = ?', $sid);
    ok !$c->{crm_pending}, 'the CRM has it' or diag $c->{crm_error};

    my $row = row('calls', 'unique_id = ?', $sid);
    is $row->{status}, 'completed', 'the call\'s row';
    ok defined $row->{$_}, "$_ is not null" for qw(provider_id caller_id
        called_number direction call_type start_time end_time duration
        talk_time hold_time wait_time contact_id lead_id deal_id disposition
        transcription_text notes cost cost_currency cdr_data created_at
        updated_at);

    is $dbh->selectrow_array("select count(*) from calls where unique_id = ?",
        {}, $sid), 1, 'one';

    return $row;
}

$pg->database('demo');
my ($rc, $out) = $pg->migrate('demo', '--demo');
BAIL_OUT($out) if $rc;


subtest 'ORM' => sub {
    my $shape = shape('orm', 'select 1');

    is $shape->{no_answer}, 'no-answer', 'spelling';
    ok $shape->{$_}, $_ for qw(core leads deals tickets calls call_records
        ai_summary did_numbers unique_id call_activities audits queues);
    ok !$shape->{tasks}, 'no tasks';
    is_deeply $shape->{problems}, [], 'no problem';

    whole_call('CA1', '+12025550190');
    is row('call_activities', 'true')->{duration}, 0, 'activity: duration';
    is row('call_records', 'true')->{scenario}, 'appointment_booking', 'record';
};


subtest 'telephony made by hand' => sub {
    my $shape = shape('telephony', $TELEPHONY);

    is $shape->{no_answer}, 'no_answer', 'spelling';
    ok $shape->{tasks}, 'tasks';
    ok !$shape->{did_numbers}, 'no number table';
    ok !$shape->{ai_summary}, 'no summary on tickets';

    is $dbh->selectrow_array('select count(*) from pbx_providers'), 0,
        'no provider';
    whole_call('CA1', '+12025550190');

    my $provider = row('pbx_providers', 'true');
    is $provider->{provider_type}, 'twilio', 'so one is made';
    ok defined $provider->{$_}, "provider: $_" for qw(name display_name host port
        username password context caller_id_field recording_enabled
        recording_path transcription_enabled cdr_enabled cdr_path is_active
        is_primary created_by created_at updated_at);

    my $activity = row('call_activities', 'true');
    is $activity->{activity_type}, 'transfer', 'an activity it takes';

    my $task = row('tasks', 'true');
    is $task->{title}, 'Meeting with Sam Hill', 'task: title';
    is $task->{task_type}, 'meeting', 'type';
    is $task->{status}, 'pending', 'status';
    is $task->{assigned_to_id}, 1, 'assigned to';
    ok defined $task->{$_}, $_ for qw(priority created_by_id deal_id contact_id
        due_date created_at updated_at);

    for my $status (qw(busy no-answer canceled failed)) {
        my $sid = "CA$status";

        record({ key => "$sid/0", kind => 'call', call => $sid,
            status => $status, caller => 'sip:' . 'x' x 80 . '@example.com',
            called => '+15005550009', recording_url => 'u' x 501 });
        ok !row('voice.calls', 'sid = ?', $sid)->{crm_pending}, $status
            or diag row('voice.calls', 'sid = ?', $sid)->{crm_error};
    }

    is row('calls', "unique_id = 'CAno-answer'")->{status}, 'no_answer',
        'its spelling';
    is $dbh->selectrow_array('select count(*) from pbx_providers'), 1,
        'one provider';

    # here people can delete what a call points at, and the call itself

    for my $table (qw(contacts pbx_providers calls)) {
        my $sid = "CAdel$table";

        record({ key => "$sid/0", kind => 'call', call => $sid,
            caller => '+12025550190', called => '+15005550009' });

        for my $part (qw(activities tasks support_comments
            assignment_audits support_tickets call_records leads))
        {
            $dbh->do("delete from $part") if $table eq 'contacts';
        }

        $dbh->do('update deals set contact_id = null') if $table eq 'contacts';
        $dbh->do("delete from $table where " . ($table eq 'contacts'
            ? "phone = '+12025550190'" : 'true'));
        record({ key => "$sid/1", kind => 'outcome', call => $sid,
            status => 'completed', disposition => 'x' x 60 });

        my $c = row('voice.calls', 'sid = ?', $sid);
        ok !$c->{crm_pending}, "without $table" or diag $c->{crm_error};
        is row('calls', 'unique_id = ?', $sid)->{status}, 'completed', 'closed';
    }
};


subtest 'a copy without constraints' => sub {
    my $shape = shape('copy', $COPY);

    ok !$shape->{unique_id}, 'told';
    whole_call('CA1', '+12025550190');

    my $stage = row('stages', 'id = (select stage_id from deals
        where contact_id = (select id from contacts where name = ?))',
        'Sam Hill');
    is $stage->{name}, 'Qualification', 'not "Lost", though its order is first';

    $dbh->do("update voice.calls set crm_id = null where sid = 'CA1'");
    record({ key => 'CA1/again', kind => 'outcome', call => 'CA1', cost => 2 });
    is $dbh->selectrow_array("select count(*) || ' ' || sum(cost) from calls"),
        '1 2', 'the row that is there is found';
};


subtest 'a check that knows no "no answer"' => sub {
    my $shape = shape('terse', q{alter table calls add check (status in
        ('ringing', 'answered', 'completed', 'busy', 'failed'))});

    is $shape->{no_answer}, 'failed', 'the word that it takes';
    record({ key => 'x', kind => 'call', call => 'CA1', status => 'no-answer',
        caller => '+12025550190', called => '+15005550009' });
    is join(' ', @{ row('calls', 'true') }{qw(status disposition)}),
        'failed no-answer', 'and the other in the disposition';
};


subtest 'parts that are missing' => sub {
    my $shape = shape('parts', q{
        drop table support_comments, assignment_audits, support_tickets cascade;
        drop table knowledge_base_articles, call_activities, calls cascade});

    like join("\n", @{ $shape->{problems} }), qr/^tickets: off.*^calls: off/ms,
        'are told';

    record({ key => 'CA1/0', kind => 'call', call => 'CA1',
        caller => '+15005550006', called => '+15005550009' });
    is row('voice.calls', "sid = 'CA1'")->{organization}, 1, 'the call is kept';
    is act('CA1', 'create_support_ticket', { title => 'x', description => 'y' })
        ->{error}{code}, 'crm_unavailable', 'a tool without its tables';
    is act('CA1', 'lookup_knowledge', { query => 'x' })->{error}{code},
        'crm_unavailable', 'another';
    ok act('CA1', 'create_lead', {})->{lead}, 'the others work';

    my $c = $pg->call($edge, 'caller', 1, '+15005550006');
    is $c->{contact}{name}, 'Anna Berg', 'and who calls is known';
    is_deeply $c->{tickets}, [], 'without tickets';
    ok $pg->call($edge, 'close_stale_calls', '0 seconds')->{closed}[0],
        'the call is closed';
};


subtest 'five tables' => sub {
    my $shape = shape('five', q{
        drop table support_comments, assignment_audits, support_tickets,
            knowledge_base_articles, call_activities, call_records, calls,
            call_queue_members, call_queues, pbx_providers, activities,
            customer_accounts, stages, support_queues cascade;
        alter table leads drop column score_factors,
            drop column score_confidence, drop column score_updated_at;
        alter table deals drop column status});

    is_deeply [grep { $shape->{$_} } qw(leads deals tickets calls)], [],
        'too few for any of it';
    is act('CA1', 'create_lead', {})->{error}{code}, 'unknown_call', 'no call';
    record({ key => 'CA1/0', kind => 'call', call => 'CA1',
        caller => '+15005550006', called => '+15005550009' });
    is act('CA1', $_, {})->{error}{code}, 'crm_unavailable', $_
        for qw(create_lead qualify_lead schedule_meeting);
    is_deeply [map { $_->{function}{name} } @{ $pg->call($edge, 'tools') }],
        [qw(update_contact transfer_to_human end_call)],
        'what is off is not offered';
    ok act('CA1', 'transfer_to_human', {})->{transfer},
        'a human can always be called';
    is $pg->call($edge, 'caller', 1, '+15005550006')->{contact}{name},
        'Anna Berg', 'who calls is known';
};


subtest 'numbers that do not fit' => sub {
    my $shape = shape('strays', q{
        insert into voice.numbers (number, organization, user_id) values
            ('+15005550031', 77, null), ('+15005550032', 1, 3);
        insert into organizations (id, name) values (78, 'Empty');
        insert into voice.organizations (organization) values (78);
        delete from stages where name not in ('Won', 'Lost')
            and id not in (select stage_id from deals);
        update deals set stage_id = null;
        delete from stages where name not in ('Won', 'Lost')});

    is_deeply $shape->{problems}, [
        'voice.numbers +15005550031: there is no organization 77',
        'voice.numbers +15005550032: user 3 is not of organization 1',
        'voice.organizations 78: organization 78 has no user to act for the edge',
        'deals: there is no stage for a new one',
    ], 'are told' or diag explain $shape->{problems};
};


subtest 'sequences that lag' => sub {
    my $shape = shape('lag', q{
        insert into contacts (id, name, email, phone, company, organization_id,
            created_at)
            select 5000 + n, 'Copied ' || n, '', '', '', 1, now()
            from generate_series(1, 300) n;
        select setval('leads_id_seq', 1, false)});

    like join("\n", @{ $shape->{problems} }),
        qr/^contacts: its sequence is 5296 behind, reset it: select setval/m,
        'are told';

    record({ key => 'CA1/0', kind => 'call', call => 'CA1',
        caller => '+12025550190', called => '+15005550009' });
    $dbh->do("select setval('contacts_id_seq', 5001, false)");
    ok act('CA1', 'create_lead', { name => 'New' })->{lead}, 'an insert works';
    is $dbh->selectrow_array("select id from contacts where name = 'New'"),
        5301, 'behind what is there';
    is $dbh->selectrow_array("select last_value from contacts_id_seq"), 5301,
        'and the sequence is repaired';
};


done_testing;
