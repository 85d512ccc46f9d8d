package Voice::Lab::Signature;

# X-Twilio-Signature: HMAC-SHA1 over the URL and the sorted form parameters.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1_base64);
use Exporter 'import';

our @EXPORT_OK = qw(sign);


# sign(token, url, [name => value, ...]): names and values are bytes.
# Values of a repeated name are distinct and sorted, as the SDKs have it.

sub sign {
    my ($token, $url, $pairs) = @_;
    my (%values, @pairs);

    @pairs = @{ $pairs || [] };

    while (my ($name, $value) = splice @pairs, 0, 2) {
        $values{$name}{$value} = 1;
    }

    my $data = $url;

    for my $name (sort keys %values) {
        $data .= $name . $_ for sort keys %{ $values{$name} };
    }

    my $digest = hmac_sha1_base64($data, $token);

    return $digest . '=' x (-length($digest) % 4);
}

1;
