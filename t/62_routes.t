#!/usr/bin/perl

# From one flow to another, by words or by the model; the ways out of a call
# that the model has: a human and a goodbye.  All of it without a database.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Voice::Edge;
use Voice::Scene;

my %base = %{ Voice::Edge->can('flow')->({}) };

sub flow {
    my ($name, %more) = @_;

    return { %base, name => $name, rules => [$base{rules}[0]], keys => {},
             voice => { id => "Voice_$name" },
             prompt => "You are \U$name\E.", %more };
}

# What the model does with the caller's words, request by request.

my %plan = (
    'buy' => [ { calls => [{ name => 'route',
                             arguments => { to => 'sales' } }] },
               'Which bike do you like?' ],
    'buy kindly' => [ { say => 'I will ask a colleague.',
                        calls => [{ name => 'route',
                                    arguments => { to => 'sales' } }] },
                      'Which bike do you like?' ],
    'circle' => [ { calls => [{ name => 'route',
                                arguments => { to => 'sales' } }] },
                  { calls => [{ name => 'route',
                                arguments => { to => 'general' } }] },
                  'Here we are again.' ],
    'nowhere' => [ { calls => [{ name => 'route',
                                 arguments => { to => 'moon' } }] },
                   'I can not do that.' ],
    'person' => [ { say => 'I connect you.',
                    calls => [{ name => 'transfer_to_human',
                                arguments => { reason => 'asked' } }] } ],
    'person now' => [ { calls => [{ name => 'transfer_to_human' }] } ],
    'enough' => [ { say => 'Until next time.',
                    calls => [{ name => 'end_call',
                                arguments => { outcome => 'done' } }] } ],
    'enough now' => [ { calls => [{ name => 'end_call' }] } ],
    'create' => [ { calls => [{ name => 'create_lead' }] },
                  'That is not possible here.' ],
);

sub reply {
    my ($words, $messages) = @_;
    my $round = 0;

    for my $m (reverse @$messages) {
        last if $m->{role} eq 'user';
        $round++ if $m->{tool_calls};
    }

    return $plan{$words}[$round] // "You said $words.";
}

my $hours = sub {
    my (@days) = @_;
    return { days => \@days, from => '00:00', to => '24:00' };
};
my @days = qw(sun mon tue wed thu fri sat);
my $today = (localtime)[6];

my $scene = Voice::Scene->new(
    model => { reply => \&reply },
    flows => {
        'general.json' => flow('general',
            tools => ['create_lead', 'transfer_to_human', 'end_call'],
            routes => [
                { to => 'sales', when => '\bprice\b',
                  description => 'new bikes and what they cost' },
                { to => 'support', when => '\bbroken\b',
                  say => 'I hand you to {{company}} service.' },
                { to => 'sales', when => '(a+)+$' } ]),
        'sales.json' => flow('sales',
            slots => [{ name => 'budget', description => 'in dollars' },
                      { name => 'size' }],
            fallback => { number => '+15005550011' },
            tools => ['transfer_to_human'],
            routes => [{ to => 'general' }]),
        'support.json' => flow('support', tools => ['transfer_to_human'],
            escalation => { number => '+15005550012' }),
        'closed.json' => flow('closed', tools => ['transfer_to_human'],
            escalation => { hours => $hours->($days[($today + 3) % 7]) }),
        'open.json' => flow('open', tools => ['transfer_to_human'],
            escalation => { hours => $hours->(@days) }),
        'alone.json' => flow('alone', tools => ['transfer_to_human'],
            fallback => { after => 2, say => 'I give up.' }),
    },
    http_directives => { voice_number => [
        'default flow=general', '+15005550001 flow=closed',
        '+15005550002 flow=open', '+15005550003 flow=alone',
        '+15005550004 flow=general voice=Voice_number' ] },
    directives => { voice_filler_after => '20s',
                    voice_first_token_timeout => '20s',
                    voice_token_timeout => '20s',
                    voice_speech_timeout => '8s',
                    voice_answer_within => '10s' },
);

sub call {
    my ($lines, %option) = @_;

    $scene->model->forget;
    $scene->speech->forget;

    return $scene->call('/', lines => $lines, %option);
}

# the flow that answered each request, by its prompt

sub personas {
    return map { $_->{body}{messages}[0]{content} =~ /^You are (\w+)\./ }
        @{ $scene->model->requests };
}

sub tools {
    my ($request) = @_;

    return join ' ', map { $_->{function}{name} }
        @{ $request->{body}{tools} || [] };
}

# the voices of words, in one string

sub voice_of {
    my ($words) = @_;

    return join ' ', map { $_->{path} =~ m{/(Voice_\w+)} }
        grep { ($_->{body}{text} // '') =~ /\Q$words\E/ }
        @{ $scene->speech->requests };
}

# --- by words ----------------------------------------------------------------

{
    my $call = call(['hello', 'what is the price', 'and then', 'goodbye']);

    is_deeply $call->errors, [], 'by words: a proper call';
    is join(' ', personas()), 'GENERAL SALES SALES',
        'by words: the other flow answers this turn, and stays';
    is voice_of('You said hello'), 'Voice_general', 'its voice was another';
    is voice_of('You said what is the price'), 'Voice_sales', 'than now';

    my ($first, $second) = @{ $scene->model->requests };

    is tools($first), 'route transfer_to_human end_call',
        'without a database the edge has tools of its own';
    is tools($second), 'route transfer_to_human', 'each flow has its own';
    like $second->{body}{messages}[0]{content},
        qr/do not know yet.*\n- budget: in dollars\n- size\n/s,
        'what it wants to find out is in the prompt';
    unlike $first->{body}{messages}[0]{content}, qr/do not know yet/,
        'where there is something';
    is_deeply [ map { $_->{content} } grep { $_->{role} eq 'user' }
                    @{ $second->{body}{messages} } ],
        ['hello', 'what is the price'], 'the history stays';

    my ($route) = grep { $_->{function}{name} eq 'route' }
        @{ $first->{body}{tools} };

    is_deeply $route->{function}{parameters}{properties}{to}{enum},
        ['sales', 'support'], 'each flow once';
    like $route->{function}{description}, qr/sales: new bikes/,
        'with what it is for';
}

{
    my $call = call(['it is broken', 'person', { hangup => 1 }]);

    like Voice::Scene::words($call),
        qr/^I hand you to Test Company service\. You said it is broken\./,
        'a line on the way';
    is voice_of('I hand you'), 'Voice_general', 'by who the caller knows';
    is voice_of('You said it is broken'), 'Voice_support', 'then the other';
    is_deeply [map { $_->{number} } @{ $call->dialed }], ['+15005550012'],
        'whose human it is in the end';

    my ($first) = @{ $scene->model->requests };

    is $first->{body}{messages}[-2]{content},
        'I hand you to Test Company service.', 'the model knows the line';
}

{
    my $call = call(['a' x 40 . '!', 'goodbye']);

    is join(' ', personas()), 'GENERAL',
        'a pattern that takes too many steps does not match';
}

# --- by the model ------------------------------------------------------------

{
    my $call = call(['buy', 'the red one', 'goodbye']);

    is_deeply $call->errors, [], 'by the model: a proper call';
    is join(' ', personas()), 'GENERAL SALES SALES',
        'by the model: the other flow answers';
    is voice_of('Which bike'), 'Voice_sales', 'with its voice';

    my @requests = @{ $scene->model->requests };
    my @m = @{ $requests[1]{body}{messages} };

    is_deeply [ map { $_->{role} } @m[-3 .. -1] ],
        ['user', 'assistant', 'tool'], 'call and result';
    is $m[-2]{tool_calls}[0]{id}, $m[-1]{tool_call_id}, 'with one id';
    is $m[-2]{tool_calls}[0]{function}{arguments}, '{"to":"sales"}',
        'arguments';
    like $m[-1]{content}, qr/do not ask what the caller has already said/,
        'nothing is asked twice';

    @m = @{ $requests[2]{body}{messages} };
    is join(' ', map { $_->{role} } @m[-5 .. -1]),
        'user assistant tool assistant user', 'later turns know of it';
}

{
    my $call = call(['buy kindly', 'goodbye']);
    my ($first, $second) = @{ $scene->model->requests };

    like Voice::Scene::words($call), qr/^I will ask a colleague\. Which bike/,
        'words before the call are spoken';
    is voice_of('I will ask'), 'Voice_general', 'by the first';
    is $second->{body}{messages}[-2]{content}, 'I will ask a colleague.',
        'and are known to the second';
    is $second->{body}{messages}[-1]{role}, 'tool', 'with nothing after them';
}

{
    my $call = call(['circle', 'goodbye']);

    is join(' ', personas()), 'GENERAL SALES GENERAL', 'there and back';
    like Voice::Scene::words($call), qr/Here we are again/, 'with an answer';
}

{
    my $call = call(['nowhere', 'goodbye']);
    my (undef, $second) = @{ $scene->model->requests };

    like $second->{body}{messages}[-1]{content},
        qr/invalid_argument.*\\"to\\" must be one of: sales, support/,
        'nowhere: the model is told where there is';
    is join(' ', personas()), 'GENERAL GENERAL', 'nowhere: nothing happened';
}

{
    my $call = call(['create', 'goodbye']);
    my (undef, $second) = @{ $scene->model->requests };

    like $second->{body}{messages}[-1]{content}, qr/"unknown_tool"/,
        'what is not offered is not there';
}

{
    my $call = call(['buy', 'goodbye'], to => '+15005550004');

    is voice_of('Which bike'), 'Voice_number',
        'a voice of the number stays with the number';
}

# --- a human -----------------------------------------------------------------

{
    my $call = call(['person', { hangup => 1 }]);

    is_deeply $call->errors, [], 'human: a proper call';
    is Voice::Scene::words($call), "I connect you. $base{goodbye}",
        'human: what the model says, and a goodbye when the human is gone';
    is_deeply [map { $_->{number} } @{ $call->dialed }], ['+15005550010'],
        'human: then the number';
    is scalar @{ $scene->model->requests }, 1, 'in one request';
}

{
    my $call = call(['person now', { hangup => 1 }]);

    is Voice::Scene::words($call), "I connect you now. $base{goodbye}",
        'human without a word: the line of the flow';
    is_deeply [map { $_->{number} } @{ $call->dialed }], ['+15005550010'],
        'and the number';
}

{
    my $call = call(['buy', 'person', { hangup => 1 }]);

    is_deeply [map { $_->{number} } @{ $call->dialed }], ['+15005550011'],
        'the number is that of the flow where the call is now';
}

{
    my $call = call(['person', 'goodbye'], to => '+15005550001');
    my (undef, $second) = @{ $scene->model->requests };

    is_deeply $call->dialed, [], 'outside hours: nobody is called';
    like $second->{body}{messages}[-1]{content}, qr/"nobody_there"/,
        'outside hours: the model knows';

    $call = call(['person', { hangup => 1 }], to => '+15005550002');
    is scalar @{ $call->dialed }, 1, 'within hours: somebody is';

    $call = call(['hello', 'goodbye'], to => '+15005550003');
    is tools($scene->model->requests->[0]), '',
        'where there is no human none is offered';
    ok !exists $scene->model->requests->[0]{body}{tools},
        'and a flow without tools sends none';
}

# --- goodbye -----------------------------------------------------------------

{
    my $call = call(['enough']);

    is Voice::Scene::words($call), 'Until next time.',
        'end: the words of the model';
    is $call->reason, 'hangup', 'end: then the call is over';

    $call = call(['enough now']);
    is Voice::Scene::words($call), $base{goodbye},
        'end without a word: the goodbye of the flow';
    is $call->reason, 'hangup', 'and the call is over';
}

# --- a reload takes the flow away -------------------------------------------

{
    my $line = $scene->line;
    my $action = $line->open;
    my $r = $line->post($action, SpeechResult => 'what is the price');

    $r = $line->post(Voice::Scene::Line::redirect($r))
        while !Voice::Scene::Line::action($r);
    $line->hang_up;

    my %flows = %{ $scene->edge->{flows} };

    delete $flows{'sales.json'};
    $flows{'general.json'} = { %{ $flows{'general.json'} },
        routes => [{ to => 'support' }] };
    $scene->edge->reconfigure(flows => \%flows);
    unlink $scene->edge->path('flows/sales.json');
    $scene->edge->reload;
    $scene->model->forget;

    $line = $line->other;
    $line->post(Voice::Scene::Line::action($r), SpeechResult => 'and now');

    is join(' ', personas()), 'GENERAL', 'a flow that is gone: back to the '
        . 'number\'s';
}

done_testing;
