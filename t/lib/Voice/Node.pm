package Voice::Node;

# An edge with a database, as one of several nodes or alone: a Voice::Scene
# whose words stand in the documents, and whose clocks do not run out.
#
#     my $node = Voice::Node->new($pg, 'a', peer => 'b', model => {...});
#     my @answers = $node->crowd(50, $sid, $target, SpeechResult => 'hello');
#     my ($words, $document) = $node->rest($line, $answers[0]);
#
# Options are those of Voice::Scene and these:
#
#   peer            name of another node, to be asked for its calls
#   flow            { key => value }, over words without a voice
#   database        name of the database, 'crm'
#   organization    whose the number is

use strict;
use warnings;

use File::Temp qw(tempdir);
use Voice::Edge;

use parent -norequire, 'Voice::Scene';
use Voice::Scene;

my $sockets;

sub new {
    my ($class, $pg, $name, %option) = @_;

    my $peer = delete $option{peer};
    my $database = delete $option{database} // 'crm';
    my $organization = delete $option{organization};

    $sockets //= tempdir('voice-nodes-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $sockets;

    my %directives = (
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_tool_timeout => '8s',
        voice_answer_within => '10s',
        $peer ? (voice_peer => '/voice/peer/') : (),
        %{ delete $option{directives} || {} },
    );

    my $self = Voice::Scene::new($class,
        listen => ["unix:$sockets/$name.sock"],
        http_directives => {
            voice_database => "\"host=$pg->{dir} dbname=$database "
                . 'user=voice_edge" timeout=5s',
            voice_node => $name,
            voice_number => 'default flow=general'
                . ($organization ? " organization=$organization" : ''),
            %{ delete $option{http_directives} || {} },
        },
        directives => \%directives,
        locations => $peer ? { peer => <<"CONF" } : {},
location /voice/peer/$peer/ {
            internal;
            proxy_pass http://unix:$sockets/$peer.sock:/;
            proxy_set_header Host voice.test;
            proxy_connect_timeout 1s;
        }
CONF
        flow => { voice => undef, prompt => 'You answer.',
                  %{ delete $option{flow} || {} } },
        %option);

    $self->{socket} = "$sockets/$name.sock";

    return $self->up;
}

# Each worker has reached the database.

sub up {
    my ($self) = @_;

    $self->edge->wait_for_database or die "the database is not reached\n";

    return $self;
}

# All of its processes without notice, and a new memory.

sub crash {
    my ($self) = @_;

    my $edge = $self->edge;
    $edge->crash;
    $edge->allow(qr/still could not bind/);

    # a unix socket that nobody has removed is in the way of the next one
    unlink $self->{socket};
}

# The same webhook on so many connections at once: the answers, all of them
# read after the last one was sent.

sub crowd {
    my ($self, $n, $sid, $target, %params) = @_;

    my @lines = $self->send_crowd($n, $sid, $target, %params);

    return map { $_->read } @lines;
}

sub send_crowd {
    my ($self, $n, $sid, $target, %params) = @_;

    my @lines = map { $self->line(sid => $sid) } 1 .. $n;

    $_->send($target, %params) for @lines;

    return @lines;
}

# What follows a document until the caller is listened to, or all is over:
# its words and those of the next ones, and the last of them.

sub rest {
    my ($self, $line, $r, %params) = @_;

    my @said = Voice::Scene::Line::sounds($r);

    for (1 .. 20) {
        my $next = Voice::Scene::Line::redirect($r);

        last if !$next || $next !~ /continue/;
        $r = $line->post($next, %params);
        push @said, Voice::Scene::Line::sounds($r);
    }

    return ("@said", $r);
}

1;
