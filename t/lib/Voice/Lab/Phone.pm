package Voice::Lab::Phone;

# A telephone network for one machine: places calls against a base URL as
# Twilio does.  Settings of the number live here, a call in Voice::Lab::Call.

use Mojo::Base -base, -signatures;

use Mojo::Promise;
use Mojo::URL;
use Mojo::Util qw(url_escape);
use Voice::Lab::Call;
use Voice::Lab::Fetch;
use Voice::Lab::Signature qw(sign);

has base         => 'http://127.0.0.1:8080';
has public_url   => 'https://voice.test';
has token        => sub { die "Phone needs a token\n" };
has account      => 'AC' . 'a' x 32;
has from         => '+15005550006';
has to           => '+15005550009';
has path         => '/api/voice/inbound-webhook';
has fallback_url => undef;
has status_url   => undef;
has connect      => undef;        # overrides on the number's own URLs
has strict       => 1;            # warnings fail too
has speed        => 0;            # 1: in real time
has keep_alive   => 1;
has misbehave    => sub { {} };   # or code, see Voice::Lab::Call
has redirects    => 30;           # documents in a row without a sound
has documents    => 500;          # in one call
has media_cache  => undef;        # a hash to share between calls
has captions     => undef;        # { SHA-256 => text }, or code ($sound)
has media_copies => 1;            # fetch each file so many times at once
has dial         => sub { { status => 'completed', seconds => 5 } };
has recorder     => undef;        # base URL of Voice::Lab::Twilio
has silence_recorded => 1;        # 0: a silent Record goes on to what follows
has after        => 'hangup';     # when the lines are used up: or 'silence'
has params       => sub { {} };   # more webhook parameters, or other values
has hosts        => sub { {} };   # other origins that are on this machine
has on_event     => undef;        # sub ($call, $event), for printing


# call(path => , lines => [...] or code for every Gather, any attribute
# above for this call only)

sub call ($self, %options) {
    my ($call, $error);

    $self->call_p(%options)->then(sub ($done) { $call = $done },
                                  sub ($why) { $error = $why })->wait;
    die $error if defined $error;
    return $call;
}


sub call_p ($self, %options) {
    my $lines = delete $options{lines} || [];
    my $sid   = delete $options{sid};
    my $phone = %options ? $self->new(%$self, %options) : $self;

    return Voice::Lab::Call->new(
        phone => $phone,
        lines => ref $lines eq 'CODE' ? $lines : [@$lines],
        defined $sid ? (sid => $sid) : (),
    )->run_p;
}


# One signed webhook outside of any call.
# webhook(path, {params}, {method, type, body, tamper, headers, token, ...})
# returns what Fetch returns: {status, headers, type, body, error, ms}

sub webhook ($self, @arguments) {
    my ($result, $error);

    $self->webhook_p(@arguments)->then(sub ($r) { $result = $r },
                                       sub ($why) { $error = $why })->wait;
    die $error if defined $error;
    return $result;
}


sub webhook_p ($self, $path, $params = {}, $options = {}) {
    my $fetch = $options->{fetch} || $self->fetcher;
    my $url   = $self->absolute($path);
    my $all   = $options->{bare} ? $params
              : { %{ $self->standard({ CallSid => new_sid() }) }, %$params };

    return $fetch->fetch_p($self->request($url, $all, $options));
}


# One unsigned request, as for media: get(path, {headers}, method)

sub get ($self, @arguments) {
    my $result;

    $self->get_p(@arguments)->then(sub ($r) { $result = $r })->wait;
    return $result;
}


sub get_p ($self, $path, $headers = {}, $method = 'GET') {
    return $self->fetcher->fetch_p($method, $self->absolute($path),
                                   { headers => $headers });
}


sub fetcher ($self) {
    return Voice::Lab::Fetch->new(
        keep_alive => $self->keep_alive,
        hosts => { $self->origin => $self->base =~ s{/+\z}{}r,
                   %{ $self->hosts } });
}


sub origin ($self) {
    return $self->public_url =~ m{\A([a-z]+://[^/?#]+)} ? $1
        : die "public_url is no URL\n";
}


sub absolute ($self, $path) {
    return $path =~ m{\A[a-z]+://} ? $path : $self->origin . $path;
}


# The arguments of fetch_p for a signed request.

sub request ($self, $url, $params, $o = {}) {
    my ($bare, $fragment) = split /#/, $url, 2;
    my $method = $o->{method} // 'POST';
    my $tamper = $o->{tamper} // '';
    my $token  = $o->{token} // $self->token;
    my (@pairs, $body);

    for my $name (sort keys %$params) {
        my $values = $params->{$name} // next;
        push @pairs, $name, _bytes($_) for ref $values ? @$values : $values;
    }

    if ($method eq 'GET') {
        $bare .= ($bare =~ /\?/ ? '&' : '?') . form(\@pairs) if @pairs;
        @pairs = ();
    }
    else {
        $body = $o->{body} // form(\@pairs);
    }

    my $signed  = $tamper eq 'url' ? "$bare/other" : $bare;
    my $resign  = sub ($verb, $to) {
        return { 'X-Twilio-Signature' =>
                     sign($token, $to, $verb eq 'GET' ? [] : \@pairs) };
    };
    my $headers = $resign->($method, $signed);

    substr($headers->{'X-Twilio-Signature'}, 3, 1)
        =~ tr{A-Za-z0-9+/}{B-ZAb-za1-90/+} if $tamper eq 'signature';
    delete $headers->{'X-Twilio-Signature'} if $tamper eq 'missing';
    $body .= '&Injected=1' if $tamper eq 'param';

    $headers->{'Content-Type'} = $o->{type}
        // 'application/x-www-form-urlencoded; charset=UTF-8'
        if defined $body;
    $headers->{'I-Twilio-Idempotency-Token'} = $o->{idempotency} // new_uuid();
    $headers->{'X-Home-Region'} = 'us1';
    %$headers = (%$headers, %{ $o->{headers} || {} });

    for my $name (keys %$headers) {
        delete $headers->{$name} if !defined $headers->{$name};
    }

    return ($method, $bare, {
        headers => $headers, body => $body, resign => $resign,
        fragment => $o->{fragment} // $fragment,
        map { $_ => $o->{$_} } grep { $o->{$_} } qw(drop delay),
    });
}


# The parameters that come with every webhook of a call.

sub standard ($self, $more = {}) {
    my ($from, $to) = ($self->from, $self->to);
    my %params = (
        AccountSid => $self->account, ApiVersion => '2010-04-01',
        CallStatus => 'in-progress', Direction => 'inbound',
        From => $from, Caller => $from, To => $to, Called => $to,
    );

    for my $side (qw(From Caller To Called)) {
        my $american = $params{$side} =~ /\A\+1/;

        $params{"${side}City"}    = '';
        $params{"${side}State"}   = $american ? 'CA' : '';
        $params{"${side}Zip"}     = '';
        $params{"${side}Country"} = $american ? 'US' : '';
    }

    # Looks encoded twice, and is not: a form is decoded once.
    $params{CallToken} = '%7B%22parentCallInfoToken%22%3A%22lab%22%7D';
    $params{StirVerstat} = 'TN-Validation-Passed-A' if $from =~ /\A\+1/;

    return { %params, %{ $self->params }, %$more };
}


sub form ($pairs) {
    my (@pairs, @out) = @$pairs;

    while (my ($name, $value) = splice @pairs, 0, 2) {
        push @out, join '=', map { url_escape($_, '^A-Za-z0-9\-._* ')
                                       =~ tr/ /+/r } $name, $value;
    }

    return join '&', @out;
}


sub new_sid ($prefix = 'CA') {
    return $prefix . join '', map { sprintf '%08x', rand 2**32 } 1 .. 4;
}


sub new_uuid () {
    return join '-', map { join '', map { sprintf '%x', rand 16 } 1 .. $_ }
        8, 4, 4, 4, 12;
}


sub _bytes ($value) {
    utf8::encode(my $bytes = "$value");
    return $bytes;
}

1;
