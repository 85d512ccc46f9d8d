package Voice::Lab::Audio;

# What a sound file is and how long it plays: MP3 frames, WAV, raw mu-law.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(inspect playable);

# What Play accepts
my %types = map { $_ => 1 } qw(audio/mpeg audio/wav audio/wave audio/x-wav
    audio/aiff audio/x-aifc audio/x-aiff audio/x-gsm audio/gsm audio/ulaw);

my %bitrates = (
    1 => [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    2 => [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
);
my %rates = (3 => [44100, 48000, 32000], 2 => [22050, 24000, 16000],
             0 => [11025, 12000, 8000]);


sub playable {
    my ($type) = @_;

    return exists $types{ lc(($type // '') =~ s/\s*;.*//sr) };
}


# inspect(bytes, content type) => { format, rate, channels, seconds } or
# { error }

sub inspect {
    my ($bytes, $type) = @_;

    return { error => 'no bytes' } if !length $bytes;
    return _wav($bytes) if substr($bytes, 0, 4) eq 'RIFF';
    return { format => 'ulaw', rate => 8000, channels => 1,
             seconds => length($bytes) / 8000 }
        if ($type // '') =~ m{\Aaudio/(?:ulaw|basic)};
    return _mp3($bytes);
}


sub _wav {
    my ($bytes) = @_;
    my ($at, $format, $data) = (12);

    return { error => 'not WAVE' } if substr($bytes, 8, 4) ne 'WAVE';

    while ($at + 8 <= length $bytes) {
        my ($id, $size) = unpack 'a4 V', substr $bytes, $at, 8;

        if ($id eq 'fmt ') {
            $format = [unpack 'v v V V v v', substr $bytes, $at + 8, 16];
        }
        elsif ($id eq 'data') {
            # A writer to a pipe cannot know the size.
            my $left = length($bytes) - $at - 8;

            return { error => 'data is cut' }
                if $size > $left && $size < 0x7ffff000;
            $data = $size < $left ? $size : $left;
            last;
        }

        $at += 8 + $size + ($size & 1);
    }

    return { error => 'no format or data' } if !$format || !defined $data;

    my ($tag, $channels, $rate, $second) = @$format;

    return { error => 'no byte rate' } if !$second;
    return { format => $tag == 7 ? 'wav-ulaw' : $tag == 1 ? 'wav' : "wav-$tag",
             rate => $rate, channels => $channels,
             seconds => $data / $second };
}


sub _mp3 {
    my ($bytes) = @_;
    my ($at, $seconds, $frames, %sound) = (0, 0, 0);

    if (substr($bytes, 0, 3) eq 'ID3') {
        my @size = unpack 'x6 C4', $bytes;

        $at = 10 + ($size[0] << 21 | $size[1] << 14 | $size[2] << 7
                    | $size[3]);
    }

    while ($at + 4 <= length $bytes) {
        last if substr($bytes, $at, 3) eq 'TAG';

        my $head = unpack 'N', substr $bytes, $at, 4;
        my $version = $head >> 19 & 3;
        my ($rate_i, $bit_i) = ($head >> 10 & 3, $head >> 12 & 15);

        # Only layer III, with a bit rate and a sample rate
        if (($head & 0xffe00000) != 0xffe00000 || $version == 1
            || ($head >> 17 & 3) != 1 || $rate_i == 3 || !$bit_i
            || $bit_i == 15)
        {
            return { error => "no MP3 frame at $at" };
        }

        my $rate = $rates{$version}[$rate_i];
        my $mpeg1 = $version == 3;
        my $kbit = $bitrates{ $mpeg1 ? 1 : 2 }[$bit_i];
        my $size = int(($mpeg1 ? 144000 : 72000) * $kbit / $rate)
                   + ($head >> 9 & 1);

        return { error => 'last MP3 frame is cut' }
            if $at + $size > length $bytes;

        $seconds += ($mpeg1 ? 1152 : 576) / $rate;
        $frames++;
        $at += $size;
        %sound = (rate => $rate, channels => ($head >> 6 & 3) == 3 ? 1 : 2,
                  kbit => $kbit);
    }

    return { error => 'no MP3 frames' } if !$frames;
    return { format => 'mp3', seconds => $seconds, frames => $frames, %sound };
}

1;
