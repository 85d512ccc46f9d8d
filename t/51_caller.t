#!/usr/bin/perl

# Whose a number is, and who is calling.
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
my ($bikes, $yachts) = @{ $dbh->selectcol_arrayref(
    'select id from organizations order by id') };

sub number { return $pg->call($edge, 'number', @_) }
sub caller_of { return $pg->call($edge, 'caller', @_) }

sub contact {
    my ($organization, $name, $phone) = @_;

    return $dbh->selectrow_array(q{
        insert into contacts (name, email, phone, company, organization_id,
            created_at) values (?, '', ?, '', ?, timezone('utc', now()))
        returning id}, {}, $name, $phone, $organization);
}


subtest 'numbers' => sub {
    my $n = number('+15005550009');

    is_deeply $n, {
        number => '+15005550009', organization => $bikes, flow => 'general',
        organization_name => 'Larkspur Bikes', source => 'numbers',
        language => undef, timezone => 'America/New_York', country => 'US',
        user => 1, provider => 1,
    }, 'of voice.numbers, every default filled in';

    $n = number('+15005550019');
    is $n->{organization}, $yachts, 'of the CRM\'s own number table';
    is $n->{source}, 'crm', 'which is told';
    is $n->{timezone}, 'Asia/Dubai', 'zone of the organization';
    is $n->{user}, 3, 'its admin acts';
    is $n->{provider}, 2, 'on its provider';

    $n = number('+15005550099');
    is $n->{organization}, undef, 'of nobody';
    is $n->{timezone}, 'UTC', 'is in UTC';

    $n = number('+15005550009', {
        organization => $yachts, flow => 'sales', timezone => 'Europe/Berlin',
        country => '+49', language => 'de-DE',
    });
    is $n->{organization}, $yachts, 'the configuration wins';
    is join(' ', @$n{qw(flow timezone country language user provider)}),
        'sales Europe/Berlin DE de-DE 3 2', 'in all it says, the rest follows';

    # what is said of all numbers that nobody else has a word for

    my %default = (otherwise => { organization => $yachts, flow => 'sales' });

    $n = number('+15005550099', \%default);
    is $n->{organization}, $yachts, 'the default of the configuration';
    is "$n->{flow} $n->{source}", 'sales configuration', 'and its flow';
    $n = number('+15005550009', \%default);
    is $n->{organization}, $bikes, 'which takes nothing from voice.numbers';
    is $n->{flow}, 'general', 'nor from their flow';
    is number('+15005550019', { otherwise => { organization => $bikes } })
        ->{organization}, $yachts, 'nor from the CRM';
    is number('+15005550099', { otherwise => 'nonsense' })->{organization},
        undef, 'and is an object or nothing';

    is number('+15005550009', { organization => 77 })->{error}{code},
        'unknown_organization', 'an organization that there is not';
    is number('+15005550009', { timezone => 'Mars/North' })->{timezone},
        'America/New_York', 'a zone that there is not';
    is number('+15005550009', { timezone => 'EST5EDT4' })->{timezone},
        'America/New_York', 'a rule is no zone';

    $dbh->do('insert into voice.organizations (organization, timezone, country,
        language, user_id) values (?, ?, ?, ?, 2)', {}, $bikes,
        'America/Chicago', 'CA', 'fr-CA');
    $n = number('+15005550009');
    is join(' ', @$n{qw(timezone country language user)}),
        'America/Chicago CA fr-CA 2', 'voice.organizations before the CRM';

    $dbh->do("update voice.numbers set timezone = 'America/Denver', user_id = 3,
        provider_id = 2");
    $n = number('+15005550009');
    is $n->{timezone}, 'America/Denver', 'voice.numbers before that';
    is $n->{user}, 1, 'but never with a user of another tenant';
    is $n->{provider}, 1, 'nor with its provider';

    $dbh->do('delete from voice.organizations');
    $dbh->do('update voice.numbers set timezone = null, user_id = null,
        provider_id = null');

    $dbh->do("update pbx_providers set did_numbers =
        '[\"+15005550019\", \"+15005550009\"]' where id = 1");
    is number('+15005550019')->{organization}, undef,
        'a number that two claim is nobody\'s';
    $dbh->do("update pbx_providers set did_numbers = '+15005550009, 12'
        where id = 1");
    is number('+15005550019')->{organization}, $yachts, 'a list that is no JSON';
    $dbh->do("update pbx_providers set did_numbers = '[\"\", \"main line\"]'
        where id = 1");
    is number($_)->{organization}, undef, "\"$_\" is nobody's"
        for '', 'sip:sales@bikes.example', 'client:anna';
    $dbh->do("update organizations set settings = 'in New York' where id = 1");
    is number('+15005550009')->{timezone}, 'UTC', 'settings that are no JSON';
};


subtest 'who is known' => sub {
    my $c = caller_of($bikes, '+15005550006');

    is $c->{match}, 'exact', 'found';
    is $c->{contact}{name}, 'Anna Berg', 'by name';
    is $c->{contact}{first_name}, 'Anna', 'and how she is greeted';
    is $c->{account}{type}, 'standard', 'a customer';
    is scalar @{ $c->{deals} }, 0, 'a deal that was won is not open';
    is $c->{tickets}[0]{title}, 'Battery does not charge', 'her ticket';
    like $c->{tickets}[0]{created}, qr/^\d{4}-\d\d-\d\dT[\d:]+Z$/, 'since';

    $c = caller_of($bikes, '+15005550012');
    is $c->{match}, 'national', 'a national number with an extension';
    is $c->{company}, 'City Couriers', 'the company';
    is $c->{deals}[0]{title}, 'Ten cargo bikes', 'his deal';
    is $c->{deals}[0]{stage}, 'Proposal Sent', 'its stage';
    is $c->{leads}[0]{score}, 26, 'his lead';
    like $c->{activities}[0]{message}, qr/quote for ten/, 'what was last';

    $c = caller_of($bikes, '+15005550014');
    is $c->{match}, 'none', 'somebody new';
    is $c->{contact}, undef, 'is nobody';
    is_deeply $c->{deals}, [], 'and lists are lists';

    $c = caller_of($yachts, '+15005550006');
    is $c->{contact}{name}, 'Captain Idris', 'the same number, another tenant';
    is $c->{deals}[0]{title}, 'Season charter', 'has its own deals';
    is_deeply $c->{tickets}, [], 'and not the other\'s tickets';
};


subtest 'who is nobody' => sub {
    contact($bikes, 'No Number', '');
    contact($bikes, 'Lesotho', '+266696687');

    for my $phone ('', 'anonymous', 'Restricted', 'unknown', '+266696687',
        '+7378742833', '+86282452253', '+8656696', '+2562533', '12345', '+',
        'client:anna', 'sip:+15005550006@example.com', 'whatsapp:+15005550006',
        '+1500555000612345')
    {
        my $c = caller_of($bikes, $phone);

        is $c->{match}, 'withheld', "\"$phone\"";
        is $c->{contact}, undef, 'no name';
    }

    is $pg->call($edge, 'caller', $bikes, undef)->{match}, 'withheld', 'null';
    is $pg->call($edge, 'caller', undef, '+15005550006')->{contact}, undef,
        'of no organization';
};


subtest 'numbers as people write them' => sub {
    my $n = 0;

    my @same = (
        ['US', '+12025550143', '+12025550143', 'exact'],
        ['US', '+12025550144', '001-202-555-0144', 'exact'],
        ['US', '+12025550145', '+1 (202) 555-0145 x12', 'exact'],
        ['US', '+12025550146', '1 202 555 0146', 'exact'],
        ['US', '+12025550147', '202.555.0147', 'national'],
        ['AE', '+971501230001', '+971 501230001', 'exact'],
        ['AE', '+971501230002', '050 123 0002', 'national'],
        ['AE', '+971501230003', '+971 (0)50 123 0003', 'national'],
        ['GB', '+442079460018', '020 7946 0018', 'national'],
        ['GB', '+442079460019', '00 44 20 7946 0019', 'exact'],
        ['IT', '+390669820001', '06 6982 0001', 'national'],
        ['US', '+12025550148', '9-1-202-555-0148', 'suffix'],
    );

    for my $case (@same) {
        my ($country, $calling, $stored, $match) = @$case;
        my $id = contact($bikes, 'Same ' . $n++, $stored);
        my $c = caller_of($bikes, $calling, $country);

        is $c->{match}, $match, "$stored is $calling";
        is $c->{contact}{id}, $id, 'the very one';
    }

    contact($bikes, 'London', '+44 2025550199');
    is caller_of($bikes, '+12025550199', 'US')->{match}, 'none',
        'two whole numbers of two countries are two';

    contact($bikes, 'Short', '+1-555-0123');
    is caller_of($bikes, '+12025550123', 'US')->{match}, 'none',
        'a number that is too short matches nobody';
};


subtest 'more than one' => sub {
    contact($bikes, 'Ida', '+12025550170');
    contact($bikes, 'Ole', '+1 202 555 0170');

    my $c = caller_of($bikes, '+12025550170');
    is $c->{match}, 'ambiguous', 'is told';
    is $c->{matches}, 2, 'how many';
    is $c->{contact}, undef, 'and neither is named';

    contact($bikes, 'Exactly', '+12025550171');
    contact($bikes, 'Nearly', '202 555 0171');
    is caller_of($bikes, '+12025550171')->{contact}{name}, 'Exactly',
        'the better match is one';

    contact($bikes, 'Suffix one', '9 202 555 0172');
    contact($bikes, 'Suffix two', '8 202 555 0172');
    is caller_of($bikes, '+12025550172')->{match}, 'ambiguous',
        'last digits of two people';
};


subtest 'earlier calls' => sub {
    my $note = sub {
        my ($sid, $caller, %more) = @_;

        my $result = $pg->call($edge, 'record', [
            { key => "$sid/call", kind => 'call', call => $sid,
              caller => $caller, called => '+15005550009' },
            { key => "$sid/end", kind => 'outcome', call => $sid,
              status => 'completed', duration => 61, %more },
        ]);
        is scalar @{ $result->{acknowledged} }, 2, "$sid noted"
            or diag explain $result;
    };

    $note->('CA01', '+15005550006', summary => 'Asked about the battery.',
        sentiment => 'worried', next_step => 'Call back', outcome => 'answered');
    $note->('CA02', '+15005550014', summary => 'Asked for the hours.');
    $note->('CA03', 'anonymous', summary => 'Said nothing.');

    my $c = caller_of($bikes, '+15005550006');
    is $c->{calls}[0]{summary}, 'Asked about the battery.', 'of a contact';
    is $c->{calls}[0]{sentiment}, 'worried', 'with how it felt';
    is $c->{calls}[0]{duration}, 61, 'and how long';

    is caller_of($bikes, '+15005550014')->{calls}[0]{summary},
        'Asked for the hours.', 'of a number that is nobody yet';
    is_deeply caller_of($bikes, 'anonymous')->{calls}, [],
        'all who withhold are not one';
    is_deeply caller_of($yachts, '+15005550006')->{calls}, [],
        'and of one\'s own tenant only';
};


subtest 'a server that only reads' => sub {
    my $standby = $pg->connect('crm', user => 'voice_edge');

    $standby->do('set default_transaction_read_only = on');

    is $pg->call($standby, 'number', '+15005550009')->{organization}, $bikes,
        'knows numbers';
    is $pg->call($standby, 'caller', $bikes, '+15005550006')->{contact}{name},
        'Anna Berg', 'callers';
    ok $pg->call($standby, 'resume', 'CA01')->{found}, 'and calls';

    ok !eval { $pg->call($standby, 'record', [{ key => 'ro', kind => 'call',
        call => 'CA09' }]); 1 }, 'and refuses no note';
    is $standby->state, '25006', 'it says that it only reads';
    ok !eval { $pg->call($standby, 'act', 'CA01', 'ro', 'end_call', {}); 1 },
        'nor an action';
    is $standby->state, '25006', 'but raises';
};


done_testing;
