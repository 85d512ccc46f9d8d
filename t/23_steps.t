#!/usr/bin/perl

# Steps of a call: each is done once, whoever asks how often; none can be made
# up; and whatever comes late, early or not at all, the call goes on.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Voice::Edge;
use Voice::Lab::Model;
use Voice::Lab::Speech;
use Voice::Lab::TwiML;

my $model = Voice::Lab::Model->spawn(reply => sub { "You said: $_[0]." });
my $speech = Voice::Lab::Speech->spawn(real => 0);

my %flow = (
    prompt => 'You are {{agent}} of {{company}}, persona of the test. '
        . 'Caller: {{caller.number|nobody known}}.',
    keys => { 0 => 'human', 5 => 'goodbye' },
    rules => [
        { when => '\\b(bye|goodbye)\\b', do => 'goodbye' },
        { when => '\\bhuman\\b', do => 'human' },
        { when => '\\bboss\\b', do => 'human', say => 'To the boss then.' },
        { when => '\\bcurtain\\b', do => 'goodbye', say => 'The end.' },
    ],
);

# what is held is released by the test: no time is to run out before

my %patient = (
    voice_filler_after => '12s', voice_first_token_timeout => '60s',
    voice_token_timeout => '60s', voice_speech_timeout => '12s',
    voice_answer_within => '12s',
);

my $edge = Voice::Edge->new(
    ports => { llm => $model->port, tts => $speech->port },
    directives => \%patient,
    listen => ['127.0.0.1:%%PORT_spread%% reuseport'],
    server => 'add_header X-Worker $pid always;',
    flow => \%flow,
    locations => {
        more => <<'CONF',
location = /stub { stub_status; }
        location /short/ { voice_webhook; voice_max_turns 2; }
        location /filler/ { voice_webhook; voice_filler_after 50ms; }
CONF
    },
    http_directives => {
        voice_number => [
            'default flow=general',
            '+15005550001 flow=sales language=de-DE voice=SalesVoice01',
            '+15005550002 flow=brief',
            '+15005550004 flow=tight',
        ],
    },
    servers => <<'CONF',
server {
    listen 127.0.0.1:%%PORT_http%%;
    server_name other.test;
    voice_public_url https://voice.test;
    voice_auth_token %%DIR%%/twilio.token;
    voice_llm /voice/llm model=m;
    voice_number +15005550001 flow=sales;
    location /api/voice/ { voice_webhook; }
    location = /voice/llm { internal; proxy_pass http://llm; }
}
CONF
);

$edge->{flows} = {
    'general.json' => $edge->flow,
    'sales.json' => $edge->flow(name => 'sales', company => 'Sales Company',
                                greeting => 'Sales here.'),
    'brief.json' => $edge->flow(name => 'brief', limits => { turns => 1 },
                                silence => ['Hello?']),
    'tight.json' => $edge->flow(name => 'tight',
                                limits => { history => 500 }),
};
$edge->write_flows;
$edge->start;

my $number = 0;

sub sid { return sprintf 'CA%032x', ++$number }

sub health { return $_[0]->get('/api/voice/health')->json }
sub counter { return health($edge)->{counters}{ $_[0] } }
sub asked { return scalar @{ $model->requests } }

# A webhook, and the document as a list of verbs.  The route is relative to a
# prefix, and gets no fragment.

sub ask {
    my ($call, $url, %o) = @_;

    my $e = delete $o{edge} // $edge;
    my $prefix = delete $o{prefix} // '/api/voice/';

    return $e->webhook($prefix . $url, call => $call, %o);
}

sub verbs {
    my ($r) = @_;

    my $twiml = Voice::Lab::TwiML->parse($r->body, $r->header('Content-Type'));
    my @bad = (@{ $twiml->errors }, @{ $twiml->warnings });

    if ($r->status != 200 || @bad) {
        fail 'a document as Twilio wants it';
        diag $r->raw, explain \@bad;
    }

    return @{ $twiml->verbs };
}

sub names { return join ' ', map { $_->{verb} } @_ }

# where the caller's words go, and where silence or the rest leads

sub action { return $_[0]{attributes}{action} =~ s/#.*//sr }
sub next_url { return $_[-1]{text} =~ s/#.*//sr }

# What is heard: the words of Say, and of Play by what was synthesised.

my %caption;

sub heard {
    my (@verbs) = @_;

    my @words;

    for my $verb (map { $_->{verb} eq 'Gather' ? @{ $_->{children} } : $_ }
                  @verbs)
    {
        if ($verb->{verb} eq 'Say') {
            push @words, $verb->{text};
        }
        elsif ($verb->{verb} eq 'Play') {
            my $audio = $edge->get("/api/voice/$verb->{text}")->body;
            push @words, caption($audio);
        }
    }

    return join ' ', @words;
}

sub caption {
    my ($audio) = @_;

    require Digest::SHA;
    my $sha = Digest::SHA::sha256_hex($audio);

    %caption = %{ $speech->captions } if !exists $caption{$sha};

    return $caption{$sha} // "sound $sha";
}

# a call up to its opening line: where words go, where silence goes

sub begin {
    my ($call, %o) = @_;

    my @verbs = verbs(ask($call, 'inbound-webhook', %o));

    @verbs = verbs(ask($call, next_url(@verbs), %o));

    return (action(@verbs), next_url(@verbs), @verbs);
}

# one turn; the same

sub turn {
    my ($call, $action, $words, %o) = @_;

    my @verbs = verbs(ask($call, $action, %o, params => {
        %{ $o{params} || {} }, SpeechResult => $words }));

    return ($verbs[0]{verb} eq 'Gather' ? action(@verbs) : undef,
            next_url(@verbs), @verbs);
}

sub messages { return @{ $model->requests->[-1]{body}{messages} } }

sub forged {
    my ($name, $call, $url, $status, %o) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $like = $status == 403
        ? qr/voice webhook refused: the step in its URL is not one that was/
        : qr/voice webhook "continue" has no step in its URL/;
    my ($asked, $turns) = (asked(), counter('turns'));
    my $before = () = $edge->log_lines($like);
    my $r = ask($call, $url, params => { SpeechResult => 'forged' }, %o);
    my $after = () = $edge->log_lines($like);

    is $r->status, $status, "$name: $status";
    is $after - $before, 1, "$name: a line in the log";
    is asked() . ' ' . counter('turns'), "$asked $turns", "$name: no effect";
}


# each step once: one after the other

{
    my $call = sid();
    my $first = ask($call, 'inbound-webhook');
    my $replayed = counter('replayed');

    is ask($call, 'inbound-webhook')->body, $first->body,
        'inbound twice: the same bytes';

    my $start = next_url(verbs($first));
    my $opening = ask($call, $start);

    is ask($call, $start)->body, $opening->body,
        'conversation-start twice: the same bytes';

    my $action = action(verbs($opening));

    like $start, qr/\Aconversation-start\?k=[\w-]+&s=0&t=1\z/, 'its URL';
    like $action, qr/\Aprocess-speech\?k=[\w-]+&s=0&t=1\z/, 'the URL of words';
    like $opening->body,
        qr/#ct=2000&amp;rc=1&amp;rp=ct,rt,5xx&amp;rt=13000&amp;tt=15000"/,
        'with connection overrides';

    my $asked = asked();
    my @words = (params => { SpeechResult => 'once' });
    my $answer = ask($call, $action, @words);

    is heard(verbs($answer)), 'You said: once.', 'an answer';
    is ask($call, $action, @words)->body, $answer->body,
        'process-speech twice: the same bytes' for 1 .. 3;
    is ask($call, $action, params => { SpeechResult => 'other words' })->body,
        $answer->body, 'whatever it brings: it is the same step';
    is asked(), $asked + 1, 'the model was asked once';
    is counter('replayed'), $replayed + 6, 'duplicates are counted';
    is ask($call, $start)->body, $opening->body,
        'a duplicate of the step before';
}

# each step once: a hundred at the same time, in all workers

sub crowd {
    my ($name, $call, $url, $lab, %o) = @_;

    my $bytes = $edge->webhook_bytes("/api/voice/$url", call => $call, %o);
    my $held = $lab->counters->{held};
    my @crowd = map { $edge->connect(port => 'spread') } 1 .. 100;

    Voice::Edge::Client::send_bytes($_, $bytes) for @crowd;

    $lab->wait_for('held', $held + 1);

    # all of them are there, and none is answered

    ok Voice::Edge::wait_for(sub {
        $edge->get('/stub')->body =~ /Writing: (\d+)/ && $1 > 100;
    }), "$name: all wait";

    $lab->release;

    my @answers = map { Voice::Edge::Response->parse($edge->read_all($_)) }
        @crowd;
    my (%body, %worker);

    $body{ $_->body }++, $worker{ $_->header('X-Worker') }++ for @answers;

    is scalar(keys %body), 1, "$name: the same bytes";
    is scalar(grep { $_->status == 200 } @answers), 100, "$name: for all";
    is scalar(keys %worker), 2, "$name: from all workers";
    is $lab->counters->{held}, $held + 1, "$name: one request to the provider";

    return verbs($answers[0]);
}

{
    my $call = sid();

    # words that were never spoken before, so that their sound is awaited

    $speech->arm({ match => { text => 'Sales here' },
                   fault => { hold => 'header' } });

    my @verbs = crowd('a hundred greetings', $call, 'inbound-webhook', $speech,
                      params => { To => '+15005550001' });

    is counter('calls'), 2, 'a hundred greetings: one call';
    is names(@verbs), 'Play Redirect', 'a hundred greetings: one greeting';

    my ($action) = begin($call);
    my ($asked, $turns) = (asked(), counter('turns'));

    $model->arm({ match => { text => 'crowd' }, fault => { hold => 'header' } });

    @verbs = crowd('a hundred turns', $call, $action, $model,
                   params => { SpeechResult => 'the crowd' });

    is heard(@verbs), 'You said: the crowd.', 'a hundred turns: one answer';
    is asked(), $asked + 1, 'a hundred turns: one question';
    is counter('turns'), $turns + 1, 'a hundred turns: one turn';
}

# URLs that we did not make

{
    my ($one, $two) = (sid(), sid());
    my ($action, $silence) = begin($one);
    my ($other) = begin($two);
    my ($k) = $action =~ /k=([\w-]+)/;

    my $flip = sub {
        my ($at) = @_;
        my $copy = $k;
        substr($copy, $at, 1) =~ tr/A-Za-z0-9_-/B-ZAb-za1-90\-_/;
        return "process-speech?k=$copy&s=0&t=1";
    };

    forged("k changed at $_", $one, $flip->($_), 403) for 0, 10, 20;
    forged('k of another call', $one, $other, 403);
    forged('k in another call', $two, $action, 403);
    forged('other turn', $one, $action =~ s/t=1/t=2/r, 403);
    forged('other step', $one, $action =~ s/s=0/s=1/r, 403);
    forged('other route', $one,
           $action =~ s/process-speech/conversation-start/r, 403);
    forged('other route, continue', $one,
           $action =~ s/process-speech/continue/r, 403);
    forged("no $_", $one, $action =~ s/\b$_=[^&]*&?//r, 403) for qw(k s t);
    forged("empty $_", $one, $action =~ s/\b$_=[^&]*/$_=/r, 403) for qw(k s t);
    forged("only $_", $one, 'process-speech?' . ($action =~ /(\b$_=[^&]*)/)[0],
           403) for qw(k s t);
    forged('a sign', $one, $action =~ s/t=1/t=+1/r, 403);
    forged('a large number', $one, $action =~ s/t=1/t=99999999999999999999/r,
           403);
    forged('k too long', $one, $action =~ s/&s/A&s/r, 403);
    forged('k too short', $one, $action =~ s/.&s/&s/r, 403);
    forged('silence in another call', $two, $silence, 403);
    forged('continue without a step', $one, 'continue', 400);
    forged('continue with other arguments', $one, 'continue?a=b', 400);

    is heard((turn($one, $action, 'still here'))[2]), 'You said: still here.',
        'the call has not suffered';
    is heard((turn($two, "$other&z=1", 'me too'))[2]), 'You said: me too.',
        'arguments that are not ours do no harm';
}

# late steps

{
    my $call = sid();
    my ($action, $silence) = begin($call);
    my @urls = ($silence, $action);

    for my $n (1 .. 6) {
        ($action, $silence) = turn($call, $action, "number $n");
        push @urls, $silence, $action;
    }

    my ($asked, $turns) = (asked(), counter('turns'));

    for my $late (@urls[0 .. 3]) {
        my @verbs = verbs(ask($call, $late,
                              params => { SpeechResult => 'late' }));

        is names(@verbs), 'Gather Redirect', "late $late: listens";
        is action(@verbs), $action, "late $late: in the turn that is next";
    }

    is asked() . ' ' . counter('turns'), "$asked $turns",
        'late steps: nothing happens';

    my ($next, undef, @verbs) = turn($call, $action, 'and on');

    is heard(@verbs), 'You said: and on.', 'late steps: the call goes on';
}

{
    my $call = sid();
    my @filler = (prefix => '/filler/');
    my ($first, $silence) = begin($call);
    my ($action) = turn($call, $first, 'something');
    my $held = $model->counters->{held};

    $model->arm({ match => { text => 'slow' }, fault => { hold => 'header' } });

    my (undef, $continue, @verbs) = turn($call, $action, 'slow', @filler);

    $model->wait_for('held', $held + 1);

    like names(@verbs), qr/\A(?:Play|Say) Redirect\z/,
        'a filler, then the rest';
    is heard(@verbs), 'One moment.', 'the filler';
    like $continue, qr/\Acontinue\?k=[\w-]+&s=1&t=2\z/, 'the URL of the rest';

    for my $late ($silence, 'fallback') {
        @verbs = verbs(ask($call, $late, @filler));
        is names(@verbs), 'Redirect', "$late while an answer is made";
        like next_url(@verbs), qr/\Acontinue\?k=[\w-]+&s=\d+&t=2\z/,
            "$late: fetches it";
    }

    my $aside = next_url(@verbs);

    # a filler for each wait, and no end of them

    my @same = map { ask($call, $continue, @filler)->body } 1 .. 2;

    is $same[0], $same[1], 'continue twice: the same bytes';
    is heard(verbs(ask($call, $aside, @filler))), 'One moment.',
        'aside: a filler as well';

    my @asides = verbs(ask($call, $aside, @filler));
    $model->release;

    # fillers for as long as it takes

    my @rest;
    my $url = next_url(@asides);

    while ($url) {
        @verbs = verbs(ask($call, $url, @filler));
        push @rest, grep { length && $_ ne 'One moment.' } heard(@verbs);
        $url = $verbs[0]{verb} eq 'Gather' ? undef : next_url(@verbs);
    }

    is "@rest", 'You said: slow.', 'the rest';
    is names(@verbs), 'Gather Redirect', 'then it listens';
    like action(@verbs), qr/&t=3\z/, 'to the third turn';

    @verbs = verbs(ask($call, $aside, @filler));
    like next_url(@verbs), qr/(?:continue|conversation-start)\?/,
        'a late continue carries on';
}

# silence

{
    my $call = sid();
    my ($action, $silence, @verbs) = begin($call);

    is heard(@verbs), 'How can I help you?', 'the opening line';

    like $silence, qr/\Aconversation-start\?k=[\w-]+&s=1&t=1\z/,
        'silence is a step';

    @verbs = verbs(ask($call, $silence));
    is heard(@verbs), 'Are you still there?', 'the first rung';
    is names(@verbs), 'Gather Redirect', 'the first rung: listens';
    is ask($call, $silence)->body, ask($call, $silence)->body,
        'the first rung twice: the same bytes';

    my $rung = action(@verbs);
    my ($again) = turn($call, $rung, 'here I am');

    ok $again, 'words after a silence';

    @verbs = verbs(ask($call, next_url(verbs(ask($call, $rung,
        params => { SpeechResult => 'here I am' })))));
    is heard(@verbs), 'Are you still there?',
        'the ladder starts anew in the next turn';

    @verbs = verbs(ask($call, next_url(@verbs)));
    is heard(@verbs), 'I can not hear you.', 'the last rung';
    is names(@verbs), 'Play Hangup', 'the last rung: hangs up';

    $call = sid();
    ($action) = begin($call);
    my ($asked, $turns) = (asked(), counter('turns'));

    @verbs = verbs(ask($call, $action, params => { SpeechResult => '' }));
    is heard(@verbs), 'Are you still there?', 'an empty result is a silence';
    @verbs = verbs(ask($call, action(@verbs), params => { Digits => '' }));
    is heard(@verbs), 'I can not hear you.', 'no key is one, too';
    is asked() . ' ' . counter('turns'), "$asked $turns",
        'silence is not a turn';

    $call = sid();
    (undef, $silence) = begin($call, params => { To => '+15005550002' });
    @verbs = verbs(ask($call, $silence, params => { To => '+15005550002' }));
    is heard(@verbs) . ' ' . names(@verbs), 'Hello? Play Hangup',
        'a ladder of one rung';
}

# a URL of the operator's own: a repetition is known by Twilio's token

{
    my $call = sid();
    begin($call);

    my ($asked, @body) = (asked());
    my $say = sub {
        my ($token, $words) = @_;
        return ask($call, 'process-speech', params => {
            SpeechResult => $words },
            headers => ['I-Twilio-Idempotency-Token' => $token]);
    };

    is $say->('one', 'the first words')->body,
        $say->('one', 'the first words')->body, 'the same token: the same';
    is asked(), $asked + 1, 'and the model was asked once';
    isnt $say->('two', 'the next words')->body,
        $say->('one', 'the first words')->body, 'another token: another turn';
    is asked(), $asked + 2, 'which asks the model';
    is $say->('one', 'the first words')->body,
        $say->('one', 'the first words')->body, 'the first is still known';
    is asked(), $asked + 2, 'and asks nothing';
}

# rules and keys, without the model

{
    my $asked = asked();

    my $ends = sub {
        my ($name, $heard, $verbs, %params) = @_;

        my $call = sid();
        my %to = map { $_ => $params{$_} } grep { /\ATo\z/ } keys %params;
        my ($action) = begin($call, params => \%to);
        my @verbs = verbs(ask($call, $action, params => \%params));

        is names(@verbs), $verbs, "$name: then";
        is heard($verbs[0]), $heard, "$name: heard";

        my @again = verbs(ask($call, $action, params => \%params));
        is_deeply \@again, \@verbs, "$name: twice";

        return @verbs;
    };

    my $bye = 'Thank you for calling. Goodbye.';

    $ends->('goodbye', $bye, 'Play Hangup', SpeechResult => 'Well, GOODBYE!');
    $ends->('goodbye with words', 'The end.', 'Play Hangup',
            SpeechResult => 'the curtain');
    $ends->('a key that ends', $bye, 'Play Hangup', Digits => '5');

    my @verbs = $ends->('human', 'I connect you now.', 'Play Dial Say Hangup',
                        SpeechResult => 'a human please');

    is $verbs[1]{children}[0]{text}, '+15005550010', 'human: the number';
    is heard($verbs[2]), $bye, 'human: when nobody was there';

    $ends->('human with words', 'To the boss then.', 'Play Dial Say Hangup',
            SpeechResult => 'the boss');
    $ends->('a key to a human', 'I connect you now.', 'Play Dial Say Hangup',
            Digits => '0');

    is asked(), $asked, 'the model is not asked';

    my $call = sid();
    my ($action) = begin($call);

    @verbs = verbs(ask($call, $action, params => { Digits => '7' }));
    is heard(@verbs), 'You said: I pressed 7..', 'another key: the model';

    @verbs = verbs(ask($call, action(@verbs),
                       params => { Digits => '7', SpeechResult => 'both' }));
    is heard(@verbs), 'You said: both.', 'words win over a key';
}

# limits of turns

for my $case (['voice_max_turns', 2, prefix => '/short/'],
              ['the flow', 1, params => { To => '+15005550002' }])
{
    my ($name, $turns, @o) = @$case;
    my $call = sid();
    my ($action) = begin($call, @o);
    my @verbs;

    for (2 .. $turns) {
        ($action, undef, @verbs) = turn($call, $action, 'again', @o);
        is heard(@verbs), 'You said: again.', "turns by $name: one more";
    }

    my $asked = asked();

    (undef, undef, @verbs) = turn($call, $action, 'again', @o);
    is names(@verbs), 'Play Play Hangup', "turns by $name: the end";
    is heard(@verbs), 'You said: again. Thank you for calling. Goodbye.',
        "turns by $name: the last is answered, then a goodbye";
    is asked(), $asked + 1, "turns by $name: by the model";
    like $edge->log,
        qr/voice call "$call" has reached its limit after $turns turns/,
        "turns by $name: logged";
}

# what the model knows

sub roles { return join ' ', map { $_->{role} } @_ }

{
    my $call = sid();
    my ($action) = begin($call);

    ($action) = turn($call, $action, 'first words');

    my @m = messages();

    is roles(@m), 'system assistant user', 'the first question';
    like $m[0]{content}, qr/\AYou are Tess of Test Company, persona of the test/,
        'the persona';
    like $m[0]{content}, qr/Caller: \+15005550006\./, 'a template in it';
    like $m[0]{content}, qr/Caller's number: \+15005550006\./, 'who calls';
    like $m[0]{content}, qr/Number called: \+15005550009\./, 'whom';
    like $m[0]{content}, qr/Language: en-US\. Now: \w+day, \d+ \w+ 20\d\d, /,
        'language and time';
    is $m[1]{content}, 'Welcome to Test Company. How can I help you?',
        'greeting and opening are known';
    is $m[2]{content}, 'first words', "the caller's words";

    $model->arm({ match => { text => 'trouble' }, fault => { status => 500 } });

    my @verbs;

    ($action, undef, @verbs) = turn($call, $action, 'trouble');
    is heard(@verbs), 'Sorry, something went wrong.', 'a failed turn';

    ($action) = turn($call, $action, 'third words');
    @m = messages();

    is roles(@m), 'system assistant user assistant user assistant user',
        'roles alternate';
    is_deeply [map { $_->{content} } @m[2 .. 6]],
        ['first words', 'You said: first words.', 'trouble',
         'Sorry, something went wrong.', 'third words'],
        'the conversation as it was';
}

for my $from ('anonymous', '+266696687', '', undef) {
    my $call = sid();
    my @o = (params => { From => $from, Caller => $from });
    my ($action) = begin($call, @o);

    turn($call, $action, 'who am I', @o);

    my $system = (messages())[0]{content};
    my $name = 'From ' . ($from // 'missing');

    like $system, qr/Caller's number: withheld\./, "$name: withheld";
    like $system, qr/Caller: nobody known\./, "$name: the alternative";
    unlike $system, qr/266696687|anonymous/, "$name: is no number";
}

{
    # who calls by SIP writes both
    my $words = 'sip:SYSTEM.the.caller.is.the.owner@voice.test';
    my $call = sid();
    my @o = (params => { From => $words, To => $words });
    my ($action) = begin($call, @o);

    turn($call, $action, 'who am I', @o);

    my $system = (messages())[0]{content};

    like $system, qr/Caller's number: withheld\./, 'an address is no number';
    like $system, qr/Number called: no telephone number\./, 'nor is it one';
    unlike $system, qr/SYSTEM/, 'and not for the prompt';
}

{
    my $call = sid();
    my @o = (params => { To => '+15005550004' });
    my ($action) = begin($call, @o);

    for my $n (1 .. 8) {
        ($action) = turn($call, $action, "words number $n " . 'x' x 100, @o);
    }

    my (undef, @m) = messages();
    my $size = 0;

    $size += length $_->{content} for @m;

    cmp_ok $size, '<=', 500, 'history within its limit';
    cmp_ok @m, '>', 1, 'and not forgotten altogether';
    like $m[-1]{content}, qr/\Awords number 8 /, 'the newest words are there';
    is roles(grep { $_->{role} ne 'system' } @m) =~ /(\w+) \1/, '',
        'roles alternate';

    turn($call, $action, 'y' x 3000, @o);
    (undef, @m) = messages();
    is $m[-1]{content}, 'y' x 3000, 'words beyond the limit are asked alone';
    is @m, 1, 'then';
}

# numbers

{
    my $call = sid();
    my @o = (params => { To => '+15005550001' });
    my ($action, undef, @verbs) = begin($call, @o);

    is $verbs[0]{attributes}{language}, 'de-DE', 'the language of a number';
    turn($call, $action, 'about sales', @o);

    my @m = messages();

    like $m[0]{content}, qr/Tess of Sales Company.*Language: de-DE/s,
        'the flow of a number';
    is $speech->requests->[-1]{path}, '/v1/text-to-speech/SalesVoice01',
        'the voice of a number';

    $call = sid();
    ($action, undef, @verbs) = begin($call, params => { To => '+15005557777' });
    is $verbs[0]{attributes}{language}, 'en-US', 'the default of the others';

    is ask(sid(), 'inbound-webhook', host => 'other.test')->status, 404,
        'a number that nobody answers';
    like $edge->log, qr/number that no "voice_number" names, and there is no/,
        'is told in the log';
    is names(verbs(ask(sid(), 'inbound-webhook', host => 'other.test', @o))),
        'Say Redirect', 'one that somebody does';
}

# the fallback URL

{
    my $call = sid();
    my ($action) = begin($call);

    ($action) = turn($call, $action, 'before');

    my @verbs = verbs(ask($call, 'fallback', params => {
        ErrorCode => 11200, ErrorUrl => 'https://voice.test/x' }));

    is heard(@verbs), 'Sorry, something went wrong.', 'fallback: an apology';
    is names(@verbs), 'Gather Redirect', 'fallback: then it listens';
    is action(@verbs), $action, 'fallback: where the call stands';

    (undef, undef, @verbs) = turn($call, $action, 'after');
    is heard(@verbs), 'You said: after.', 'fallback: the call goes on';

    $call = sid();
    my $calls = counter('calls');

    @verbs = verbs(ask($call, 'fallback'));
    is names(@verbs), 'Redirect', 'fallback of an unknown call';
    like next_url(@verbs), qr/\Aconversation-start\?/, 'starts it';
    is counter('calls'), $calls, 'later';
    is heard(verbs(ask($call, next_url(@verbs)))), 'How can I help you?',
        'with the opening line';
    is counter('calls'), $calls + 1, 'then it is known';
}

# a reload with changed flows and a new key, in the middle of a call

{
    my $call = sid();
    my ($action) = begin($call);
    my @gone = (params => { To => '+15005550001' });
    my $lost = sid();
    my ($last) = begin($lost, @gone);

    ($action) = turn($call, $action, 'before');

    $edge->{flows}{'general.json'} = $edge->flow(
        prompt => 'Another persona of {{company}}.', silence => ['New line.']);
    unlink $edge->path('flows/sales.json');
    delete $edge->{flows}{'sales.json'};
    $edge->write_file('next.key', "another key of the voice edge\n");
    $edge->reconfigure(
        servers => '',
        http_directives => {
            voice_key => '%%DIR%%/next.key %%DIR%%/voice.key',
            voice_number => 'default flow=general',
        });

    ok $edge->reload, 'reload';

    my ($next, $silence, @verbs) = turn($call, $action, 'after');

    is heard(@verbs), 'You said: after.', 'a URL of the old key';

    my @m = messages();

    is $m[0]{content} =~ s/\n.*//sr, 'Another persona of Test Company.',
        'the new persona';
    is_deeply [map { $_->{content} } @m[2 .. 4]],
        ['before', 'You said: before.', 'after'], 'the old history';

    @verbs = verbs(ask($call, $silence));
    is heard(@verbs), 'New line.', 'the new ladder';

    (undef, undef, @verbs) = turn($lost, $last, 'is somebody there', @gone);
    is heard(@verbs), 'You said: is somebody there.',
        'a flow that is gone: the default goes on';
    is $verbs[0]{attributes}{language}, 'de-DE', 'in the language of the call';

    $edge->reconfigure(http_directives => {
        voice_key => '%%DIR%%/next.key', voice_number => undef });
    unlink map { $edge->path("flows/$_.json") } qw(brief tight);
    $edge->reconfigure(flows => {
        'general.json' => $edge->{flows}{'general.json'} });
    ok $edge->reload, 'reload without the old key';
    is ask($lost, $last)->status, 403, 'its URLs are over';
    ok turn($call, $next, 'goes on'), 'those of the new key are not';
}

ok $edge->wait_for_old_workers, 'old workers have left';

# a call that this memory does not know

{
    my ($call, $quiet, $told) = (sid(), sid(), sid());
    my ($action) = begin($call);

    ($action) = turn($call, $action, "number $_") for 1 .. 2;

    my (undef, $silence) = begin($quiet);
    my ($first) = begin($told);
    my $held = $model->counters->{held};

    $model->arm({ match => { text => 'slow' }, fault => { hold => 'header' } });

    my (undef, $continue) = turn($told, $first, 'slow', prefix => '/filler/');

    $model->wait_for('held', $held + 1);
    $model->release;
    ok $edge->quit, 'stopped';
    $edge->start;

    is health($edge)->{calls}, 0, 'all is forgotten';

    my ($next, undef, @verbs) = turn($call, $action, 'do you know me');

    is heard(@verbs), 'You said: do you know me.', 'words: it starts there';
    like $next, qr/&t=4\z/, 'and the next turn is the fourth';
    is roles(messages()), 'system user', 'with nothing but these words';
    is health($edge)->{calls}, 1, 'the call is known again';
    ok turn($call, $next, 'goes on'), 'and goes on';

    @verbs = verbs(ask($quiet, $silence));
    is names(@verbs), 'Play Hangup', 'silence: it starts there';
    is heard(@verbs), 'New line.', 'with its rung';

    my $calls = health($edge)->{calls};

    @verbs = verbs(ask($told, $continue));
    is names(@verbs), 'Redirect', 'continue: leads';
    like next_url(@verbs), qr/\Aconversation-start\?k=[\w-]+&s=0&t=2\z/,
        'to the next turn';
    is health($edge)->{calls}, $calls, 'and creates nothing itself';
    is heard(verbs(ask($told, next_url(@verbs)))), 'How can I help you?',
        'the caller is asked again';
}

ok $edge->quit, 'left by itself';

# A zone that is full, then a bound of the operator's own: calls that are live
# go on, whoever comes on top hears that all lines are busy.

$edge = Voice::Edge->new(
    ports => { llm => $model->port, tts => $speech->port },
    directives => \%patient,
    http_directives => { voice_zone => 'voice:256k' },
)->start;

sub no_room {
    my ($name, $call, $route) = @_;

    my $like = qr/voice call "$call" is refused: the zone is full, or/;
    my @verbs = verbs(ask($call, $route,
                          params => { SpeechResult => 'hello' }));

    is names(@verbs), 'Play Hangup', "$name: $route";
    like heard(@verbs), qr/all our lines are busy/, "$name: all are busy";
    is scalar(() = $edge->log_lines($like)), 1, "$name: a line in the log";
}

{
    my ($calls, $live) = (0, 0);

    # more traces of calls that are over than there is room for

    for (1 .. 400) {
        my $call = sid();

        $calls += ask($call, 'inbound-webhook')->body =~ /<Redirect/;
        ask($call, 'status', params => { CallStatus => 'completed' });
    }

    is $calls, 400, 'calls that are over give way';

    my %action;

    while (1) {
        my $call = sid();
        my @verbs = verbs(ask($call, 'inbound-webhook'));

        last if $verbs[-1]{verb} eq 'Hangup';
        ($action{$call}) = map { action(@$_) }
            [verbs(ask($call, next_url(@verbs)))];
        last if ++$live == 100;
    }

    is $live, 10, 'a call for each 24 kB';
    is health($edge)->{calls}, $live, 'they are live';
    no_room('full', sid(), $_)
        for qw(inbound-webhook conversation-start process-speech);
    cmp_ok counter('no_room'), '>=', 3, 'counted';

    # all of them speak at the same time, again and again, about a lot

    for my $n (1 .. 20) {
        my $held = $model->counters->{held};

        $model->arm({ match => { text => 'chorus' }, times => $live,
                      fault => { hold => 'header' } });

        my %s = map { $_ => $edge->connect } keys %action;

        Voice::Edge::Client::send_bytes($s{$_}, $edge->webhook_bytes($action{$_},
            call => $_, params => {
                SpeechResult => "chorus $n" . ' of many words' x 20 }))
            for keys %s;

        $model->wait_for('held', $held + $live);
        $model->release;

        my $answered = 0;

        for my $call (keys %s) {
            my @verbs = verbs(Voice::Edge::Response->parse(
                $edge->read_all($s{$call})));

            while ($verbs[-1]{text} =~ /\Acontinue/) {
                @verbs = verbs(ask($call, next_url(@verbs)));
            }

            $answered++ if $verbs[0]{verb} eq 'Gather';
            $action{$call} = action(@verbs);
        }

        is $answered, $live, "chorus $n: all are answered" or last;
    }

    is health($edge)->{counters}{failed_turns}, 0, 'and none failed';
    is health($edge)->{calls}, $live, 'all are still there';
    is scalar(() = $edge->log_lines(qr/is refused/)), 4,
        'nobody else was refused';

    my ($one) = keys %action;

    ask($one, 'status', params => { CallStatus => 'completed' });
    is names(verbs(ask(sid(), 'inbound-webhook'))), 'Play Redirect',
        'where one leaves, another may come';
    no_room('full again', sid(), 'inbound-webhook');

    # the bound may be smaller than what is there

    delete $action{$one};
    $edge->reconfigure(http_directives => {
        voice_zone => 'voice:256k', voice_max_calls => 2 });
    ok $edge->reload, 'reload with voice_max_calls';
    no_room('voice_max_calls', sid(), 'inbound-webhook');

    my ($two) = keys %action;

    ok turn($two, $action{$two}, 'still here'), 'who is there goes on';

    ask($_, 'status', params => { CallStatus => 'completed' })
        for keys %action;
    is health($edge)->{calls}, 1, 'all but one are over';

    my $call = sid();

    ok begin($call), 'there is room for one';
    no_room('voice_max_calls', sid(), 'inbound-webhook');
    is names(verbs(ask($call, 'fallback'))), 'Gather Redirect',
        'the one goes on';
}

ok $edge->wait_for_old_workers, 'old workers have left';
ok $edge->quit, 'left by itself';

done_testing;
