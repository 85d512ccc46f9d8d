package Voice::Lab::Faults;

# Faults on demand: which request gets which one.  An armed fault is
#   { match => { text => regex, path => regex, nth => n }, times => n,
#     fault => {...} }
# nth counts the matching requests from 1; times (1) may be -1: for ever.
# text is the caller's last words (model) or the text to speak (speech).
#
# Kinds, alone or together; N is a number of pieces (words of a stream, 4 kB
# of audio) or { bytes => n }:
#   preset => name              a ready answer, see below
#   status, headers, body, type whole answer; type alone changes the type
#   delay => seconds            before the header
#   hold => 'header' | N        until POST /_lab/release
#   stall => 'header' | 'inside' | N   for ever; inside the header
#   cut => 'header' | 'inside' | N     the connection is closed
#   drip => { bytes, every }    slowly; bytewise => 1: one byte a chunk
#   garbage => 'http' | text    no HTTP at all; broken JSON, broken audio
#   length => 1                 Content-Length instead of chunks
# Model only:
#   say => text, empty => 1, plain => 1 (no stream), finish => reason,
#   error_event => words before it, no_done, no_usage, no_finish, crlf, cr,
#   idle => words before it: then events without any, comments, bom, at_once
#   (all in one piece, or the first so many)
#   calls => [...] as in a reply, alone or with say; amid => 'stall', 'cut' or
#   'hold': amid the arguments of the first call of a stream; whole_calls: a
#   call in one piece; no_ids, no_index, same_index, object_arguments
# Speech only:
#   say => text, json => 1 (200 with JSON), zero => 1 (200 with 0 bytes)

use Mojo::Base -base, -signatures;

has armed => sub { [] };

my $slow = '{"error":{"message":"Rate limit reached, try again in 20s",'
    . '"type":"requests","param":null,"code":"rate_limit_exceeded"}}';
my $money = '{"error":{"message":"You exceeded your current quota",'
    . '"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}';

# { preset => name } stands for these
my %presets = (
    rate_limit => { status => 429, headers => { 'Retry-After' => 20 },
                    body => $slow },
    quota      => { status => 429, body => $money },
    bad_key    => { status => 401, body => '{"error":{"message":"Incorrect '
        . 'API key provided","type":"invalid_request_error","param":null,'
        . '"code":"invalid_api_key"}}' },
    error      => { status => 500, body => '{"error":{"message":"The server '
        . 'had an error","type":"server_error","param":null,"code":null}}' },
    overloaded => { status => 503, headers => { 'Retry-After' => 1 },
                    body => '{"error":{"message":"Overloaded","type":'
        . '"service_unavailable_error","code":"server_is_overloaded"}}' },
    html       => { status => 502, type => 'text/html', body =>
        "<html><head><title>502 Bad Gateway</title></head></html>\n" },
    empty      => { status => 500, body => '' },
    concurrent => { status => 429, body => '{"detail":{"type":'
        . '"rate_limit_error","code":"concurrent_limit_exceeded","message":'
        . '"Too many concurrent requests","status":'
        . '"concurrent_limit_exceeded","request_id":"lab"}}' },
    busy       => { status => 429, body => '{"detail":{"status":"system_busy",'
        . '"message":"The system is busy, try again later"}}' },
    credits    => { status => 401, body => '{"detail":{"status":'
        . '"quota_exceeded","message":"This request exceeds your quota"}}' },
);


sub arm ($self, $list) {
    for my $spec (ref $list eq 'ARRAY' ? @$list : $list) {
        my $match = $spec->{match} || {};
        my $fault = $spec->{fault} || {};

        if (defined(my $name = $fault->{preset})) {
            my $preset = $presets{$name} or die "no preset $name\n";
            $fault = { %$preset, %$fault };
        }

        push @{ $self->armed }, {
            text => defined $match->{text} ? qr/$match->{text}/i : undef,
            path => defined $match->{path} ? qr/$match->{path}/ : undef,
            nth => $match->{nth}, times => $spec->{times} // 1, seen => 0,
            fault => $fault };
    }

    return scalar @{ $self->armed };
}


sub clear ($self) { $self->armed([]) }


sub take ($self, $text, $path) {
    for my $one (@{ $self->armed }) {
        next if $one->{text} && $text !~ $one->{text};
        next if $one->{path} && $path !~ $one->{path};

        $one->{seen}++;
        next if $one->{nth} && $one->{seen} < $one->{nth};
        next if !$one->{times};

        $one->{times}-- if $one->{times} > 0;
        return $one->{fault};
    }

    return {};
}

1;
