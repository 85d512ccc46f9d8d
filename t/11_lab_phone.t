#!/usr/bin/perl

# The lab's phone, against a small scripted server.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::Server::Daemon;
use Mojolicious;
use Voice::Lab::Phone;
use Voice::Lab::Signature qw(sign);
use Voice::Lab::Speech;

my $token = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
my $public = 'https://voice.test';
my $mp3 = Voice::Lab::Speech::_tone('a sound', 'mp3_22050_32');
my ($count, @order, %routes) = (0);

my $app = Mojolicious->new;
$app->log->level('fatal');
$app->renderer->compress(0);
$app->routes->any('/*where' => sub {
    my ($c) = @_;
    my $path = $c->param('where');

    push @order, $path;
    return $routes{$path}->($c) if ref $routes{$path} eq 'CODE';
    return twiml($c, $routes{$path}) if defined $routes{$path};
    $c->render(text => '', status => 404);
});

my $daemon = Mojo::Server::Daemon->new(app => $app, silent => 1,
    listen => ['http://127.0.0.1:0'])->start;
my $port = $daemon->ports->[0];


sub twiml {
    my ($c, $inside, $type) = @_;

    $c->res->headers->content_type($type // 'text/xml; charset=utf-8');
    $c->render(data => qq{<?xml version="1.0" encoding="UTF-8"?>\n}
                       . "<Response>$inside</Response>");
}


sub sound {
    my ($c, %headers) = @_;

    $c->res->headers->header($_ => $headers{$_}) for keys %headers;
    $c->res->headers->content_type('audio/mpeg')
        if !$c->res->headers->content_type;
    $c->render(data => $mp3);
}


sub phone {
    return Voice::Lab::Phone->new(base => "http://127.0.0.1:$port",
        public_url => $public, token => $token, path => '/in', @_);
}


sub call {
    my ($server, @options) = @_;

    %routes = (%$server);
    @order = ();
    $count = 0;
    return phone()->call(@options);
}


my $gather = '<Gather input="dtmf speech" action="next?a=1&amp;b=%2F" '
    . 'timeout="5"><Play>one.mp3</Play><Play>two.mp3</Play></Gather>'
    . '<Redirect>quiet</Redirect>';

# signature vectors of the reference
is(sign($token, "https://voice.example.org/tw/dup",
        [Tag => 'b', Tag => 'a', Tag => 'b', From => 'client:ann',
         FromCity => '']), 'idMwkTeCo6Xz9S8Rrh5fSWEOVt0=', 'signature');

{
    my ($given, $expected, %sent);
    my $call = call({
        in => $gather, 'one.mp3' => \&sound, 'two.mp3' => \&sound,
        next => sub {
            my ($c) = @_;
            my $names = $c->req->body_params->to_hash;

            %sent = %$names;
            $given = $c->req->headers->header('X-Twilio-Signature');
            $expected = sign($token, $public . '/next?a=1&b=%2F',
                             [map { my $v = $names->{$_}; utf8::encode($v);
                                    ($_, $v) } keys %$names]);
            twiml($c, '<Say>Bye &amp; thanks</Say><Hangup/>');
        } }, lines => ["S\x{e3}o Paulo, 50% & more"]);

    is_deeply($call->errors, [], 'no errors');
    is($call->reason, 'hangup', 'the agent hung up');
    is($given, $expected, 'signed over the raw target and the parameters');
    is($sent{SpeechResult}, "S\x{e3}o Paulo, 50% & more", 'the words');
    is($sent{FromCity}, '', 'empty parameters are sent');
    is($sent{Caller}, $sent{From}, 'duplicates too');
    is_deeply([$order[0], sort(@order[1, 2]), $order[3]],
              [qw(in one.mp3 two.mp3 next)], 'media before Gather');
    is(scalar @{ $call->heard }, 3, 'two files and a line were heard');
    cmp_ok($call->heard->[0]{seconds}, '>', 0.3, 'seconds of a file');
    is($call->webhooks->[0]{params}{CallStatus}, 'ringing', 'first: ringing');
    is($call->webhooks->[1]{params}{CallStatus}, 'in-progress', 'then not');
    ok($call->ok, 'ok');
}

{
    my $call = call({ in => $gather, 'one.mp3' => \&sound,
                      'two.mp3' => \&sound, quiet => '<Hangup/>' },
                    lines => [{ silence => 1 }]);

    is($order[-1], 'quiet', 'silence goes to the verb after Gather');
    ok($call->ok, 'ok');
}

{
    my $call = call({ in => $gather, 'one.mp3' => \&sound,
                      'two.mp3' => sub { twiml($_[0], '') } },
                    lines => ['hello']);

    is($call->reason, 'error', 'a Play that is no audio');
    is($call->ended->{code}, 13325, 'code of the Gather');
}

{
    my $call = call({ in => '<Hangup/><Say>never</Say>' });

    like($call->errors->[0]{message}, qr/never runs/, 'unreachable verb');
    ok(!$call->ok, 'not ok when strict');
    ok(call({ in => '<Hangup/><Say>never</Say>' }, strict => 0)->ok,
       'ok when not');
}

{
    my $call = call({ in => '<Redirect>in</Redirect>' });

    is($call->reason, 'error', 'redirects without an end');
    is(scalar @{ $call->webhooks }, 30, 'end after 30');
}

{
    my $call = call({ in => sub { $_[0]->render(text => '', status => 500) },
                      rescue => '<Say>One moment</Say><Hangup/>' },
                    fallback_url => '/rescue', status_url => '/status');

    is($call->reason, 'hangup', 'rescued by the fallback');
    is($call->webhooks->[1]{params}{ErrorCode}, 11217, 'ErrorCode');
    is($call->webhooks->[1]{params}{ErrorUrl}, "$public/in", 'ErrorUrl');
    is($call->webhooks->[2]{params}{CallStatus}, 'completed', 'status');
    like($call->webhooks->[2]{params}{CallDuration}, qr/\A\d+\z/, 'duration');
    is($call->errors->[0]{rescued}, 1, 'the error is kept');
}

{
    my $flaky = sub {
        $count++ ? twiml($_[0], '<Hangup/>')
                 : $_[0]->render(text => '', status => 503);
    };

    is(call({ in => $flaky })->reason, 'error', 'a 503 is not repeated');

    my $call = call({ in => $flaky }, connect => 'rc=1&rp=ct,5xx');

    is($call->reason, 'hangup', 'unless the URL says so');
    is($call->webhooks->[0]{attempts}, 2, 'two tries');

    $call = call({ in => '<Redirect>/next#rc=9</Redirect>',
                   next => '<Hangup/>' });
    is($call->warnings->[0]{code}, 11240, 'a wrong override warns');
}

{
    # the second time is answered in time, however busy the machine is
    my $slow = sub { my ($c) = @_; $c->render_later;
        $count++ ? twiml($c, '<Hangup/>')
                 : Mojo::IOLoop->timer(30 => sub { }) };
    my $call = call({ in => $slow }, connect => 'rc=1&rp=rt&rt=3000');

    is($call->webhooks->[0]{attempts}, 2, 'a read timeout is repeated');
    is($call->reason, 'hangup', 'and answered');

    my $cut = sub { my ($c) = @_; $c->res->headers->content_length(1000);
        $c->res->headers->content_type('text/xml');
        $c->write('<Resp' => sub {
            my $stream = Mojo::IOLoop->stream($c->tx->connection);
            Mojo::IOLoop->next_tick(sub { $stream->close }) }) };

    $call = call({ in => $cut }, connect => 'rc=3&rp=all');
    is($call->webhooks->[0]{attempts}, 1, 'a partial answer is not repeated');
    is($call->ended->{code}, 11206, 'it is an error');

    # A server that closes idle connections loses no call.
    my $closing = sub {
        my ($c, $inside) = @_;
        my $id = $c->tx->connection;

        $c->tx->on(finish => sub {
            Mojo::IOLoop->next_tick(sub {
                my $stream = Mojo::IOLoop->stream($id);
                $stream->close_gracefully if $stream; }) });
        twiml($c, $inside);
    };

    ok(call({ in => sub { $closing->($_[0], '<Redirect>next</Redirect>') },
              next => sub { $closing->($_[0], '<Redirect>last</Redirect>') },
              last => '<Hangup/>' })->ok, 'connections closed by the server');

    is(phone(base => 'http://127.0.0.1:1')->call->ended->{code}, 11202,
       'refused connection');
}

{
    my $call = call({ in => '<Hangup/>' }, misbehave => { duplicate => 3 });

    ok($call->ok, 'duplicates agree');
    is(scalar @order, 3, 'three arrived');

    $call = call({ in => sub { $count++; twiml($_[0],
        "<Pause length=\"$count\"/>") } }, misbehave => { duplicate => 2 });
    ok($call->webhooks->[0]{differs}, 'a difference is seen');

    $call = call({ in => sub { $count++; twiml($_[0], '<Hangup/>') } },
                 misbehave => { drop => 1 });
    is($call->webhooks->[0]{attempts}, 2, 'dropped and sent again');
    ok($call->ok, 'ok');
}

{
    my ($plain, $checked) = (0, 0);
    my $tagged = sub {
        my ($c) = @_;
        if (($c->req->headers->if_none_match // '') eq '"x"') {
            $checked++;
            return $c->render(data => '', status => 304);
        }
        $plain++;
        sound($c, ETag => '"x"');
    };
    my $call = call({ in => '<Play>a.mp3</Play><Play>a.mp3</Play>'
                            . '<Play>b.mp3</Play><Play>b.mp3</Play>',
                      'a.mp3' => $tagged, 'b.mp3' => sub { sound($_[0],
                          'Cache-Control' => 'max-age=60, immutable') } });

    is("$plain $checked", '1 1', 'revalidated by ETag');
    is(scalar(grep { $_ eq 'b.mp3' } @order), 1, 'immutable: fetched once');
    is(scalar @{ $call->heard }, 4, 'four heard');
    ok($call->ok, 'ok');
}

{
    my $call = call({ in => '<Dial action="/after"><Number>+15005550001'
        . '</Number></Dial>', after => '<Hangup/>' },
        dial => { status => 'busy' });

    is($call->dialed->[0]{number}, '+15005550001', 'dialled');
    is($call->webhooks->[1]{params}{DialCallStatus}, 'busy', 'busy');
}

{
    %routes = (in => $gather, next => '<Hangup/>', 'one.mp3' => \&sound,
               'two.mp3' => \&sound);
    my $phone = phone();
    my @calls;

    Mojo::Promise->all(map { $phone->call_p(lines => ['hi']) } 1 .. 100)
        ->then(sub { @calls = map { $_->[0] } @_ })->wait;
    is(scalar(grep { $_->ok } @calls), 100, 'a hundred calls at once');

    my %sids = map { $_->sid => 1 } @calls;
    is(scalar keys %sids, 100, 'each its own');
}

{
    my ($seen, %ask);
    my $good = sub {
        my ($c) = @_;
        my $params = $c->req->body_params->to_hash;

        $seen = ($c->req->headers->header('X-Twilio-Signature') // '')
            eq sign($token, $public . '/in', [%$params]) ? 'right' : 'wrong';
        twiml($c, '<Hangup/>');
    };

    call({ in => $good });
    is($seen, 'right', 'signature of a webhook');

    for my $how (qw(signature param url missing)) {
        call({ in => $good }, misbehave => sub { { tamper => $how } });
        is($seen, 'wrong', "tampered: $how");
    }

    call({ in => $good }, misbehave => { token => 'other' });
    is($seen, 'wrong', 'signed with another token');

    my $call = call({ in => sub { my ($c) = @_; $c->render_later;
                                  Mojo::IOLoop->timer(1 => sub { }) },
                      status => sub { %ask = %{ $_[0]->req->body_params
                          ->to_hash }; $_[0]->render(data => '',
                                                     status => 204) } },
                    misbehave => sub { my ($hook) = @_;
                        return { hangup => $hook->{kind} eq 'voice' } },
                    status_url => '/status');

    is($call->reason, 'caller', 'the caller hangs up during a webhook');
    is($ask{CallStatus}, 'completed', 'status callback');
    ok($call->ok, 'ok');

    $call = call({ in => '<Hangup/>' }, status_url => '/lost');
    is($call->errors->[0]{code}, 11217, 'status callback is refused');

    $call = call({ in => '<Hangup/>' }, misbehave => { repeat => 2 });
    is(scalar @{ $call->webhooks->[0]{copies} }, 3, 'repeated afterwards');
}

{
    my $call = call({ in => $gather, 'one.mp3' => \&sound,
                      'two.mp3' => \&sound, next => '<Hangup/>' },
                    lines => [{ say => 'stop', barge => 1 }],
                    captions => sub { 'a sound' });

    is(scalar @{ $call->heard }, 1, 'interrupted in the first file');
    ok($call->heard->[0]{interrupted}, 'marked');
    is($call->heard_text, 'a sound', 'captions');

    my %digits;
    $call = call({ in => '<Gather action="next" numDigits="1"/>',
                   next => sub { %digits = %{ $_[0]->req->body_params
                       ->to_hash }; twiml($_[0], '<Hangup/>') } },
                 lines => [{ digits => '05' }]);
    is($digits{Digits}, '0', 'digits');
    ok(!exists $digits{SpeechResult}, 'and no speech');

    $call = call({ in => '<Gather action="next" actionOnEmptyResult="true"/>',
                   next => '<Hangup/>' }, lines => [{ silence => 1 }]);
    is($order[-1], 'next', 'actionOnEmptyResult');

    $call = call({ in => sub { $count++ < 3
                       ? $_[0]->redirect_to('/in') : twiml($_[0], '') } });
    is($call->webhooks->[0]{hops}, 3, 'HTTP redirects');
    is(call({ in => sub { $_[0]->redirect_to('/in') } })->ended->{code},
       11215, 'too many');
    is(call({ in => '<Redirect>https://192.0.2.1/x</Redirect>' })
           ->ended->{code}, 11210, 'other hosts are out of reach');
}

{
    %routes = (in => '<Hangup/>', 'one.mp3' => \&sound);

    my $r = phone()->webhook('/in', {}, { tamper => 'signature' });

    is($r->{status}, 200, 'a single webhook');
    is(phone()->webhook('/nowhere')->{status}, 404, 'its status');
    ok(phone()->get('/one.mp3')->{body} eq $mp3, 'a file');

    $r = phone()->get('/one.mp3', {}, 'HEAD');
    is("$r->{body}$r->{headers}{'Content-Length'}", length $mp3, 'HEAD');
}

done_testing();
