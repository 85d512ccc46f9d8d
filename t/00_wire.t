#!/usr/bin/perl

# The programs are built with sanitizers of their own:
# no-sanitize

# Parsers and writers of src/wire, each by a program that prints TAP.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use TAP::Parser;
use Test::More;

my $unit = abs_path(dirname(__FILE__)) . '/unit';
my $dir = tempdir('voice-unit-XXXXXX', TMPDIR => 1, CLEANUP => 1);

my @programs = sort map { basename($_, '.c') } glob "$unit/*.c";

# stock flags with one compiler, sanitizers with the other

for my $build ([ 'gcc', 'SAN=1' ], [ 'clang', '' ]) {
    my ($cc, $san) = @$build;

    my $log = `make -C '$unit' -j2 OUT='$dir/$cc' CC=$cc $san 2>&1`;
    is($?, 0, "$cc builds") or diag($log);

    run("$dir/$cc", $_, $cc) for @programs;
}

done_testing();

sub run {
    my ($out, $program, $cc) = @_;

    subtest "$program, $cc" => sub {
        my $parser = TAP::Parser->new({ exec => [ "$out/$program" ] });

        while (my $line = $parser->next) {
            if ($line->is_test) {
                ok($line->is_ok, $line->description);

            } elsif (!$line->is_plan) {
                diag($line->as_string);
            }
        }

        is($parser->exit, 0, 'exit code');
        ok(!$parser->parse_errors, 'the plan is kept');
    };
}
