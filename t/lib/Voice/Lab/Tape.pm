package Voice::Lab::Tape;

# A whole call, both sides, in one WAV file.

use Mojo::Base -base, -signatures;

use File::Temp ();

use constant RATE => 16000;

has pcm => '';


# Lays a sound (any format the lab knows) on the tape at a second.

sub add ($self, $at, $audio, $format = undef) {
    $format //= substr($audio, 0, 4) eq 'RIFF' ? 'wav' : 'mp3';

    my $file = File::Temp->new(TEMPLATE => 'lab-tape-XXXXXX', TMPDIR => 1);

    binmode $file;
    print $file $audio;
    close $file;

    my $from = $format eq 'mp3'
        ? "lame --quiet --decode $file - | sox -q -t wav -"
        : $format eq 'ulaw' ? "sox -q -t ul -r 8000 -c 1 $file"
        : "sox -q -t wav $file";
    my $command = "$from -D -r @{[RATE]} -c 1 -b 16 -e signed-integer "
        . '-t raw - 2>/dev/null';

    my $samples = `$command`;
    my $start = 2 * int($at * RATE);
    my $pcm = $self->pcm;

    # Nobody talks over the other: a late sound begins when there is room.
    $start = length $pcm if $start < length $pcm;
    $pcm .= "\0" x ($start - length $pcm) . $samples;
    $self->pcm($pcm);
    return length($samples) / 2 / RATE;
}


sub save ($self, $path) {
    my $data = $self->pcm;

    open my $file, '>:raw', $path or die "$path: $!\n";
    print $file pack 'a4 V a4 a4 V v v V V v v a4 V', 'RIFF',
        36 + length $data, 'WAVE', 'fmt ', 16, 1, 1, RATE, RATE * 2, 2, 16,
        'data', length $data;
    print $file $data;
    close $file or die "$path: $!\n";
}

1;
