#!/usr/bin/perl

# What "voice_redact" masks is seen by nobody: not by rules, nor in the
# history, nor by the model, nor in the log, however talkative that is.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Scene;

my $card = '4242 4242 4242 4242';

my $scene = Voice::Scene->new(
    model => { reply => sub {
        my ($words) = @_;

        return "Sure. It is $card. Your mail is ann\@b.example."
            if $words =~ /tell me/;
        return 'I say it slowly. It is 4242 4242. And then 4242 4242. Is '
            . 'that right?' if $words =~ /slowly/;
        return "You said $words, thank you.";
    } },

    # the debug level shows something in a debug build only
    log_level => 'debug',

    http_directives => {
        voice_redact => [
            'card', 'email', 'iban',
            'pin "\bpin (?:is )?\K\d{4}\b"',
            'slow "(?:x+x+)+y"',
        ],
    },

    # far apart, so that a busy machine does not mix them up
    directives => {
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_speech_timeout => '8s',
        voice_answer_within => '10s',
    },

    flow => {
        rules => [
            { when => '4242|four two', do => 'goodbye', say => 'Unmasked.' },
            { when => '\[iban\]', do => 'goodbye', say => 'No bank here.' },
            { when => '\bbye\b', do => 'goodbye' },
        ],
    },
);

my ($edge, $model) = ($scene->edge, $scene->model);

# What the model was told by a role in the last request

sub told {
    my ($role) = @_;

    my $messages = $model->requests->[-1]{body}{messages};

    return map { $_->{content} } grep { $_->{role} eq $role } @$messages;
}

# A call that is asked for nothing but its words: what each became.

sub becomes {
    my ($name, @pairs) = @_;

    my (@lines, @want);

    while (my ($line, $want) = splice @pairs, 0, 2) {
        push @lines, $line;
        push @want, $want // $line;
    }

    $model->forget;
    my $call = $scene->call('', lines => [@lines]);

    subtest $name => sub {
        is_deeply $call->errors, [], 'no error on the phone'
            or diag explain $call->errors;
        is_deeply [ told('user') ], \@want, 'what the model hears'
            or diag explain [ told('user') ];

        is Voice::Scene::words($call),
            join(' ', map { "You said $_, thank you." =~ s/[][]//gr } @want),
            'and what it can say of it';
    };

    return $call;
}


becomes 'cards',
    "It is $card"                        => 'It is [card]',
    'no 4111-1111-1111-1111 12 29'       => 'no [card] 12 29',
    'so 4111-1111-1111-1112 is wrong'    => undef,
    'four one triple one one, double one double one, one double one, '
        . 'triple one, 12 29'           => '[card], 12 29',
    'call me on 1 500 555 0006'          => undef;

becomes 'mail and more',
    'ann.b@mail.example'                 => '[email]',
    'it is ann dot b at mail dot com ok' => 'it is [email] ok',
    'I am at home at five'               => undef,
    'my pin is 1234 and 12345 is not'    => 'my pin is [pin] and 12345 is not',
    "both ann\@b.example and $card"      => 'both [email] and [card]';


# rules look at what is left

my $call = $scene->call('', lines => ["four two is $card", 'hello']);
is Voice::Scene::words($call), 'Unmasked.', 'a rule sees what stays';

$call = $scene->call('', lines => ["Is $card good", 'bye']);
unlike Voice::Scene::words($call), qr/Unmasked/, 'but not what is masked';

$call = $scene->call('', lines => ['to DE89 3704 0044 0532 0130 00 please']);
is Voice::Scene::words($call), 'No bank here.', 'and it can wait for a mask';


# keys

$model->forget;

my $line = $scene->line;
$line->post($line->open, Digits => $card =~ s/ //gr);
$model->wait_for('finished', 1);
is_deeply [ told('user') ], ['I pressed [card].'], 'keys are masked';


# a pattern that would take for ever

$model->forget;
$call = $scene->call('', lines => ['well, ' . 'x' x 60 . " z y $card"]);
is_deeply [ told('user') ], ['[slow][card]'],
    'what was not looked at is masked';
ok $edge->wait_for_log(qr/\[warn\].* "voice_redact\ slow"\ gave\ up,\ its
                          \ pattern\ takes\ too\ many\ steps/x),
    'which is logged';


# nothing of that is in the log

my $log = $edge->log;

for my $words ($card, $card =~ s/ //gr, '4111-1111-1111-1111', 'double one',
               'ann.b@', 'ann dot b', 'mail.example', 'ann@b', 'pin is 1234',
               '3704 0044', 'xxxxx')
{
    ok index($log, $words) < 0, "not in the log: $words";
}


# what the agent itself says

$model->forget;
$call = $scene->call('', lines => ['tell me', 'slowly please', 'hello']);
like Voice::Scene::words($call), qr/It is \Q$card\E\. .*ann\@b\.example/,
    'what it says is said';
is_deeply [ told('assistant') ], [
    'Welcome to Test Company. How can I help you?',
    'Sure. It is [card]. Your mail is [email].',
    'I say it slowly. It is [card]. Is that right?',
], 'what is kept of it is masked, beyond the end of a piece, too';


# an answer that another worker goes on with: the nine words of the first
# sentence, the role and one more are sent before the worker is killed

$model->forget;
my $held = $model->counters->{held};
$model->arm({ fault => { say => "It is $card on the card. And that is all.",
                         hold => 11 } },
            { fault => { say => 'And that is all.' } });

$line = $scene->line;
my $r = $line->post($line->open, SpeechResult => 'again');
$model->wait_for('held', 1 + $held);
$edge->kill_worker($line->worker);

my $other = $line->other;
$r = $other->post(Voice::Scene::Line::redirect($r));
is_deeply [ (told('assistant'))[-1] ], ['It is [card] on the card.'],
    'who takes over is told of it with its mask';

$model->release;
$_->hang_up for $line, $other;


# without the directive

$edge->reconfigure(http_directives => {},
                   flow => { rules => [], keys => {} });
ok $edge->reload, 'reload';
$edge->wait_for_old_workers;

becomes 'without the directive', "It is $card" => undef,
    'ann.b@mail.example' => undef;


# the directive

sub refused {
    my ($like, @values) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($name) = "$like" =~ /^\(\?\^\w*:(.*)\)$/s;
    $edge->bad_conf($name =~ s/\s+/ /gr, $like,
                    http_directives => { voice_redact => [@values] });
}

refused(qr/invalid number of arguments in "voice_redact" directive/, '');
refused(qr/invalid number of arguments in "voice_redact" directive/, 'a b c');
refused(qr/"ssn" needs a pattern, only "card", "email" and "iban" are built/,
        'ssn');
refused(qr/"ssn", at offset 3: missing closing parenthesis in .*:\d+/,
        'ssn a(b');
refused(qr/"\\d\*" of "ssn", at offset 0: it can match an empty text/,
        'ssn \d*');
refused(qr/invalid pattern "" of "ssn"/, 'ssn ""');
refused(qr/name "card" is duplicate/, 'card', 'card');
refused(qr/name "x" is duplicate/, 'x a', 'card', 'x b');
refused(qr/invalid name "Card", it is up to 32 lower-case letters/, 'Card');
refused(qr/invalid name "a\]"/, 'a] b');
refused(qr/invalid name "${\('a' x 33)}"/, 'a' x 33 . ' b');
refused(qr/more than 64 "voice_redact" directives/,
        map { "x$_ $_" } 1 .. 65);

$edge->bad_conf('not in a server', qr/"voice_redact" directive is not allowed/,
                directives => { voice_redact => 'card' });

$edge->good_conf('64, and a pattern of one\'s own for a name that is built in',
    http_directives => { voice_redact => [
        'card "\d{13,19}"', map { "x$_ $_" } 1 .. 63 ] });
done_testing;
