package Voice::Lab::Ear;

# Listens: pocketsphinx turns sound into words.  Given the lines that may
# have been said it chooses among them, which is dependable; otherwise it
# falls back to the large language model, which often errs.

use Mojo::Base -base, -signatures;

use File::Temp ();
use Mojo::IOLoop;
use Mojo::Promise;

has model => '/usr/share/pocketsphinx/model/en-us';

my %words;


# hear(bytes, {lines => [...], format => mp3|wav|ulaw}): blocks
# hear_p: the same in a process of its own

sub hear_p ($self, $audio, $o = {}) {
    return Mojo::IOLoop->subprocess->run_p(sub (@) {
        return $self->hear($audio, $o);
    });
}


sub hear ($self, $audio, $o = {}) {
    my $dir = File::Temp->newdir('lab-ear-XXXXXX', TMPDIR => 1);
    my $format = $o->{format} // (substr($audio, 0, 4) eq 'RIFF' ? 'wav'
                                                                 : 'mp3');

    _write("$dir/in", $audio);
    $self->_convert("$dir", $format);
    _write("$dir/list", "heard\n");

    my $grammar = $self->grammar($o->{lines} || []);
    my @with = ('-lm', $self->model . '/en-us.lm.bin');

    if (defined $grammar) {
        _write("$dir/lines.jsgf", $grammar);
        @with = ('-jsgf', "$dir/lines.jsgf");
    }

    my $text = $self->_listen("$dir", @with);

    $text = $self->_listen("$dir", '-lm', $self->model . '/en-us.lm.bin')
        if $text eq '' && defined $grammar && !$o->{strict};

    return $text;
}


sub _convert ($self, $dir, $format) {
    my @decode = $format eq 'mp3'
        ? ("lame --quiet --decode $dir/in - | sox -q -t wav -")
        : $format eq 'ulaw' ? ("sox -q -t ul -r 8000 -c 1 $dir/in")
        : ("sox -q -t wav $dir/in");

    # A little silence around the words, as the recogniser expects it
    system('/bin/bash', '-o', 'pipefail', '-c', "@decode -r 16000 -c 1 -b 16 "
           . "-t wav $dir/heard.wav norm -3 pad 0.3 0.3 2>/dev/null") == 0
        or die "sound is not $format\n";
}


sub _listen ($self, $dir, @with) {
    my $hmm = $self->model . '/en-us';
    my $dict = $self->model . '/cmudict-en-us.dict';

    system("pocketsphinx_batch -adcin yes -adchdr 44 -cepdir $dir "
           . "-cepext .wav -ctl $dir/list -hmm $hmm -dict $dict "
           . "-cmn batch -hyp $dir/words @with -logfn /dev/null "
           . ">/dev/null 2>&1 </dev/null") == 0
        or die "pocketsphinx_batch failed\n";

    open my $file, '<', "$dir/words" or die "no result: $!\n";
    my $line = <$file> // '';
    close $file;

    return $line =~ /\A(.*?)\s*\(\S+ -?\d+\)/ ? $1 : '';
}


# A JSGF of the lines, without those that have unknown words

sub grammar ($self, $lines) {
    my $known = $self->_words;
    my @sayable = grep { length && !grep { !$known->{$_} } split / / }
                  map { plain($_) } @$lines;

    return if !@sayable;

    my %seen;
    return "#JSGF V1.0;\ngrammar lines;\npublic <line> = "
        . join(' | ', grep { !$seen{$_}++ } @sayable) . ";\n";
}


# The words of a line as the recogniser writes them

sub plain ($line) {
    my $text = lc $line;

    $text =~ s/[^a-z' ]+/ /g;
    $text =~ s/(?<![a-z])'|'(?![a-z])//g;
    $text =~ s/\s+/ /g;
    $text =~ s/\A | \z//g;
    return $text;
}


sub _words ($self) {
    return \%words if %words;

    open my $file, '<', $self->model . '/cmudict-en-us.dict'
        or die 'no dictionary in ' . $self->model . ": $!\n";
    while (<$file>) {
        $words{$1} = 1 if /\A([^\s(]+) /;
    }
    close $file;

    return \%words;
}


sub _write ($path, $bytes) {
    open my $file, '>:raw', $path or die "$path: $!\n";
    print $file $bytes;
    close $file or die "$path: $!\n";
}

1;
