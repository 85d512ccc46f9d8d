package Voice::Lab::Child;

# Handle of a stand-in that runs in its own process.

use Mojo::Base -base, -signatures;

use Mojo::IOLoop;
use Mojo::UserAgent;
use POSIX ();

has [qw(port pid base)];
has ua => sub { Mojo::UserAgent->new(max_connections => 0,
                                     inactivity_timeout => 120) };


sub start ($class, $server, %attributes) {
    pipe my $read, my $write or die "pipe: $!\n";

    my $owner = $$;
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        close $read;
        Mojo::IOLoop->reset;
        $server->exit_on_signals;

        my $port = $server->new(%attributes)->listen_on('127.0.0.1:0');

        syswrite $write, "$port\n";
        close $write;

        # Nobody is left behind when the test dies.
        Mojo::IOLoop->recurring(1 => sub {
            POSIX::_exit(0) if getppid() != $owner;
        });
        Mojo::IOLoop->start;
        POSIX::_exit(0);
    }

    close $write;
    chomp(my $port = <$read> // die "the stand-in did not start\n");

    return $class->new(port => $port, pid => $pid, owner => $owner,
                       base => "http://127.0.0.1:$port");
}


sub _json ($self, $method, $path, @body) {
    my $tx = $self->ua->start(
        $self->ua->build_tx($method => $self->base . "/_lab/$path", @body));
    my $res = $tx->result;

    die "$path: " . $res->body . "\n" if $res->is_error;
    return $res->json;
}


sub arm ($self, @faults) {
    return $self->_json(POST => 'faults', json => \@faults);
}


sub clear    ($self) { $self->_json(DELETE => 'faults') }
sub requests ($self) { $self->_json(GET => 'requests') }
sub forget   ($self) { $self->_json(DELETE => 'requests') }
sub counters ($self) { $self->_json(GET => 'counters') }
sub deleted  ($self) { $self->_json(GET => 'deleted') }
sub kept     ($self) { $self->_json(GET => 'kept') }
sub captions ($self) { $self->_json(GET => 'captions') }
sub release  ($self) { $self->_json(POST => 'release')->{released} }

sub wait_for ($self, $counter, $least = 1) {
    return $self->_json(GET => "wait?counter=$counter&least=$least");
}


sub stop ($self) {
    my $pid = delete $self->{pid} or return;

    return if $self->{owner} != $$;
    kill TERM => $pid;
    local $?;
    waitpid $pid, 0;
}


sub DESTROY ($self) { $self->stop }

1;
