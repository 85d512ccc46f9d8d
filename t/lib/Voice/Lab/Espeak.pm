package Voice::Lab::Espeak;

# Text to real audio with espeak-ng, without blocking the event loop: a
# pipeline in a child process, read as it comes, a few at a time.

use Mojo::Base -base, -signatures;

use Mojo::IOLoop;
use Mojo::IOLoop::Stream;
use Mojo::Promise;

has at_once => 2;
has running => 0;
has queue   => sub { [] };
has cache   => sub { {} };
has limit   => 5000;              # sounds that are kept

# %s: sample rate (and bit rate).  -t keeps a tag with changing bytes out.
my $sox = 'sox -q -D -t wav - -c 1 -r %s';
my %formats = (
    mp3  => "$sox -b 16 -t wav - | lame --quiet -t -m m -b %s --cbr - -",
    wav  => "$sox -b 16 -t wav -",
    pcm  => "$sox -b 16 -e signed-integer -t raw -",
    ulaw => "$sox -e mu-law -t raw -",
    alaw => "$sox -e a-law -t raw -",
);


sub known ($class, $format) {
    my ($codec, @numbers) = split /_/, $format;

    return if !$formats{$codec} || grep { !/\A\d+\z/ } @numbers;
    return if ($codec eq 'mp3') != (@numbers == 2) || !@numbers;
    return sprintf $formats{$codec}, @numbers;
}


# speak_p(text, {format, speed, voice}) resolves to the bytes

sub speak_p ($self, $text, $o = {}) {
    my $format = $o->{format} // 'wav_16000';
    my $voice  = ($o->{voice} // 'en-us') =~ /\A([A-Za-z0-9+-]+)\z/
               ? $1 : 'en-us';
    my $speed  = int(($o->{speed} // 1) * 160);
    my $tail   = Voice::Lab::Espeak->known($format)
        or return Mojo::Promise->reject("no format $format");
    my $key    = join "\0", $format, $voice, $speed, $text;

    utf8::encode($key) if utf8::is_utf8($key);

    return $self->cache->{$key} if $self->cache->{$key};

    my $promise = Mojo::Promise->new;

    # No key is kept for a failure, and not too many at all.
    $self->cache({}) if keys %{ $self->cache } >= $self->limit;
    $self->cache->{$key} = $promise;
    $promise->catch(sub (@) { delete $self->cache->{$key} });

    push @{ $self->queue }, [$promise, "espeak-ng --stdin --stdout "
        . "-v $voice -s $speed | $tail", $text];
    $self->_next;
    return $promise;
}


# sox cannot know the size of what it writes to a pipe.

sub _sized ($audio) {
    return $audio if substr($audio, 0, 4) ne 'RIFF';

    my $data = index $audio, 'data';

    substr $audio, 4, 4, pack 'V', length($audio) - 8;
    substr $audio, $data + 4, 4, pack 'V', length($audio) - $data - 8;
    return $audio;
}


sub _next ($self) {
    return if $self->running >= $self->at_once || !@{ $self->queue };

    my ($promise, $command, $text) = @{ shift @{ $self->queue } };

    utf8::encode($text) if utf8::is_utf8($text);
    $self->running($self->running + 1);

    # The words go in through a pipe: a sentence always fits its buffer.
    pipe my $in, my $feed or die "pipe: $!\n";
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        close $feed;
        open STDIN, '<&', $in or die;
        open STDERR, '>', '/dev/null' or die;
        { exec '/bin/bash', '-o', 'pipefail', '-c', $command }
        require POSIX;
        POSIX::_exit(127);
    }

    close $in;
    $feed->blocking(0);
    my $written = syswrite $feed, "$text\n";
    close $feed;

    my $audio  = '';
    my $stream = Mojo::IOLoop::Stream->new($out)->timeout(0);

    $stream->on(read => sub ($, $bytes) { $audio .= $bytes });
    $stream->on(error => sub { });
    $stream->on(close => sub {
        local ($?, $!);
        my $gone = waitpid $pid, 0;
        my $failed = $gone == $pid ? $? : 0;

        $self->running($self->running - 1);
        $failed || !length $audio
            ? $promise->reject("speech: '$command' ended with $failed")
            : $promise->resolve(_sized($audio));
        $self->_next;
    });
    Mojo::IOLoop->stream($stream);
}

1;
