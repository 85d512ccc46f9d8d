package Voice::Lab::Server;

# What the stand-ins share: a Mojolicious application with the control
# endpoints under /_lab, a log of requests, and answers written piece by
# piece so that a fault can strike at any byte.

use Mojo::Base 'Mojolicious', -signatures;

use Mojo::IOLoop;
use Mojo::Promise;
use Mojo::Server::Daemon;
use POSIX ();
use Time::HiRes ();
use Voice::Lab::Faults;

has faults   => sub { Voice::Lab::Faults->new };
has received => sub { [] };
has counters => sub { { requests => 0, finished => 0, aborted => 0, cut => 0,
                        held => 0, open => 0, open_max => 0,
                        synthesized => 0 } };
has held     => sub { [] };
has waiting  => sub { [] };
has 'daemon';


sub startup ($self) {
    my $r = $self->routes;

    $self->log->level('fatal');
    $self->secrets(['lab']);
    $self->renderer->compress(0);
    $self->max_request_size(1024 * 1024);

    $r->post('/_lab/faults' => sub ($c) {
        my $count = eval { $self->faults->arm($c->req->json) };
        return $c->render(json => { error => "$@" }, status => 400) if $@;
        $c->render(json => { armed => $count });
    });
    $r->delete('/_lab/faults' => sub ($c) {
        $self->faults->clear;
        $c->render(json => { armed => 0 });
    });
    $r->get('/_lab/requests' => sub ($c) {
        $c->render(json => $self->received);
    });
    $r->delete('/_lab/requests' => sub ($c) {
        $self->received([]);
        $c->render(json => []);
    });
    $r->get('/_lab/counters' => sub ($c) {
        $c->render(json => $self->counters);
    });
    $r->post('/_lab/release' => sub ($c) {
        $c->render(json => { released => $self->release });
    });
    $r->get('/_lab/wait' => sub ($c) {
        # Answers when the counter is there, so that no test has to guess.
        my ($name, $least) = map { $c->param($_) } qw(counter least);
        $c->render_later;
        $c->inactivity_timeout(0);
        $self->wait_p($name, $least // 1)->then(sub (@) {
            $c->render(json => $self->counters) if $c->tx;
        });
    });
    $self->serve($r);
}


sub serve ($self, $r) { }


# Listens in this process; returns the port.

sub listen_on ($self, $address = '127.0.0.1:0') {
    my $daemon = Mojo::Server::Daemon->new(
        app => $self, listen => ["http://$address"], silent => 1,
        inactivity_timeout => 0, keep_alive_timeout => 75,
        max_requests => 1_000_000, max_clients => 10_000);

    $self->daemon($daemon);
    $daemon->start;
    return $daemon->ports->[0];
}


sub count ($self, $name, $by = 1) {
    my $counters = $self->counters;

    $counters->{$name} += $by;
    $counters->{open_max} = $counters->{open}
        if $counters->{open} > $counters->{open_max};

    my @wait = @{ $self->waiting };
    $self->waiting([ grep { ($counters->{ $_->[0] } // 0) < $_->[1] } @wait ]);
    $_->[2]->resolve
        for grep { ($counters->{ $_->[0] } // 0) >= $_->[1] } @wait;
}


sub wait_p ($self, $name, $least = 1) {
    my $promise = Mojo::Promise->new;

    return $promise->resolve if ($self->counters->{$name} // 0) >= $least;
    push @{ $self->waiting }, [$name, $least, $promise];
    return $promise;
}


sub release ($self) {
    my @held = splice @{ $self->held };

    $_->() for @held;
    return scalar @held;
}


# Takes note of a request; its text is what faults are matched with.

sub note ($self, $c, $text, $json = undef) {
    my $req  = $c->req;
    my $note = { n => $self->counters->{requests}, at => Time::HiRes::time(),
                 method => $req->method, path => $req->url->path->to_string,
                 query => $req->url->query->to_hash, text => $text,
                 headers => $req->headers->to_hash, body => $json,
                 connection => $c->tx->connection, end => 'open' };

    # A long run keeps the latest.
    shift @{ $self->received } if @{ $self->received } >= 10_000;
    push @{ $self->received }, $note;
    $self->count('requests');
    $self->count('open');

    $note->{fault} = my $fault = $self->faults->take($text, $note->{path});
    $c->inactivity_timeout(0);

    $c->tx->on(finish => sub {
        $self->count(open => -1);
        return if $note->{end} ne 'open';
        $note->{end} = $note->{sent} ? 'finished' : 'aborted';
        $note->{seconds} = Time::HiRes::time() - $note->{at};
        $self->count($note->{end});
    });

    return ($fault, $note);
}


# answer($c, $note, {status, type, headers, pieces, first, gap, length})

sub answer ($self, $c, $note, $plan) {
    my $fault = $note->{fault};

    $c->render_later;

    if (exists $fault->{status} || exists $fault->{body}) {
        $plan = { status => $fault->{status} // 200,
                  type => 'application/json',
                  pieces => [ length($fault->{body} // '')
                              ? $fault->{body} : () ], length => 1 };
    }

    $plan->{type} = $fault->{type} if exists $fault->{type};
    $plan->{headers} = { %{ $plan->{headers} || {} },
                         %{ $fault->{headers} || {} } };
    $plan->{length} = $fault->{length} if exists $fault->{length};

    my $bytes = $fault->{bytewise} ? 1
              : $fault->{drip} ? $fault->{drip}{bytes} // 1 : 0;

    if ($bytes) {
        $plan->{pieces} = [ map { unpack "(a$bytes)*", $_ }
                                join '', @{ $plan->{pieces} } ];
        $plan->{gap} = $fault->{drip} ? $fault->{drip}{every} // 0.1 : 0;
    }

    # Cuts and holds at a byte need a border there.
    my ($cut) = map { $fault->{$_}{bytes} } grep { ref $fault->{$_} }
        qw(cut hold stall);
    $plan->{pieces} = _split($plan->{pieces}, $cut) if defined $cut;

    my $wait = ($fault->{delay} // 0) + ($plan->{first} // 0);
    my $start = sub { $self->_head($c, $note, $plan) };

    # Held before the header
    for my $kind (qw(hold stall)) {
        if (defined $fault->{$kind} && $fault->{$kind} eq 'header') {
            return $self->_hold($c, $kind, $start);
        }
    }

    return $wait ? Mojo::IOLoop->timer($wait => $start) : $start->();
}


sub _split ($pieces, $at) {
    my $all = join '', @$pieces;
    my (@out, $seen);

    $seen = 0;

    for my $piece (@$pieces) {
        my $here = $at - $seen;
        push @out, $here > 0 && $here < length $piece
            ? (substr($piece, 0, $here), substr($piece, $here)) : $piece;
        $seen += length $piece;
    }

    return \@out;
}


sub _hold ($self, $c, $kind, $go) {
    $self->count($kind eq 'hold' ? 'held' : 'stalled');
    push @{ $self->held }, sub { $go->() if $c->tx } if $kind eq 'hold';
}


sub _close ($self, $c, $note) {
    my $stream = Mojo::IOLoop->stream($c->tx->connection) or return;

    $note->{end} = 'cut';
    $self->count('cut');

    # Not from inside a write: the server is not done with the stream.
    Mojo::IOLoop->next_tick(sub { $stream->close_gracefully });
}


sub _head ($self, $c, $note, $plan) {
    my $tx = $c->tx or return;
    my $fault = $note->{fault};
    my $res = $tx->res;

    if (defined $fault->{cut} && $fault->{cut} eq 'header') {
        return $self->_close($c, $note);
    }

    my ($inside) = grep { ($fault->{$_} // '') eq 'inside' } qw(cut stall);

    if ($inside) {
        Mojo::IOLoop->stream($tx->connection)->write(
            "HTTP/1.1 200 OK\r\nContent-Ty" => sub {
                $inside eq 'cut' ? $self->_close($c, $note)
                                 : $self->_hold($c, 'stall', sub { });
            });
        return;
    }

    if (($fault->{garbage} // '') eq 'http') {
        my $stream = Mojo::IOLoop->stream($tx->connection);
        $stream->write("\x16\x03\x01 this is no HTTP\n\n" => sub {
            $self->_close($c, $note);
        });
        return;
    }

    $res->code($plan->{status} // 200);
    $res->headers->content_type($plan->{type}) if defined $plan->{type};
    $res->headers->header($_ => $plan->{headers}{$_})
        for sort keys %{ $plan->{headers} };

    my @pieces = @{ $plan->{pieces} };

    if ($plan->{length}) {
        my $body = join '', @pieces;

        if (!length $body || !grep { defined $fault->{$_} }
                                 qw(cut hold stall drip bytewise))
        {
            $note->{sent} = 1;
            $note->{bytes} = length $body;
            return $c->render(data => $body);
        }

        $res->headers->content_length(length $body);
    }

    $self->_body($c, $note, $plan, \@pieces, 0, 0);
}


sub _reached ($limit, $chunks, $bytes) {
    return 0 if !defined $limit || $limit =~ /\A(?:header|inside)\z/;
    return $chunks >= $limit if !ref $limit;
    return $chunks >= $limit->{chunks} if defined $limit->{chunks};
    return $bytes >= $limit->{bytes};
}


sub _body ($self, $c, $note, $plan, $pieces, $chunks, $bytes) {
    my $tx = $c->tx or return;
    my $fault = $note->{fault};
    my $method = $plan->{length} ? 'write' : 'write_chunk';

    # The header goes out before anything is held or cut.
    if (!$note->{head}++
        && grep { _reached($fault->{$_}, 0, 0) } qw(cut hold stall))
    {
        return $c->$method(undef, sub {
            $self->_body($c, $note, $plan, $pieces, 0, 0);
        });
    }

    return $self->_close($c, $note)
        if _reached($fault->{cut}, $chunks, $bytes);
    return $self->_hold($c, 'stall', sub { })
        if _reached($fault->{stall}, $chunks, $bytes);

    if (_reached($fault->{hold}, $chunks, $bytes) && !$note->{held}++) {
        return $self->_hold($c, 'hold', sub {
            $self->_body($c, $note, $plan, $pieces, $chunks, $bytes);
        });
    }

    if (!@$pieces) {
        $note->{sent} = 1;
        return $c->finish;
    }

    my $piece = shift @$pieces;
    my $last  = !@$pieces && $plan->{length};

    $note->{sent} = 1 if $last && !defined $fault->{cut};
    $chunks++;
    $bytes += length $piece;
    $note->{bytes} = $bytes;

    $c->$method($piece => sub {
        return if !$c->tx || $last;

        my $next = sub {
            $self->_body($c, $note, $plan, $pieces, $chunks, $bytes);
        };

        return $plan->{gap} ? Mojo::IOLoop->timer($plan->{gap} => $next)
                            : $next->();
    });
}


sub start_and_run ($self, $address) {
    my $port = $self->listen_on($address);

    $address =~ s/:\d+\z/:$port/;
    $self->exit_on_signals;
    STDOUT->autoflush(1);
    print $self->title . " on http://$address\n";
    Mojo::IOLoop->start if !Mojo::IOLoop->is_running;
}


# At once: a plain handler would wait until the event loop's C code returns.

sub exit_on_signals ($class) {
    for my $signal (POSIX::SIGTERM, POSIX::SIGINT) {
        POSIX::sigaction($signal,
            POSIX::SigAction->new(sub { POSIX::_exit(0) }));
    }
}


sub title { 'stand-in' }


# A stand-in in a process of its own, for tests that block.
# spawn(%attributes) => { port, base, pid, stop, ... }

sub spawn ($class, %attributes) {
    require Voice::Lab::Child;
    return Voice::Lab::Child->start($class, %attributes);
}

1;
