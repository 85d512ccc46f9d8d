#!/usr/bin/perl

# What "voice_redact" masks is not in the database either, whichever way it
# could get there: a model can put together what the caller has said in several
# turns, call tools with it and say it again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Voice::Edge;
use Voice::Postgres;
use Voice::Scene;

my $json = JSON::PP->new->utf8->canonical;
my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;

my $card = '4242 4242 4242 4242';
my $digits = $card =~ s/ //gr;

my %calls = (
    'and the rest' => { name => 'create_lead', arguments => {
        title => "A card: $card", name => 'Kim Reyes' } },
    'once more' => { name => 'create_lead', arguments => {
        title => 'A number', card => $digits + 0, "of $digits" => [$digits] } },
);

my $scene = Voice::Scene->new(
    model => { reply => sub {
        my ($words, $messages) = @_;

        return "It is $card then." if $words eq 'say it';
        return "Without a voice: $card." if $words eq 'say it plainly';
        return { calls => [$calls{$words}] }
            if $calls{$words} && $messages->[-1]{role} ne 'tool';
        return 'That is noted.';
    } },
    flow => { tools => ['create_lead'] },
    http_directives => {
        voice_redact => 'card',
        voice_database => "\"host=$pg->{dir} dbname=$name user=voice_edge\" "
            . 'timeout=3s',
        voice_number => "default flow=general organization=$larkspur",
    },
    directives => {
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_speech_timeout => '8s',
        voice_answer_within => '10s', voice_tool_timeout => '20s',
    },
);

my ($edge, $model, $speech) = ($scene->edge, $scene->model, $scene->speech);
my @who = (From => '+15005553777');

ok $edge->wait_for_database, 'the database is reached';

my $line = $scene->line;
my $target = $line->open(@who);

# the documents of an answer, until the caller is listened to

sub say {
    my ($words) = @_;

    my $r = $line->post($target, SpeechResult => $words, @who);
    my $all = $r->body;

    until ($target = Voice::Scene::Line::action($r)) {
        $r = $line->post(Voice::Scene::Line::redirect($r), @who);
        $all .= $r->body;
    }

    return $all;
}

sub told { return $json->encode($model->requests->[-1]{body}) }

# every row of the edge's own

sub rows {
    return map { @{ $owner->selectcol_arrayref("select t::text from voice.$_ t") } }
        qw(calls turns steps actions utterances jobs);
}

sub masked {
    my ($name, $text) = @_;

    ok length $text, "$name: there is something";
    unlike $text, qr/4242\W{0,3}4242\W{0,3}4242/, "$name: not the number";
}

# --- arguments of a tool ---------------------------------------------------------

say('it is 4242 4242');
say('and the rest');

is +($owner->selectrow_array('select title from leads l join contacts c on '
    . 'c.id = l.contact_id where c.phone = ?', undef, $who[1]))[0],
    'A card: [card]', 'what a tool is called with is masked';
masked('the call that the model is told of', told());
like told(), qr/A card: \[card\]/, 'with its mask';

say('once more');
masked('a call that can not be done', told());
like told(), qr/\[card\]/, 'is masked as well, a number and a name, too';

# --- what the agent says -----------------------------------------------------------

like say('say it'), qr/<Play>/, 'it is spoken as the model wrote it';

# without a voice the words stand in the document

$speech->arm({ match => { text => 'Without a voice' },
               fault => { preset => 'error' } });

like say('say it plainly'), qr/>Without a voice: \Q$card\E\.</,
    'or said by Twilio';

# documents are kept while the call lasts

my $steps = 'select twiml from voice.steps where turn = 5';

Voice::Edge::wait_for(sub { $owner->selectrow_array(
    "$steps and twiml like '%Without a voice%'") });
masked('documents', join "\n", @{ $owner->selectcol_arrayref($steps) });
like join("\n", @{ $owner->selectcol_arrayref($steps) }),
    qr/>Without a voice: \[card\]\.</, 'documents: masked where it is said';

$line->post('status', CallStatus => 'completed', @who);

# the end is noted by a worker of its own, and so may each turn be

Voice::Edge::wait_for(sub { $owner->selectrow_array(
    "select count(*) from voice.turns where said <> ''") == 6
    && $owner->selectrow_array(
        'select count(*) from voice.calls where ended_at is not null') == 1 });

masked('the database', join "\n", rows());
like join("\n", rows()), qr/That is noted/, 'of which the rest is there';

unlike $edge->log, qr/4242/, 'nothing of it is in the log';
ok $edge->finish, 'which is clean';

done_testing;
