package Voice::Scene;

# A whole scene for a test: the stand-ins for the model and for speech, an
# edge in front of them, and a phone that calls it.
#
#     my $scene = Voice::Scene->new(directives => {...}, variants => {...});
#     my $call = $scene->call('/', lines => ['hello', 'goodbye']);
#     is $call->agent, '...';
#
# Options are those of Voice::Edge and these:
#
#   model, speech   { attributes of the stand-in }
#   variants        { name => text }: the webhooks once more under /name/,
#                   with these directives; the default is under /api/voice/
#   transcription, twilio   { attributes of the stand-in }: with one of them
#                   there are both, and the webhooks know them
#   edit            code that changes the text of nginx.conf in $_

use strict;
use warnings;

use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use Voice::Edge;
use Voice::Lab::Model;
use Voice::Lab::Phone;
use Voice::Lab::Speech;
use Voice::Lab::Transcription;
use Voice::Lab::Twilio;

# where recordings are, and where they are transcribed

my %WHISPER = (
    stt => <<'CONF',
location = /voice/stt {
            internal;
            client_max_body_size 3m;
            proxy_pass http://127.0.0.1:%%PORT_stt%%/v1/audio/transcriptions;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer $openai_key";
        }
CONF

    twilio => <<'CONF',
location /voice/twilio/ {
            internal;
            proxy_pass http://127.0.0.1:%%PORT_rest%%/2010-04-01/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Basic $twilio_basic";
            proxy_redirect off;
            proxy_buffering off;
        }
CONF

    media => <<'CONF',
location /voice/media/ {
            internal;
            proxy_pass http://127.0.0.1:%%PORT_rest%%/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_redirect off;
            proxy_buffering off;
        }
CONF
);

my %WHISPER_DIRECTIVES = (
    voice_stt                   => '/voice/stt',
    voice_twilio                => '/voice/twilio/',
    voice_twilio_media          => '127.0.0.1:%%PORT_rest%% /voice/media/',
    voice_transcription_timeout => '8s',
);

sub new {
    my ($class, %option) = @_;

    my $model = Voice::Lab::Model->spawn(key => 'sk-test-openai',
                                         %{ delete $option{model} || {} });
    my $speech = Voice::Lab::Speech->spawn(key => 'test-elevenlabs', real => 0,
                                           %{ delete $option{speech} || {} });
    my %locations = %{ delete $option{locations} || {} };
    my $variants = delete $option{variants} || {};
    my $edit = delete $option{edit};

    for my $name (sort keys %$variants) {
        $locations{"z_$name"} = "location /$name/ {\n"
            . "            voice_webhook;\n            $variants->{$name}\n"
            . "            location /$name/audio/ { voice_audio; }\n        }";
    }

    # the second port has a queue for each worker: both get their share
    my ($stt, $rest) = whisper(\%option, \%locations);

    my $edge = Voice::Edge->new(
        ports => { llm => $model->port, tts => $speech->port,
                   $stt ? (stt => $stt->port, rest => $rest->port) : (),
                   %{ delete $option{ports} || {} } },
        listen => ['127.0.0.1:%%PORT_spread%% reuseport',
                   @{ delete $option{listen} || [] }],
        server => "add_header X-Worker \$pid always;\n"
            . (delete $option{server} // ''),
        locations => \%locations, %option);

    my $self = bless { model => $model, speech => $speech, edge => $edge,
                       transcription => $stt, twilio => $rest,
                       owner => $$ }, $class;

    # nothing listens there, and nothing else will: the port is locked
    $edge->port('nobody');
    $self->edit($edit) if $edit;
    $edge->start;

    return $self;
}

# the two stand-ins that a flow with "whisper" needs, if they are wanted

sub whisper {
    my ($option, $locations) = @_;

    my ($stt, $rest) = map { delete $option->{$_} } qw(transcription twilio);

    return if !$stt && !$rest;

    %$locations = (%WHISPER, %$locations);
    $option->{directives}
        = { %WHISPER_DIRECTIVES, %{ $option->{directives} || {} } };
    $option->{http_directives}{voice_secret} = '$twilio_basic '
        . '%%DIR%%/twilio.basic';
    $option->{files}{'twilio.basic'}
        = encode_base64('AC00000000000000000000000000000001:'
                        . '0123456789abcdef0123456789abcdef', '') . "\n";

    return (
        Voice::Lab::Transcription->spawn(key => 'sk-test-openai',
                                         %{ $stt || {} }),
        Voice::Lab::Twilio->spawn(
            account => 'AC00000000000000000000000000000001',
            token => '0123456789abcdef0123456789abcdef', %{ $rest || {} }));
}

sub edit {
    my ($self, $code) = @_;

    local $_ = $self->{edge}->conf;
    $code->();
    $self->{edge}->write_file('nginx.conf', $_);
}

sub edge   { $_[0]{edge} }
sub model  { $_[0]{model} }
sub speech { $_[0]{speech} }
sub transcription { $_[0]{transcription} }
sub twilio { $_[0]{twilio} }

sub phone {
    my ($self, %option) = @_;

    my $edge = $self->{edge};

    return Voice::Lab::Phone->new(
        base => 'http://127.0.0.1:' . $edge->port('spread'),
        public_url => $edge->public_url,
        token => $edge->token, account => $edge->account,
        status_url => '/api/voice/status',
        recorder => $self->{twilio} ? $self->{twilio}->base : undef,
        %option);
}

# A call to a variant, to its end; what was heard has its words.

sub call {
    my ($self, $variant, %option) = @_;

    my $call = $self->phone->call(path => path($variant, 'inbound-webhook'),
                                  %option);

    return $self->caption($call);
}

sub path {
    my ($variant, $route) = @_;

    $variant = 'api/voice' if $variant eq '' || $variant eq '/';

    return "/$variant/$route";
}

sub caption {
    my ($self, @calls) = @_;

    my $captions = $self->{speech}->captions;
    $_->caption($captions) for @calls;

    return wantarray ? @calls : $calls[0];
}

# What the agent said, and how: [ "play words", "say words", ... ]

sub heard {
    my ($call) = @_;

    return [ map { "$_->{kind} " . ($_->{text} // '?') } @{ $call->heard } ];
}

# The words alone, after the greeting and the opening line.

sub words {
    my ($call) = @_;

    my @words = map { $_->{text} // '?' } @{ $call->heard };

    return join ' ', @words[2 .. $#words];
}

# the longest that any webhook of the call took, in seconds

sub slowest {
    my ($call) = @_;

    my ($most) = sort { $b <=> $a } map { $_->{seconds} // 0 }
        @{ $call->webhooks };

    return $most // 0;
}

# A line is a call on one connection, step by step, by hand.

sub line {
    my ($self, %option) = @_;

    return Voice::Scene::Line->new($self, %option);
}

sub health { $_[0]{edge}->get('/api/voice/health') }

# codes of the reasons that health gives, in one string

sub reasons {
    my ($self) = @_;

    return join ' ', map { $_->{code} } @{ $self->health->json->{reasons} };
}

# The first ones that match, or those at the end of patience.  While one worker
# after the other loses its connections, or has them back, the next look can see
# something else.

sub wait_for_reasons {
    my ($self, $like) = @_;
    my $reasons;

    Voice::Edge::wait_for(sub { ($reasons = $self->reasons) =~ $like });

    return $reasons;
}



package Voice::Scene::Line;

use Voice::Edge;

# variant, worker (a pid), sid: all optional

sub new {
    my ($class, $scene, %option) = @_;

    my $self = bless { scene => $scene, edge => $scene->edge,
                       sid => Voice::Lab::Phone::new_sid(), variant => '',
                       %option }, $class;

    return $self->dial;
}

# Another connection, to the worker that is asked for.

sub dial {
    my ($self, $worker) = @_;

    my @others;

    $worker //= $self->{worker};

    for (1 .. 200) {
        $self->{socket} = $self->{edge}->connect(port => 'spread')
            or die "connect: $!\n";
        $self->hello;

        return $self if !$worker || $self->{worker} == $worker;

        # kept open, so that its turn to be chosen is over
        push @others, $self->{socket};
    }

    die "worker $worker takes no connection\n";
}

sub hello {
    my ($self) = @_;

    Voice::Edge::Client::send_bytes($self->{socket},
        "GET /api/voice/health HTTP/1.1\r\nHost: voice.test\r\n\r\n");

    my $r = $self->read or die "no answer\n";

    $self->{worker} = $r->header('X-Worker');
}

sub worker { $_[0]{worker} }
sub socket { $_[0]{socket} }
sub sid    { $_[0]{sid} }

# another line of the same call, to some worker

sub other {
    my ($self, %option) = @_;

    return Voice::Scene::Line->new($self->{scene}, sid => $self->{sid},
                                   variant => $self->{variant}, %option);
}

sub send {
    my ($self, $target, %params) = @_;

    my $path = $target =~ m{^/} ? $target
        : Voice::Scene::path($self->{variant}, $target);

    Voice::Edge::Client::send_bytes($self->{socket}, $self->{edge}->webhook_bytes(
        $path, call => $self->{sid}, params => \%params, keepalive => 1));

    return $self;
}

sub read {
    my ($self) = @_;

    return $self->{edge}->read_response($self->{socket});
}

# whether an answer is there already

sub answered {
    my ($self) = @_;

    my $bits = '';
    vec($bits, fileno $self->{socket}, 1) = 1;

    return scalar select $bits, undef, undef, 0;
}

sub post {
    my ($self, $target, %params) = @_;

    return $self->send($target, %params)->read;
}

# A worker that leaves lingers until the client has closed, too.

sub hang_up { close delete $_[0]{socket} }

sub reset { $_[0]{edge}->reset(delete $_[0]{socket}) }

# To where the caller is listened to: the target of the first words.

sub open {
    my ($self, %params) = @_;

    my $r = $self->post('inbound-webhook', CallStatus => 'ringing', %params);

    return action($self->post(redirect($r), %params));
}

# where a document leads to

sub action {
    return unescape($_[0]->body =~ /<(?:Gather|Record)[^>]* action="([^"]*)"/);
}

sub redirect { unescape($_[0]->body =~ m{<Redirect[^>]*>([^<]*)<}) }

sub unescape {
    my ($url) = @_;

    defined $url or return;
    $url =~ s/&amp;/&/g;

    return $url;
}

# the files and the words of a document, in their order

sub sounds {
    my ($r) = @_;

    return $r->body =~ m{<(?:Play|Say[^>]*)>([^<]*)<}g;
}

sub DESTROY { }

1;
