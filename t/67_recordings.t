#!/usr/bin/perl

# With a database a recording is deleted by a job: it is noted once, whatever
# happens to the call.

use strict;
use warnings;

use Test::More;

use FindBin;
use JSON::PP;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Postgres;
use Voice::Scene;

my ($pg, $name, $owner) = Voice::Postgres->crm;

my $scene = Voice::Scene->new(
    transcription => {}, twilio => {},
    flow => { listen => { mode => 'whisper', delete_recordings => \1 } },
    http_directives => { voice_database =>
        "\"host=$pg->{dir} dbname=$name user=voice_edge\" timeout=3s" },
    directives => {
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_answer_within => '10s',
    },
);

sub jobs {
    my ($n) = @_;

    my $jobs;

    Voice::Edge::wait_for(sub {
        $jobs = $owner->selectall_arrayref('select key, payload::text from '
            . "voice.jobs where kind = 'delete_recording' order by id");
        return @$jobs >= $n;
    });

    return map { { key => $_->[0], %{ decode_json($_->[1]) } } } @$jobs;
}

my $call = $scene->call('', lines => ['hello', { digits => '5' },
                                      { hangup => 1 }]);
my @recordings = map { $_->{sid} } @{ $call->recordings };
my @jobs = jobs(3);

is_deeply $call->errors, [], 'a call';
is_deeply [ sort map { $_->{recording} } @jobs ], [ sort @recordings ],
    'a job for each recording: transcribed, ended by a key, hung up';
is_deeply { map { $_->{account} => 1 } @jobs },
    { $scene->edge->account => 1 }, 'of the account';
is_deeply [ sort map { $_->{key} } @jobs ],
    [ sort map { $call->sid . "/recording/$_" } @recordings ],
    'with a key of its own';
is scalar(grep { $_->{method} eq 'DELETE' } @{ $scene->twilio->requests }), 0,
    'and nothing is deleted on the way';

done_testing();
