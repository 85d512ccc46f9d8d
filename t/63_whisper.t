#!/usr/bin/perl

# A caller who is recorded and transcribed: the same conversation, and every
# way in which it can take long or go wrong.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::UserAgent;
use Voice::Edge;
use Voice::Lab::Recording qw(recording);
use Voice::Scene;

my $hello = 'Hello! It is good to hear you. How can I help?';
my $again = "I'm sorry, I did not get that. Could you say it again?";
my $please = 'The line is not very clear. Please say that once more.';
my $opening = 'How can I help you?';
my $bye = 'Thank you for calling. Goodbye.';

my $flow = { %{ Voice::Edge->can('flow')->({}) },
             listen => { mode => 'whisper', hints => ['Larkspur', 'tandem'],
                         delete_recordings => \1 } };

my $quota = <<'CONF';
location = /voice/other {
            internal;
            client_max_body_size 3m;
            proxy_pass http://127.0.0.1:%%PORT_stt%%/v1/audio/transcriptions;
            proxy_set_header Authorization "Bearer $openai_key";
        }
CONF

my $scene = Voice::Scene->new(
    transcription => {}, twilio => {},
    flows => {
        'general.json' => $flow,
        'kept.json' => { %$flow, name => 'kept', listen => 'whisper' },
        'picky.json' => { %$flow, name => 'picky', listen => {
            mode => 'whisper', confidence => 0.6, speech_timeout => 2 } },
        'brief.json' => { %$flow, name => 'brief', limits => { turns => 1 } },
        'patient.json' => { %$flow, name => 'patient', rules => [
            { when => 'moment', do => 'wait' } ] },
    },
    http_directives => { voice_redact => 'card', voice_number => [
        'default flow=general', '+15005550001 flow=kept',
        '+15005550002 flow=picky', '+15005550003 flow=brief',
        '+15005550004 flow=patient language=yue-HK' ] },
    directives => {
        voice_filler_after => '30s', voice_first_token_timeout => '60s',
        voice_token_timeout => '60s', voice_speech_timeout => '12s',
        voice_answer_within => '12s', voice_transcription_timeout => '60s',
    },
    locations => { other => $quota,
                   deaf => 'location = /voice/deaf { internal; '
                   . 'client_max_body_size 3m; '
                   . 'proxy_pass http://127.0.0.1:%%PORT_nobody%%; }' },
    variants => {
        fast => 'voice_filler_after 100ms;',
        # longer than a busy machine needs for what does not stall
        short => 'voice_transcription_timeout 6s;',
        tiny => 'voice_recording_max_size 20k;',
        deaf => 'voice_stt /voice/deaf;',
        other => 'voice_stt /voice/other;',
        newer => 'voice_stt /voice/stt model=gpt-4o-mini-transcribe;',
        diarize => 'voice_stt /voice/stt model=gpt-4o-transcribe-diarize;',
        foreign => 'voice_twilio_media recordings.example.org /voice/media/;',
    },
);

my ($model, $speech, $stt, $twilio, $edge) = ($scene->model, $scene->speech,
    $scene->transcription, $scene->twilio, $scene->edge);

my $ua = Mojo::UserAgent->new;
my (%before, $mark);

# Everything that was armed or held is over, and counts begin anew.

sub fresh {
    for ($model, $stt, $twilio) {
        $_->clear;
        $_->release;
        $_->forget;
    }

    %before = map { $_ => $stt->counters->{$_} } qw(held requests);
    $mark = length $edge->log;
}

sub logged { substr($edge->log, $mark) =~ $_[0] }

sub gets    { grep { $_->{text} eq 'GET wav' } @{ $twilio->requests } }
sub forms   { map { $_->{body} } @{ $stt->requests } }
sub asked   { map { $_->{text} } @{ $model->requests } }
sub words   { Voice::Scene::words(@_) }
sub action  { Voice::Scene::Line::action(@_) }
sub redirect { Voice::Scene::Line::redirect(@_) }
sub wait_held { $stt->wait_for('held', 1 + $before{held}) }

sub deleted {
    my ($n) = @_;

    return Voice::Edge::wait_for(sub { @{ $twilio->deleted } >= $n });
}

# until Twilio is told to delete that recording

sub forgotten {
    my ($sid) = @_;

    return Voice::Edge::wait_for(sub {
        grep { $_->{method} eq 'DELETE' && $_->{path} =~ /\Q$sid\E/ }
            @{ $twilio->requests } });
}

# A recording at Twilio, as the webhook tells of it.

sub put {
    my ($words, %more) = @_;

    my $sid = $more{sid} // Voice::Lab::Phone::new_sid('RE');
    my $account = $edge->account;

    $ua->post($twilio->base . "/_lab/recordings/$account/$sid"
              => recording($words, 2))->result;

    return (RecordingSid => $sid, RecordingDuration => 2, RecordingUrl =>
            "https://api.twilio.com/2010-04-01/Accounts/$account"
            . "/Recordings/$sid");
}

sub call {
    my ($variant, @lines) = @_;

    return $scene->call($variant, lines => \@lines);
}


# --- a conversation --------------------------------------------------------

{
    fresh();

    my $call = call('', 'hello', 'what is it', 'goodbye');
    my ($record) = grep { $_->{verb} eq 'Record' }
        map { @{ $_->{twiml}->verbs } } grep { $_->{twiml} }
        @{ $call->webhooks };

    is_deeply $call->errors, [], 'a call';
    is $call->reason, 'hangup', 'to its end';
    like words($call), qr/\A\Q$hello\E .+ \Q$bye\E\z/, 'as with any listening';
    is_deeply [ asked() ], ['hello', 'what is it'],
        'the model gets what was said; a rule needs no model';

    my $a = $record->{attributes};

    is_deeply { map { $_ => $a->{$_} } grep { $_ ne 'action' } keys %$a },
        { method => 'POST', timeout => 3, finishOnKey => '1234567890*#',
          maxLength => 60, playBeep => 'false', trim => 'trim-silence' },
        'it is recorded until a pause or a key';
    like $a->{action}, qr/^process-recording\?k=.*&s=0&t=1#/, 'step and MAC';

    my ($form) = forms();

    is $form->{model}, 'whisper-1', 'model';
    is $form->{language}, 'en', 'language';
    is $form->{prompt}, 'Larkspur,tandem', 'hints';
    is $form->{response_format}, 'verbose_json', 'how sure it is';

    my ($second) = map { $_->{body}{messages} } ($model->requests->[1]);

    is_deeply [ map { $_->{content} } @$second[2, 3] ], ['hello', $hello],
        'the history has all that was said';
    is scalar(gets()), 3, 'each recording is fetched once';
    is scalar(grep { $_->{headers}{Authorization} }
              grep { $_->{text} eq 'GET storage' } @{ $twilio->requests }),
        0, 'credentials stay with Twilio';
    ok deleted(3), 'recordings are deleted';
    is_deeply $twilio->kept, [], 'all of them';

    my $health = $scene->health->json;

    is $health->{counters}{transcription_requests}, 3, 'counted';
    is $health->{counters}{recording_requests}, 3, 'both';
    is $health->{status}, 'ready', 'health';
    ok logged(qr/turn 1 transcribed by "whisper-1" of "\/voice\/stt": words, /),
        'logged';
    ok !logged(qr/what is it/), 'without the words';
}

{
    fresh();

    my $call = $scene->call('', lines => ['hello', 'goodbye'],
                            to => '+15005550001');

    is words($call), "$hello $bye", 'another flow';
    is scalar(@{ $twilio->kept }), 2, 'keeps what it records';
    is scalar(grep { $_->{method} eq 'DELETE' } @{ $twilio->requests }), 0,
        'and deletes nothing';
}

{
    fresh();

    my $call = call('', 'operator');

    is $call->dialed->[0]{number}, '+15005550010', 'a rule calls a human';
    is_deeply [ asked() ], [], 'without the model';
}

{
    fresh();

    my $call = call('', 'my card is 4242 4242 4242 4242', 'goodbye');

    is_deeply [ asked() ], ['my card is [card]'], 'words are masked';
}

{
    fresh();
    $stt->arm({ fault => { logprob => -2 } });

    my $call = $scene->call('', lines => ['hello', 'hello', 'goodbye'],
                            to => '+15005550002');

    is words($call), "$again $hello $bye", 'words that it is not sure of';
    is_deeply [ asked() ], ['hello'], 'do not get to the model';
    unlike $call->webhooks->[1]{body}, qr/timeout="3"/, 'a pause of the flow';
}

{
    fresh();

    for my $name (qw(newer diarize)) {
        is words(call($name, 'hello', 'goodbye')), "$hello $bye",
            "$name: a newer model";
    }

    my ($newer, undef, $diarize) = forms();

    is $newer->{'include[]'}, 'logprobs', 'tells it by its tokens';
    is $newer->{response_format}, 'json', 'in its only format';
    is $diarize->{'include[]'}, undef, 'another does not';
    is $diarize->{prompt}, undef, 'and takes no hints';
}

{
    fresh();

    my $call = $scene->call('', lines => ['one moment', 'hello'],
                            to => '+15005550004');

    is words($call), "Take your time, I am here. $hello", 'who asks for time';
    like $call->webhooks->[2]{body}, qr/<Record[^>]* timeout="10"/,
        'gets some';
    is +(forms())[0]{language}, undef,
        'a language without a code of two letters is not told';
}

{
    fresh();

    my $call = $scene->call('', lines => ['hello', 'hello', 'hello'],
                            to => '+15005550003');

    is words($call), "$hello $bye", 'the last turn';
    is scalar(forms()), 1, 'is the last that is transcribed';
}


# --- keys, silence, the end ------------------------------------------------

{
    fresh();
    my $gone = @{ $twilio->deleted };
    my $call = call('', { digits => '0' });

    is $call->dialed->[0]{number}, '+15005550010', 'a key calls a human';
    is_deeply [ gets() ], [], 'without the recording';
    ok deleted($gone + 1), 'which is deleted';

    fresh();
    $call = call('', { digits => '5' }, 'goodbye');
    is_deeply [ asked() ], ['I pressed 5.'], 'another key is a word';
}

for my $kept (1, 0) {
    fresh();

    my $call = $scene->call('', lines => [{ silence => 1 }, 'hello',
        { silence => 1 }, { silence => 1 }], silence_recorded => $kept);

    is words($call),
        "Are you still there? $hello Are you still there? I can not hear you.",
        $kept ? 'what is made of silence is silence' : 'nothing recorded';
    is $call->reason, 'hangup', 'the ladder ends the call';
    is scalar(forms()), $kept ? 4 : 1, 'transcriptions';
    is_deeply [ asked() ], ['hello'], 'the model knows nothing of it';
}

{
    fresh();
    $stt->arm(map { { fault => { say => $_ } } }
              '', "\x{266a} \x{266a}", '[Music]', 'hello');

    my $call = call('', ('...') x 2);

    is words($call), 'Are you still there? I can not hear you.',
        'no words, and notes';
}

{
    fresh();
    $stt->arm({ fault => { say => 'Thank you.', no_speech => 0.7 } },
              { fault => { say => 'Thank you.', no_speech => 0.1 } });

    my $call = call('', '...', 'Thank you.');

    like words($call), qr/^Are you still there\? (?!I can not)/,
        'thanks, and thanks that were said';
    is_deeply [ asked() ], ['Thank you.'], 'tell by their sound';
}

{
    fresh();
    my $gone = @{ $twilio->deleted };
    my $call = call('', 'hello', { hangup => 1 });

    is $call->webhooks->[-2]{params}{Digits}, 'hangup', 'who hangs up';
    is scalar(forms()), 1, 'is not transcribed';
    ok deleted($gone + 2), 'nor kept';
    is $scene->health->json->{calls}, 0, 'the call is over';
}

{
    fresh();

    my $line = $scene->line;
    my $to = $line->open;
    my $r = $line->post($to, RecordingSid => 'RE' . 'a' x 32,
                        RecordingUrl => 'x', RecordingDuration => 0);

    like $r->body, qr/process-recording\?[^"]*s=1&amp;t=1#/,
        'a recording without length is silence';
    is_deeply [ gets() ], [], 'and is not asked for';
    ok forgotten('RE' . 'a' x 32), 'but it is deleted';
}


# --- what the webhook says -------------------------------------------------

{
    fresh();

    my $line = $scene->line;
    my %sent = put('hello');
    my $to = $line->open;

    (my $forged = $to) =~ s/k=(.)/'k=' . ($1 eq '-' ? '_' : '-')/e;
    is $line->post($forged, %sent)->status, 403, 'a forged step';
    is_deeply [ gets() ], [], 'fetches nothing';

    $sent{RecordingUrl} = 'http://127.0.0.1:1/evil';
    is $line->post($to, %sent)->status, 200, 'a URL';
    is_deeply [ map { $_->{path} } gets() ],
        ['/2010-04-01/Accounts/' . $edge->account
         . "/Recordings/$sent{RecordingSid}.wav"],
        'says nothing of where a recording is';
    forgotten($sent{RecordingSid});
}

{
    fresh();

    my $line = $scene->line;
    my %sent = put('hello');
    my $sid = delete $sent{RecordingSid};

    $line->post($line->open, %sent);
    is_deeply [ asked() ], ['hello'], 'but the id is found in it';

    # which Twilio is told later
    Voice::Edge::wait_for(sub {
        grep { $_ eq $sid } @{ $twilio->deleted } });
    ok +(grep { $_ eq $sid } @{ $twilio->deleted }), 'and it is deleted';

    # as of those before, but for the five of flows that keep them: nothing is
    # on its way any more while the next ones look
    ok Voice::Edge::wait_for(sub { @{ $twilio->kept } == 5 }),
        'like all the others';
}

for my $sid ('../../Calls', 'RE' . 'g' x 32, 'CA' . 'a' x 32, 'RE1', 'RE' . 'a'
             x 32 . '?x=')
{
    fresh();

    my $line = $scene->line;
    my $r = $line->post($line->open, RecordingSid => $sid,
                        RecordingDuration => 2);

    like $r->body, qr/<Record /, "\"$sid\" is no recording";
    is_deeply $twilio->requests, [], 'nothing is asked for';
}

{
    fresh();

    my $line = $scene->line;
    my %sent = put('hello');
    my $r = $line->post($line->open, %sent, AccountSid => 'AC/../x');

    like $r->body, qr/<Record /, 'an account that is none';
    is_deeply $twilio->requests, [], 'is not asked';
}


# --- fetching it -----------------------------------------------------------

# The caller is asked again; then everything works.

sub misheard {
    my ($what, %o) = @_;

    my $variant = $o{variant} // '';
    my $call = call($variant, $o{say} // 'hello', 'hello');

    is words($call), "$again $hello", "$what: is asked again, then goes on";
    like substr($edge->log, $mark), $o{log}, "$what: the log says why";
    is scalar(asked()), 1, "$what: the model hears only the second";
    is_deeply $call->errors, [], "$what: no error";

    return $call;
}

{
    fresh();
    $twilio->arm({ match => { text => 'GET wav' }, times => 3,
                   fault => { missing => 1 } });

    is words(call('', 'hello')), $hello, 'a recording that comes late';
    is scalar(gets()), 4, 'is asked for again';
}

{
    fresh();
    $twilio->arm({ match => { text => 'GET wav' }, times => -1,
                   fault => { missing => 1 } });

    my $call = call('short', 'hello');

    is words($call), $again, 'one that never comes';
    ok logged(qr/voice recording "RE\w+" of "\/voice\/twilio\/" failed: not_found, status 404 after/), 'is logged';
    is $scene->reasons, 'recording_not_found', 'health';
    is scalar(forms()), 0, 'nothing is transcribed';

    fresh();
    is words(call('', 'hello')), $hello, 'the next';
    is $scene->reasons, '', 'heals';
}

{
    my $nobody = $edge->port('nobody');
    my $rest = $edge->port('rest');

    for my $to ("http://127.0.0.1:$nobody/x.wav",
                "http://127.0.0.1:$rest\@evil.test/x.wav",
                "http://evil.test/x.wav#127.0.0.1:$rest/",
                "http://127.0.0.1:$rest/storage/../../x", '/storage/x', '',
                "ftp://127.0.0.1:$rest/x")
    {
        fresh();
        $twilio->arm({ match => { text => 'GET wav' },
                       fault => { redirect => $to } });
        misheard("to \"$to\"", log => qr/failed: redirect, status 302/);
        is scalar(grep { $_->{text} eq 'GET storage' }
                  @{ $twilio->requests }), 1, 'nobody else is asked';
    }

    fresh();
    is words(call('foreign', 'hello')), $again,
        'a storage that is not in the configuration';
    ok logged(qr/is said to be at "127.0.0.1:\d+", which no "voice_twilio_med/),
        'is named';
}

{
    fresh();
    $twilio->arm({ match => { text => 'GET wav' }, times => -1, fault =>
        { redirect => $twilio->base . '/2010-04-01/Accounts/' . $edge->account
              . '/Recordings/RE' . 'a' x 32 . '.wav' } });
    is words(call('', 'hello')), $again, 'back to Twilio';
    ok logged(qr/failed: unauthorized, status 401/), 'without credentials';
}

my $long = join ' ', ('hello') x 40;

for my $length (1, 0) {
    fresh();
    $twilio->arm({ match => { text => 'GET storage' },
                   fault => { length => $length } });
    misheard('larger than may be' . ($length ? '' : ', of untold length'),
             variant => 'tiny', say => $long,
             log => qr/failed: too_large, status 200/);
}

for ([ 'cut', { cut => { bytes => 5000 } }, qr/failed: cut, status 200/ ],
     [ 'of no bytes', { body => '', status => 200 }, qr/failed: empty/ ],
     [ '500', { preset => 'error' }, qr/failed: server_error, status 500/ ],
     [ '401', { preset => 'bad_key' }, qr/failed: unauthorized/ ],
     [ 'no HTTP', { garbage => 'http' }, qr/failed: unreachable/ ])
{
    my ($what, $fault, $log) = @$_;

    fresh();
    $twilio->arm({ match => { text => 'GET storage' }, fault => $fault });
    misheard("a recording, $what", log => $log);
}

for ([ 'GET wav', 'header' ], [ 'GET wav', 'inside' ],
     [ 'GET storage', 'header' ],
     [ 'GET storage', 1 ])
{
    my ($where, $stall) = @$_;

    fresh();
    $twilio->arm({ match => { text => $where },
                   fault => { stall => $stall, length => 0 } });
    misheard("$where stalls at $stall", variant => 'short',
             log => qr/failed: timeout, status/);
}


# --- transcribing it -------------------------------------------------------

for ([ 'stalls before the header', { stall => 'header' }, 'timeout', 'short' ],
     [ 'stalls inside the header', { stall => 'inside' }, 'timeout',
       'short' ],
     [ 'stalls in the body', { stall => { bytes => 10 } }, 'timeout',
       'short' ],
     [ 'is cut', { cut => { bytes => 10 } }, 'cut' ],
     [ '429', { status => 429, body => '{"error":{"message":"slow"}}' },
       'rate_limited' ],
     [ '500', { preset => 'error' }, 'server_error' ],
     [ '401', { preset => 'bad_key' }, 'unauthorized' ],
     [ 'HTML', { preset => 'html' }, 'server_error' ],
     [ 'no JSON', { garbage => '{"text":' }, 'not_json' ],
     [ 'another JSON', { garbage => '{"texts":[]}' }, 'not_json' ],
     [ 'no HTTP', { garbage => 'http' }, 'unreachable' ])
{
    my ($what, $fault, $cause, $variant) = @$_;

    fresh();
    $stt->arm({ fault => $fault });
    misheard("transcription: $what", variant => $variant,
             log => qr/voice transcription "\/voice\/stt" failed: $cause, /);
}

{
    fresh();
    is words(call('deaf', 'hello')), $again, 'transcription: no connection';
    ok logged(qr/failed: unreachable, status 502/), 'logged';
    is $scene->reasons, 'transcription_unreachable', 'health';

    fresh();
    $stt->arm({ fault => { preset => 'quota' } });
    is words(call('other', 'hello', 'hello')), "$again $please",
        'transcription: no money';
    is scalar(forms()), 1, 'is not asked for again at once';
    ok logged(qr/"\/voice\/other" is not asked for another \d+ms/),
        'the log says for how long';
    like $scene->reasons, qr/transcription_quota/, 'health';
}

{
    fresh();
    $stt->arm({ times => -1, fault => { preset => 'error' } });

    my $call = call('', ('hello') x 9);

    is words($call), "$again $please $again I connect you now. $bye",
        'who is never understood';
    is $call->dialed->[0]{number}, '+15005550010', 'gets a human';
    ok logged(qr/was not understood 4 times in a row/), 'the log says why';
}


# --- it takes long ---------------------------------------------------------

{
    fresh();
    $stt->arm({ fault => { hold => 'header' } });

    my $line = $scene->line(variant => 'fast');
    my $r = $line->post($line->open, put('hello'));

    like redirect($r), qr/^continue\?/, 'a slow transcription: a filler';

    my @sounds = Voice::Scene::Line::sounds($r);

    is scalar(@sounds), 1, 'is heard';
    wait_held();

    my $next = $scene->line(sid => $line->sid);

    $next->send("/fast/" . redirect($r));
    $stt->release;

    my $body = '';

    for ($r = $next->read; !action($r); ) {
        $r = $next->post('/fast/' . redirect($r));
    }

    is_deeply [ asked() ], ['hello'], 'then the answer';
    is scalar(forms()), 1, 'of one transcription';
    like action($r), qr/process-recording\?[^"]*t=2/, 'the next turn';
}

{
    fresh();
    $stt->arm({ fault => { hold => 'header' } });

    my $line = $scene->line;
    my %sent = put('hello');
    my $to = $line->open;
    my $other = $line->other;

    $_->send($to, %sent) for $line, $other;
    wait_held();
    $stt->release;

    my ($one, $two) = map { $_->read } $line, $other;

    is $one->body, $two->body, 'twice at once: the same bytes';
    is $line->post($to, %sent)->body, $one->body, 'and afterwards';
    is scalar(forms()), 1, 'of one transcription';
    is scalar(gets()), 1, 'and one recording';
}

{
    fresh();
    $stt->arm({ fault => { hold => 'header' } });

    my $line = $scene->line;
    my %sent = put('hello');
    my $to = $line->open;

    $line->send($to, %sent);
    wait_held();
    $edge->kill_worker($line->worker);
    $stt->release;

    my $other = $line->other;
    my $r = $other->post($to, %sent);

    like $r->body, qr/<Play>|<Record/, 'a worker dies while it transcribes';
    is_deeply [ asked() ], ['hello'], 'the next one goes on';
    is scalar(forms()), 2, 'from the recording';
    ok logged(qr/is taken over from a worker that died/)
        || $scene->health->json->{counters}{taken_over}, 'counted';
}

{
    # the webhook was answered with a filler: "continue" finds the recording
    fresh();
    $stt->arm({ fault => { hold => 'header' } });

    my ($one, $two) = $edge->workers;
    my $line = $scene->line(variant => 'fast', worker => $one);
    my $r = $line->post($line->open, put('hello'));

    wait_held();
    $edge->kill_worker($one);
    $stt->release;

    my $next = $scene->line(sid => $line->sid, worker => $two);

    for ($r = $next->post('/fast/' . redirect($r)); !action($r); ) {
        $r = $next->post('/fast/' . redirect($r));
    }

    is_deeply [ asked() ], ['hello'], 'and where nobody waited';
    is scalar(forms()), 2, 'likewise';
}

{
    # the words were known: they are not transcribed again
    fresh();

    my %held = %{ $model->counters };

    $model->arm({ fault => { hold => 'header' } });

    my $line = $scene->line;
    my %sent = put('hello');
    my $to = $line->open;

    $line->send($to, %sent);
    $model->wait_for('held', 1 + $held{held});
    $edge->kill_worker($line->worker);
    $model->release;

    my $other = $line->other;

    $other->post($to, %sent);
    is_deeply [ asked() ], ['hello', 'hello'],
        'a worker dies while the model writes';
    is scalar(forms()), 1, 'what was said is known';
}

{
    fresh();
    $stt->arm({ fault => { hold => 'header' } });

    my $line = $scene->line;

    $line->send($line->open, put('hello'));
    wait_held();
    ok $edge->reload, 'a reload while it transcribes';
    $stt->release;
    like $line->read->body, qr/<Play>|<Record/, 'is not noticed';
    $line->hang_up;
    ok $edge->wait_for_old_workers, 'the old workers leave';
}

{
    fresh();
    $stt->arm({ fault => { hold => 'header' } });

    my $gone = @{ $twilio->deleted };
    my $aborted = $stt->counters->{aborted};
    my $line = $scene->line;

    $line->send($line->open, put('hello'));
    wait_held();
    $line->other->post('/api/voice/status', CallStatus => 'completed');
    ok $edge->wait_for_log(qr/is not transcribed, nobody waits for it/),
        'who hangs up meanwhile';
    $stt->wait_for('aborted', $aborted + 1);
    ok deleted($gone + 1), 'the recording is deleted all the same';
}

{
    fresh();
    $twilio->arm({ match => { text => 'DELETE' },
                   fault => { preset => 'error' } });

    is words(call('', 'hello')), $hello, 'a recording that stays';
    ok $edge->wait_for_log(
        qr/voice recording "RE\w+" could not be deleted: server_error/),
        'is logged';
}

done_testing();
