#!/usr/bin/perl

# What the model can do: the rows that each tool leaves, column by column, as
# the CRM's own pages need them.
# no-sanitize

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Postgres;

my $pg = Voice::Postgres->new;

$pg->database('crm');
my ($rc, $out) = $pg->migrate('crm', '--demo');
BAIL_OUT($out) if $rc;

my $dbh = $pg->connect('crm');
my $edge = $pg->connect('crm', user => 'voice_edge');

my ($ANNA, $OMAR, $NEW) = qw(+15005550006 +15005550012 +15005550014);
my $n = 0;

sub open_call {
    my ($from, %more) = @_;

    my $sid = sprintf 'CA%032d', ++$n;
    my $result = $pg->call($edge, 'record', [{ key => "$sid/0", kind => 'call',
        call => $sid, caller => $from, called => '+15005550009', %more }]);

    BAIL_OUT(explain $result) if !@{ $result->{acknowledged} };

    return $sid;
}

sub act {
    my ($sid, $name, $arguments, $key) = @_;

    return $pg->call($edge, 'act', $sid, $key || "$sid/" . ++$n, $name,
        $arguments);
}

sub row {
    my ($table, $where, @values) = @_;

    my $rows = $dbh->selectall_arrayref(
        "select * from $table where $where order by id desc", { Slice => {} },
        @values);

    return $rows->[0];
}

sub rows {
    my ($table, $where, @values) = @_;

    return $dbh->selectrow_array(
        "select count(*) from $table where " . ($where || 'true'), {}, @values);
}

sub call { return $dbh->selectrow_hashref(
    'select * from voice.calls where sid = ?', {}, $_[0]) }

# UTC without zone, though the server's own zone is another

sub is_now {
    my ($time, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $now = defined $time && $dbh->selectrow_array(
        "select abs(extract(epoch from timezone('utc', now())
            - ?::timestamp)) < 600", {}, $time);

    ok $now, "$name is now, in UTC" or diag($time // 'null');

    return;
}

sub refused {
    my ($result, $code, $like, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is $result->{error}{code}, $code, $name;
    like $result->{error}{message}, $like, 'and says what';

    return;
}

# the next local date with that weekday, 1 to 7, not today

sub day {
    my ($weekday, $zone) = @_;

    return $dbh->selectrow_array(q{
        select to_char(d, 'YYYY-MM-DD') from generate_series(
            timezone($2, now())::date + 2, timezone($2, now())::date + 9,
            interval '1 day') d
        where extract(isodow from d) = $1 limit 1}
        =~ s/\$1/?/r =~ s/\$2/?/gr, {}, ($zone || 'America/New_York') x 2,
        $weekday);
}


subtest 'update_contact' => sub {
    my $sid = open_call($NEW);
    my $result = act($sid, 'update_contact',
        { name => 'Mia Stone', email => 'mia@mail.example' });

    ok $result->{created}, 'a contact that is new';
    is_deeply $result->{changed}, ['name', 'email'], 'with what was said';

    my $row = row('contacts', 'phone = ?', $NEW);
    is $row->{name}, 'Mia Stone', 'name';
    is $row->{email}, 'mia@mail.example', 'email';
    is $row->{company}, '', 'company: never null';
    is $row->{owner_id}, 1, 'owner: who acts';
    is $row->{organization_id}, 1, 'tenant';
    is_now $row->{created_at}, 'created_at';
    is call($sid)->{contact_id}, $row->{id}, 'the call knows';
    is row('calls', 'unique_id = ?', $sid)->{contact_id}, $row->{id},
        'and the CRM\'s call, while it lives';

    $result = act($sid, 'update_contact',
        { name => 'Maria Stone', company => 'Stone Ltd' });
    is_deeply $result->{changed}, ['company'], 'what is empty is filled';
    is_deeply $result->{kept}, ['name'], 'what is there stays, and is told';
    $row = row('contacts', 'phone = ?', $NEW);
    is "$row->{name}, $row->{company}", 'Mia Stone, Stone Ltd', 'so it is';

    $sid = open_call($NEW);
    act($sid, 'update_contact', { name => 'Mia Stone' });
    is rows('contacts', 'phone = ?', $NEW), 1, 'another call finds her';

    refused act($sid, 'update_contact', {}), 'invalid_argument',
        qr/at least one/, 'nothing';
    refused act($sid, 'update_contact', { email => 'mia at home' }),
        'invalid_argument', qr/spell/, 'a bad address';
    refused act($sid, 'update_contact', { phone => '+1' }),
        'invalid_argument', qr/no argument "phone"; known are name/,
        'an unknown argument';
    refused act($sid, 'update_contact', { name => 7 }), 'invalid_argument',
        qr/"name" must be a string/, 'a wrong type';
    refused act($sid, 'update_contact', { name => 'x' x 256 }),
        'invalid_argument', qr/longer than 255/, 'too long';
    refused act($sid, 'update_contact', ['x']), 'invalid_argument',
        qr/JSON object/, 'no object';
    is $pg->call($edge, 'act', $sid, "$sid/null", 'update_contact',
        undef)->{error}{code}, 'invalid_argument', 'null';

    $sid = open_call('anonymous');
    refused act($sid, 'update_contact', { email => 'x@mail.example' }),
        'name_needed', qr/withheld/, 'withheld and without a name';
    act($sid, 'update_contact', { name => 'Nemo' });
    act($sid, 'update_contact', { email => 'nemo@mail.example' });
    $row = row('contacts', 'name = ?', 'Nemo');
    is $row->{phone}, '', 'a withheld number is none';
    is $row->{email}, 'nemo@mail.example', 'and the call keeps its contact';

    $dbh->do("insert into contacts (name, email, phone, company,
        organization_id, created_at) values
        ('Ida Holm', '', '+12025550170', '', 1, now()),
        ('Ole Holm', '', '+12025550170', '', 1, now())");
    $sid = open_call('+12025550170');
    refused act($sid, 'update_contact', { company => 'Holm' }), 'name_needed',
        qr/several people share/, 'one of two';
    is_deeply act($sid, 'update_contact',
        { name => 'ole holm', company => 'Holm' })->{changed}, ['company'],
        'the name tells which';
    is row('contacts', 'name = ?', 'Ole Holm')->{company}, 'Holm', 'him';

    $dbh->do("insert into contacts (name, email, phone, company,
        organization_id, created_at) values
        ('Ole Holm', '', '+12025550170', '', 1, now())");

    for my $time (1, 2) {
        $sid = open_call('+12025550170');
        act($sid, 'update_contact', { name => 'Ole Holm', company => 'X' });
        is row('contacts', 'id = ?', call($sid)->{contact_id})->{company},
            'Holm', 'who is there twice is the first of them';
    }

    is rows('contacts', 'phone = ?', '+12025550170'), 3, 'and no third one';
};


subtest 'create_lead' => sub {
    my $sid = open_call('+12025550101');
    my $result = act($sid, 'create_lead', { title => 'Fleet of six',
        name => 'Jo Reed', company => 'Reed & Co' });

    is_deeply $result, { existing => JSON::PP::false(), lead => {
        title => 'Fleet of six', status => 'new', score => 0 } }, 'a lead';

    my $row = row('leads', 'title = ?', 'Fleet of six');
    my $contact = row('contacts', 'name = ?', 'Jo Reed');
    is $row->{contact_id}, $contact->{id}, 'of a new contact';
    is $contact->{phone}, '+12025550101', 'who can be called';
    is $row->{owner_id}, 1, 'owner';
    is $row->{organization_id}, 1, 'tenant';
    is $row->{status}, 'new', 'status';
    is $row->{source}, 'phone_call', 'source';
    is $row->{score}, 0, 'score';
    is $row->{score_factors}, '{}', 'factors';
    is $row->{score_confidence}, 0, 'confidence';
    is_now $row->{score_updated_at}, 'score_updated_at';
    is_now $row->{created_at}, 'created_at';
    is row('calls', 'unique_id = ?', $sid)->{lead_id}, $row->{id}, 'on the call';

    ok act($sid, 'create_lead', { title => 'Again' })->{existing},
        'the second time it is the same';
    is rows('leads', 'contact_id = ?', $contact->{id}), 1, 'one row';

    ok act(open_call($OMAR), 'create_lead', {})->{existing},
        'one that is on its way is not made twice';

    $sid = open_call('+12025550102');
    is act($sid, 'create_lead', {})->{lead}{title},
        'Phone enquiry: +12025550102', 'without a name';
    act($sid, 'update_contact', { name => 'Late Name' });
    is row('contacts', 'phone = ?', '+12025550102')->{name}, 'Late Name',
        'which comes later';

    $dbh->do("update leads set status = 'converted' where contact_id = ?", {},
        $contact->{id});
    ok !act(open_call('+12025550101'), 'create_lead', {})->{existing},
        'a lead that was converted is done';
};


subtest 'qualify_lead' => sub {
    my $sid = open_call('+12025550103');
    my $result = act($sid, 'qualify_lead', { name => 'Lee Ray',
        budget => 'likely', need => 'strong' });

    is $result->{score}, 38, 'points of what is known';
    is $result->{band}, 'Cold', 'the band on the CRM\'s screen';
    is $result->{status}, 'contacted', 'forward';
    is_deeply $result->{missing}, ['authority', 'timeline'], 'what to ask';

    $result = act($sid, 'qualify_lead', { authority => 'decision_maker',
        timeline => 'quarter', notes => 'Wants red ones' });
    is $result->{score}, 81, 'answers add up';
    is $result->{band}, 'Hot', 'hot';
    is_deeply $result->{missing}, [], 'all known';

    my $row = row('leads', 'id = ?', call($sid)->{lead_id});
    is $row->{score}, 81, 'score';
    is $row->{status}, 'qualified', 'status';
    is $row->{score_confidence}, 1, 'confidence';
    is_now $row->{score_updated_at}, 'score_updated_at';

    my $factors = JSON::PP->new->decode($row->{score_factors});
    is_deeply $factors->{budget}, { answer => 'likely', points => 18 },
        'factors: an object as text';
    is $factors->{notes}, 'Wants red ones', 'with the notes';

    $result = act($sid, 'qualify_lead', { need => 'none', budget => 'none' });
    is $result->{score}, 43, 'a changed answer counts anew';
    is $result->{status}, 'qualified', 'but never backwards';

    $dbh->do("update leads set status = 'Contacted', score_factors = '[\"x\"]'
        where contact_id = (select id from contacts where name = 'Omar Haddad')");
    $result = act(open_call($OMAR), 'qualify_lead', { budget => 'confirmed' });
    is rows('leads', 'contact_id = (select id from contacts where name = ?)',
        'Omar Haddad'), 1, 'the lead that is there';
    is $result->{score}, 25, 'factors of another kind do not matter';
    is $result->{status}, 'contacted', 'old spellings neither';

    refused act($sid, 'qualify_lead', { budget => 'lots' }), 'invalid_argument',
        qr/"budget" must be one of confirmed, likely/, 'no such answer';
    refused act($sid, 'qualify_lead', {}), 'invalid_argument',
        qr/at least one/, 'no answer';
};


subtest 'schedule_meeting' => sub {
    my $sid = open_call($OMAR);
    my ($monday, $sunday) = (day(1), day(7));

    my $free = act($sid, 'schedule_meeting', {});
    is $free->{timezone}, 'America/New_York', 'without a time: its zone';
    is scalar @{ $free->{free} }, 3, 'and three free ones';
    like $free->{free}[0], qr/^\d{4}-\d\d-\d\dT(09|1\d):[03]0$/, 'local';
    is rows('voice.meetings'), 0, 'nothing is booked';

    my $deal = row('deals', "title = 'Ten cargo bikes'");
    my $result = act($sid, 'schedule_meeting',
        { start => "${monday}T10:00", topic => 'The quote' });

    is $result->{meeting}{start}, "${monday}T10:00", 'booked';
    like $result->{meeting}{when}, qr/^Monday, \d+ \w+ \d{4} at 10:00$/,
        'as it is said';
    is $result->{meeting}{with}, 'Omar Haddad', 'with him';

    my $utc = $dbh->selectrow_array(
        "select timezone('utc', timezone('America/New_York', ?::timestamp))::text",
        {}, "$monday 10:00");
    my $after = row('deals', 'id = ?', $deal->{id});
    is $after->{reminder_date}, $utc, 'reminder_date: UTC of local time';
    delete @$_{'reminder_date'} for $deal, $after;
    is_deeply $after, $deal, 'and nothing else of his deal';

    my $row = row('activities', 'deal_id = ?', $deal->{id});
    is $row->{type}, 'Meeting Scheduled', 'an activity';
    is $row->{user_id}, 1, 'by who acts';
    like $row->{message}, qr/^Meeting with Omar Haddad on Monday.*10:00 \(America\/New_York\): The quote\. Booked/,
        'that tells';
    is_now $row->{timestamp}, 'timestamp';

    my $other = open_call('+12025550104');
    $result = act($other, 'schedule_meeting',
        { start => "${monday}T10:00", name => 'Pat' });
    refused $result, 'taken', qr/taken; offer/, 'the same time for another';
    is $result->{error}{free}[0], "${monday}T10:30", 'what is free is told';
    is rows('contacts', "name = 'Pat'"), 0, 'and nothing was written';

    refused act($other, 'schedule_meeting', { start => "${monday}T11:00" }),
        'name_needed', qr/name/, 'nobody';
    $result = act($other, 'schedule_meeting',
        { start => "${monday}T11:00", name => 'Pat' });
    is $result->{meeting}{with}, 'Pat', 'a new caller';

    $row = row('deals', 'contact_id = ?', call($other)->{contact_id});
    is $row->{title}, 'Meeting: Pat', 'gets a deal: title';
    is $row->{value}, 0, 'value';
    is $row->{owner_id}, 1, 'owner';
    is row('stages', 'id = ?', $row->{stage_id})->{name}, 'New', 'first stage';
    is $row->{organization_id}, 1, 'tenant';
    is $row->{status}, 'open', 'status';
    is $row->{closed_at}, undef, 'open';
    ok defined $row->{reminder_date}, 'reminder_date';
    is_now $row->{created_at}, 'created_at';

    $result = act($other, 'schedule_meeting', { start => "${monday}T14:00" });
    ok $result->{moved}, 'a second date in one call moves the meeting';
    is rows('voice.meetings', 'not cancelled and call_sid = ?', $other), 1,
        'and is not a second one';
    is rows('deals', 'contact_id = ?', call($other)->{contact_id}), 1,
        'nor is the deal';
    ok act(open_call($ANNA), 'schedule_meeting',
        { start => "${monday}T11:00" })->{meeting}, 'the old time is free';

    $sid = open_call($OMAR);

    refused act($sid, 'schedule_meeting', { start => '2020-01-06T10:00' }),
        'past', qr/over/, 'past';
    refused act($sid, 'schedule_meeting', { start => '2999-01-06T10:00' }),
        'too_far', qr/year/, 'too far';
    refused act($sid, 'schedule_meeting', { start => "${sunday}T10:00" }),
        'out_of_hours', qr/09:00 to 17:00/, 'a Sunday';
    refused act($sid, 'schedule_meeting', { start => "${monday}T08:30" }),
        'out_of_hours', qr/offer/, 'too early';
    refused act($sid, 'schedule_meeting', { start => "${monday}T16:45" }),
        'out_of_hours', qr/offer/, 'over too late';
    refused act($sid, 'schedule_meeting', { start => "$monday 10:00Z" }),
        'invalid_argument', qr/without a zone/, 'a zone';
    refused act($sid, 'schedule_meeting', { start => 'tomorrow at ten' }),
        'invalid_argument', qr/2026-01-31T14:30/, 'words';
    refused act($sid, 'schedule_meeting', { start => '2027-02-30T10:00' }),
        'invalid_argument', qr/no date/, 'no date';

    refused act($sid, 'schedule_meeting', { start => '2027-03-14T02:30' }),
        'invalid_argument', qr/clocks change/, 'an hour that there is not';

    $dbh->do('insert into voice.organizations (organization, meeting_days,
        meeting_from, meeting_to, meeting_minutes)
        values (1, ?, ?, ?, 60)', {}, '{7}', '20:00', '22:00');
    is act($sid, 'schedule_meeting', { start => "${sunday}T21:00" })
        ->{meeting}{minutes}, 60, 'an organization has its own hours';
    $dbh->do('delete from voice.organizations');
};


subtest 'create_support_ticket' => sub {
    my $sid = open_call($ANNA);
    my $tuesday = day(2);
    my $result = act($sid, 'create_support_ticket', {
        title => 'Brake squeaks', description => 'Since last week.',
        category => 'technical', priority => 'urgent',
        callback => "${tuesday}T15:00",
    });

    is $result->{ticket}{number}, 'TKT-001-000002', 'its number';
    like $result->{callback}, qr/^Tuesday, \d+ \w+ at 15:00$/, 'the call-back';

    my $row = row('support_tickets', 'ticket_number = ?', 'TKT-001-000002');
    my $anna = row('contacts', 'name = ?', 'Anna Berg');

    is $row->{organization_id}, 1, 'tenant';
    is $row->{title}, 'Brake squeaks', 'title';
    is $row->{description},
        "Since last week.\n\nCaller: $ANNA\nCall: $sid", 'description';
    is $row->{priority}, 'urgent', 'priority';
    is $row->{status}, 'open', 'status';
    is $row->{category}, 'technical', 'category';
    is $row->{contact_id}, $anna->{id}, 'contact';
    ok $row->{customer_account_id}, 'account';
    is $row->{customer_email}, 'anna.berg@mail.example', 'email';
    is $row->{customer_name}, 'Anna Berg', 'name';
    is $row->{assignment_type}, 'manual', 'assignment_type';
    is $row->{assigned_to_id}, undef, 'nobody has it';
    is $row->{first_response_at}, undef, 'nobody has answered';
    is $row->{created_by}, 1, 'created_by';
    is $row->{escalated}, 0, 'escalated';
    is $row->{satisfaction_survey_sent}, 0, 'satisfaction_survey_sent';
    is $row->{follow_up_required}, 1, 'follow_up_required';
    is $row->{follow_up_date}, $dbh->selectrow_array(
        "select timezone('utc', timezone('America/New_York', ?::timestamp))::text",
        {}, "$tuesday 15:00"), 'follow_up_date';
    is_now $row->{created_at}, 'created_at';
    is_now $row->{updated_at}, 'updated_at';
    is call($sid)->{ticket_id}, $row->{id}, 'the call knows';
    is call($sid)->{outcome}, 'ticket_created', 'what came of it';

    my %hours = (low => 72, medium => 24, high => 8, urgent => 4, critical => 1);

    for my $priority (sort keys %hours) {
        my $made = act($sid, 'create_support_ticket', { title => 'x',
            description => 'y', priority => $priority });

        is $dbh->selectrow_array(q{
            select extract(epoch from sla_deadline - created_at) / 3600 || ' '
                || extract(epoch from resolution_deadline - created_at) / 3600
            from support_tickets where ticket_number = ?}, {},
            $made->{ticket}{number}) =~ s/\.0+//gr,
            "$hours{$priority} " . 2 * $hours{$priority}, "deadlines: $priority";
    }

    $result = act(open_call('anonymous'), 'create_support_ticket',
        { title => 'Lost key', description => 'A key.' });
    $row = row('support_tickets', 'ticket_number = ?',
        $result->{ticket}{number});
    is $row->{category}, 'general', 'without a category';
    is $row->{priority}, 'medium', 'without a priority';
    is $row->{customer_name}, 'Unknown caller', 'without a name';
    is $row->{customer_email}, '', 'without an address';
    is $row->{contact_id}, undef, 'of nobody';
    is $row->{follow_up_required}, 0, 'no follow-up';
    like $row->{description}, qr/Caller: number withheld/, 'no number';

    $result = act(open_call('+12025550105'), 'create_support_ticket',
        { title => 'Flat', description => 'Tire.', name => 'Kit',
          email => 'kit@mail.example' });
    $row = row('support_tickets', 'ticket_number = ?',
        $result->{ticket}{number});
    is $row->{contact_id}, row('contacts', "name = 'Kit'")->{id},
        'who gives a name becomes a contact';
    is $row->{customer_email}, 'kit@mail.example', 'with the address';

    $dbh->do('delete from support_tickets where ticket_number in (?, ?)', {},
        'TKT-001-000003', 'TKT-001-000004');
    my $count = rows('support_tickets', 'organization_id = 1');
    like act($sid, 'create_support_ticket', { title => 'x', description => 'y' })
        ->{ticket}{number}, qr/^TKT-001-0*([0-9]+)$/, 'numbers that are taken';
    is rows('support_tickets', 'organization_id = 1'), $count + 1,
        'are stepped over';

    refused act($sid, 'create_support_ticket', { description => 'y' }),
        'invalid_argument', qr/"title" is missing/, 'no title';
    refused act($sid, 'create_support_ticket',
        { title => 'x', description => 'y', category => 'sales' }),
        'invalid_argument', qr/technical, billing/, 'no such category';
    refused act($sid, 'create_support_ticket',
        { title => 'x', description => 'y', priority => 'ASAP' }),
        'invalid_argument', qr/low, medium/, 'no such priority';
    refused act($sid, 'create_support_ticket',
        { title => 'x', description => 'y', callback => '2020-01-01T10:00' }),
        'past', qr/over/, 'a call-back in the past';
};


subtest 'a ticket of who was only a number' => sub {
    my $sid = open_call('+15005550061');

    act($sid, 'create_lead', { title => 'A tandem' });
    is row('contacts', 'phone = ?', '+15005550061')->{name}, '+15005550061',
        'a contact without a name';

    act($sid, 'create_support_ticket', { title => 'T', description => 'D',
        name => 'Jane Roe', email => 'jane@mail.example' });

    my $row = row('support_tickets', 'title = ?', 'T');
    is $row->{customer_name}, 'Jane Roe', 'the ticket has the name';
    is $row->{customer_email}, 'jane@mail.example', 'and the address';
    is row('contacts', 'phone = ?', '+15005550061')->{name}, 'Jane Roe',
        'as the contact has';

    $dbh->do("delete from support_tickets where title = 'T'");
};


subtest 'add_ticket_comment' => sub {
    my $sid = open_call($ANNA);

    refused act($sid, 'add_ticket_comment', { comment => 'x' }), 'ambiguous',
        qr/which one/, 'one of several';
    $dbh->do("update support_tickets set updated_at = '2026-01-01'
        where ticket_number = 'TKT-001-000001'");
    is_deeply act($sid, 'add_ticket_comment', { ticket => 'tkt-001-000001',
        comment => "It is red\tagain." }), { added => JSON::PP::true(),
        ticket => { number => 'TKT-001-000001', status => 'in_progress' } },
        'added';

    my $ticket = row('support_tickets', 'ticket_number = ?', 'TKT-001-000001');
    my $row = row('support_comments', 'ticket_id = ?', $ticket->{id});
    is $row->{author_id}, undef, 'no user wrote it';
    is $row->{author_name}, 'Anna Berg', 'author_name';
    is $row->{author_email}, 'anna.berg@mail.example', 'author_email';
    is $row->{author_type}, 'customer', 'author_type';
    is $row->{content}, 'It is red again.', 'content';
    is $row->{is_internal}, 0, 'is_internal';
    is $row->{comment_type}, 'comment', 'comment_type';
    is_now $row->{created_at}, 'created_at';
    is_now $row->{updated_at}, 'updated_at';
    is_now $ticket->{updated_at}, 'and the ticket\'s updated_at';
    is $ticket->{status}, 'in_progress', 'whose status stays';

    ok act($sid, 'add_ticket_comment', { comment => 'More.' })->{added},
        'then it is the call\'s ticket';

    refused act(open_call($OMAR), 'add_ticket_comment',
        { ticket => 'TKT-001-000001', comment => 'Mine too' }), 'not_found',
        qr/no such ticket/, 'the ticket of another contact';
    refused act(open_call('anonymous'), 'add_ticket_comment',
        { ticket => 'TKT-001-000001', comment => 'And mine' }), 'not_found',
        qr/no such ticket/, 'nobody has none';

    $dbh->do("update support_tickets set status = 'closed'
        where ticket_number = 'TKT-001-000001'");
    refused act($sid, 'add_ticket_comment', { ticket => 'TKT-001-000001',
        comment => 'x' }), 'closed', qr/is closed; offer/, 'a closed one';

    # it is looked for once, however many there are

    $dbh->begin_work;
    $dbh->do("set local track_functions = 'all'");
    $dbh->do("insert into support_tickets (ticket_number, organization_id,
        title, description, status, category, customer_email, customer_name)
        select 'X-' || g, 1, 't', 'd', 'open', 'general', '', 'x'
        from generate_series(1, 50) g");
    $pg->call($dbh, 'act', $sid, "$sid/looked", 'add_ticket_comment',
        { ticket => 'TKT-001-000002', comment => 'x' });
    is $dbh->selectrow_array("select calls from pg_stat_xact_user_functions
        where funcname = 'crm_ticket_of_caller'"), 1, 'one search';
    $dbh->rollback;
};


subtest 'lookup_knowledge' => sub {
    my $sid = open_call('+12025550106');
    my $titles = sub { join ', ', map { $_->{title} }
        @{ act($_[0], 'lookup_knowledge', { query => $_[1] })->{articles} } };

    is $titles->($sid, 'the light of my battery stays red'),
        'Charging an electric bike, Warranty',
        'published ones of this tenant, the best first';
    is $titles->($sid, 'keep my bike over winter in storage') =~ /Winter/, '',
        'what is for customers is not for all';
    like $titles->(open_call($ANNA), 'winter storage'), qr/^Winter storage/,
        'but for them';
    is $titles->($sid, 'purchase'), '', 'internal ones are not spoken of';
    is $titles->($sid, 'yachts'), '', 'and nothing is nothing';
    is $titles->($sid, 'the of and'), '', 'nor are small words';
    like act($sid, 'lookup_knowledge', { query => 'warranty' })
        ->{articles}[0]{text}, qr/^Two years.*\nBikes have/s,
        'summary and text';
    refused act($sid, 'lookup_knowledge', { query => ' ' }),
        'invalid_argument', qr/missing/, 'no question';
};


subtest 'transfer_to_human, end_call' => sub {
    my $sid = open_call($ANNA);

    act($sid, 'create_support_ticket', { title => 'Smoke', description => 'x' });
    $dbh->do("insert into call_queues (organization_id, provider_id, name,
        queue_number, is_active) values (1, 1, 'Shop', '1', true)");
    $dbh->do("insert into call_queue_members (queue_id, user_id, paused, status)
        values (1, 1, true, 'logged_in'), (1, 2, false, 'logged_in')");

    is_deeply act($sid, 'transfer_to_human', { reason => 'Smoke' }),
        { transfer => JSON::PP::true(), reason => 'Smoke', on_duty => 1 },
        'who is there';

    my $row = row('support_tickets', "title = 'Smoke'");
    is $row->{escalated}, 1, 'the call\'s ticket is escalated';
    is $row->{escalation_reason}, 'Smoke', 'why';
    is_now $row->{escalated_at}, 'when';
    is $row->{escalated_to_id}, undef, 'to nobody known';

    my $audit = row('assignment_audits', 'ticket_id = ?', $row->{id});
    is $audit->{assigned_by_id}, 1, 'audit: by';
    is $audit->{assignment_type}, 'escalation', 'type';
    is $audit->{assignment_reason}, 'Smoke', 'reason';
    is_now $audit->{created_at}, 'created_at';

    my $activity = row('call_activities', 'call_id = ?', call($sid)->{crm_id});
    is $activity->{activity_type}, 'transfer', 'call activity';
    is $activity->{user_id}, 1, 'user';
    is $activity->{duration}, 0, 'duration';
    is $activity->{activity_data}, '{"reason": "Smoke"}', 'an object';

    act($sid, 'transfer_to_human', {});
    is rows('assignment_audits'), 1, 'escalated once';

    is_deeply act($sid, 'end_call', { outcome => 'solved' }),
        { end => JSON::PP::true() }, 'the end';
    is call($sid)->{outcome}, 'solved', 'is noted';
};


subtest 'what the model is offered' => sub {
    my $tools = $pg->call($edge, 'tools');
    my $sid = open_call($OMAR);

    is scalar @$tools, 9, 'nine tools';

    for my $tool (map { $_->{function} } @$tools) {
        my $parameters = $tool->{parameters};
        my %property = %{ $parameters->{properties} };

        my ($known) = act($sid, $tool->{name}, { __none__ => 1,
            map { $_ => 'x' } @{ $parameters->{required} } })
            ->{error}{message} =~ /known are (.*)/;
        is_deeply [sort split /, /, $known], [sort keys %property],
            "$tool->{name} takes what it says";

        for my $name (sort keys %property) {
            my $enum = $property{$name}{enum};
            my $most = $property{$name}{maxLength};
            my %required = map { $_ => 'x' } @{ $parameters->{required} };

            like act($sid, $tool->{name}, { %required, $name => [] })
                ->{error}{message}, qr/"$name" must be a string/,
                "$name is a string";
            like act($sid, $tool->{name}, { %required, $name => 'no such' })
                ->{error}{message}, qr/one of \Q${\ join ', ', @$enum }\E$/,
                'one of its list' if $enum;
            like act($sid, $tool->{name}, { %required,
                $name => 'y' x ($most + 1) })->{error}{message},
                qr/"$name" is longer than $most/, 'and no longer' if $most;
        }
    }
};


subtest 'once, and always an answer' => sub {
    my $sid = open_call($ANNA);
    my $before = rows('support_tickets');
    my $first = act($sid, 'create_support_ticket',
        { title => 'Once', description => 'x' }, "$sid/1/tool");

    is_deeply act($sid, 'create_support_ticket',
        { title => 'Once', description => 'x' }, "$sid/1/tool"), $first,
        'the same key, the same answer' for 1 .. 3;
    is rows('support_tickets'), $before + 1, 'and one row';

    is_deeply act($sid, 'create_lead', {}, "$sid/1/tool")->{error}{code},
        'key_conflict', 'a key of something else';

    my $bad = act($sid, 'create_support_ticket', {}, "$sid/2/tool");
    is_deeply act($sid, 'create_support_ticket', { title => 'x',
        description => 'y' }, "$sid/2/tool"), $bad, 'errors are kept too';

    refused act($sid, 'drop_tables', {}), 'unknown_tool', qr/drop_tables/,
        'no such tool';
    is $pg->call($edge, 'act', 'CAunknown', 'k', 'create_lead', {})
        ->{error}{code}, 'unknown_call', 'no such call';
    is $pg->call($edge, 'act', $sid, '', 'create_lead', {})->{error}{code},
        'invalid_call', 'no key';

    my $early = $pg->call($edge, 'act', 'CAearly', 'CAearly/1', 'create_lead',
        { name => 'Early' }, { caller => '+12025550107',
        called => '+15005550009' });
    is $early->{lead}{title}, 'Phone enquiry: Early',
        'an action that comes before its call';
    is row('calls', "unique_id = 'CAearly'")->{caller_id}, '+12025550107',
        'brings the CRM\'s row along';

    $dbh->do('alter table leads add constraint no_more check (id < 0) not valid');
    refused act(open_call('+12025550108'), 'create_lead', { name => 'Zed' }),
        'failed', qr/did not work/, 'what the CRM does not take';
    is rows('contacts', "name = 'Zed'"), 0, 'leaves nothing behind';
    $dbh->do('alter table leads drop constraint no_more');

    my $other = $pg->connect('crm');
    $other->begin_work;
    $other->do("select * from voice.calls where sid = '$sid' for update");
    $edge->do("set lock_timeout = '100ms'");
    ok !eval { act($sid, 'create_lead', {}, "$sid/locked"); 1 },
        'a lock that is held is no answer';
    is $edge->state, '55P03', 'but an exception';
    $edge->do('reset lock_timeout');
    $other->rollback;
    ok act($sid, 'create_lead', {}, "$sid/locked")->{lead},
        'and the same key works later';

    my $text = act(open_call('+12025550109'), 'create_lead', {
        name => "Ren\x{e9}e O'Hara; drop table x", title => "\x{1F6B2}\x{7}!" });
    is $text->{lead}{title}, "\x{1F6B2} !", 'any text is text';
};


done_testing;
