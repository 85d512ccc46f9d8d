#!/usr/bin/perl

# The targets are built with sanitizers of their own:
# no-sanitize

# Each libFuzzer target of src/wire, for a bounded number of runs from the
# seed corpus.  VOICE_FUZZ_RUNS says how many, 20000 if it says nothing.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use Test::More;

my $fuzz = abs_path(dirname(__FILE__)) . '/fuzz';
my $dir = tempdir('voice-fuzz-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $runs = $ENV{VOICE_FUZZ_RUNS} || 20000;

plan skip_all => 'no clang' if system('clang --version >/dev/null 2>&1');

my $log = `make -C '$fuzz' -j2 OUT='$dir' CC=clang 2>&1`;
is($?, 0, 'targets build') or BAIL_OUT($log);

for my $target (sort map { basename($_, '.c') } glob "$fuzz/*.c") {

    # new inputs go to the first folder: not into the repository

    my $corpus = "$dir/corpus-$target";
    mkdir $corpus or die "$corpus: $!\n";

    my @seeds = glob "$fuzz/corpus/$target/*";
    copy($_, $corpus) for @seeds;

    my $out = `'$dir/$target' -seed=1 -runs=$runs -max_len=2048 -timeout=60 \\
               -artifact_prefix='$dir/$target-' '$corpus' 2>&1`;

    ok($? == 0 && @seeds, "$target, $runs runs") or diag($out);

    for my $found (glob "$dir/$target-*") {
        open my $file, '<:raw', $found or next;
        diag(basename($found), ': ', unpack('H*', join('', <$file>)));
    }
}

done_testing();
