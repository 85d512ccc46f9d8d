# no-sanitize

# The builds, and that a site without any of our directives does not notice
# the module.

use strict;
use warnings;

use Test::More;
use Voice::Edge;

# always Debian's own binary
delete $ENV{TEST_NGINX_BINARY};

my $root = $Voice::Edge::ROOT;


SKIP: {
    skip 'quick', 3 if $ENV{VOICE_TEST_QUICK};

    for my $options ('--cc gcc', '--cc clang', '--source') {
        my @paths = `'$root/scripts/build' $options`;
        chomp @paths;

        ok($? == 0 && @paths && !(grep { !-s } @paths),
           "scripts/build $options");
    }
}


# The same site twice, with and without the module.

my $site = <<'CONF';
%%GLOBALS%%
daemon off;
pid %%DIR%%/%%NAME%%.pid;
error_log %%DIR%%/%%LOG%% info;
worker_processes 2;
events { }
http {
    access_log off;
    client_body_temp_path %%DIR%%/tmp/body;
    proxy_temp_path %%DIR%%/tmp/proxy;
    fastcgi_temp_path %%DIR%%/tmp/fastcgi;
    uwsgi_temp_path %%DIR%%/tmp/uwsgi;
    scgi_temp_path %%DIR%%/tmp/scgi;
    proxy_cache_path %%DIR%%/cache keys_zone=site:1m;
    types { text/html html; text/plain txt; }
    gzip_types text/plain;
    port_in_redirect off;

    server {
        listen 127.0.0.1:%%PORT_http%%;
        listen 127.0.0.1:%%PORT_h2%% http2;
        root SITE;

        location / { }
        location /gzip/ { gzip on; gzip_min_length 1; alias SITE/; }
        location /ssi/ { ssi on; alias SITE/; }
        location /sub/ { sub_filter hello goodbye; sub_filter_once off;
                         sub_filter_types *; alias SITE/; }
        location /added/ { add_after_body /tail.txt; alias SITE/; }
        location /slice/ { slice 1k; alias SITE/; }
        location /text { return 200 "text of $request_method\n"; }
        location /moved { return 302 /text; }
        location /private/ { auth_request /auth; alias SITE/; }
        location = /auth { internal; return 401; }
        location /proxied/ { proxy_pass http://127.0.0.1:BACKEND/; }
        location /zipped/ { gzip on; gzip_min_length 1;
                            proxy_pass http://127.0.0.1:BACKEND/; }
        location /live/ { proxy_buffering off;
                          proxy_pass http://127.0.0.1:BACKEND/; }
        location /cached/ {
            proxy_cache site;
            proxy_cache_valid 200 1h;
            proxy_force_ranges on;
            add_header X-Cache $upstream_cache_status;
            proxy_pass http://127.0.0.1:BACKEND/;
        }
        location /error/ { error_page 502 /tail.txt;
                           proxy_pass http://127.0.0.1:NOBODY/; }
    }
}
CONF

my $without = Voice::Edge->new(conf => '', module => 0);
my $with = Voice::Edge->new(conf => '');

$without->write_file('site/index.html', "<p>hello, index</p>\n");
$without->write_file('site/big.txt', join '', map { "hello $_\n" } 1 .. 20000);
$without->write_file('site/tail.txt', "the tail\n");
$without->write_file('site/page.html',
    "<p>hello</p><!--#include virtual=\"/tail.txt\" -->\n"
    . "<!--#include virtual=\"/proxied/echo\" -->\n");
$without->write_file('site/folder/index.html', "in a folder\n");

my %place = (SITE => $without->path('site'), BACKEND => $without->port('back'),
             NOBODY => $without->port('nobody'));

$site =~ s/\b(SITE|BACKEND|NOBODY)\b/$place{$1}/g;
$site =~ s/%%PORT_(back|nobody)%%/$without->port($1)/ge;

$_->reconfigure(conf => $site) for $without, $with;

like($with->conf, qr/load_module/, 'one has the module');
unlike($without->conf, qr/load_module/, 'the other has not');
$with->good_conf('accepted by the stock binary');

$without->run_daemon(\&backend, 'back');
$_->start for $without, $with;

my @requests = (
    [ 'static file'          => '/' ],
    [ 'large file'           => '/big.txt' ],
    [ 'head'                 => '/big.txt', method => 'HEAD' ],
    [ 'range'                => '/big.txt', headers => [Range => 'bytes=5-99'] ],
    [ 'range from the end'   => '/big.txt', headers => [Range => 'bytes=-7'] ],
    [ 'bad range'            => '/big.txt',
                                headers => [Range => 'bytes=9999999-'] ],
    [ 'not modified'         => '/big.txt',
                                headers => ['If-None-Match' => '*'] ],
    [ 'missing file'         => '/missing' ],
    [ 'method not allowed'   => '/', body => 'x' ],
    [ 'folder'               => '/folder' ],
    [ 'gzip, static'         => '/gzip/big.txt',
                                headers => ['Accept-Encoding' => 'gzip'] ],
    [ 'gzip, proxied'        => '/zipped/echo',
                                headers => ['Accept-Encoding' => 'gzip'] ],
    [ 'includes'             => '/ssi/page.html' ],
    [ 'substitution'         => '/sub/big.txt' ],
    [ 'addition'             => '/added/page.html' ],
    [ 'slices'               => '/slice/big.txt' ],
    [ 'refused by subrequest' => '/private/big.txt' ],
    [ 'return'               => '/text' ],
    [ 'redirect'             => '/moved' ],
    [ 'proxied'              => '/proxied/echo?a=b' ],
    [ 'proxied, with a body' => '/proxied/echo', body => 'x' x 100_000 ],
    [ 'proxied, unbuffered'  => '/live/chunks' ],
    [ 'proxied, chunked'     => '/proxied/chunks' ],
    [ 'proxied error'        => '/proxied/500' ],
    [ 'nobody behind'        => '/error/x' ],
    [ 'cache, first'         => '/cached/length' ],
    [ 'cache, again'         => '/cached/length' ],
    [ 'cache, range'         => '/cached/length',
                                headers => [Range => 'bytes=2-5'] ],
    [ 'cache, chunked'       => '/cached/chunks' ],
    [ 'cache, chunked again' => '/cached/chunks' ],
    [ 'HTTP/1.0'             => '/text', version => '1.0' ],
    [ 'path of ours'         => '/api/voice/inbound-webhook', body => 'a=b' ],
);

for (@requests) {
    my ($name, @request) = @$_;
    my ($a, $b) = map { answer($_, @request) } $without, $with;

    is($b, $a, $name);
}

my ($h2a, $h2b) = map {
    my $url = 'http://127.0.0.1:' . $_->port('h2') . '/big.txt';
    scalar `curl -s --noproxy '*' --http2-prior-knowledge '$url'`
} $without, $with;

ok($h2a eq $h2b && length $h2a > 100_000, 'HTTP/2');

ok($with->reload, 'reload with the module');
is(answer($with, '/text'), answer($without, '/text'), 'after a reload');

ok($with->finish && $without->finish, 'both left quietly');


# A name that is not ours may be resolved to another module's, or the other
# way round.

my $module = Voice::Edge->module_path;
my @alien = grep { !/^ngx_(http_)?voice_|^ngx_modules$|^ngx_module_/ }
    map { /^\S+ [A-Z] (\S+)$/ ? $1 : () } `nm -D --defined-only '$module'`;

is("@alien", '', 'every exported symbol has the prefix');

done_testing;


sub answer {
    my ($edge, @request) = @_;

    my $raw = $edge->request(@request)->raw;
    $raw =~ s/^Date: [^\r]*\r\n//m;

    return $raw if length $raw < 10_000;
    return substr($raw, 0, 500) . Digest::SHA::sha256_hex($raw);
}


# Answers by path, always with the same bytes.

sub backend {
    my ($edge) = @_;

    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $edge->port('back'),
        Listen => 16, ReuseAddr => 1,
    ) or die "backend: $!";

    $SIG{PIPE} = 'IGNORE';

    while (my $c = $socket->accept) {
        my $head = '';
        while (defined(my $line = <$c>)) {
            $head .= $line;
            last if $line =~ /^\r?\n$/;
        }
        next unless $head =~ m{^\w+ /(\S*)};

        my $path = $1;
        my $size = $head =~ /^Content-Length: (\d+)/im ? $1 : 0;
        read $c, my $body, $size if $size;
        $head =~ s/^Host: .*\r\n//m;
        my $text = "hello\n${head}and a body of $size\n";

        print {$c} $path eq 'chunks'
            ? "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
              . "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
              . "6\r\nhello \r\n6\r\nworld\n\r\n0\r\n\r\n"
            : $path eq '500'
            ? "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n"
              . "Connection: close\r\n\r\noops"
            : "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
              . length($text) . "\r\nConnection: close\r\n\r\n$text";
        close $c;
    }
}
