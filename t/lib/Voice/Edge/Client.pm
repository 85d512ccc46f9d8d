package Voice::Edge::Client;

# What a test says to its edge: requests byte by byte, and Twilio's webhooks
# with their signature.  An edge has port(), token(), account() and
# public_url().

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1);
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use Socket qw(SOL_SOCKET SO_LINGER);
use Voice::Edge::Response;

# One request on a connection of its own; options: headers => [name, value, …],
# body, method, port (a name), version.

sub request {
    my ($self, $target, %option) = @_;

    my $method = $option{method} // (defined $option{body} ? 'POST' : 'GET');
    my $version = $option{version} // '1.1';
    my @headers = @{ $option{headers} || [] };
    my %given = map { lc $headers[2 * $_] => 1 } 0 .. (@headers / 2) - 1;

    push @headers, Host => $option{host} // 'voice.test' unless $given{host};
    push @headers, Connection => 'close' unless $given{connection};
    push @headers, 'Content-Length' => length $option{body}
        if defined $option{body} && !$given{'content-length'}
           && !$given{'transfer-encoding'};

    my $text = "$method $target HTTP/$version\r\n";
    $text .= shift(@headers) . ': ' . shift(@headers) . "\r\n" while @headers;

    return $self->raw("$text\r\n" . ($option{body} // ''), %option);
}

sub raw {
    my ($self, $bytes, %option) = @_;

    my $s = $self->connect(%option) or return Voice::Edge::Response->parse('');
    send_bytes($s, $bytes);

    return Voice::Edge::Response->parse($self->read_all($s));
}

sub connect {
    my ($self, %option) = @_;

    return IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->port($option{port}),
    );
}

sub send_bytes {
    my ($s, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (length $bytes) {
        my $n = syswrite $s, $bytes or return;
        substr $bytes, 0, $n, '';
    }

    return 1;
}

sub read_all {
    my ($self, $s) = @_;

    my $bytes = '';
    1 while sysread $s, $bytes, 65536, length $bytes;

    return $bytes;
}

# One response from a connection that stays open; undef when it closed first.

sub read_response {
    my ($self, $s) = @_;

    my $bytes = '';

    until ($bytes =~ /\r\n\r\n/) {
        sysread $s, $bytes, 1, length $bytes or return;
    }

    my $length = $bytes =~ /^Content-Length: (\d+)/im ? $1 : undef;

    if (defined $length) {
        my $end = length($bytes) + $length;
        while (length $bytes < $end) {
            sysread $s, $bytes, $end - length $bytes, length $bytes or last;
        }

    } elsif ($bytes =~ /^Transfer-Encoding: chunked/im) {
        until ($bytes =~ /\r\n0\r\n\r\n\z/) {
            sysread $s, $bytes, 1, length $bytes or last;
        }
    }

    return Voice::Edge::Response->parse($bytes);
}

# closes with a reset instead of a FIN

sub reset {
    my ($self, $s) = @_;

    setsockopt $s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    close $s;
}

sub get { my ($self, $target, %o) = @_; $self->request($target, %o) }

# A signed Twilio webhook.  The target is a route, a route with a query, or a
# whole path; its fragment is not sent.  Options: params (over the usual ones,
# undef takes one away), call, signature, headers, token, raw_params (pairs in
# this order instead), and those of "request".

sub webhook {
    my ($self, $target, %option) = @_;

    return $self->raw($self->webhook_bytes($target, %option), %option);
}

sub webhook_bytes {
    my ($self, $target, %option) = @_;

    $target =~ s/#.*//s;
    $target = "/api/voice/$target" unless $target =~ m{^/};

    my @params = $option{raw_params} ? @{ $option{raw_params} }
        : $self->params($option{call}, %{ $option{params} || {} });

    my $body = form(@params);
    my $signature = exists $option{signature} ? $option{signature}
        : $self->signature($target, \@params, $option{token});

    my @headers = (
        'Host'         => $option{host} // 'voice.test',
        'Content-Type' => 'application/x-www-form-urlencoded; charset=UTF-8',
        'User-Agent'   => 'TwilioProxy/1.1',
        'Connection'   => $option{keepalive} ? 'keep-alive' : 'close',
        'Content-Length' => length $body,
    );

    push @headers, 'X-Twilio-Signature' => $signature if defined $signature;
    push @headers, @{ $option{headers} || [] };

    my $method = $option{method} // 'POST';
    my $text = "$method $target HTTP/1.1\r\n";
    $text .= shift(@headers) . ': ' . shift(@headers) . "\r\n" while @headers;

    return "$text\r\n$body";
}

sub params {
    my ($self, $call, %over) = @_;

    my %params = (
        AccountSid => $self->account,
        ApiVersion => '2010-04-01',
        CallSid    => $call // 'CA00000000000000000000000000000001',
        CallStatus => 'in-progress',
        Called     => '+15005550009',
        Caller     => '+15005550006',
        Direction  => 'inbound',
        From       => '+15005550006',
        FromCity   => '',
        To         => '+15005550009',
        %over,
    );

    return map { $_ => $params{$_} }
        grep { defined $params{$_} } sort keys %params;
}

# Twilio, "Validating requests": HMAC-SHA1 over the URL and the sorted pairs.

sub signature {
    my ($self, $target, $params, $token) = @_;

    my @pairs = map { [ $params->[2 * $_], $params->[2 * $_ + 1] ] }
        0 .. (@$params / 2) - 1;
    my ($text, %seen) = $self->public_url . $target;

    for (sort { $a->[0] cmp $b->[0] || $a->[1] cmp $b->[1] } @pairs) {
        $text .= "$_->[0]$_->[1]" unless $seen{"$_->[0]\0$_->[1]"}++;
    }

    utf8::encode($text) if utf8::is_utf8($text);

    return encode_base64(hmac_sha1($text, $token // $self->token), '');
}

sub form {
    my @pairs;

    while (@_) {
        push @pairs, join '=', map {
            my $v = $_;
            utf8::encode($v) if utf8::is_utf8($v);
            $v =~ s/([^A-Za-z0-9_.~ -])/sprintf '%%%02X', ord $1/ge;
            $v =~ tr/ /+/;
            $v;
        } splice @_, 0, 2;
    }

    return join '&', @pairs;
}

1;
