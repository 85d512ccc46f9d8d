#!/usr/bin/perl

# Who calls, from a real database: the greeting does not wait for it, the
# opening and the prompt have it, and a database that is down, hung or slow is
# never heard as silence or as something untrue.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Postgres;
use Voice::Scene;

my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;
my ($marina) = $owner->selectrow_array(
    "select id from organizations where domain = 'marina-yachts.example'");

# as an operator would say it; the password is not asked for here
my $conninfo = "\"host=$pg->{dir} dbname=$name user=voice_edge\"";

my $scene = Voice::Scene->new(
    # words alone: they stand in the documents
    flow => {
        voice => undef,
        opening => 'How can I help you?',
        opening_known => 'Hello {{contact.first_name|there}}, how can I help '
            . 'you today?',
        prompt => 'It is {{time}}, ticket {{ticket.number|none}}.',
    },
    http_directives => {
        voice_database => "$conninfo timeout=6s",
        voice_number => [
            "+15005550009 flow=general organization=$larkspur",
            "+15005550019 flow=general organization=$marina",
            '+15005550029 flow=general organization=999999',
            'default flow=general',
        ],
    },
    directives => {
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_answer_within => '10s',
    },
);

my $edge = $scene->edge;
my $model = $scene->model;

sub up { ok $edge->wait_for_database, 'the database is reached' }

# what the model was told, without the caller's words

sub told {
    my ($request) = @_;

    return join "\n", map { $_->{content} }
        grep { $_->{role} eq 'system' } @{ $request->{body}{messages} };
}

sub talk {
    my ($from, $to, %option) = @_;

    $model->forget;

    my $line = $scene->line(%option);
    my %who = (From => $from, To => $to);
    my $r = $line->post('inbound-webhook', CallStatus => 'ringing', %who);
    my $greeting = [ Voice::Scene::Line::sounds($r) ];

    $r = $line->post(Voice::Scene::Line::redirect($r), %who);

    my @opening = Voice::Scene::Line::sounds($r);

    $line->post(Voice::Scene::Line::action($r), SpeechResult => 'hello', %who);

    my ($request) = @{ $model->requests };

    return { greeting => $greeting, opening => join(' ', @opening),
             told => told($request), request => $request, line => $line };
}

# each worker knows it, not only the one that takes the next call

sub known_again {
    my ($what) = @_;

    Voice::Edge::wait_for(sub {
        !grep { talk('+15005550006', '+15005550009', worker => $_)->{opening}
                !~ /Anna/ } $edge->workers });

    return is talk('+15005550006', '+15005550009')->{opening},
        'Hello Anna, how can I help you today?', $what;
}

up();

my $t = talk('+15005550006', '+15005550009');

is $t->{opening}, 'Hello Anna, how can I help you today?',
    'a customer is greeted by name';
like $t->{told}, qr/"name":"Anna Berg"/, 'the model knows who calls';
like $t->{told}, qr/ticket (?!none)\S+/, 'and the open ticket, by its number';
unlike $t->{told}, qr/Captain|Blue Dhow|Not for other ears/,
    'nothing of another tenant';

$t = talk('+15005550006', '+15005550019');

is $t->{opening}, 'Hello Captain, how can I help you today?',
    'the same telephone is somebody else to another tenant';
unlike $t->{told}, qr/Anna|Larkspur/, 'who knows nothing of the first';

$t = talk('+15005550014', '+15005550009');

is $t->{opening}, 'How can I help you?', 'who is not known is not named';
like $t->{told}, qr/"match":"none"/, 'and the model knows that';

$t = talk('+266696687', '+15005550009');
is $t->{opening}, 'How can I help you?', 'a withheld number is nobody';
like $t->{told}, qr/"match":"withheld"/, 'to the model, too';

$t = talk('+15005550006', '+15005550029');
is $t->{opening}, 'How can I help you?',
    'a number of an organization that does not exist is answered';
unlike $t->{told}, qr/Anna|Captain/, 'and knows nobody';
ok $edge->wait_for_log(
    qr/number is not known to the CRM: number \+15005550029/),
    'the log says which number';

$t = talk('+15005550006', '+15005550099');
is $t->{opening}, 'How can I help you?', 'a number of no organization';
unlike $t->{told}, qr/Anna|Captain/, 'knows nobody';

# two of a tenant's contacts have the number: nobody is named

$owner->do("insert into contacts (name, phone, organization_id, owner_id)
    select 'Second Berg', '+15005550006', organization_id, owner_id
    from contacts where name = 'Anna Berg'");

$t = talk('+15005550006', '+15005550009');
is $t->{opening}, 'How can I help you?', 'an ambiguous number names nobody';
unlike $t->{told}, qr/Anna Berg/, 'not to the model either';

$owner->do("delete from contacts where name = 'Second Berg'");

# the database knows numbers that the configuration does not

$owner->do("insert into voice.numbers (number, organization, flow)
    values ('+15005550077', $marina, 'general')");

$t = talk('+15005550006', '+15005550077');
is $t->{opening}, 'Hello Captain, how can I help you today?',
    'a number of voice.numbers';

# a lock on the tables: the lookup does not come back

my $locker = $pg->connect($name);
$locker->begin_work;
$locker->do('lock table contacts in access exclusive mode');

$t = talk('+15005550006', '+15005550009');
is scalar @{ $t->{greeting} }, 1, 'the greeting does not wait for a lock';
is $t->{opening}, 'How can I help you?', 'the opening does not for ever';
like $t->{told}, qr/CRM can not be reached/, 'and the model is told so';
ok $edge->wait_for_log(qr/goes on without the CRM/), 'the log says so';

$locker->rollback;

known_again('the next call knows its caller again');
up();

# the server is hung: it says nothing, and nothing new begins

my @backends = $pg->hang('voice_edge', $owner);

ok scalar @backends, 'there are backends';

$t = talk('+15005550006', '+15005550009');
is scalar @{ $t->{greeting} }, 1, 'the greeting of a hung database';
is $t->{opening}, 'How can I help you?', 'the opening, too';

kill CONT => @backends;

known_again('it goes on by itself');

# the server is gone

$pg->stop;

$t = talk('+15005550006', '+15005550009');
is scalar @{ $t->{greeting} }, 1, 'the greeting without a database';
is $t->{opening}, 'How can I help you?', 'the opening, too';
like $t->{told}, qr/CRM can not be reached/, 'the model is told so';
like $scene->wait_for_reasons(qr/database_unreachable/),
    qr/database_unreachable/, 'health says so';

$pg->start;
$owner = $pg->connect($name);

known_again('and when it is there again');

sub well {
    my ($what) = @_;

    return is $scene->wait_for_reasons(qr/^$/), '', $what;
}

up();
well('health is good again');

# one connection of three is lost: those that stay have no news

ok Voice::Edge::wait_for(sub { 6 == $owner->selectrow_array(
    "select count(*) from pg_stat_activity where usename = 'voice_edge' "
    . "and state = 'idle' and query <> ''") }),
    'the server has set up each connection, and nothing is under way';

my $lost = () = $edge->log_lines(qr/connection for actions is lost/);
my $ended = $owner->selectrow_array('select count(pg_terminate_backend(pid)) '
    . "from pg_stat_activity where usename = 'voice_edge' "
    . "and query like '%set_config%'");

cmp_ok $ended, '>=', 2, 'each worker has an idle connection for actions';
ok Voice::Edge::wait_for(sub {
    my @lost = $edge->log_lines(qr/connection for actions is lost/);
    @lost >= $lost + 2 }), 'which is ended';
up();
well('and health is good when it is back');

unlike $edge->log, qr/Anna|anna\.berg/, 'no caller in the log';

done_testing;
