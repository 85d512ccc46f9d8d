#!/usr/bin/perl

# Admission: what a caller hears for whom there is no room, and how many
# requests a provider is given at the same time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Voice::Edge;
use Voice::Scene;

my %base = %{ Voice::Edge->can('flow')->({}) };

# --- no room for one more call ----------------------------------------------

{
    my $scene = Voice::Scene->new(
        flows => {
            'general.json' => { %base, busy => { say => 'Later, please.' } },
            'human.json' => { %base, name => 'human', busy => {
                say => 'Somebody else helps you.', do => 'human' } },
        },
        http_directives => {
            voice_max_calls => 1,
            voice_warm => 'on interval=1ms',
            voice_number => ['default flow=general',
                             '+15005550001 flow=human'],
        },
        directives => { voice_speech_timeout => '12s',
                        voice_answer_within => '12s' });

    ok $scene->edge->wait_for_log(qr/stock phrases are ready/), 'warm';

    my $made = @{ $scene->speech->requests };
    my $line = $scene->line;

    ok $line->open, 'one call is there';

    my $call = $scene->call('/', lines => ['not heard']);

    is_deeply Voice::Scene::heard($call), ['play Later, please.'],
        'busy: the next caller hears so';
    is $call->reason, 'hangup', 'busy: and that is the end';
    is_deeply $call->errors, [], 'busy: properly';

    $call = $scene->call('/', to => '+15005550001', lines => ['not heard']);

    is Voice::Scene::heard($call)->[0], 'play Somebody else helps you.',
        'busy: another flow has its own line';
    is_deeply [map { $_->{number} } @{ $call->dialed }], ['+15005550010'],
        'busy: and its human';
    is scalar @{ $scene->speech->requests }, $made,
        'busy: the lines were there before the first call';
    is $scene->health->json->{counters}{no_room}, 2, 'busy: counted';
    ok scalar $scene->edge->log_lines(qr/is refused: the zone is full, or/),
        'busy: logged';
    ok $scene->edge->finish, 'and the log is clean';
}

# --- a provider that says when it wants to be asked again ---------------------

my @cases = (
    # what it says, whether it is spared, and what it says in milliseconds,
    # which comes first
    ['50', 1], ['100000', 1], ['99999999999999999999', 1], ['47.5', 1, 'soon'],
    [sub { http_date(50) }, 1], [sub { http_date(-40) }, 0], ['0', 0],
    ['soon', 0], ['', 0],
    ['0', 1, '50000.5'], ['50', 0, '0'], [undef, 0, 'soon'], [undef, 0, ''],
);

sub http_date {
    my @t = gmtime(time + $_[0]);

    return sprintf '%s, %02d %s %d %02d:%02d:%02d GMT',
        qw(Sun Mon Tue Wed Thu Fri Sat)[$t[6]], $t[3],
        qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)[$t[4]],
        $t[5] + 1900, @t[2, 1, 0];
}

sub llm {
    my ($name) = @_;

    return ("llm_$name" => <<"CONF");
location = /voice/llm_$name {
            internal;
            proxy_pass http://llm/v1/chat/completions;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer \$openai_key";
            proxy_buffering off;
        }
CONF
}

sub tts {
    my ($name) = @_;

    return ("tts_$name" => <<"CONF");
location /voice/tts_$name/ {
            internal;
            proxy_pass http://tts/v1/text-to-speech/\$voice_tts_voice?output_format=\$voice_tts_format;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_method POST;
            proxy_set_body \$voice_tts_body;
            proxy_pass_request_headers off;
            proxy_set_header Content-Type application/json;
            proxy_set_header xi-api-key \$elevenlabs_key;
            proxy_cache voice_tts;
            proxy_cache_key \$voice_tts_key;
            proxy_cache_valid 200 30d;
            proxy_no_cache \$voice_tts_uncacheable;
            proxy_cache_lock on;
            proxy_cache_lock_age 1s;
        }
CONF
}

my %patient = (
    voice_filler_after => '30s', voice_first_token_timeout => '60s',
    voice_token_timeout => '60s', voice_speech_timeout => '12s',
    voice_answer_within => '12s',
);

my $scene = Voice::Scene->new(
    flows => { 'general.json' => { %base,
        greeting => 'Welcome, {{caller.number|friend}}.',
        apology => 'Sorry about that.',
        fallback => { after => 9, number => '+15005550010' } } },
    directives => \%patient,
    locations => {
        (map { llm($_), tts($_) } 'quota', 'second', 'full', 'open',
                                  'short', 'paid402', 'paid403',
                                  map { "r$_" } 0 .. $#cases),
    },
    variants => {
        (map { ("r$_" => "voice_llm /voice/llm_r$_ model=first; "
                         . 'voice_llm /voice/llm_second model=second; '
                         . "voice_tts /voice/tts_r$_/;") } 0 .. $#cases),
        (map { ("paid$_" => "voice_llm /voice/llm_paid$_ model=first; "
                            . 'voice_llm /voice/llm_second model=second; '
                            . "voice_tts /voice/tts_paid$_/;") } 402, 403),
        quota => 'voice_llm /voice/llm_quota model=first; '
            . 'voice_llm /voice/llm_second model=second; '
            . 'voice_tts /voice/tts_quota/;',
        poor => 'voice_llm /voice/llm_quota model=first;',
        full => 'voice_llm /voice/llm_full model=first concurrency=1; '
            . 'voice_tts /voice/tts_full/ concurrency=1;',
        hasty => 'voice_llm /voice/llm_full model=first concurrency=1; '
            . 'voice_llm /voice/llm_second model=second; '
            . 'voice_first_token_timeout 300ms; voice_speech_timeout 300ms; '
            . 'voice_tts /voice/tts_full/ concurrency=1;',
    });

my ($model, $speech, $edge) = ($scene->model, $scene->speech, $scene->edge);

sub models {
    return join ' ', map { $_->{body}{model} } @{ $model->requests };
}

sub message {
    my ($code) = @_;

    return join "\n", map { $_->{message} } grep { $_->{code} eq $code }
        @{ $scene->health->json->{reasons} };
}

sub too_many {
    my ($after, $ms) = @_;

    return { status => 429, body => '{}', headers => {
        defined $after ? ('Retry-After' => $after) : (),
        defined $ms ? ('retry-after-ms' => $ms) : () } };
}

for my $n (0 .. $#cases) {
    my ($after, $spared, $ms) = @{ $cases[$n] };

    # a date is one from now on
    $after = $after->() if ref $after;

    $model->forget;
    $model->arm({ match => { text => 'again' },
                  fault => too_many($after, $ms) });

    my $call = $scene->call("r$n",
                            lines => ['again', 'hello', 'goodbye']);

    unlike Voice::Scene::words($call), qr/Sorry/,
        join(', ', defined $after ? "Retry-After \"$after\"" : (),
             defined $ms ? "retry-after-ms \"$ms\"" : ())
        . ': the caller gets answers';
    is models(), $spared ? 'first second second' : 'first second first',
        'the next model answers, ' . ($spared ? 'and goes on doing it'
                                              : 'then the first again');

    my ($left) = message('model_rate_limited')
        =~ m{"/voice/llm_r$n" is not asked for another (\d+) seconds};

    next if !$spared;
    cmp_ok $left // 999, '<=', 60, 'health says for how long, a minute at most';
}

{
    $model->arm({ match => { text => 'short' }, fault => too_many(1) });

    my $call = $scene->call('r8', lines => ['short', 'goodbye']);

    ok Voice::Edge::wait_for(sub {
           $scene->health->body !~ m{llm_r8} }), 'when the time is over';
    $model->forget;
    $scene->call('r8', lines => ['hello', 'goodbye']);
    is models(), 'first', 'the first is asked again';
}

# speech: the same words by Say, at once, and from the cache what is there

{
    my ($one, $two) = map { "+1500777000$_" } 1, 2;

    $scene->call('r0', from => $one, lines => ['goodbye']);
    $speech->arm({ match => { text => '7770002' }, fault => too_many(50) });
    $speech->forget;

    $model->arm({ fault => { say => 'Nobody has heard this before.' } });

    my $call = $scene->call('r0', from => $two, lines => ['hello', 'goodbye']);
    my @heard = @{ Voice::Scene::heard($call) };

    is $heard[0], "say Welcome, $two.", 'speech, Retry-After: Say';
    is $heard[1], 'play How can I help you?', 'what is there is played';
    is scalar @{ $speech->requests }, 1, 'nothing else was asked for';
    is $heard[2], 'say Nobody has heard this before.', 'but said';
    like message('speech_rate_limited'), qr{"/voice/tts_r0/" is not asked},
        'health says so';
    is_deeply $call->errors, [], 'a proper call';

    # what only the cache knows: the zone is a new one, the gate is not asked
    $call = $scene->call('r0', from => $one, lines => ['goodbye']);
    is Voice::Scene::heard($call)->[0], "play Welcome, $one.",
        'what was made before is played';
}

# money

{
    $model->forget;
    $model->arm({ match => { text => 'money' },
                  fault => { preset => 'quota' } });

    my $call = $scene->call('quota', lines => ['money', 'hello', 'goodbye']);

    is models(), 'first second second', 'quota: not asked again';
    like $scene->reasons, qr/\bmodel_quota\b/,
        'quota: health says so although another one answers';
    is $scene->health->json->{status}, 'degraded', 'quota: degraded';

    $model->forget;
    $call = $scene->call('poor', lines => ['hello', 'goodbye']);
    like Voice::Scene::words($call), qr/^Sorry about that\./,
        'quota: an apology where there is no other';
    is models(), '', 'quota: without asking';
    ok scalar $edge->log_lines(
           qr{\[info\].*"/voice/llm_quota" is not asked for another}),
        'quota: the log says why';

    # nobody is asked, and yet it is the fifth turn in a row that fails
    $scene->call('poor', lines => [('hello') x 4, 'goodbye']);
    is models(), '', 'quota: whoever comes';
    is $scene->health->status, 503, 'quota: calls should go elsewhere';
    $scene->call('', lines => ['hello', 'goodbye']);
    is $scene->health->status, 200, 'until somebody answers';

    $speech->forget;
    $speech->arm({ match => { text => 'Welcome' },
                   fault => { preset => 'credits' } });
    $call = $scene->call('quota', from => '+15007770003',
                         lines => ['goodbye']);
    is Voice::Scene::heard($call)->[0], 'say Welcome, +15007770003.',
        'quota of speech: Say';
    is scalar @{ $speech->requests }, 1, 'quota of speech: asked once';
    like $scene->reasons, qr/\bspeech_quota\b/, 'quota of speech: health';
}

for my $case ([402, 'invalid_request_error'], [403, 'insufficient_quota']) {
    my ($status, $code) = @$case;
    my $fault = { status => $status, body => '{"error":{"message":"Pay",'
                  . qq("code":"$code"}}) };
    my $from = "+15007771$status";

    $model->forget;
    $model->arm({ match => { text => 'money' }, fault => $fault });
    $speech->forget;
    $speech->arm({ match => { text => "7771$status" }, fault => $fault });

    my $call = $scene->call("paid$status", from => $from,
                            lines => ['money', 'hello', 'goodbye']);

    is models(), 'first second second', "$status, $code: quota, too";
    ok scalar $edge->log_lines(qr{"/voice/llm_paid$status" failed: quota, }),
        "$status: the log says so";
    is Voice::Scene::heard($call)->[0], "say Welcome, $from.",
        "$status: Say";
    is scalar(grep { $_->{text} =~ /7771$status/ } @{ $speech->requests }), 1,
        "$status: asked once";
    ok scalar $edge->log_lines(qr{"/voice/tts_paid$status/" failed: quota, }),
        "$status: and of speech";
}


# --- requests at the same time ------------------------------------------------

{
    # one after the other, whichever worker they are in
    my @from = map { "+1500888000$_" } 1 .. 4;
    my @workers = $edge->workers;
    my $held = $speech->counters->{held};

    $speech->arm({ match => { text => '888000' }, times => -1,
                   fault => { hold => 'header' } });

    my @line = map { $scene->line(variant => 'full',
                                  worker => $workers[$_ % 2]) } 0 .. $#from;

    $line[$_]->send('inbound-webhook', From => $from[$_]) for 0 .. $#from;

    for my $n (1 .. @from) {
        $speech->wait_for('held', $held + $n);
        $scene->health;
        is $speech->counters->{open}, 1, "concurrency: one, number $n";
        $speech->release;
    }

    like $_->read->body, qr/<Play>/, 'concurrency: and each is heard'
        for @line;
}

{
    # who is inside dies
    my @workers = $edge->workers;
    my $held = $speech->counters->{held};
    my $one = $scene->line(variant => 'full', worker => $workers[0]);
    my $two = $scene->line(variant => 'full', worker => $workers[1]);

    $one->send('inbound-webhook', From => '+15008880005');
    $speech->wait_for('held', $held + 1);
    $two->send('inbound-webhook', From => '+15008880006');
    $scene->health;
    $edge->kill_worker($workers[0]);
    $speech->wait_for('held', $held + 2);
    $speech->release;
    like $two->read->body, qr/<Play>/,
        'concurrency: a worker that died leaves its place';
}

{
    # longer than the clock: as if the provider were slow
    my $held = $speech->counters->{held};
    my $one = $scene->line(variant => 'full');
    my $two = $scene->line(variant => 'hasty');

    $one->send('inbound-webhook', From => '+15008880007');
    $speech->wait_for('held', $held + 1);
    like $two->post('inbound-webhook', From => '+15008880008')->body,
        qr/<Say/, 'concurrency: too long in the queue is said';
    ok $edge->wait_for_log(qr/voice speech .* failed: queued/),
        'concurrency: and logged';
    ok Voice::Edge::wait_for(sub { $scene->reasons =~ /\bspeech_queued\b/ }),
        'concurrency: health';
    $speech->clear;
    $speech->release;
    like $one->read->body, qr/<Play>/, 'concurrency: who is inside is heard';
    is $speech->counters->{held}, $held + 1,
        'concurrency: who gave up is not asked for later';
}

{
    my $held = $model->counters->{held};
    my $one = $scene->line(variant => 'full');
    my $two = $scene->line(variant => 'hasty');

    $model->arm({ match => { text => 'slowly' },
                  fault => { hold => 'header' } });
    $model->forget;
    $one->send($one->open, SpeechResult => 'slowly');
    $model->wait_for('held', $held + 1);
    is $two->post($two->open, SpeechResult => 'hello')->status, 200,
        'concurrency of the model: answered';
    is models(), 'first second', 'concurrency of the model: by the next one';
    ok scalar $edge->log_lines(qr/voice model .* failed: queued/),
        'concurrency of the model: logged';
    $model->release;
    is $one->read->status, 200, 'and the first one, too';
}

{
    # in the queue, but in time
    my $held = $model->counters->{held};
    my $one = $scene->line(variant => 'full');
    my $two = $scene->line(variant => 'full');

    $model->arm({ match => { text => 'slowly' },
                  fault => { hold => 'header' } });
    $model->forget;
    $one->send($one->open, SpeechResult => 'slowly');
    $model->wait_for('held', $held + 1);
    $two->send($two->open, SpeechResult => 'hello');
    $scene->health;
    is models(), 'first', 'the second waits';
    $model->release;
    is $_->read->status, 200, 'both are answered' for $one, $two;
    is models(), 'first first', 'by the same model';
}

{
    # who hangs up in the queue is not asked for
    my $held = $model->counters->{held};
    my $one = $scene->line(variant => 'full');
    my $two = $scene->line(variant => 'full');

    $model->arm({ match => { text => 'slowly' },
                  fault => { hold => 'header' } });
    $model->forget;
    $one->send($one->open, SpeechResult => 'slowly');
    $model->wait_for('held', $held + 1);

    my $next = $two->open;
    my $turns = $scene->health->json->{counters}{turns};

    $two->send($next, SpeechResult => 'hello');
    Voice::Edge::wait_for(sub {
        $scene->health->json->{counters}{turns} > $turns });
    $two->other->post('status', CallStatus => 'completed');
    is $two->read->status, 200, 'in the queue, the caller hangs up';
    ok $edge->wait_for_log(qr/"\Q${\ $two->sid}\E" turn 1 is stopped/),
        'the turn ends';
    $model->release;
    is $one->read->status, 200, 'the first one is answered';
    is models(), 'first', 'the other one is not asked for';
}

{
    # a reload meanwhile: the line is the same for old and new workers
    my $held = $model->counters->{held};
    my $one = $scene->line(variant => 'full');

    $model->arm({ match => { text => 'slowly' },
                  fault => { hold => 'header' } });
    $model->forget;
    $one->send($one->open, SpeechResult => 'slowly');
    $model->wait_for('held', $held + 1);
    ok $edge->reload, 'a reload meanwhile';

    my $two = $scene->line(variant => 'full');

    $two->send($two->open, SpeechResult => 'hello');
    $scene->health;
    is models(), 'first', 'the new worker waits for the old one';
    $model->release;
    is $_->read->status, 200, 'both are answered' for $one, $two;
    $_->hang_up for $one, $two;
    ok $edge->wait_for_old_workers, 'the old worker leaves';
}

ok $edge->finish, 'and the log is clean';

done_testing();
