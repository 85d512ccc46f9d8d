package Voice::Postgres;

# A PostgreSQL of its own for one test file: a unix socket in a temporary
# folder, no TCP, ended by its pid.  What it has committed survives a crash of
# the server, not of the machine.
#
#     my $pg = Voice::Postgres->new;
#     my $dbh = $pg->connect($pg->database('crm'), user => 'voice_edge');
#     my ($rc, $out) = $pg->migrate('crm', '--demo');
#
# or all of that: my ($pg, $name, $owner, $tenant) = Voice::Postgres->crm;

use strict;
use warnings;

use Cwd qw(abs_path);
use DBI;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep);

our $ROOT = abs_path(dirname(abs_path(__FILE__)) . '/../../..');

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


sub new {
    my ($class, %option) = @_;

    my ($bin) = sort { $b cmp $a } glob '/usr/lib/postgresql/*/bin';
    my $dir = tempdir('voice-pg-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { dir => $dir, bin => $bin, owner => $$ }, $class;

    # who is killed by a signal runs no destructor
    for my $signal (qw(HUP INT TERM PIPE)) {
        $SIG{$signal} = sub { exit 1 } if !$SIG{$signal};
    }

    Test::More::BAIL_OUT('no PostgreSQL server is installed') if !$bin;

    # the server refuses to run as root
    $self->{as} = '';

    if ($> == 0) {
        my $user = getpwnam('postgres') ? 'postgres' : 'nobody';
        my ($uid, $gid) = (getpwnam $user)[2, 3];

        chown $uid, $gid, $dir;
        $self->{as} = "setpriv --reuid $uid --regid $gid --clear-groups ";
    }

    $self->_run("$bin/initdb -D $dir/data -U postgres -A trust -E UTF8"
        . ' --locale C.UTF-8 --no-sync');
    $self->start(%option);

    return $self;
}


# One with the demo's data: the server, the database's name, a connection of
# its owner, and the id of the tenant that the tests call.

sub crm {
    my ($class) = @_;

    my $pg = $class->new;
    my $name = $pg->database('crm');
    my ($rc, $out) = $pg->migrate($name, '--demo');

    die $out if $rc;

    my $owner = $pg->connect($name);
    my ($larkspur) = $owner->selectrow_array('select id from organizations '
        . "where domain = 'larkspur-bikes.example'");

    return ($pg, $name, $owner, $larkspur);
}


sub start {
    my ($self, %option) = @_;

    my $connections = $option{connections} || 150;

    # without the time zone set, a bare now() would look right
    my $settings = join ' ', map { "-c $_" } "listen_addresses=''",
        "unix_socket_directories=$self->{dir}", 'fsync=off',
        'full_page_writes=off', "max_connections=$connections",
        'shared_buffers=64MB',
        'timezone=Asia/Kolkata', 'max_wal_size=2GB', 'jit=off',
        'deadlock_timeout=200ms', 'log_min_messages=warning';

    $self->_run("$self->{bin}/pg_ctl -D $self->{dir}/data -w -t 120"
        . " -l $self->{dir}/log -o \"$settings\" start");

    return $self->_pid;
}


sub _pid {
    my ($self) = @_;

    open my $file, '<', "$self->{dir}/data/postmaster.pid"
        or die "PostgreSQL has no pid file: $!\n";
    chomp(my $pid = <$file>);

    return $self->{pid} = $pid;
}


# "INT" ends it at once and cleanly, "QUIT" is a crash

sub stop {
    my ($self, $signal) = @_;

    my $over = $self->stopping($signal);

    for (1 .. 1200) {
        last if $over->();
        sleep 0.1;
    }

    return;
}


# The same for who must not wait: code that tells whether it is over.

sub stopping {
    my ($self, $signal) = @_;

    my $pid = delete $self->{pid} or return sub { 1 };

    kill $signal || 'INT', $pid;

    return sub { !_alive($pid) };
}


sub starting {
    my ($self) = @_;

    my $child = fork // die "fork: $!\n";

    if (!$child) {
        $self->start;
        POSIX::_exit(0);
    }

    return sub {
        return 1 if $self->{pid};
        return 0 if !waitpid $child, WNOHANG;
        $self->_pid;
        return 1;
    };
}


# As a server that is hung: it says nothing to a user, and nothing new begins.
# Returns the pids that are to be continued, each before the one who would
# count it as dead.

sub hang {
    my ($self, $user, $dbh) = @_;

    # first who would start another one
    kill STOP => $self->{pid};

    my @backends = @{ $dbh->selectcol_arrayref(
        'select pid from pg_stat_activity where usename = ?', {}, $user) };

    kill STOP => @backends;

    return @backends ? (@backends, $self->{pid}) : ();
}


# who nobody has collected yet is dead, too

sub _alive {
    my ($pid) = @_;

    open my $file, '<', "/proc/$pid/stat" or return 0;

    return (<$file> // ') X') !~ /^.*\) [ZX]/;
}


sub _run {
    my ($self, $command) = @_;

    my $output = `cd '$self->{dir}' && $self->{as}$command 2>&1 < /dev/null`;

    if ($?) {
        $output .= `cat '$self->{dir}/log' 2>/dev/null`;
        Test::More::BAIL_OUT("$command: $output");
    }

    return $output;
}


sub url {
    my ($self, $database, $user) = @_;

    return "postgresql:///$database?host=$self->{dir}&user="
        . ($user || 'postgres');
}


# creates a database, from a template if named, and returns its name

sub database {
    my ($self, $name, $template) = @_;

    my $from = $template ? " template $template" : '';
    my $dbh = $self->connect('postgres');

    # who has just disconnected from it may still be there for a moment
    if ($template) {
        for (1 .. 600) {
            last if !$dbh->selectrow_array('select 1 from pg_stat_activity '
                . 'where datname = ?', {}, $template);
            sleep 0.1;
        }
    }

    $dbh->do("create database $name$from");
    $dbh->disconnect;

    return $name;
}


sub connect {
    my ($self, $database, %option) = @_;

    return DBI->connect(
        "dbi:Pg:dbname=$database;host=$self->{dir}",
        $option{user} || 'postgres', '',
        {
            RaiseError => 1, PrintError => 0, AutoCommit => 1,
            pg_enable_utf8 => 1, PrintWarn => 0, %{ $option{attr} || {} },
        },
    );
}


# scripts/migrate: exit code and output

sub migrate {
    my ($self, $database, @arguments) = @_;

    local $ENV{DATABASE_URL} = $self->url($database);
    local $ENV{LC_ALL} = 'C.UTF-8';

    my $output = `'$ROOT/scripts/migrate' @arguments 2>&1 < /dev/null`;

    return ($? >> 8, $output);
}


# calls a function of the contract: arguments that are references go as JSON

sub call {
    my ($self, $dbh, $function, @arguments) = @_;

    my @values = map { ref $_ ? JSON::PP->new->canonical->encode($_) : $_ }
        @arguments;
    my @marks = map { ref $_ ? '?::jsonb' : '?' } @arguments;

    my ($result) = $dbh->selectrow_array(
        "select voice.$function(" . join(', ', @marks) . ')::text', {},
        @values);

    return if !defined $result;

    utf8::encode($result) if utf8::is_utf8($result);

    return $json->decode($result);
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);

    if ($self->{owner} == $$) {
        $self->stop;
    }

    return;
}


1;
