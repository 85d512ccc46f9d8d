#!/usr/bin/perl

# The benchmark runs and prints its ratios; what they are is not asked here.

# no-sanitize

use strict;
use warnings;

use FindBin;
use Test::More;

my $bench = "$FindBin::Bin/../scripts/bench";

# it bounds a hang, also where others are busy
$ENV{VOICE_TEST_TIMEOUT} ||= 900;

isnt system("$bench nothing >/dev/null 2>&1"), 0, 'an unknown row is refused';

my $out = `$bench memory words 2>&1`;

is $?, 0, 'ends well' or diag $out;
like $out, qr/^memory .* \d+\.\d\d  \d+\.\d\d to \d+\.\d\d$/m, 'memory';
like $out, qr/^words: first ready after .* s \(.*\), last after /m, 'seconds';
like $out, qr/^words .* \d+\.\d\d  \d+\.\d\d to \d+\.\d\d$/m, 'words';

done_testing();
