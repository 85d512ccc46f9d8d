#!/usr/bin/perl

# The lab hears what the lab says.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::Promise;
use Voice::Lab::Audio qw(inspect playable);
use Voice::Lab::Ear;
use Voice::Lab::Espeak;
use Voice::Lab::Tape;

my @lines = ('What are your opening hours?', 'Hello.', 'Yes, please!',
             'I would like to book an appointment.', 'Thank you, goodbye.');
my $ear = Voice::Lab::Ear->new;
my $espeak = Voice::Lab::Espeak->new;


sub sound {
    my ($text, $format) = @_;
    my $audio;

    $espeak->speak_p($text, { format => $format, voice => 'en-us+f3',
                              speed => 0.8 })
        ->then(sub { $audio = $_[0] }, sub { diag $_[0] })->wait;
    return $audio;
}

is(Voice::Lab::Ear::plain("It's 'me', O'Neil - 5!"), "it's me o'neil",
   'plain words');
is($ear->grammar(['Xqzzt brlm']), undef, 'no grammar of unknown words');
like($ear->grammar(['Yes.', 'Xqzzt', 'No']), qr/= yes \| no;/, 'grammar');

for my $line (@lines) {
    is($ear->hear(sound($line, 'wav_16000'), { lines => \@lines }),
       Voice::Lab::Ear::plain($line), "heard: $line");
}

for my $format (qw(mp3_22050_32 wav_8000 ulaw_8000)) {
    my ($codec) = split /_/, $format;

    is($ear->hear(sound($lines[3], $format), { lines => \@lines,
                                               format => $codec }),
       'i would like to book an appointment', "heard in $format");
}

{
    my $heard;

    $ear->hear_p(sound($lines[0], 'wav_16000'), { lines => \@lines })
        ->then(sub { $heard = $_[0] })->wait;
    is($heard, 'what are your opening hours', 'heard in another process');

    like($ear->hear(sound('what are your opening hours', 'wav_16000')),
         qr/\bwhat are\b/, 'without any lines: roughly');
}

# sound files
{
    my $wav = sound($lines[0], 'wav_8000');
    my $mp3 = sound($lines[0], 'mp3_22050_32');
    my ($w, $m) = (inspect($wav), inspect($mp3));

    cmp_ok(abs($w->{seconds} - $m->{seconds}), '<', 0.2, 'same length');
    is(inspect(substr $mp3, 0, length($mp3) - 5)->{error},
       'last MP3 frame is cut', 'cut MP3');
    is(inspect(substr $wav, 0, 500)->{error}, 'data is cut', 'cut WAV');
    like(inspect('<html>')->{error}, qr/no MP3/, 'no sound');
    is(inspect('')->{error}, 'no bytes', 'nothing');
    ok(playable('audio/mpeg; x=y'), 'a type that plays');
    ok(!playable('audio/ogg'), 'a type that does not');

    my $tape = Voice::Lab::Tape->new;

    $tape->add(0.5, $wav);
    $tape->add(0, $mp3);
    cmp_ok(length $tape->pcm, '>', 32000 * (0.4 + 2 * $w->{seconds}), 'tape');
}

done_testing();
