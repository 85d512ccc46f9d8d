#!/usr/bin/perl

# Admission: what a caller hears for whom there is no room, and how many
# requests a provider is given at the same time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Voice::Edge;
use Voice::Scene;

my %base = %{ Voice::Edge->can('flow')->({}) };

# --- no room for one more call ----------------------------------------------

{
    my $scene = Voice::Scene->new(
        flows => {
            'general.json' => { %base, busy => { say => 'Later, please.' } },
            'human.json' => { %base, name => 'human', busy => {
                say => 'Somebody else helps you.', do => 'human' } },
        },
        http_directives => {
            voice_max_calls => 1,
            voice_warm => 'on interval=1ms',
            voice_number => ['default flow=general',
                             '+15005550001 flow=human'],
        });

    ok $scene->edge->wait_for_log(qr/stock phrases are ready/), 'warm';

    my $made = @{ $scene->speech->requests };
    my $line = $scene->line;

    ok $line->open, 'one call is there';

    my $call = $scene->call('/', lines => ['not heard']);

    is_deeply Voice::Scene::heard($call), ['play Later, please.'],
        'busy: the next caller hears so';
    is $call->reason, 'hangup', 'busy: and that is the end';
    is_deeply $call->errors, [], 'busy: properly';

    $call = $scene->call('/', to => '+15005550001', lines => ['not heard']);

    is Voice::Scene::heard($call)->[0], 'play Somebody else helps you.',
        'busy: another flow has its own line';
    is_deeply [map { $_->{number} } @{ $call->dialed }], ['+15005550010'],
        'busy: and its human';
    is scalar @{ $scene->speech->requests }, $made,
        'busy: the lines were there before the first call';
    is $scene->health->json->{counters}{no_room}, 2, 'busy: counted';
    ok scalar $scene->edge->log_lines(qr/is refused: the zone is full, or/),
        'busy: logged';
    ok $scene->edge->finish, 'and the log is clean';
}

done_testing();
