#!/usr/bin/perl

# Nothing of another tenant is ever read or written, and of records nothing of
# another contact, whatever the model or a note asks for.
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
my $n = 0;

my ($BIKES, $YACHTS) = (1, 2);
my @TENANT_TABLES = qw(organizations users contacts leads deals
    support_tickets knowledge_base_articles pbx_providers calls);

# everything that belongs to a tenant, as one text

sub everything_of {
    my ($organization) = @_;

    my @rows;

    for my $table (@TENANT_TABLES) {
        my $column = $table eq 'organizations' ? 'id' : 'organization_id';

        push @rows, @{ $dbh->selectcol_arrayref(
            "select '$table ' || t::text from $table t where $column = ?
             order by id", {}, $organization) };
    }

    push @rows, @{ $dbh->selectcol_arrayref(q{
        select 'activity ' || a::text from activities a
        join deals d on d.id = a.deal_id where d.organization_id = ?
        order by a.id}, {}, $organization) };
    push @rows, @{ $dbh->selectcol_arrayref(q{
        select 'comment ' || c::text from support_comments c
        join support_tickets t on t.id = c.ticket_id
        where t.organization_id = ? order by c.id}, {}, $organization) };

    return join "\n", @rows;
}

sub open_call {
    my ($from, $to) = @_;

    my $sid = 'CA' . ++$n;

    $pg->call($edge, 'record', [{ key => "$sid/0", kind => 'call',
        call => $sid, caller => $from, called => $to }]);

    return $sid;
}

sub act {
    my ($sid, $name, $arguments) = @_;

    return $pg->call($edge, 'act', $sid, "$sid/" . ++$n, $name, $arguments);
}

sub run_all_tools {
    my ($sid) = @_;

    my $monday = $dbh->selectrow_array("select to_char(date_trunc('week',
        now()) + interval '14 days', 'YYYY-MM-DD')");

    return JSON::PP->new->canonical->encode([map { act($sid, @$_) } (
        ['update_contact', { name => 'Sly', email => 'sly@mail.example',
            company => 'Sly' }],
        ['create_lead', { title => 'Sly' }],
        ['qualify_lead', { need => 'critical', budget => 'confirmed' }],
        ['schedule_meeting', { start => "${monday}T11:00" }],
        ['create_support_ticket', { title => 'Sly', description => 'Sly' }],
        ['add_ticket_comment', { comment => 'Sly' }],
        ['add_ticket_comment', { comment => 'Sly', ticket => 'TKT-001-000001' }],
        ['add_ticket_comment', { comment => 'Sly', ticket => 'TKT-002-000001' }],
        ['lookup_knowledge', { query => 'battery dhow bike warranty' }],
        ['transfer_to_human', {}],
        ['end_call', { outcome => 'sly' }],
    )]);
}

$dbh->do(q{
    insert into support_tickets (ticket_number, organization_id, title,
        description, category, status, contact_id, customer_email,
        customer_name, created_at, updated_at)
    select 'TKT-002-000001', organization_id, 'Dhow leaks', 'x', 'general',
        'open', id, '', name, now(), now()
    from contacts where name = 'Captain Idris'});


subtest 'the same caller, two tenants' => sub {
    my $yachts = everything_of($YACHTS);
    my $said = run_all_tools(open_call('+15005550006', '+15005550009'));

    is everything_of($YACHTS), $yachts, 'a call to one leaves the other alone';
    unlike $said, qr/Idris|Dhow|charter|Marina/i, 'and tells nothing of it';

    my $bikes = everything_of($BIKES);
    $said = run_all_tools(open_call('+15005550006', '+15005550019'));

    is everything_of($BIKES), $bikes, 'the other way round too';
    unlike $said, qr/Anna|Berg|Larkspur|Charging|Warranty/i, 'in words';

    my $c = $pg->call($edge, 'caller', $YACHTS, '+15005550012');
    is $c->{match}, 'none', 'who is known to one is not to the other';
};


subtest 'the records of another contact' => sub {
    my $sid = open_call('+15005550012', '+15005550009');
    my $state = sub { $dbh->selectcol_arrayref(q{
        select c::text from contacts c where name <> 'Omar Haddad'
        union all select t::text from support_tickets t
            where contact_id is distinct from
                (select id from contacts where name = 'Omar Haddad')
        union all select d::text from deals d where contact_id is distinct from
            (select id from contacts where name = 'Omar Haddad')
        order by 1}) };
    my $before = $state->();
    my $said = run_all_tools($sid);

    is_deeply $state->(), $before, 'are not touched';
    unlike $said, qr/Anna|Battery does not|Electric/, 'nor told';
};


subtest 'a call that lies' => sub {
    my $bikes = everything_of($BIKES);

    # every field that could name a row of somebody else

    my $sid = 'CAliar';
    $pg->call($edge, 'record', [
        { key => 'l0', kind => 'call', call => $sid, caller => '+15005550006',
          called => '+15005550019', contact_id => 1, deal_id => 1,
          lead_id => 1, ticket_id => 1, user_id => 1, provider_id => 1,
          crm_id => 1, crm_record_id => 1, sid => 'CA1' },
        { key => 'l1', kind => 'outcome', call => $sid, organization => 1,
          status => 'completed', summary => 'Sly', contact_id => 1,
          deal_id => 1, ticket_id => 1, lead_id => 1 },
        { key => 'l2', kind => 'turn', call => $sid, turn => 1,
          call_sid => 'CA1', heard => 'Sly' },
    ]);

    my $c = $dbh->selectrow_hashref('select * from voice.calls where sid = ?',
        {}, $sid);
    is $c->{organization}, $YACHTS, 'is of the tenant that was called';
    is $c->{contact_id}, 4, 'with that tenant\'s contact';
    is $c->{user_id}, 3, 'user';
    is $c->{provider_id}, 2, 'and provider';
    is everything_of($BIKES), $bikes, 'and writes nothing elsewhere';
};


subtest 'rows that moved' => sub {
    my $sid = open_call('+15005550006', '+15005550009');

    # the CRM gave the caller's contact to another tenant during the call

    $dbh->do("update contacts set organization_id = $YACHTS where id = 1");

    my $yachts = everything_of($YACHTS);
    my $result = act($sid, 'update_contact', { email => 'sly@mail.example',
        company => 'Sly' });
    run_all_tools($sid);

    is everything_of($YACHTS), $yachts, 'are not followed';
    $dbh->do("update contacts set organization_id = $BIKES where id = 1");
};


subtest 'foreign keys stay within a tenant' => sub {
    my %points = (
        contacts => ['owner_id', 'users'],
        leads => ['contact_id', 'contacts', 'owner_id', 'users'],
        deals => ['contact_id', 'contacts', 'owner_id', 'users'],
        support_tickets => ['contact_id', 'contacts', 'created_by', 'users'],
        calls => ['contact_id', 'contacts', 'lead_id', 'leads', 'deal_id',
            'deals', 'provider_id', 'pbx_providers'],
    );

    for my $table (sort keys %points) {
        my @pairs = @{ $points{$table} };

        while (my ($column, $target) = splice @pairs, 0, 2) {
            is $dbh->selectrow_array("select count(*) from $table t
                join $target o on o.id = t.$column
                where o.organization_id <> t.organization_id"), 0, "$table.$column";
        }
    }
};


done_testing;
