package Voice::Lab::Recording;

# What a caller says while being recorded, as Twilio keeps it: a WAV of 8 kHz.
# Cheap ones are silence that carries its words in a chunk of its own, which
# players pass over and the transcription stand-in reads.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(recording words_of);

use constant RATE => 8000;


# recording($words, $seconds): bytes; no words are plain silence

sub recording {
    my ($words, $seconds) = @_;
    my $data = "\0\0" x int($seconds * RATE);
    my $note = '';

    if (defined $words && length $words) {
        utf8::encode($words);
        $note = pack 'a4 V a*', 'said', length $words, $words;
        $note .= "\0" if length($words) & 1;
    }

    return pack 'a4 V a4 a* a4 V v v V V v v a4 V a*', 'RIFF',
        36 + length($note) + length $data, 'WAVE', $note, 'fmt ', 16, 1, 1,
        RATE, RATE * 2, 2, 16, 'data', length $data, $data;
}


# the words in such a sound; undef: it is one that has to be listened to

sub words_of {
    my ($bytes) = @_;
    my $at = 12;

    while ($at + 8 <= length $bytes) {
        my ($id, $size) = unpack 'a4 V', substr $bytes, $at, 8;

        return substr $bytes, $at + 8, $size if $id eq 'said';

        if ($id eq 'data') {
            return '' if substr($bytes, $at + 8) !~ /[^\0]/;
            last;
        }

        $at += 8 + $size + ($size & 1);
    }

    return;
}

1;
