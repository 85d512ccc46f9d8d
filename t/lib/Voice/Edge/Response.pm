package Voice::Edge::Response;

# An answer of the edge, taken apart.

use strict;
use warnings;

use JSON::PP ();

sub parse {
    my ($class, $raw) = @_;

    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my ($line, @lines) = split /\r\n/, $head // '';
    my ($status) = ($line // '') =~ m{^HTTP/\d\S* (\d+)};
    my @headers = map { /^([^:]+):\s*(.*)/s ? [ $1, $2 ] : () } @lines;

    my $self = bless { raw => $raw, head => $head, status => $status // 0,
                       headers => \@headers, body => $body // '' }, $class;

    $self->{body} = dechunk($self->{body})
        if ($self->header('Transfer-Encoding') // '') eq 'chunked';

    return $self;
}

sub dechunk {
    my ($in) = @_;

    my $out = '';

    while ($in =~ s/^([0-9A-Fa-f]+)[^\r\n]*\r\n//) {
        my $n = hex $1 or last;
        $out .= substr $in, 0, $n, '';
        $in =~ s/^\r\n//;
    }

    return $out;
}

sub raw     { $_[0]{raw} }
sub head    { $_[0]{head} }
sub status  { $_[0]{status} }
sub body    { $_[0]{body} }
sub headers { @{ $_[0]{headers} } }

sub header {
    my ($self, $name) = @_;

    my @values = map { $_->[1] }
        grep { lc $_->[0] eq lc $name } $self->headers;

    return wantarray ? @values : $values[0];
}

sub json { JSON::PP->new->utf8->decode($_[0]{body}) }

1;
