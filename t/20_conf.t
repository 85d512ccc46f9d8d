#!/usr/bin/perl

# What "nginx -t" says to each directive, and a module that is only loaded.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use Voice::Edge;

my $edge = Voice::Edge->new;

# A refusal is named by its message.

sub refused {
    my ($like, %option) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($name) = "$like" =~ /^\(\?\^\w*:(.*)\)$/s;

    $edge->bad_conf($name =~ s/\s+/ /gr, $like, %option);
}

sub http   { return (http_directives => { @_ }) }
sub server { return (directives => { @_ }) }
sub place  { return (locations => { @_ }) }

sub flow_file {
    my ($name, $text) = @_;

    $text = JSON::PP->new->canonical->pretty->utf8->encode($text) if ref $text;
    $edge->write_file($name, $text);

    return http(voice_flow => "%%DIR%%/$name");
}

sub warned {
    my ($name, $like, %option) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($rc, $output) = $edge->check(%option);

    is $rc, 0, "$name: accepted";
    like $output, $like, "$name: warned";
}


$edge->good_conf('the usual configuration');

# in the wrong place, or without what it needs

for my $name (qw(voice_zone voice_max_calls voice_key voice_flow voice_secret
                 voice_spool))
{
    refused(qr/"$name" directive is not allowed here/,
            server($name => 'a b'));
}

refused(qr/"voice_number" directive is not allowed here/,
        place(x => 'location /x { voice_number default; }'));

for my $name (qw(voice_webhook voice_audio voice_health)) {
    refused(qr/"$name" directive is not allowed here/, server($name => ''));
}

for my $name (qw(voice_public_url voice_account_sid voice_auth_token
                 voice_signature voice_llm voice_tts voice_filler_after
                 voice_first_token_timeout voice_token_timeout
                 voice_speech_timeout voice_tool_timeout voice_turn_timeout
                 voice_answer_within voice_max_turns voice_stt voice_twilio
                 voice_recording_max_size voice_transcription_timeout))
{
    refused(qr/invalid number of arguments in "$name" directive/,
            server($name => ''));
    refused(qr/"$name" directive is not allowed here/,
            place(x => "location /x { if (\$arg_a) { $name a; } }"));
}

for my $name (qw(voice_zone voice_max_calls voice_key voice_flow voice_secret
                 voice_number))
{
    refused(qr/invalid number of arguments in "$name" directive/,
            http($name => ''));
}

# voice_zone

refused(qr/invalid zone "voice", it is written as name:size in .*:\d+/,
        http(voice_zone => 'voice'));
refused(qr/invalid zone ":1m"/, http(voice_zone => ':1m'));
refused(qr/invalid size "" of zone "voice", at least \d+k are needed/,
        http(voice_zone => 'voice:'));
refused(qr/invalid size "lots"/, http(voice_zone => 'voice:lots'));
refused(qr/invalid size "-4m"/, http(voice_zone => 'voice:-4m'));
refused(qr/invalid size "100k" of zone "voice", at least 256k/,
        http(voice_zone => 'voice:100k'));
refused(qr/"voice_zone" directive is duplicate/,
        http(voice_zone => ['voice:1m', 'other:1m']));
refused(qr/shared memory zone "voice_tts" .*different use/,
        http(voice_zone => 'voice_tts:1m'));
refused(qr/"voice_zone" is needed by the location in .*check\.conf:\d+/,
        http(voice_zone => undef));

$edge->good_conf('the smallest zone', http(voice_zone => 'voice:256k'));

# voice_max_calls

refused(qr/"voice_max_calls" directive invalid number/,
        http(voice_max_calls => 'many'));
refused(qr/"voice_max_calls" directive is duplicate/,
        http(voice_max_calls => [1, 2]));
$edge->good_conf('voice_max_calls', http(voice_max_calls => 100));
refused(qr/"voice_max_calls" 300 needs 750 "worker_connections" in each of 2 workers, there are 512:/,
        http(voice_max_calls => 300));

# voice_database and what belongs to it

my $db = '"host=/tmp user=nobody"';

refused(qr/invalid number of arguments in "voice_database" directive/,
        http(voice_database => ''));
refused(qr/"voice_database" directive is duplicate/,
        http(voice_database => [$db, $db]));
refused(qr/invalid parameter "timeout=soon"/,
        http(voice_database => "$db timeout=soon"));
refused(qr/invalid parameter "timeout=0"/,
        http(voice_database => "$db timeout=0"));
refused(qr/invalid parameter "pool=3"/, http(voice_database => "$db pool=3"));
refused(qr/invalid connection string of the database: invalid connection option "hots"/,
        http(voice_database => '"hots=/tmp"'));
refused(qr/invalid connection string of the database: a host is not found/,
        http(voice_database => '"host=no-such-host.invalid"'));
refused(qr/open\(\) "\S+no-such-file" failed/,
        http(voice_database => "$db password=%%DIR%%/no-such-file"));
refused(qr/invalid connection string of the database: "service" can not be used/,
        http(voice_database => '"service=crm"'));
$edge->good_conf('several hosts', http(voice_database =>
    '"host=127.0.0.1,/tmp port=5432,5433 target_session_attrs=read-write" '
    . 'timeout=500ms'));
$edge->good_conf('a URL', http(voice_database =>
    '"postgresql://voice_edge@127.0.0.1/crm?sslmode=disable"'));
$edge->write_file('database.password', "it's a \\ secret\n");
$edge->good_conf('a password of its own', http(voice_database =>
    "$db password=%%DIR%%/database.password"));

refused(qr/"voice_node" is of no use without "voice_database"/,
        http(voice_node => 'a'));
refused(qr/"voice_node" directive is duplicate/,
        http(voice_database => $db, voice_node => ['a', 'b']));

for my $bad ('a/b', 'a b', '.a', 'a' x 33) {
    refused(qr/invalid name "\Q$bad\E" of a node/,
            http(voice_database => $db, voice_node => "\"$bad\""));
}

$edge->good_conf('the longest name of a node',
                 http(voice_database => $db, voice_node => 'a.b-c_' . 'd' x 26));

refused(qr/"voice_node" is needed by "voice_peer"/,
        http(voice_database => $db), server(voice_peer => '/voice/peer/'));
refused(qr{invalid location "/voice/peer", it is a prefix},
        server(voice_peer => '/voice/peer'));
refused(qr/"voice_peer" directive is duplicate/,
        server(voice_peer => ['/voice/peer/', '/voice/other/']));

for my $bad (qw(0 -1 one 1234567890)) {
    refused(qr/invalid organization "$bad"/, http(voice_number =>
            "+15005550009 flow=general organization=$bad"));
}

$edge->good_conf('whose a number is', http(voice_number =>
    '+15005550009 flow=general organization=7 timezone=Europe/Paris '
    . 'country=FR language=fr-FR'));


# voice_spool

my %database = (voice_database => '"host=/tmp user=nobody"');

refused(qr/invalid number of arguments in "voice_spool" directive/,
        http(voice_spool => '%%DIR%%/spool 1 2'));
refused(qr/"voice_spool" directive is duplicate/,
        http(voice_spool => ['%%DIR%%/spool', '%%DIR%%/other']));
refused(qr/mkdir\(\) "\S+spool" failed/,
        http(voice_spool => '%%DIR%%/none/spool'));
refused(qr/"voice_spool" is needed by "voice_database"/,
        http(%database, voice_spool => undef));
$edge->good_conf('voice_spool', http(%database, voice_spool => 'waiting/'));
ok -d $edge->path('waiting'), 'the folder of voice_spool is made';

# voice_database

refused(qr/invalid connection string of the database: missing "=" after "nowhere"/,
        http(voice_database => '"host=/tmp nowhere"'));

for my $conninfo ('host=/tmp password=my secret', 'postgresql://u:%secret@/x',
                  'host=/tmp password=\'my secret')
{
    my ($rc, $output) = $edge->check(http(voice_database => "\"$conninfo\""));

    isnt $rc, 0, "$conninfo: refused";
    like $output, qr/of the database: it is malformed, and not shown/,
        'and said so';
    unlike $output, qr/secret/, 'without the secret';
}

# voice_jobs

refused(qr/"voice_jobs" directive is not allowed here/,
        server(voice_jobs => 'on'));
refused(qr/"voice_jobs" directive is either "on" or "off"/,
        http(%database, voice_jobs => 'yes'));
refused(qr/"voice_jobs" directive is duplicate/,
        http(%database, voice_jobs => ['on', 'off']));
refused(qr/"voice_jobs" is of no use without "voice_database"/,
        http(voice_jobs => 'on'));

for my $bad (qw(concurrency=0 concurrency=x concurrency= interval=0
                interval=soon workers=2))
{
    refused(qr/invalid parameter "\Q$bad\E"/,
            http(%database, voice_jobs => "on $bad"));
}

$edge->good_conf('voice_jobs',
                 http(%database, voice_jobs => 'on concurrency=4 interval=5s'));
$edge->good_conf('voice_jobs without a database', http(voice_jobs => 'off'));

# voice_price

refused(qr/"voice_price" directive is not allowed here/,
        server(voice_price => 'call.minute 1'));
refused(qr/invalid number of arguments in "voice_price" directive/,
        http(voice_price => 'call.minute'));
refused(qr/unknown unit "call\.hour"/, http(voice_price => 'call.hour 1'));
refused(qr/the price of "call\.minute" is duplicate/,
        http(voice_price => ['call.minute 1', 'call.minute 2']));

for my $bad (qw(-1 . 1. .5 1.2.3 1e3 0x1 1234567890 0.0000000001 $1)) {
    refused(qr/invalid amount "\Q$bad\E", it is a decimal number/,
            http(voice_price => "call.minute $bad"));
}

for my $bad (qw(per=0 per=k per=1g per=x each=1 per= per=-1)) {
    refused(qr/invalid parameter "\Q$bad\E"/,
            http(voice_price => "call.minute 1 $bad"));
}

$edge->good_conf('voice_price', http(voice_price => [
    'model.input_token 0.15 per=1m', 'model.output_token 0.6 per=1000k',
    'speech.character 30 per=1000000', 'transcription.second 0.0001',
    'call.minute 0']));

# files of one line: keys, tokens, secrets

$edge->write_file('empty', '');
$edge->write_file('blank', " \t \nsecond line\n");
$edge->write_file('long', 'x' x 513);
$edge->write_file('key15', 'x' x 15 . "\n");
$edge->write_file('key16', 'x' x 16 . "\r\nanother line\n");

my %file = (
    voice_key => sub { http(voice_key => $_[0]) },
    voice_auth_token => sub { server(voice_auth_token => $_[0]) },
    voice_secret => sub { http(voice_secret => "\$a_secret $_[0]") },
);

for my $name (sort keys %file) {
    my $with = $file{$name};

    refused(qr/open\(\) ".*\/missing" failed \(2/, $with->('%%DIR%%/missing'));
    refused(qr/read\(\) ".*\/flows" failed \(21/, $with->('%%DIR%%/flows'));
    refused(qr/the first line of ".*empty" is empty in .*:\d+/,
            $with->('%%DIR%%/empty'));
    refused(qr/the first line of ".*blank" is empty/,
            $with->('%%DIR%%/blank'));
    refused(qr/".*long" is larger than 512 bytes/, $with->('%%DIR%%/long'));
    $edge->good_conf("$name: sixteen bytes, CRLF", $with->('%%DIR%%/key16'));
    $edge->good_conf("$name: a relative name", $with->('key16'));
}

SKIP: {
    skip 'root reads everything', 1 if $> == 0;

    chmod 0, $edge->write_file('closed', "0123456789abcdef\n");
    refused(qr/open\(\) ".*\/closed" failed \(13/,
            http(voice_key => '%%DIR%%/closed'));
}

# voice_key

refused(qr/the key in ".*key15" is shorter than 16 bytes, make one/,
        http(voice_key => '%%DIR%%/key15'));
refused(qr/"voice_key" directive is duplicate/,
        http(voice_key => ['%%DIR%%/key16', '%%DIR%%/voice.key']));
refused(qr/"voice_key" is needed by the location in .*:\d+/,
        http(voice_key => undef));
$edge->good_conf('an old key and a new one',
                 http(voice_key => '%%DIR%%/key16 %%DIR%%/voice.key'));

# voice_secret

refused(qr/invalid variable name "secret"/,
        http(voice_secret => 'secret %%DIR%%/key16'));
refused(qr/invalid variable name "\$"/,
        http(voice_secret => '$ %%DIR%%/key16'));
refused(qr/the duplicate "twice" variable/,
        http(voice_secret => ['$twice %%DIR%%/key16',
                              '$twice %%DIR%%/key16']));

# voice_flow

refused(qr/no flow file matches ".*\/none\*\.json"/,
        http(voice_flow => '%%DIR%%/none*.json'));
refused(qr/no flow file matches/, http(voice_flow => '%%DIR%%/none.json'));
refused(qr/"voice_flow" is needed by "voice_webhook" in .*check\.conf:\d+/,
        http(voice_flow => undef));

refused(qr/voice\ flow\ ".*bad\.json":\ line\ 3,\ column\ 14:\ /x,
        flow_file('bad.json', qq({\n  "name": "bad",\n  "company": ?\n})));
refused(qr/voice flow ".*bad\.json": line \d+, column \d+: /,
        flow_file('bad.json', JSON::PP->new->encode($edge->flow) . "\n{}"));
refused(qr/line 3, column \d+: .*twice|duplicate/,
        flow_file('bad.json', qq({\n  "name": "bad",\n  "name": "bad"\n})));
refused(qr{voice flow ".*bad\.json": lacks the required key "prompt" in .*:},
        flow_file('bad.json', $edge->flow(prompt => undef)));
refused(qr{: /tempo },
        flow_file('bad.json', $edge->flow(tempo => 1)));
refused(qr{: /voice/settings/speed },
        flow_file('bad.json', $edge->flow(
            voice => { id => 'V', settings => { speed => 3 } })));
refused(qr{: /rules/0/when },
        flow_file('bad.json', $edge->flow(
            rules => [{ when => '(', do => 'goodbye' }])));
refused(qr{: /greeting .*weather},
        flow_file('bad.json', $edge->flow(greeting => '{{weather}}')));
refused(qr{: /listen/timeout },
        flow_file('bad.json', $edge->flow(listen => { timeout => 'five' })));
refused(qr/".*big\.json" is larger than \d+ bytes/,
        flow_file('big.json', ' ' x (256 * 1024 + 1)));

$edge->write_file('two/one.json', JSON::PP->new->encode($edge->flow));
$edge->write_file('two/two.json', JSON::PP->new->encode($edge->flow));
refused(qr/two\.json": another file has the name "general" already/,
        http(voice_flow => '%%DIR%%/two/*.json'));

$edge->write_file('with/one.json', JSON::PP->new->encode($edge->flow));
$edge->write_file('with/flow.schema.json', 'no flow');
$edge->good_conf('the schema may lie beside the flows',
                 http(voice_flow => '%%DIR%%/with/*.json'));
$edge->good_conf('a relative mask', http(voice_flow => 'flows/*.json'));

# voice_number

refused(qr/invalid number "15005550009", it is written as \+1500/,
        http(voice_number => '15005550009 flow=general'));
refused(qr/number "default" is duplicate/,
        http(voice_number => ['default', 'default flow=general']));
refused(qr/number "\+15005550009" is duplicate/,
        http(voice_number => ['+15005550009', '+15005550009']));
refused(qr/invalid parameter "flow="/, http(voice_number => 'default flow='));
refused(qr/invalid parameter "colour=red"/,
        http(voice_number => 'default colour=red'));
refused(qr/"voice_number" names an unknown flow "night" in .*check\.conf:\d+/,
        http(voice_number => 'default flow=night'));

$edge->good_conf('no number: the only flow', http(voice_number => undef));
$edge->good_conf('a number of the server',
                 server(voice_number => '+15005550009 language=de-DE voice=X'));

$edge->write_file('several/general.json', JSON::PP->new->encode($edge->flow));
$edge->write_file('several/sales.json',
                  JSON::PP->new->encode($edge->flow(name => 'sales')));

my @several = (voice_flow => '%%DIR%%/several/*.json');

refused(qr/there are 2 flows, which of them answers is said with/,
        http(@several, voice_number => undef));
refused(qr/there are 2 flows, which of them answers is said with/,
        http(@several, voice_number => 'default'));
$edge->good_conf('several flows, each with its number',
                 http(@several, voice_number =>
                      ['+15005550008 flow=sales', 'default flow=general']));

# voice_public_url

for my $url ('https://voice.test#a',
             qw(voice.test ftp://voice.test https:// http:// https:///
                https://voice.test/voice https://me@voice.test
                https://voice.test?a))
{
    refused(qr/invalid URL "\Q$url\E", it is the scheme and the host/,
            server(voice_public_url => "'$url'"));
}

refused(qr/"voice_public_url" directive is duplicate/,
        server(voice_public_url => ['https://a.test', 'https://b.test']));
refused(qr/"voice_public_url" is needed to verify webhooks in .*:\d+/,
        server(voice_public_url => undef));

$edge->good_conf($_, server(voice_public_url => $_))
    for qw(https://voice.test/ http://127.0.0.1:8080 https://[::1]:8443);

# voice_auth_token, voice_account_sid

refused(qr/"voice_auth_token" directive is duplicate/,
        server(voice_auth_token => ['%%DIR%%/key16', '%%DIR%%/key16']));
refused(qr/"voice_auth_token" is needed to verify webhooks in .*:\d+/,
        server(voice_auth_token => undef));
refused(qr/"voice_account_sid" directive is duplicate/,
        server(voice_account_sid => ['AC1', 'AC2']));
$edge->good_conf('two tokens, for http as a whole', %{ {
    server(voice_auth_token => undef),
    http(voice_auth_token => '%%DIR%%/twilio.token %%DIR%%/key16'),
} });

# voice_signature

my @off = server(voice_signature => 'off', voice_auth_token => undef,
                 voice_public_url => undef);

refused(qr/invalid value "maybe" in "voice_signature" directive/,
        server(voice_signature => 'maybe'));
refused(qr/"voice_signature" directive is duplicate/,
        server(voice_signature => ['on', 'off']));

for my $public ('%%PORT_public%%', '0.0.0.0:%%PORT_public%%',
                '[::]:%%PORT_public%%', '192.0.2.1:%%PORT_public%%')
{
    refused(qr/"voice_signature off" is only allowed where every "listen" .*:/,
            @off, listen => [$public]);
}

refused(qr/"voice_signature off" is only allowed/,
        place(webhook =>
              'location /api/voice/ { voice_webhook; voice_signature off; }'),
        listen => ['0.0.0.0:%%PORT_public%%']);

my $shout = qr/\[warn\].*NOT VERIFIED, "voice_signature" is off in .*:\d+/;

warned('signature off on loopback', $shout, @off);
warned('signature off on unix', $shout, @off,
       listen => ['unix:%%DIR%%/voice.sock']);
warned('signature off on 127.x', $shout, @off,
       listen => ['127.9.9.9:%%PORT_other%%']);

SKIP: {
    skip 'no IPv6 here', 2 unless -e '/proc/net/if_inet6'
        && do { local (@ARGV, $/) = '/proc/net/if_inet6'; <> =~ /\blo$/m };
    warned('signature off on ::1', $shout, @off,
           listen => ['[::1]:%%PORT_other%%']);
}

{
    my ($rc, $output) = $edge->check;
    unlike $output, qr/warn/, 'nothing to warn of with signatures';
}

# voice_llm

refused(qr/invalid location "voice", it starts with "\/"/,
        server(voice_llm => 'voice'));
refused(qr/invalid parameter "name=x"/, server(voice_llm => '/voice/llm name=x'));
refused(qr/invalid parameter "model="/, server(voice_llm => '/voice/llm model='));
for my $n ('0', '-1', 'many', '', '2x') {
    refused(qr/invalid parameter "concurrency=$n"/,
            server(voice_llm => "/voice/llm model=m concurrency=$n"));
    refused(qr/invalid parameter "concurrency=$n"/,
            server(voice_tts => "/voice/tts/ concurrency=$n"));
}
refused(qr/invalid parameter "model=m"/,
        server(voice_tts => '/voice/tts/ model=m'));
$edge->good_conf('concurrency', server(
    voice_llm => '/voice/llm model=m concurrency=8',
    voice_tts => '/voice/tts/ concurrency=4'));
refused(qr/"voice_llm" is needed by "voice_webhook" in .*check\.conf:\d+/,
        server(voice_llm => undef));
refused(qr{"voice_llm\ /voice/other"\ needs\ a\ location\ of\ that\ name\ with
           \ "proxy_pass"\ in\ the\ same\ server\ in\ .*:\d+}x,
        server(voice_llm => '/voice/other model=m'));
refused(qr{"voice_llm /voice/other" needs a location},
        server(voice_llm => ['/voice/llm model=m', '/voice/other model=m']));
refused(qr{"voice_llm /voice/llm" needs a location of that name},
        place(llm => 'location = /voice/llm { internal; }'));
refused(qr{neither "voice_llm /voice/llm" nor flow "general" names a model},
        server(voice_llm => '/voice/llm'));
refused(qr{"voice_llm /voice/llm" needs a location of that name},
        place(llm => undef), servers => <<'CONF');
server {
    listen 127.0.0.1:%%PORT_second%%;
    location = /voice/llm { internal; proxy_pass http://llm; }
}
CONF

warned('an open location', qr{voice location "/voice/llm" is open to clients},
       place(llm => 'location = /voice/llm { proxy_pass http://llm; }'));

$edge->good_conf('two models', server(
    voice_llm => ['/voice/llm model=m', '/voice/tts/x model=n']));
$edge->good_conf('the field of the token limit', server(
    voice_llm => '/voice/llm model=m max_tokens_field=max_tokens'));
$edge->good_conf('the model of the flow', server(voice_llm => '/voice/llm'),
                 flow_file('model.json',
                           $edge->flow(model => { name => 'm' })));

for my $location (
    'location /voice/ { internal; proxy_pass http://llm; }',
    'location ^~ /voice/ { internal; proxy_pass http://llm; }',
    'location ~ ^/voice/llm$ { internal; proxy_pass http://llm; }',
    'location / { internal; proxy_pass http://llm; }',
    'location /voice/ { internal;
         location = /voice/llm { proxy_pass http://llm; } }',
    'location /voice/ { internal;
         location ~ llm { proxy_pass http://llm; } }')
{
    $edge->good_conf($location =~ s/\s+/ /gr, place(llm => $location));
}

# voice_tts

for my $prefix (qw(/voice/tts tts/ tts)) {
    refused(qr/invalid location "$prefix", it is a prefix that starts and ends/,
            server(voice_tts => $prefix));
}

refused(qr/"voice_tts" directive is duplicate/,
        server(voice_tts => ['/voice/tts/', '/voice/tts/']));
refused(qr{"voice_tts /voice/none/" needs a location of that name with},
        server(voice_tts => '/voice/none/'));
refused(qr/"voice_tts" is needed by "voice_audio" in .*check\.conf:\d+/,
        server(voice_tts => undef));

$edge->good_conf('no speech: everything is said by the provider',
                 server(voice_tts => undef), place(tts => undef,
                                                   audio => undef));

# voice_stt, voice_twilio, voice_twilio_media

my %whisper = (
    stt => 'location = /voice/stt { internal; client_max_body_size 3m; '
        . 'proxy_pass http://llm; }',
    twilio => 'location /voice/twilio/ { internal; proxy_pass http://llm; }',
    media => 'location /voice/media/ { internal; proxy_pass http://llm; }',
);
my @whisper = (voice_stt => '/voice/stt', voice_twilio => '/voice/twilio/',
               voice_twilio_media => 'media.example.org /voice/media/');
my @listens = flow_file('whisper.json', $edge->flow(
    listen => 'whisper'));

$edge->good_conf('a flow that listens with whisper', @listens,
                 server(@whisper), place(%whisper));
$edge->good_conf('several storages', @listens, place(%whisper),
    server(@whisper, voice_stt => '/voice/stt model=gpt-4o-transcribe',
           voice_twilio_media => [ map { "$_ /voice/media/" }
               qw(a.example.org b.example.org:8443) ]));
$edge->good_conf('a media that is not redirected', @listens, place(%whisper),
    server(@whisper, voice_twilio_media => undef));

refused(qr/"voice_stt" is needed by flow "general", which listens with "whis/,
        @listens, server(@whisper, voice_stt => undef), place(%whisper));
refused(qr/"voice_twilio" is needed by flow "general", which listens with/,
        @listens, server(@whisper, voice_twilio => undef), place(%whisper));
refused(qr{"voice_stt /voice/stt" needs a location of that name with},
        server(@whisper), place(%whisper, stt => undef));
refused(qr{"voice_twilio /voice/twilio/" needs a location of that name with},
        server(@whisper), place(%whisper, twilio => undef));
refused(qr{"voice_twilio_media /voice/media/" needs a location of that name},
        server(@whisper), place(%whisper, media => undef));
refused(qr{"client_max_body_size" of the location "/voice/stt" has to be },
        server(@whisper),
        place(%whisper, stt => 'location = /voice/stt { proxy_pass '
              . 'http://llm; }'));
$edge->good_conf('smaller recordings', place(%whisper, stt => 'location = '
        . '/voice/stt { internal; proxy_pass http://llm; }'),
    server(@whisper, voice_recording_max_size => '1000k'));

for my $bad ('voice/stt', '/voice/stt name=x', '/voice/stt model=',
             '/voice/stt model=' . 'x' x 129)
{
    refused($bad =~ / / ? qr/invalid parameter "/ : qr/invalid location "/,
            server(@whisper, voice_stt => $bad), place(%whisper));
}

for my $bad ('/voice/twilio', 'twilio/') {
    refused(qr/invalid location "$bad", it is a prefix that starts and ends/,
            server(@whisper, voice_twilio => $bad), place(%whisper));
    refused(qr/invalid location "$bad", it is a prefix that starts and ends/,
            server(@whisper, voice_twilio_media => "a $bad"),
            place(%whisper));
}

for my $bad ('https://a', 'a/b', 'u@a', '*.a') {
    refused(qr/invalid host "\Q$bad\E", it is a name as it stands in a URL/,
            server(@whisper, voice_twilio_media => "$bad /voice/media/"),
            place(%whisper));
}

refused(qr/"voice_stt" directive is duplicate/,
        server(@whisper, voice_stt => ['/voice/stt', '/voice/stt']));
refused(qr/"voice_twilio" directive is duplicate/,
        server(@whisper, voice_twilio => ['/voice/twilio/', '/a/']));
refused(qr/invalid value|"voice_recording_max_size" directive/,
        server(voice_recording_max_size => 'big'));
refused(qr/"voice_transcription_timeout" directive invalid value/,
        server(voice_transcription_timeout => 'soon'));

# times and bounds

for my $name (qw(voice_filler_after voice_first_token_timeout
                 voice_token_timeout voice_speech_timeout voice_tool_timeout
                 voice_turn_timeout voice_answer_within))
{
    refused(qr/"$name" directive invalid value/, server($name => 'soon'));
    refused(qr/"$name" directive is duplicate/, server($name => ['2s', '3s']));
    $edge->good_conf("$name in milliseconds", server($name => '1500ms'));
    $edge->good_conf("$name: the default", server($name => undef));
}

for my $time (qw(0 999ms 12001ms 15s)) {
    refused(qr/"voice_answer_within" has to be from 1000 to 12000 milli.*:\d+/,
            server(voice_answer_within => $time));
}

$edge->good_conf("voice_answer_within $_", server(voice_answer_within => $_))
    for qw(1s 12s);

refused(qr/"voice_max_turns" directive invalid number/,
        server(voice_max_turns => 'a'));
refused(qr/"voice_max_turns" directive is duplicate/,
        server(voice_max_turns => [1, 2]));
$edge->good_conf('voice_max_turns', server(voice_max_turns => 5));

# handlers

refused(qr/unknown webhook "outbound" in .*:\d+/,
        place(x => 'location /x { voice_webhook outbound; }'));
refused(qr/invalid number of arguments in "voice_webhook"/,
        place(x => 'location /x { voice_webhook status fallback; }'));

$edge->good_conf("voice_webhook $_", place(x => "location /x { voice_webhook $_; }"))
    for qw(inbound-webhook conversation-start process-speech continue
           fallback status);

for my $name (qw(voice_audio voice_health)) {
    refused(qr/invalid number of arguments in "$name"/,
            place(x => "location /x { $name x; }"));
}

for my $name (qw(voice_webhook voice_audio voice_health)) {
    refused(qr/"$name" directive conflicts with another handler of the loc/,
            place(x => "location /x { proxy_pass http://llm; $name; }"));
    refused(qr/"$name" directive conflicts with another handler of the loc/,
            place(x => "location /x { $name; $name; }"));
}

# only health, which needs nothing but the zone

my %nothing = map { $_ => undef } qw(voice_public_url voice_auth_token
    voice_llm voice_tts voice_filler_after voice_first_token_timeout
    voice_token_timeout voice_speech_timeout voice_tool_timeout
    voice_turn_timeout voice_answer_within);
my @bare = (webhook => undef, audio => undef, llm => undef, tts => undef);

$edge->good_conf('only health', server(%nothing), place(@bare),
                 http(voice_key => undef, voice_flow => undef,
                      voice_number => undef));

# The module is loaded, and nothing of it is used: an ordinary site goes on,
# also over a reload that brings the module's zone and one that takes it away.

my $site = Voice::Edge->new(
    http_directives => { map { $_ => undef } qw(voice_zone voice_key
                                                voice_flow voice_number) },
    directives => \%nothing,
    locations => { @bare, health => undef, site => <<'CONF' },
location / { root %%DIR%%/html; }
        location = /voice { return 200 "$voice_call_sid-$voice_state\n"; }
CONF
);

my $page = "an ordinary site\n" x 1000;

$site->write_file('html/index.html', $page);
$site->start;

is $site->get('/')->body, $page, 'a site beside the module';
is $site->get('/voice')->body, "-\n", 'variables are empty';
is $site->request('/', body => 'a=b', method => 'POST')->status, 405,
    'no POST to a file';

$site->reconfigure(
    http_directives => {},
    directives => {},
    locations => { site => $site->{locations}{site} },
);

ok $site->reload, 'a reload brings the agent';
is $site->get('/api/voice/health')->json->{status}, 'ready', 'ready';
is $site->webhook('inbound-webhook')->status, 200, 'answers';
is $site->get('/')->body, $page, 'the site goes on';

$site->reconfigure(
    http_directives => { map { $_ => undef } qw(voice_zone voice_key
                                                voice_flow voice_number) },
    directives => \%nothing,
    locations => { @bare, health => undef, site => $site->{locations}{site} },
);

ok $site->reload, 'a reload takes it away';
is $site->get('/')->body, $page, 'the site goes on';
is $site->get('/api/voice/health')->status, 404, 'no health any more';
ok $site->quit, 'left by itself';

$edge->good_conf('no http at all', conf => <<'CONF');
%%GLOBALS%%
pid %%DIR%%/%%NAME%%.pid;
events { }
CONF

done_testing;
