package Voice::Lab::Fetch;

# One HTTP/1.1 client with the fetcher's rules: connection overrides, retries
# by kind of failure, redirects, whole bodies only.  Written on the event loop
# because the tests need what a browser-like client hides: which phase timed
# out, whether a body was cut, dropping a connection on purpose.

use Mojo::Base -base, -signatures;

use Mojo::IOLoop;
use Mojo::IOLoop::Client;
use Mojo::IOLoop::Stream;
use Mojo::Message::Response;
use Mojo::Promise;
use Mojo::URL;
use Time::HiRes ();

use constant USER_AGENT => 'TwilioProxy/1.1';

has keep_alive => 1;
has max_body   => 16 * 1024 * 1024;
has hosts      => sub { {} };      # origin as written => origin to connect to
has idle       => sub { {} };

my %DEFAULTS = (ct => 5000, rt => 15000, tt => 15000, rc => 1);
my %RANGES   = (ct => [100, 10000], rt => [100, 15000], tt => [100, 15000],
                rc => [0, 5]);


# "ct=2000&rp=5xx,ct" => (overrides, warnings)

sub overrides ($class, $fragment) {
    my (@wrong, %o);

    %o = (%DEFAULTS, rp => { ct => 1 });

    for my $pair (split /&/, $fragment // '') {
        my ($name, $value) = $pair =~ /\A([a-z]+)=(.*)\z/s
            or push(@wrong, $pair), next;

        if (my $range = $RANGES{$name}) {
            if ($value =~ /\A\d{1,5}\z/
                && $value >= $range->[0] && $value <= $range->[1])
            {
                $o{$name} = $value;
                next;
            }
        }
        elsif ($name eq 'rp') {
            my $kind = qr/4xx|5xx|ct|rt|all/;

            if ($value =~ /\A$kind(?:,$kind)*\z/) {
                $o{rp} = { map { $_ => 1 } split /,/, $value };
                $o{rp} = { map { $_ => 1 } qw(4xx 5xx ct rt) }
                    if $o{rp}{all};
                next;
            }
        }
        elsif ($name eq 'sni' && $value =~ /\A[yn]\z/
               || $name eq 'e' && $value =~ /\A[a-z0-9-]+(?:,[a-z0-9-]+)*\z/)
        {
            next;
        }

        push @wrong, $pair;
    }

    return (\%o, \@wrong);
}


# fetch_p(method, url, {headers, body, fragment, drop, delay}) resolves
# to {status, headers, type, body, attempts, ms,
#     error => {code, kind, message}}

sub fetch_p ($self, $method, $url, $options = {}) {
    my ($o)   = Voice::Lab::Fetch->overrides($options->{fragment});
    my $start = Time::HiRes::time();
    my $end   = $start + $o->{tt} / 1000;
    my $tries = 0;
    my $hops  = 0;
    my ($again, $finish);
    my $promise = Mojo::Promise->new;

    $finish = sub ($r) {
        undef $again;
        $r->{attempts} = $tries;
        $r->{hops}     = $hops;
        $r->{ms}       = 1000 * (Time::HiRes::time() - $start);
        $promise->resolve($r);
    };

    $again = sub {
        my %try = (%$options, ct => $o->{ct}, rt => $o->{rt}, end => $end);

        delete $try{drop} if $tries >= ($options->{drop} || 0);
        $tries++;

        $self->_once_p($method, $url, \%try)->then(sub ($r) {
            my $status = $r->{status} || 0;

            if (!$r->{error} && $status =~ /\A30[12378]\z/
                && defined $r->{location})
            {
                if (++$hops > 10) {
                    $r->{error} = { code => 11215, kind => 'redirects',
                                    message => 'too many HTTP redirects' };
                    return $finish->($r);
                }

                $url = Mojo::URL->new($r->{location})->to_abs(
                    Mojo::URL->new($url))->to_string;

                if ($status !~ /\A30[78]\z/ && $method eq 'POST') {
                    $method  = 'GET';
                    $options = { %$options, body => undef };
                }

                if ($options->{resign}) {
                    my $headers = $options->{resign}->($method, $url);
                    $options = { %$options, headers => $headers };
                }

                $tries--;
                return $again->();
            }

            my $kind = $r->{error} ? $r->{error}{kind}
                     : $status >= 500 ? '5xx' : $status >= 400 ? '4xx' : '';

            if ($kind eq 'dropped'
                || $o->{rp}{$kind} && $tries <= $o->{rc}
                   && Time::HiRes::time() < $end)
            {
                push @{ $options->{tried} //= [] }, $r;
                return $again->();
            }

            return $finish->($r);
        })->catch(sub ($why) {
            $finish->({ error => { code => 11200, kind => 'internal',
                                   message => "$why" } });
        });
    };

    if ($options->{delay}) {
        Mojo::IOLoop->timer($options->{delay} => sub { $again->() });
    }
    else {
        $again->();
    }

    return $promise;
}


sub _once_p ($self, $method, $url, $o, $fresh = 0) {
    my $u      = Mojo::URL->new($url);
    my $origin = $u->scheme . '://' . $u->host_port;
    my $to     = Mojo::URL->new($self->hosts->{$origin} // $origin);

    if ($to->host !~ /\A(?:127\.\d+\.\d+\.\d+|\[?::1\]?|localhost)\z/) {
        return Mojo::Promise->resolve({ error => {
            code => 11210, kind => 'host',
            message => "$origin is not this machine" } });
    }

    my $promise = Mojo::Promise->new;
    my $res     = Mojo::Message::Response->new;
    my $peer    = $to->host . ':' . ($to->port || 80);
    my ($got, $done, $timer, $stream, $reused, @heard) = (0, 0);

    $res->max_message_size($self->max_body);
    $res->content->skip_body(1) if $method eq 'HEAD';

    my $finish = sub ($error = undef) {
        return if $done++;

        Mojo::IOLoop->remove($timer) if $timer;

        if ($stream) {
            $stream->unsubscribe(@$_) for splice @heard;

            if (!$error && $self->keep_alive && $res->content->is_finished
                && $res->version ne '1.0'
                && lc($res->headers->connection // '') ne 'close')
            {
                $self->_park($peer, $stream);
            }
            else {
                $stream->close;
            }
        }

        $promise->resolve({
            status   => $res->code,
            headers  => $res->headers->to_hash,
            location => $res->headers->location,
            type     => $res->headers->content_type,
            body     => $res->body,
            reused   => $reused ? 1 : 0,
            $error ? (error => $error) : (),
        });
    };

    my $wait = sub ($seconds, $kind, $code) {
        Mojo::IOLoop->remove($timer) if $timer;

        my $left = $o->{end} - Time::HiRes::time();

        ($seconds, $kind, $code) = ($left > 0 ? $left : 0, 'tt', 11203)
            if $left < $seconds;

        # A partial answer is never asked for again.
        $timer = Mojo::IOLoop->timer($seconds => sub {
            $finish->({ code => $code, kind => $got ? 'partial' : $kind,
                        message => "$kind timeout" });
        });
    };

    my $closed = sub (@) {
        return if $done;

        if (!$got && $reused) {
            # An idle connection that the server closed meanwhile.
            $done = 1;
            Mojo::IOLoop->remove($timer) if $timer;
            $stream->unsubscribe(@$_) for splice @heard;
            $self->_once_p($method, $url, $o, 1)
                 ->then(sub ($r) { $promise->resolve($r) });
            return;
        }

        if ($got && $res->content->is_parsing_body
            && !$res->content->is_chunked
            && !defined $res->headers->content_length)
        {
            $res->finish;
            return $finish->();
        }

        $finish->($got ? { code => 11206, kind => 'partial',
                           message => 'connection closed inside the answer' }
                       : { code => 11205, kind => 'rt',
                           message => 'connection closed without an answer' });
    };

    my $talk = sub {
        $wait->($o->{rt} / 1000, 'rt', 11200);

        # The target goes out as written: it is what was signed.
        my $target = $url =~ m{\A[a-z]+://[^/?#]*([^#]*)}s ? $1 : '/';
        $target = "/$target" unless $target =~ m{\A/};

        my %headers = ('User-Agent' => USER_AGENT, Accept => '*/*',
                       'Accept-Encoding' => 'gzip',
                       Host => $u->host_port, %{ $o->{headers} || {} });

        $headers{Connection} = 'close' unless $self->keep_alive;
        $headers{'Content-Length'} //= length $o->{body} if defined $o->{body};

        my $head = join "\x0d\x0a", "$method $target HTTP/1.1",
            map { "$_: $headers{$_}" } sort keys %headers;

        my $read = sub ($, $bytes) {
            $got = 1;
            $wait->($o->{rt} / 1000, 'rt', 11200);
            $res->parse($bytes);

            if ($res->error) {
                return $finish->({ code => 11206, kind => 'protocol',
                                   message => $res->error->{message} });
            }

            $finish->() if $res->is_finished;
        };

        @heard = ([close => $closed], [error => $closed], [read => $read]);
        $stream->on(@$_) for @heard;
        $stream->timeout(0);

        my $drop = $o->{drop};

        $stream->write("$head\x0d\x0a\x0d\x0a" . ($o->{body} // '') => sub {
            $finish->({ code => 11206, kind => 'dropped',
                        message => 'dropped by the test' }) if $drop;
        });
    };

    if (!$fresh && ($stream = $self->_take($peer))) {
        $reused = 1;
        $talk->();
        return $promise;
    }

    my $client = Mojo::IOLoop::Client->new;

    $wait->($o->{ct} / 1000, 'ct', 11201);

    $client->on(connect => sub ($, $handle) {
        return if $done;
        $stream = Mojo::IOLoop::Stream->new($handle);
        Mojo::IOLoop->stream($stream);
        $talk->();
    });

    $client->on(error => sub ($, $why) {
        $finish->({ code => 11202, kind => 'ct', message => $why });
    });

    $client->connect(address => $to->host, port => $to->port || 80);

    # The closures above keep each other alive until the answer is there.
    $promise->finally(sub { undef $client; undef $talk; undef $closed });

    return $promise;
}


# An idle connection is watched, so that one closed by the server is not
# taken again.

sub _park ($self, $peer, $stream) {
    my $idle = $self->idle;
    my $gone = sub ($s, @) {
        @{ $idle->{$peer} } = grep { $_->[0] != $s } @{ $idle->{$peer} || [] };
    };

    $stream->timeout(0);
    $stream->on($_ => $gone) for qw(close error);
    push @{ $idle->{$peer} }, [$stream, $gone];
}


sub _take ($self, $peer) {
    my $parked = pop @{ $self->idle->{$peer} || [] } or return;
    my ($stream, $gone) = @$parked;

    $stream->unsubscribe($_ => $gone) for qw(close error);
    return $stream;
}


sub hang_up ($self) {
    $_->[0]->close for map { @$_ } values %{ $self->idle };
    $self->idle({});
}

1;
