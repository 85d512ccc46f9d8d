#!/usr/bin/perl

# Looking up a caller uses the index at 100,000 contacts: the plan is that of
# the statement within the function, in a new session and after many calls.
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

$dbh->do(q{
    insert into contacts (name, email, phone, company, organization_id,
        created_at)
    select 'Contact ' || n, '',
        case n % 4 when 0 then '+1212' || lpad(n::text, 7, '0')
            when 1 then '(212) ' || left(lpad(n::text, 7, '0'), 3) || '-'
                || right(n::text, 4)
            when 2 then '212.' || lpad(n::text, 7, '0') || ' x5'
            else '00971 50' || lpad(n::text, 7, '0') end,
        '', 1 + n % 2, timezone('utc', now())
    from generate_series(10001, 110000) n});
$dbh->do(q{
    insert into voice.calls (sid, organization, caller, called, contact_id,
        ended_at, summary, started_at)
    select 'CA' || n, 1, '+1212' || lpad(n::text, 7, '0'), '+15005550009',
        case when n % 2 = 0 then 1 + n % 9000 end, now(), 'x', now()
    from generate_series(1, 50000) n});
$dbh->do('analyze');

# plans of everything that a function runs

sub plans {
    my ($session, $sql) = @_;

    my @plans;

    local $SIG{__WARN__} = sub { push @plans, @_ };

    $session->do($sql);

    return join "\n", @plans;
}

sub session {
    my $session = $pg->connect('crm', attr => { PrintWarn => 1 });

    $session->do($_) for "load 'auto_explain'",
        'set auto_explain.log_min_duration = 0',
        'set auto_explain.log_nested_statements = on',
        'set auto_explain.log_analyze = on', 'set client_min_messages = log';

    return $session;
}

my $session = session();


subtest 'who calls' => sub {
    for my $round (1, 10) {
        my $plan;

        $plan = plans($session,
            "select voice.caller(1, '+12120020000', 'US')") for 1 .. $round;

        ok $plan =~ /Index Scan using voice_contacts_phone on contacts/,
            "contacts by the index, call $round";
        ok $plan !~ /Seq Scan on contacts/, 'and are not all read';
    }

    for (
        ['+12120020000', 'exact'], ['+12120020002', 'national', 1],
        ['+971500020003', 'exact', 2], ['+12129999999', 'none'],
    ) {
        my ($phone, $match, $organization) = @$_;

        is $pg->call($dbh, 'caller', $organization || 1, $phone, 'US')->{match},
            $match, "$phone: $match";
    }
};


subtest 'a call that begins' => sub {
    my $plan = plans($session, q{select voice.record('[{"key": "k",
        "kind": "call", "call": "CAx", "caller": "+12120020000",
        "called": "+15005550009"}]')});

    ok $plan =~ /using voice_contacts_phone/, 'looks up by the index';
    ok $plan !~ /Seq Scan on contacts/, 'and does not read all contacts';
};


subtest 'earlier calls' => sub {
    my $plan = plans($session, "select voice.caller(1, '+12120000001', 'US')");

    ok $plan !~ /Seq Scan on calls/, 'by an index too';
};


subtest 'the index is what does it' => sub {
    $dbh->do('drop index voice_contacts_phone');

    my $plan = plans(session(), "select voice.caller(1, '+12120020000', 'US')");
    ok $plan =~ /Seq Scan on contacts/, 'without it all contacts are read';

    $dbh->do('call voice.crm_adopt()');
    $plan = plans(session(), "select voice.caller(1, '+12120020000', 'US')");
    ok $plan =~ /using voice_contacts_phone/, 'and migrate brings it back';
};


done_testing;
