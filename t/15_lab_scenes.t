#!/usr/bin/perl

# The stand-in model in the scenes of the demo: what it calls, and that it
# speaks of effects only when they have happened.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::JSON qw(encode_json);
use Voice::Lab::FrontDesk;
use Voice::Lab::Talk;

my @free = map { "2026-11-${_}" } qw(27T09:00 27T09:30 30T14:00);

my %scene = (
    sales => [qw(qualify_lead schedule_meeting transfer_to_human)],
    support => [qw(create_support_ticket add_ticket_comment lookup_knowledge
                   transfer_to_human)],
    front => [qw(route)],
);

my ($tools, $system, @messages, @done, %results);


sub scene {
    my ($name, %facts) = @_;

    $tools = [map { { type => 'function', function => { name => $_,
        parameters => { type => 'object', properties => $_ ne 'route' ? {}
            : { to => { enum => [qw(sales support)] } } } } } }
        @{ $scene{$name} }];
    $system = 'What is known: ' . encode_json({ match => 'none',
        contact => undef, deals => [], tickets => [], %facts });
    @messages = @done = ();
    %results = (
        qualify_lead => sub {
            { score => 10, missing => [grep { !$_[0]{$_} }
                qw(budget authority need timeline)] } },
        schedule_meeting => sub {
            $_[0]{start} ? { meeting => { start => $_[0]{start} } }
                         : { free => \@free } },
        create_support_ticket => sub {
            { ticket => { number => 'TKT-001-000002',
                          answer_within_hours => 8 } } },
        add_ticket_comment => sub {
            { ticket => { number => $_[0]{ticket} }, added => \1 } },
        lookup_knowledge => sub {
            { articles => [{ title => 'Warranty',
                text => "Two years.\nTwo years on the frame." }] } },
        transfer_to_human => sub { { transfer => \1 } },
    );
}


# One turn: what is said in the end.  History keeps what was said, no calls.

sub turn {
    my ($words) = @_;

    push @messages, { role => 'user', content => $words };
    @done = ();

    my @round = ({ role => 'system', content => $system }, @messages);
    my $said;

    for my $n (1 .. 4) {
        my $reply = Voice::Lab::FrontDesk::reply($words, \@round, $tools);

        if (!ref $reply) {
            $said = $reply;
            last;
        }

        my @calls = map { { id => "call_$n", type => 'function', function => {
            name => $_->{name}, arguments => encode_json($_->{arguments}) } }
        } @{ $reply->{calls} };

        push @done, @{ $reply->{calls} };
        push @round, { role => 'assistant', content => undef,
                       tool_calls => \@calls },
            map { { role => 'tool', tool_call_id => "call_$n",
                    content => encode_json($results{ $_->{name} }
                                               ->($_->{arguments})) } }
                @{ $reply->{calls} };
    }

    push @messages, { role => 'assistant', content => $said // '' };
    return $said // 'nothing after four rounds';
}


sub called {
    my ($name, $arguments, $what) = @_;
    my @calls = grep { $_->{name} eq $name } @done;

    is_deeply($calls[-1] && $calls[-1]{arguments}, $arguments, $what)
        or diag(explain(\@done));
}


# --- sales -----------------------------------------------------------------

scene('sales', contact => { name => 'Omar Haddad' },
      deals => [{ title => 'Ten cargo bikes' }]);

like(turn('We need ten more cargo bikes.'), qr/\AI have noted that\. Is there a budget/,
     'need, then the question for the budget');
called('qualify_lead', { need => 'strong' }, 'is noted');
like(turn('Yes, forty thousand dollars are approved.'), qr/Who decides/,
     'then for the authority');
called('qualify_lead', { need => 'strong', budget => 'confirmed' },
       'with what was said before');
like(turn('I decide that myself.'), qr/By when/, 'then for the timeline');
is(turn('We want them next month.'), 'For a talk with a colleague '
   . 'I can offer Friday, November the twenty-seventh, at nine or half past '
   . 'nine in the morning or Monday, November the thirtieth, at two in the '
   . 'afternoon. Which of them suits you?', 'then free times are offered');
is(scalar(@done), 2, 'which were looked up');
like(turn('On Monday at two, please.'), qr/\AYou are booked for Monday, /,
     'the chosen one is booked');
called('schedule_meeting', { start => '2026-11-30T14:00',
                             topic => 'Ten cargo bikes' }, 'and no other');
is_deeply([map { Voice::Lab::Talk->new(text => $_,
               asked => 'Which of them suits you?')->chosen(\@free) }
           'Half past nine.', 'At nine', 'Monday at two', 'the last', 'Yes.'],
          [@free[1, 0, 2, 2, 0]], 'half past nine is not nine');
is(turn('Thank you.'), 'You are welcome. Is there anything else?',
   'nothing more is called');
is_deeply(\@done, [], 'for nothing was said');

turn('I would like a meeting.');
like(turn('Yes, the budget is approved.'), qr/By when|Is there|Who|What do|offer/,
     'a yes to something else');
is_deeply([map { $_->{arguments}{start} // () } @done], [], 'books nothing');
turn('I would like a meeting.');
$results{schedule_meeting} = sub {
    $_[0]{start} ? { error => { code => 'taken', free => [$free[2]] } }
                 : { free => \@free } };
like(turn('The first one.'), qr/can not be had, but I can offer Monday/,
     'a time that is taken is not booked');

scene('sales');
is(turn('I want to buy a bike.'),
   'Gladly. May I have your name first, please?', 'who is not known is asked');
is_deeply(\@done, [], 'before anything is noted');
like(turn('My name is sam reed.'), qr/Is there a budget/, 'then it goes on');
called('qualify_lead', { need => 'some', name => 'Sam Reed' },
       'with the name');

$results{qualify_lead} = sub { { error => { code => 'name_needed' } } };
is(turn('The budget is approved.'), 'May I have your name first, please?',
   'name_needed');
$results{qualify_lead} = sub { { queued => \1 } };
my $said = turn('I decide that.');
like($said, qr/does not answer at the moment\. I have noted it/, 'queued');
unlike($said, qr/booked|opened|added/, 'is not done');
$results{qualify_lead} = sub { { error => { code => 'failed' } } };
like(turn('We need it now.'), qr/did not work/, 'failed');


my @anna = (contact => { name => 'Anna Berg' },
            tickets => [{ number => 'TKT-001-000001' }]);

# --- support ---------------------------------------------------------------

scene('support', @anna);

is(turn('I have a problem with my electric bike.'), 'You have an open ticket, '
   . 'number TKT-001-000001. Is it about that?', 'an open ticket');
is_deeply(\@done, [], 'nothing is written before the answer');
is(turn('Yes, the light is still red.'), 'I have added that to ticket '
   . 'TKT-001-000001. Is there anything else?', 'is added to');
called('add_ticket_comment', { ticket => 'TKT-001-000001',
       comment => 'The light is still red.' }, 'with the words');
like(turn('And the brakes make a terrible noise.'), qr/Shall I open a ticket/,
     'another problem: asked first');
is_deeply(\@done, [], 'before anything is written');
like(turn('Yes, please.'), qr/opened ticket TKT-001-000002 for you\. A colleague/,
     'the number is that of the result');
called('create_support_ticket', { category => 'technical', priority => 'high',
       title => 'The brakes make a terrible noise',
       description => 'The brakes make a terrible noise.' }, 'the ticket');
is(turn('What about the warranty?'), 'Two years on the frame. Does that help?',
   'an article');
called('lookup_knowledge', { query => 'What about the warranty?' }, 'is read');
turn('Let me talk to a person.');
called('transfer_to_human', { reason => 'The caller asked for a person' },
       'a person');

scene('support', @anna);
turn('My bike is broken.');
is(turn('Yes.'), 'What shall I add to it?', 'yes alone');
turn('It fell down the stairs.');
called('add_ticket_comment', { ticket => 'TKT-001-000001',
       comment => 'It fell down the stairs.' }, 'then the words');

scene('support', @anna);
turn('My bike is broken.');
is(turn('No.'), 'I see. Please tell me what happened.', 'no');
like(turn('The saddle came off.'), qr/Shall I open a ticket/, 'something else');
is(turn('No.'), 'Then I leave it. Is there anything else?', 'or nothing');
is_deeply(\@done, [], 'nothing is written');

scene('support');
like(turn('My bike is broken.'), qr/your name/, 'who is not known is asked');
like(turn('Sam Reed.'), qr/Shall I open a ticket/, 'then it goes on');
turn('Yes.');
called('create_support_ticket', { category => 'technical',
       priority => 'medium', title => 'My bike is broken',
       description => 'My bike is broken.', name => 'Sam Reed' },
       'with the name');
$results{lookup_knowledge} = sub { { articles => [] } };
like(turn('What about the warranty?'), qr/do not have that at hand/,
     'no article, no answer');


# --- the front desk --------------------------------------------------------

scene('front');

for my $case (['I would like to order a bike.' => 'sales'],
              ['My ticket is still open.' => 'support'])
{
    my ($words, $flow) = @$case;

    is_deeply(Voice::Lab::FrontDesk::reply($words, [{ role => 'user',
                  content => $words }], $tools),
              { calls => [{ name => 'route', arguments => {
                  to => $flow } }] }, "route: $flow");
}

like(turn('What are your opening hours?'), qr/Tuesday to Friday/,
     'what it knows it answers itself');
is(Voice::Lab::Talk::spoken('2026-12-01T12:30'),
   'Tuesday, December the first, at half past twelve in the afternoon',
   'a time as it is said');

done_testing();
