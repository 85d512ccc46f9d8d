package Voice::Edge::Conf;

# The configuration of a test's edge: an operator's nginx.conf by default, of
# which a test names what it wants otherwise.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP ();

our $ROOT = abs_path(dirname(abs_path(__FILE__)) . '/../../../..');

my %FLOW = (
    name     => 'general',
    company  => 'Test Company',
    agent    => 'Tess',
    language => 'en-US',
    greeting => 'Welcome to {{company}}.',
    opening  => 'How can I help you?',
    prompt   => 'You are {{agent}}, the front desk of {{company}}.',
    voice    => { id => 'TestVoice0001' },
    silence  => ['Are you still there?', 'I can not hear you.'],
    fillers  => ['One moment.'],
    apology  => 'Sorry, something went wrong.',
    goodbye  => 'Thank you for calling. Goodbye.',
    rules    => [
        { when => '\\b(bye|goodbye)\\b', do => 'goodbye' },
        { when => '\\b(human|operator)\\b', do => 'human' },
    ],
    keys     => { 0 => 'human' },
    # no pause of a busy machine says that somebody was interrupted
    listen   => { speech_timeout => 30 },
    fallback => {
        after => 2, say => 'I connect you now.', number => '+15005550010',
    },
);

my @HTTP = (
    voice_zone   => 'voice:16m',
    voice_key    => '%%DIR%%/voice.key',
    voice_flow   => '%%DIR%%/flows/*.json',
    voice_number => 'default flow=general',
    voice_warm   => 'off',
    voice_jobs   => 'off',
    voice_spool  => '%%DIR%%/spool',
);

my @SERVER = (
    voice_public_url          => 'https://voice.test',
    voice_auth_token          => '%%DIR%%/twilio.token',
    voice_llm                 => '/voice/llm model=test-model',
    voice_tts                 => '/voice/tts/',
    voice_filler_after        => '1s',
    voice_first_token_timeout => '3s',
    voice_token_timeout       => '2s',
    voice_speech_timeout      => '3s',
    voice_turn_timeout        => '10m',
    voice_answer_within       => '8s',
);

my @LOCATIONS = (
    webhook => 'location /api/voice/ { voice_webhook; }',
    audio   => 'location /api/voice/audio/ { voice_audio; }',
    health  => 'location = /api/voice/health { voice_health; }',

    llm => <<'CONF',
location = /voice/llm {
            internal;
            proxy_pass http://llm/v1/chat/completions;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer $openai_key";
            proxy_buffering off;
            proxy_read_timeout 15s;
        }
CONF

    tts => <<'CONF',
location /voice/tts/ {
            internal;
            proxy_pass http://tts/v1/text-to-speech/$voice_tts_voice?output_format=$voice_tts_format;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_method POST;
            proxy_set_body $voice_tts_body;
            proxy_pass_request_headers off;
            proxy_set_header Content-Type application/json;
            proxy_set_header xi-api-key $elevenlabs_key;
            proxy_cache voice_tts;
            proxy_cache_key $voice_tts_key;
            proxy_cache_valid 200 30d;
            proxy_no_cache $voice_tts_uncacheable;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 5s;
            proxy_cache_lock_age 5s;
            proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
        }
CONF
);

my $TEMPLATE = <<'CONF';
%%GLOBALS%%
daemon %%DAEMON%%;
pid %%DIR%%/%%NAME%%.pid;
error_log %%DIR%%/%%LOG%% %%LEVEL%%;
worker_processes %%WORKERS%%;
worker_shutdown_timeout 10s;
%%MAIN%%
events {
    worker_connections %%CONNECTIONS%%;
}

http {
    access_log off;
    client_body_temp_path %%DIR%%/tmp/body;
    proxy_temp_path %%DIR%%/tmp/proxy;
    fastcgi_temp_path %%DIR%%/tmp/fastcgi;
    uwsgi_temp_path %%DIR%%/tmp/uwsgi;
    scgi_temp_path %%DIR%%/tmp/scgi;
    default_type application/octet-stream;
    keepalive_timeout 65s;

%%VOICE_HTTP%%%%HTTP%%
    server {
%%LISTEN%%        server_name voice.test localhost;

%%VOICE_SERVER%%%%SERVER%%
%%LOCATIONS%%    }
%%SERVERS%%}
CONF

my $PROVIDERS = <<'CONF';
    voice_secret $openai_key %%DIR%%/openai.key;
    voice_secret $elevenlabs_key %%DIR%%/elevenlabs.key;
    proxy_cache_path %%DIR%%/cache levels=1:2 keys_zone=voice_tts:1m
                     max_size=64m inactive=30d use_temp_path=off;
    upstream llm { server 127.0.0.1:%%PORT_llm%%; keepalive 16; }
    upstream tts { server 127.0.0.1:%%PORT_tts%%; keepalive 16; }
CONF


sub write_flows {
    my ($self) = @_;

    my %flows = %{ $self->{flows} || { 'general.json' => $self->flow } };

    for my $name (keys %flows) {
        my $flow = $flows{$name};
        $flow = JSON::PP->new->canonical->pretty->utf8->encode($flow)
            if ref $flow;
        $self->write_file("flows/$name", $flow);
    }
}

# the default flow, with keys of the option "flow" or of the call over it

sub flow {
    my ($self, %over) = @_;

    my %flow = (%FLOW, %{ $self->{flow} || {} }, %over);
    delete $flow{$_} for grep { !defined $flow{$_} } keys %flow;

    return \%flow;
}

# rewrites the configuration with changed options, for a reload

sub reconfigure {
    my ($self, %option) = @_;

    %$self = (%$self, %option);
    $self->write_flows;
    $self->write_file('nginx.conf', $self->conf);
}

sub conf {
    my ($self, %option) = @_;

    my %o = (%$self, name => 'nginx', log => 'error.log', %option);

    my $text = $o{conf} // $TEMPLATE;
    my $globals = '';

    $globals .= 'load_module ' . $self->module_path . ";\n"
        if $o{module} && !$self->is_static;
    $globals .= "user root;\n" if $> == 0;
    $globals .= "env ASAN_OPTIONS;\nenv UBSAN_OPTIONS;\nenv LSAN_OPTIONS;\n"
        if $self->is_sanitized;

    my $voice_http = directives(4, \@HTTP, $o{http_directives});
    my $listen = join '',
        map { "        listen $_;\n" }
        '127.0.0.1:%%PORT_http%%', @{ $o{listen} || [] };

    my %part = (
        GLOBALS      => $globals,
        DAEMON       => $o{daemon} ? 'on' : 'off',
        NAME         => $o{name},
        LOG          => $o{log},
        LEVEL        => $o{log_level},
        WORKERS      => $o{workers},
        CONNECTIONS  => $o{connections},
        MAIN         => $o{main} // '',
        VOICE_HTTP   => $voice_http . $PROVIDERS,
        HTTP         => block(4, $o{http}),
        LISTEN       => $listen,
        VOICE_SERVER => directives(8, \@SERVER, $o{directives}),
        SERVER       => block(8, $o{server}),
        SERVERS      => block(4, $o{servers}),
        LOCATIONS    => locations($o{locations}),
    );

    $text =~ s/%%([A-Z_]+)%%/exists $part{$1} ? $part{$1} : "%%$1%%"/ge;

    return $self->expand($text);
}

sub expand {
    my ($self, $text) = @_;

    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%ROOT%%/$ROOT/g;
    $text =~ s/%%PORT_(\w+)%%/$self->port($1)/ge;

    return $text;
}

sub block {
    my ($indent, $text) = @_;

    return '' unless defined $text && length $text;

    $text =~ s/^(?=.)/' ' x $indent/gme;

    return "$text\n";
}

sub directives {
    my ($indent, $defaults, $over) = @_;

    my %value = (@$defaults, %{ $over || {} });
    my %seen;
    my @names = grep { !$seen{$_}++ }
        (map { $defaults->[2 * $_] } 0 .. $#$defaults / 2),
        sort keys %{ $over || {} };

    my $text = '';

    for my $name (@names) {
        my $value = $value{$name};
        next unless defined $value;
        $text .= ' ' x $indent . "$name $_;\n"
            for ref $value ? @$value : $value;
    }

    return $text;
}

sub locations {
    my ($over) = @_;

    my %text = (@LOCATIONS, %{ $over || {} });
    my %seen;
    my @names = grep { !$seen{$_}++ }
        (map { $LOCATIONS[2 * $_] } 0 .. $#LOCATIONS / 2),
        sort keys %{ $over || {} };

    return join '', map { "        $text{$_}\n" }
        grep { defined $text{$_} } @names;
}

1;
