#!/usr/bin/perl

# scripts/phone: what a person sees, and its exit code.

use strict;
use warnings;

use Test::More;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::IOLoop;
use Mojo::JSON qw(encode_json);
use Mojo::Server::Daemon;
use Mojolicious;
use Voice::Lab::Audio qw(inspect);
use Voice::Lab::Espeak;
use Voice::Lab::FrontDesk;

my $dir = File::Temp->newdir('lab-program-XXXXXX', TMPDIR => 1);
my $espeak = Voice::Lab::Espeak->new;
my (%texts, %captions, @posted, $broken);

my $app = Mojolicious->new;
$app->log->level('fatal');


sub twiml {
    my ($c, $inside) = @_;

    $c->res->headers->content_type('text/xml');
    $c->render(data => "<Response>$inside</Response>");
}


sub play {
    my ($text) = @_;
    my $id = sha256_hex($text);

    $texts{$id} = $text;
    return "<Play>audio/$id.mp3</Play>";
}


sub ask {
    return '<Gather input="speech dtmf" action="process-speech" '
        . 'timeout="5">' . play($_[0]) . '</Gather>'
        . '<Redirect>conversation-start</Redirect>';
}

my $r = $app->routes;

$r->post('/api/voice/inbound-webhook' => sub {
    my ($c) = @_;
    return $c->render(text => '', status => 500) if $broken;
    twiml($c, play('Thank you for calling.')
              . '<Redirect>conversation-start</Redirect>');
});
$r->post('/api/voice/conversation-start' => sub {
    twiml($_[0], ask('How can I help?'));
});
$r->post('/api/voice/process-speech' => sub {
    my ($c) = @_;
    my $words = $c->param('SpeechResult') // '';

    push @posted, $words;
    twiml($c, $words =~ /goodbye/i
        ? '<Say voice="Polly.Joanna-Neural">Have a nice day.</Say><Hangup/>'
        : ask(Voice::Lab::FrontDesk::reply($words)));
});
$r->post('/api/voice/status' => sub { $_[0]->render(data => '',
                                                    status => 204) });
$r->get('/api/voice/audio/#file' => sub {
    my ($c) = @_;
    my $text = $texts{ $c->param('file') =~ s/\.mp3\z//r };

    $c->render_later;
    $espeak->speak_p($text, { format => 'mp3_22050_32' })->then(sub {
        $captions{ sha256_hex($_[0]) } = $text;
        $c->res->headers->content_type('audio/mpeg');
        $c->render(data => $_[0]);
    });
});
$r->get('/captions/:sha' => sub {
    $_[0]->render(json => { text => $captions{ $_[0]->param('sha') } });
});

my $daemon = Mojo::Server::Daemon->new(app => $app, silent => 1,
    listen => ['http://127.0.0.1:0'])->start;
my $base = 'http://127.0.0.1:' . $daemon->ports->[0];

open my $file, '>', "$dir/phone.json" or die $!;
print $file encode_json({ base => $base, public_url => 'https://voice.test',
    token => 't' x 32, account => 'AC' . '0' x 32, to => '+15005550009',
    captions => "$base/captions" });
close $file;


# Runs the program while this process serves it: (output, exit code)

sub phone {
    my ($input, @arguments) = @_;
    my $out = '';

    open my $in, '>', "$dir/input" or die $!;
    print $in $input;
    close $in;

    my $pid = open my $pipe, '-|';
    die "fork: $!" if !defined $pid;

    if (!$pid) {
        open STDIN, '<', "$dir/input";
        open STDERR, '>&', \*STDOUT;
        { exec $^X, "$FindBin::RealBin/../scripts/phone", '--settings',
               "$dir/phone.json", @arguments }
        require POSIX;
        POSIX::_exit(127);
    }

    my $stream = Mojo::IOLoop::Stream->new($pipe)->timeout(0);
    my $code;

    $stream->on(read => sub { $out .= $_[1] });
    $stream->on(close => sub {
        waitpid $pid, 0;
        $code = $? >> 8;
        Mojo::IOLoop->stop;
    });
    Mojo::IOLoop->stream($stream);
    Mojo::IOLoop->start;

    return ($out, $code);
}

{
    my ($out, $code) = phone("hello\ngoodbye\n", '--fast');

    is($code, 0, 'typed lines: exit code');
    like($out, qr/agent  Thank you for calling\.  \[\d\.\d s\]/, 'greeting');
    like($out, qr/agent  Hello! It is good/, 'answer');
    like($out, qr/Have a nice day\.  \[said by the network\]/, 'Say');
    like($out, qr/end: the agent hung up/, 'end');
}

{
    @posted = ();
    my ($out, $code) = phone('', '--spoken', '--save', "$dir/call.wav");

    is($code, 0, 'spoken script: exit code');
    cmp_ok(scalar @posted, '>=', 5, 'five turns or more');
    is($posted[1], 'what are your opening hours', 'heard');
    is($posted[-1], 'goodbye', 'heard to the end');

    my $wav = do { local (@ARGV, $/) = "$dir/call.wav"; <> };

    cmp_ok(inspect($wav)->{seconds}, '>', 20, 'both sides saved');
}

{
    $broken = 1;
    my ($out, $code) = phone('', '--fast');

    is($code, 1, 'a broken edge: exit code');
    like($out, qr/error 11217: status 500/, 'and why');
}

done_testing();
