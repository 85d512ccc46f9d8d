package Voice::Spool;

# Files of a spool as the module writes them, for tests that leave some behind
# or look into them.

use strict;
use warnings;

use Compress::Zlib qw(crc32);
use Fcntl qw(LOCK_EX LOCK_NB);
use File::Basename qw(basename);
use JSON::PP ();

our $HEAD = "voice spool 1\n";

my $json = JSON::PP->new->utf8->canonical;


# a line: a note as data, or its text

sub line {
    my ($note) = @_;

    my $text = ref $note ? $json->encode($note) : $note;

    return sprintf "%08x %s\n", crc32($text), $text;
}

sub lines { return join '', map { line($_) } @_ }

# The file of a worker that is gone: header and text.  It appears complete, as
# nobody looks at the name that it has before.

sub leave {
    my ($folder, $name, $text) = @_;

    open my $file, '>:raw', "$folder/$name.new" or die "$name: $!\n";
    print {$file} $HEAD, $text;
    close $file or die "$name: $!\n";
    rename "$folder/$name.new", "$folder/$name" or die "$name: $!\n";

    return "$folder/$name";
}

# names of the files that a pattern matches

sub files {
    my ($folder, $like) = @_;

    opendir my $dir, $folder or return;

    return sort grep { !/^\.\.?$/ && (!$like || /$like/) } readdir $dir;
}

# the notes in all files

sub notes {
    my ($folder) = @_;

    my @notes;

    for my $name (files($folder, qr/^\d.*\.spool$/)) {
        next if !-f "$folder/$name";
        open my $file, '<:raw', "$folder/$name" or next;

        while (my $line = <$file>) {
            push @notes, $json->decode($1)
                if $line =~ /^[0-9a-f]{8} (.+)\n/ && $line eq line($1);
        }
    }

    return @notes;
}

# locks a file as its worker would, until the handle is closed

sub lock {
    my ($path) = @_;

    open my $file, '+<:raw', $path or die "$path: $!\n";
    flock $file, LOCK_EX | LOCK_NB or return;

    return $file;
}

1;
