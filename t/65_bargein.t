#!/usr/bin/perl

# Barge-in: what the model is told of an answer that the caller interrupted.
# Lengths of answers and pauses are far apart, so that a busy machine does not
# take one for the other.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Voice::Edge;
use Voice::Scene;

# about a minute of speech; a pause of two seconds is in its first half
my $first = 'This is the first of a great many sentences.';
my $long = join ' ', map {
    "Here comes another sentence, which is there so that the answer is long "
    . "enough, and it has the number $_." } qw(one two three four five six);
my $mark = '[interrupted by the caller about here]';

# Twilio tells when the caller is done, so time tells what was heard

my %base = %{ Voice::Edge->can('flow')->({}, listen => undef) };

my $scene = Voice::Scene->new(
    flows => {
        'general.json' => { %base, limits => { answer => 4000 } },
        'wav.json' => { %base, name => 'wav', limits => { answer => 4000 },
            voice => { id => 'TestVoice0002', format => 'wav_8000' } },
        'mute.json' => Voice::Edge->can('flow')->({}, name => 'mute',
            limits => { answer => 4000 }, voice => undef, listen => undef),
        'unsure.json' => { %base, name => 'unsure',
            limits => { answer => 4000 }, listen => { confidence => 0.5 } },
        'slow.json' => { %base, name => 'slow', limits => { answer => 4000 },
            listen => { speech_timeout => 30 } },
    },
    http_directives => {
        voice_redact => 'card',
        voice_number => ['default flow=general', '+15005550001 flow=wav',
                         '+15005550002 flow=mute', '+15005550003 flow=unsure',
                         '+15005550004 flow=slow'],
    },
    directives => {
        voice_filler_after => '30s', voice_first_token_timeout => '60s',
        voice_token_timeout => '60s', voice_speech_timeout => '12s',
        voice_answer_within => '12s',
    });

my ($model, $speech, $edge) = ($scene->model, $scene->speech, $scene->edge);

sub action { Voice::Scene::Line::action(@_) }
sub redirect { Voice::Scene::Line::redirect(@_) }

# An answer to its last document; returns where the next words go.  It is one
# document: the model's words come at once, and their sound has been made.

my %made;

sub answer {
    my ($line, $target, $say, %params) = @_;

    if (!$made{ join ' ', $say, %params }++) {
        my $other = $scene->line;

        answer($other, $other->open(%params), $say, %params);
    }

    $model->arm({ fault => { say => $say, plain => 1 } });

    my $r = $line->post($target, SpeechResult => 'tell me', %params);

    $r = $line->post(redirect($r), %params) until action($r);

    return action($r);
}

# What the model is told that the agent said before the last words.

sub told {
    my ($line, $target, %params) = @_;

    my $r = $line->post($target, %params);

    $r = $line->post(redirect($r), %params)
        until action($r) || !redirect($r);

    my @said = map { $_->{content} } grep { $_->{role} eq 'assistant' }
        @{ $model->requests->[-1]{body}{messages} };

    return $said[-1];
}

# cut at the end of a word, somewhere in the middle

sub cut {
    my ($told, $whole, $name) = @_;

    my $marked = $told =~ s/(?:^| )\Q$mark\E$//;

    ok $marked, "$name: marked";
    ok length $told < length $whole
        && index("$whole ", "$told ") == 0 || $told eq '',
        "$name: the first words of it" or diag $told;
    isnt $told, $whole, "$name: not all of it";

    return $told;
}

# --- the last document --------------------------------------------------------

for my $case (['mp3'], ['wav', To => '+15005550001'],
              ['Say', To => '+15005550002'])
{
    my ($name, @to) = @$case;
    my $line = $scene->line;
    my $to = answer($line, $line->open(@to), $long, @to);

    sleep 3;

    my $told = cut(told($line, $to, SpeechResult => 'stop', @to), $long, $name);

    cmp_ok length $told, '>', 10, "$name: what was heard is in it";
    cmp_ok length $told, '<', length($long) * 3 / 4, "$name: and not much more";
}

{
    my $line = $scene->line;
    my $to = answer($line, $line->open, $long);

    sleep 2;
    cut(told($line, $to, Digits => '7'), $long, 'a key');
    like join(' ', $edge->log_lines(qr/was interrupted/)),
        qr/turn 1 was interrupted: about \d+ms of the last \d+ms were heard/,
        'a key: the log says so';
    unlike $edge->log, qr/Here comes/, 'without the words';
}

{
    # a recognizer that waits for long: no busy machine is slower
    my @to = (To => '+15005550004');
    my $line = $scene->line;
    my $to = answer($line, $line->open(@to), $long, @to);

    is told($line, $to, SpeechResult => 'stop', @to), $long,
        'sooner than on a telephone: no reason to think so';
}

{
    my $line = $scene->line;
    my $to = answer($line, $line->open, 'We are.');

    sleep 2;
    is told($line, $to, SpeechResult => 'thanks'), 'We are.',
        'after all was heard: all of it';
}

{
    my $line = $scene->line;
    my $to = answer($line, $line->open, $long);

    sleep 2;
    is cut(told($line, $to, SpeechResult => 'a' x 200), $long, 'talked over'),
        '', 'talked over: nothing was heard';
}

{
    # the answer that ends in silence was heard
    my $line = $scene->line;

    $model->arm({ fault => { say => $long, plain => 1 } });

    my $r = $line->post($line->open, SpeechResult => 'tell me');

    $r = $line->post(redirect($r));
    sleep 2;
    is told($line, action($r), SpeechResult => 'now'), $long,
        'after a silence: all of it';
}

{
    # words that were not understood have interrupted it all the same
    my @to = (To => '+15005550003');
    my $line = $scene->line;
    my $to = answer($line, $line->open(@to), $long, @to);

    sleep 2;

    my $r = $line->post($to, SpeechResult => 'mumble', Confidence => 0.1, @to);

    cut(told($line, action($r), SpeechResult => 'stop', @to), $long,
        'misheard');
}

# --- documents before the last ------------------------------------------------

# twice: the second time all sounds have been made, and are in one document

sub in_pieces {
    my $line = $scene->line;
    my $held = $model->counters->{held};

    $model->arm({ fault => { say => "$first $long", hold => 12 } });

    my $r = $line->post($line->open, SpeechResult => 'tell me');

    $model->wait_for('held', $held + 1);
    $model->release;
    $edge->wait_for_log(qr/"\Q${\ $line->sid}\E" turn 1 answered by/);
    $r = $line->post(redirect($r)) until action($r);

    return ($line, $r);
}

{
    in_pieces();

    my ($line, $r) = in_pieces();

    sleep 2;

    my $told = cut(told($line, action($r), SpeechResult => 'stop'),
                   "$first $long", 'in pieces');

    like $told, qr/^\Q$first\E/, 'in pieces: what came before was heard';
}

# --- an answer that is left behind --------------------------------------------

# with the recognizer that waits for long: by the clock nobody interrupts

for my $done (0, 1) {
    my $name = $done ? 'not all given out' : 'still running';
    my $who = $done ? $speech : $model;
    my @to = (To => '+15005550004');
    my $line = $scene->line;
    my $target = $line->open(@to);
    my $held = $who->counters->{held};
    my $rest = "And the rest of it comes $done seconds later, or never at all.";

    $model->arm({ fault => { say => "$first $rest",
                             $done ? () : (hold => 12) } });
    $speech->arm({ match => { text => 'And the rest' },
                   fault => { hold => 'header' } }) if $done;

    my $r = $line->post($target, SpeechResult => 'tell me', @to);

    ok redirect($r), "$name: a part of it";
    $who->wait_for('held', $held + 1);

    # a URL of the operator's own
    is told($line, 'process-speech', SpeechResult => 'something else', @to),
        "$first $mark", "$name: what was given out is kept";
    $who->release;
}

# --- what must not be seen ----------------------------------------------------

{
    my $line = $scene->line;
    my $cards = join ', ', ('The card is 4242 4242 4242 4242') x 30;
    my $to = answer($line, $line->open, "$cards.");

    sleep 2;

    my $told = told($line, $to, SpeechResult => 'stop');

    like $told, qr/\Q$mark\E$/, 'card numbers: cut';
    unlike $told, qr/\d/, 'card numbers: none in it, whole or in part';
}

# --- what is kept meanwhile goes away -----------------------------------------

{
    my $calls = $scene->health->json->{calls};
    my $line = $scene->line;

    answer($line, $line->open, $long);
    $line->post('status', CallStatus => 'completed');
    is $scene->health->json->{calls}, $calls, 'a call that ends in an answer';
    ok $edge->finish, 'and the log is clean';
}

done_testing();
