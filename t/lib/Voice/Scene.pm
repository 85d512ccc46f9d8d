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

use strict;
use warnings;

use IO::Socket::INET;
use Voice::Edge;
use Voice::Lab::Model;
use Voice::Lab::Phone;
use Voice::Lab::Speech;

sub new {
    my ($class, %option) = @_;

    my $model = Voice::Lab::Model->spawn(key => 'sk-test-openai',
                                         %{ delete $option{model} || {} });
    my $speech = Voice::Lab::Speech->spawn(key => 'test-elevenlabs', real => 0,
                                           %{ delete $option{speech} || {} });
    my %locations = %{ delete $option{locations} || {} };
    my $variants = delete $option{variants} || {};

    for my $name (sort keys %$variants) {
        $locations{"z_$name"} = "location /$name/ {\n"
            . "            voice_webhook;\n            $variants->{$name}\n"
            . "            location /$name/audio/ { voice_audio; }\n        }";
    }

    my $edge = Voice::Edge->new(
        ports => { llm => $model->port, tts => $speech->port,
                   %{ delete $option{ports} || {} } },
        locations => \%locations, %option);

    my $self = bless { model => $model, speech => $speech, edge => $edge,
                       owner => $$ }, $class;

    # nothing listens there, and nothing else will: the port is locked
    $edge->port('nobody');
    $edge->start;

    return $self;
}

sub edge   { $_[0]{edge} }
sub model  { $_[0]{model} }
sub speech { $_[0]{speech} }

sub phone {
    my ($self, %option) = @_;

    my $edge = $self->{edge};

    return Voice::Lab::Phone->new(
        base => $edge->base, public_url => $edge->public_url,
        token => $edge->token, account => $edge->account,
        status_url => '/api/voice/status', %option);
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

sub health { $_[0]{edge}->get('/api/voice/health') }

# codes of the reasons that health gives, in one string

sub reasons {
    my ($self) = @_;

    return join ' ', map { $_->{code} } @{ $self->health->json->{reasons} };
}

1;
