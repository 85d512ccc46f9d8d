package Voice::Edge;

# An nginx with the module, on a configuration of its own, for one test file.
#
#     use Test::More;
#     use Voice::Edge;
#
#     my $edge = Voice::Edge->new(directives => { voice_filler_after => '1s' });
#     $edge->run_daemon(sub { ... serve on $edge->port('llm') ... }, 'llm');
#     $edge->start;
#     is $edge->webhook('inbound-webhook')->status, 200, 'greeted';
#     done_testing;
#
# Whatever was started is ended by pid when the test ends, and the test fails
# if the error log then holds an alert, a crash or a sanitizer's report.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Socket qw(AF_UNIX SOCK_STREAM pack_sockaddr_un);
use Test::More ();
use Time::HiRes qw(sleep time);

use parent qw(Voice::Edge::Client Voice::Edge::Conf);

our $ROOT = $Voice::Edge::Conf::ROOT;

# How long to wait for what must happen: it bounds a hang and asserts nothing.
our $PATIENCE = $ENV{VOICE_TEST_PATIENCE} || 120;

my @edges;


# --- making one -----------------------------------------------------------

# Options, all optional:
#
#   workers, connections, log_level     numbers (of workers as
#                                       in "conf" too) and a name
#   http_directives, directives         { name => value, [several], or undef }
#                                       over the defaults of http and server
#   locations                           { name => text or undef } likewise
#   main, http, server, servers         text that is added at that place
#   listen                              [parameters of "listen", …]
#   flow                                { key => value or undef }, over %FLOW
#   flows                               { 'file.json' => text or hash }
#   files                               { name => text } in its folder
#   conf                                the whole configuration instead
#   module                              0: load no module
#   daemon                              1: as a daemon, which can be upgraded
#   allow                               [patterns of log lines that may be]
#   ports                               { name => port } of what listens
#                                       already, such as a stand-in
#
# %%DIR%%, %%ROOT%% and %%PORT_name%% are replaced in every text.

sub new {
    my ($class, %option) = @_;

    my $self = bless {
        workers => 2, connections => 512, log_level => 'info', module => 1,
        allow => [], %option,
        owner => $$, locks => [], daemons => {}, children => [],
        ports => { %{ $option{ports} || {} } },
        dir => tempdir('voice-test-XXXXXX', TMPDIR => 1),
    }, $class;

    $self->{log_level} = 'debug' if $ENV{VOICE_TEST_DEBUG};

    chmod 0755, $self->{dir};
    make_path(map { "$self->{dir}/$_" } qw(tmp flows cache));

    $self->write_file('voice.key', "test key of the voice edge\n");
    $self->write_file('twilio.token', $self->token . "\n");
    $self->write_file('openai.key', "sk-test-openai\n");
    $self->write_file('elevenlabs.key', "test-elevenlabs\n");
    $self->write_file($_, $self->{files}{$_})
        for keys %{ $self->{files} || {} };
    $self->write_flows;
    $self->write_file('nginx.conf', $self->conf);

    push @edges, $self;
    watch();

    return $self;
}

sub token   { $_[0]{token}   // '0123456789abcdef0123456789abcdef' }
sub account { $_[0]{account} // 'AC00000000000000000000000000000001' }
sub public_url { $_[0]{public_url} // 'https://voice.test' }

sub binary { $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx' }

sub module_path {
    return $ENV{TEST_NGINX_MODULE}
        || ($ENV{VOICE_BUILD} || "$ROOT/build")
           . '/debian-gcc/nginx/objs/ngx_http_voice_module.so';
}

my $version;

sub version { $version //= `@{[binary()]} -V 2>&1` }

sub is_static    { version() =~ /--add-module=\S*voice/ }
sub is_sanitized { version() =~ /-fsanitize=address/ }

# --- files and ports -------------------------------------------------------

sub dir  { $_[0]{dir} }
sub path { "$_[0]{dir}/$_[1]" }

sub write_file {
    my ($self, $name, $content) = @_;

    my $path = $self->path($name);
    make_path(dirname($path));
    open my $file, '>:raw', $path or die "$path: $!";
    utf8::encode($content) if utf8::is_utf8($content);
    print {$file} $content;
    close $file or die "$path: $!";

    return $path;
}

sub read_file {
    my ($self, $name) = @_;

    open my $file, '<:raw', $self->path($name) or return '';
    local $/;

    return <$file> // '';
}

# A free port of 127.0.0.1 by name, the same for the whole test.  It is taken
# below the kernel's range for outgoing connections, and a name in the abstract
# unix namespace keeps tests that run side by side off it.

sub port {
    my ($self, $name) = @_;

    $name //= 'http';

    return $self->{ports}{$name} if $self->{ports}{$name};

    for (1 .. 1000) {
        my $port = 10000 + int rand 20000;

        socket my $lock, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
        bind $lock, pack_sockaddr_un("\0voice-edge-test-$port") or next;

        my $probe = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
            Listen => 1, ReuseAddr => 1,
        ) or next;
        close $probe;

        push @{ $self->{locks} }, $lock;

        return $self->{ports}{$name} = $port;
    }

    die "no free port";
}

sub base { 'http://127.0.0.1:' . $_[0]->port }


# --- the process -----------------------------------------------------------

# What nginx itself never frees: a worker's connections and events, the regular
# expressions of a configuration.

my $LEAKS = "leak:ngx_event_process_init\nleak:ngx_http_regex_compile\n";

# What the core of 1.22 itself does: null with length zero to memcpy, offsets
# to null, unaligned reads and signed shifts in its hashes.  Our files are
# compiled as voice/src.

my $UNDEFINED = join '', map { "$_:^src/\n" }
    qw(nonnull-attribute pointer-overflow alignment shift-base);

sub environment {
    my ($self) = @_;

    my $supp = $self->path('leaks.supp');
    $self->write_file('leaks.supp', $LEAKS) unless -e $supp;

    my $undefined = $self->path('undefined.supp');
    $self->write_file('undefined.supp', $UNDEFINED) unless -e $undefined;

    return (
        ASAN_OPTIONS => "detect_leaks=1:log_path=$self->{dir}/sanitizer",
        UBSAN_OPTIONS => 'print_stacktrace=1:halt_on_error=0'
            . ":log_path=$self->{dir}/sanitizer:suppressions=$undefined",
        LSAN_OPTIONS => "print_suppressions=0:suppressions=$supp",
    );
}

sub start {
    my ($self) = @_;

    die "nginx is running\n" if $self->{master};

    unlink $self->path('nginx.pid');

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        %ENV = (%ENV, $self->environment);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $self->path('stdout.log');
        open STDERR, '>&', \*STDOUT;
        exec binary(), '-p', "$self->{dir}/", '-c', $self->path('nginx.conf'),
            '-e', $self->path('error.log')
            or POSIX::_exit(127);
    }

    if ($self->{daemon}) {

        # the first process leaves when there is a master
        waitpid $pid, 0;
        ($pid) = $self->read_file('nginx.pid') =~ /^(\d+)/;
    }

    $self->{master} = $pid;

    my $up = wait_for(sub {
        return -1 if !$pid || gone($pid);
        return 1 if $self->workers >= $self->{workers} && -s $self->path('nginx.pid')
            && $self->can_connect;
    });

    if (!$up || $up < 0) {
        delete $self->{master} if ($up // 0) < 0;
        Test::More::diag($self->read_file('error.log'),
                         $self->read_file('stdout.log'));
        die "nginx did not start\n";
    }

    return $self;
}

sub can_connect {
    my ($self, $name) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $self->port($name)) or return;
    close $s;

    return 1;
}

sub master { $_[0]{master} }

# pids of the workers that serve; with 1, also of those that are leaving

sub workers {
    my ($self, $leaving) = @_;

    my @pids;

    for my $pid (children($self->{master} // return)) {
        my $title = title($pid);
        next unless $title =~ /^nginx: worker process( is shutting down)?/;
        push @pids, $pid if $leaving || !$1;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}

sub children {
    my ($parent) = @_;

    my @pids;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $file, '<', $stat or next;
        my $line = <$file> // next;
        push @pids, $1 if $line =~ /^(\d+) \(.*\) \S (\d+)/s && $2 == $parent;
    }

    return @pids;
}

sub title {
    my ($pid) = @_;

    open my $file, '<', "/proc/$pid/cmdline" or return '';

    return join ' ', split /\0/, <$file> // '';
}

# True when every worker of the old configuration has been told to leave and
# the new ones serve; false when the new configuration was refused.

sub reload {
    my ($self) = @_;

    my %old = map { $_ => 1 } $self->workers;
    my $emerg = () = $self->log =~ /\[emerg\]/g;

    kill HUP => $self->{master};

    return wait_for(sub {
        return -1 if (() = $self->log =~ /\[emerg\]/g) > $emerg;
        my @now = $self->workers;
        return @now >= $self->{workers} && !grep { $old{$_} } @now;
    }) > 0;
}

# True when each worker that serves has reached the database, with each of its
# connections: by the last line of the log that each of them has.

sub wait_for_database { $_[0]->_wait_for_connections(0, 'is up') }

# Ends all connections of the workers, by a connection of the database's owner.
# True when each worker has lost all of its own and has new ones.

sub reconnect_database {
    my ($self, $owner) = @_;

    $self->wait_for_database or return;

    my $mark = length $self->log;

    $owner->do('select pg_terminate_backend(pid) from pg_stat_activity '
        . "where usename = 'voice_edge'");

    return $self->_wait_for_connections($mark, 'is up', 'is lost');
}

# Whether the last line about each connection that was logged since is the
# first state, and the others were before it.

sub _wait_for_connections {
    my ($self, $mark, $state, @before) = @_;

    return wait_for(sub {
        my (%now, %seen);

        for (split /\n/, substr $self->log, $mark) {
            /\] (\d+)#.* database connection for (\w+) (is up|is lost|failed)/
                or next;
            $now{"$1 $2"} = $3;
            $seen{"$1 $2 $3"} = 1;
        }

        my @workers = $self->workers;

        @workers >= $self->{workers} && !grep {
            my $one = $_;
            ($now{$one} // '') ne $state || grep { !$seen{"$one $_"} } @before;
        } map { ("$_ lookups", "$_ actions", "$_ records") } @workers;
    });
}

# true when no old worker is left after a reload

sub wait_for_old_workers {
    my ($self) = @_;

    return wait_for(sub { $self->workers(1) == $self->workers });
}

# Ends one worker without notice and waits for its successor's pid.  It may be
# the one who holds a zone.

sub kill_worker {
    my ($self, $pid, $signal) = @_;

    my %old = map { $_ => 1 } $self->workers;
    my $count = keys %old;

    $self->allow(qr/worker process $pid exited on signal/,
                 qr/was locked by $pid\b/);
    kill $signal || 'KILL', $pid or die "no worker $pid";

    wait_for(sub { $self->workers >= $count && !kill 0, $pid })
        or die "no new worker\n";

    return (grep { !$old{$_} } $self->workers)[0];
}

# "stop" is a graceful one; the signal TERM is nginx's fast shutdown.  Returns
# true when nginx left by itself.

sub stop {
    my ($self, $signal) = @_;

    my $pid = $self->{master} or return 1;

    my $left = 1;

    for my $sig ($signal || 'QUIT', 'TERM', 'KILL') {
        my @all = ($pid, children($pid));
        kill $sig, $sig eq 'KILL' ? @all : $pid;
        last if wait_for(sub { gone($pid) });
        $left = 0;
    }

    delete $self->{master};
    Test::More::diag('nginx did not stop by itself') unless $left;
    $self->{failed} = 1 unless $left;

    return $left;
}

sub quit { $_[0]->stop('QUIT') }

# as a machine that loses its power: nothing of it is left

sub crash {
    my ($self) = @_;

    # who is killed in the middle of a sanitizer's look at its exit makes it
    # complain
    $self->wait_for_old_workers;

    my @all = ($self->master, children($self->master));

    kill KILL => @all;
    wait_for(sub { !grep { !gone($_) } @all });
    delete $self->{master};
}

# Whether a process has ended.  A master that was started by another one is no
# child of ours.

sub gone {
    my ($pid) = @_;

    return 1 if waitpid($pid, WNOHANG) == $pid;

    open my $file, '<', "/proc/$pid/stat" or return 1;

    return (<$file> // ') Z') =~ /^.*\) [ZX]/s;
}

# A binary upgrade, its first half: the old master starts a new one, and the
# workers of both serve.  Returns the old one's pid; the edge is the new one's.

sub upgrade {
    my ($self) = @_;

    my $old = $self->{master};

    kill USR2 => $old;

    wait_for(sub {
        my ($new) = $self->read_file('nginx.pid') =~ /^(\d+)\n/ or return;

        return if $new == $old;
        $self->{master} = $new;
        return $self->workers >= $self->{workers};
    }) or die "no new master\n";

    return $old;
}

# whether a master has no process but its successor

sub left {
    my ($self, $old) = @_;

    return !grep { $_ != $self->{master} } children($old);
}

# The second half: the old workers leave when they are done, then the master.

sub retire {
    my ($self, $old) = @_;

    kill WINCH => $old;
    wait_for(sub { $self->left($old) }) or return;

    kill QUIT => $old;

    return wait_for(sub { gone($old) });
}


# --- nginx -t --------------------------------------------------------------

# Exit code and messages of "nginx -t" for these options, over the object's.

sub check {
    my ($self, %option) = @_;

    my $conf = $self->conf(%option, name => 'check', log => 'check.log');
    my $path = $self->write_file('check.conf', $conf);

    my $pid = open my $pipe, '-|';
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        # "nginx -t" exits without freeing anything
        %ENV = (%ENV, $self->environment);
        $ENV{ASAN_OPTIONS} =~ s/detect_leaks=1/detect_leaks=0/;
        open STDERR, '>&', \*STDOUT;
        exec binary(), '-t', '-p', "$self->{dir}/", '-c', $path,
            '-e', $self->path('check.log')
            or POSIX::_exit(127);
    }

    my $output = do { local $/; <$pipe> } // '';
    close $pipe;

    return ($? >> 8 || $? & 127, $output);
}

sub good_conf {
    my ($self, $name, %option) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($rc, $output) = $self->check(%option);

    return Test::More::is($rc, 0, $name) || Test::More::diag($output);
}

# refused with an [emerg] that matches

sub bad_conf {
    my ($self, $name, $like, %option) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($rc, $output) = $self->check(%option);
    my ($emerg) = $output =~ /(\[emerg\].*)/s;

    return Test::More::fail($name) && 0 || Test::More::diag("$rc: $output")
        unless $rc == 1 && defined $emerg;
    return Test::More::like($emerg, $like, $name);
}


# --- daemons ---------------------------------------------------------------

# Runs a code reference, or a command with arguments, beside the test.  With
# the name of a port as last argument, waits until something listens there.

sub run_daemon {
    my ($self, $what, @rest) = @_;

    my $port = ref $what ? $rest[0] : undef;
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        @edges = ();
        alarm 0;
        $SIG{$_} = 'DEFAULT' for qw(ALRM TERM INT);

        if (ref $what) {
            eval { $what->($self); 1 } or print STDERR "daemon: $@";
            POSIX::_exit(0);
        }

        exec $what, @rest or POSIX::_exit(127);
    }

    $self->{daemons}{$pid} = 1;
    $self->wait_for_port($port) if defined $port;

    return $pid;
}

sub stop_daemon {
    my ($self, $pid) = @_;

    delete $self->{daemons}{$pid} or return;

    for my $sig ('TERM', 'KILL') {
        kill $sig, $pid;
        last if wait_for(sub { waitpid($pid, WNOHANG) != 0 }, 5);
    }
}

sub stop_daemons { $_[0]->stop_daemon($_) for keys %{ $_[0]{daemons} } }

sub wait_for_port {
    my ($self, $name) = @_;

    wait_for(sub { $self->can_connect($name) })
        or die "nothing listens on port $name\n";
}

# Calls the code until it returns true and returns that, or 0 at the end of
# patience.

sub wait_for {
    my ($code, $seconds) = @_;

    my $end = time + ($seconds || $PATIENCE);

    while (1) {
        my $rv = $code->();
        return $rv if $rv;
        return 0 if time > $end;
        sleep 0.01;
    }
}


# --- the log ---------------------------------------------------------------

sub log { $_[0]->read_file('error.log') }

# lines of the error log that match; in list context all, else the first

sub log_lines {
    my ($self, $like) = @_;

    my @lines = grep { /$like/ } split /\n/, $self->log;

    return wantarray ? @lines : $lines[0];
}

# the first line that matches, waited for

sub wait_for_log {
    my ($self, $like) = @_;

    return wait_for(sub { scalar $self->log_lines($like) });
}

# alerts and emergencies that this test causes on purpose

sub allow {
    my ($self, @patterns) = @_;

    push @{ $self->{allow} }, @patterns;
}

my $BAD = qr/\[alert\]|\[emerg\]|open\ socket|exited\ on\ signal|
             ==ERROR|ERROR:\ \w+Sanitizer|runtime\ error:|LeakSanitizer/x;

# what is said for a process that is killed while its leaks are looked for
my $KILLED = qr/^==\d+==Unable to get registers from thread \d+\.\n/m;

sub problems {
    my ($self) = @_;

    my @text = ($self->log, $self->read_file('stdout.log'));
    my (@bad, %seen);

    for my $line (map { split /\n/ } @text) {
        next unless $line =~ $BAD;
        next if grep { $line =~ /$_/ } @{ $self->{allow} };
        push @bad, $line unless $seen{$line}++;
    }

    for my $report (glob "$self->{dir}/sanitizer.*") {
        my $text = $self->read_file(basename($report)) =~ s/$KILLED//gr;
        push @bad, $text if length $text;
    }

    return @bad;
}


# --- the end ---------------------------------------------------------------

my $ev_guard;

sub watch {
    my $seconds = $ENV{VOICE_TEST_TIMEOUT} || 1200;

    $SIG{ALRM} = sub { Test::More::fail("ended in $seconds seconds"); exit 1 };
    $SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
    alarm $seconds;

    # libev's loop does not run Perl's handlers until something else happens
    $ev_guard = EV::timer($seconds, 0, $SIG{ALRM}) if $INC{'EV.pm'};
}

# Stops everything and checks the log now; otherwise done when the test ends.

sub finish {
    my ($self) = @_;

    return 1 if $self->{finished}++ || $self->{owner} != $$;

    $self->stop_daemons;
    $self->stop;

    my @problems = $self->problems;

    Test::More::diag("in the log: $_") for @problems;
    $self->{failed} = 1 if @problems;

    return !$self->{failed};
}

sub keep {
    my ($self) = @_;

    my $logs = $ENV{VOICE_TEST_LOGS}
        || ($ENV{VOICE_BUILD} || "$ROOT/build") . '/test-logs';
    my $to = "$logs/" . basename($0) . ".$$-" . basename($self->{dir});

    make_path($logs);
    system 'cp', '-R', $self->{dir}, $to;
    Test::More::diag("logs are kept in $to");
}

END {
    my $status = $?;

    alarm 0;

    for my $edge (grep { $_->{owner} == $$ } @edges) {
        $status ||= 1 unless $edge->finish;
    }

    my $failed = $status || !Test::More->builder->is_passing;

    for my $edge (grep { $_->{owner} == $$ } @edges) {
        $edge->keep if $failed || $ENV{VOICE_TEST_KEEP};
        remove_tree($edge->{dir});
    }

    $? = $status;
}

1;
