#!/usr/bin/perl

# Flow files: what the loader takes, what it refuses and with which words,
# and that the JSON Schema for editors says the same.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

use constant GONE => \'gone';

my $root = abs_path(dirname(__FILE__) . '/..');
my $dir = tempdir('voice-flow-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $shipped = "$root/conf/flows/general.json";
my @shipped = grep { !/\.schema\.json$/ } glob "$root/conf/flows/*.json";
my $check = "$dir/flow_check";
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

mkdir "$dir/cases";

my $log = `make -C '$root/t/flow' OUT='$dir' SAN=1 2>&1`;
ok(-x $check, 'flow_check builds') or BAIL_OUT($log);

my $minimal = {
    name => 'test', company => 'Larkspur Bikes', greeting => 'Hello.',
    prompt => 'You answer the telephone.',
};

my $formats = 'mp3_22050_32, mp3_44100_32, mp3_44100_64, mp3_44100_96, '
    . 'mp3_44100_128, wav_8000, wav_16000';
my $action = 'must be "goodbye", "human" or "wait"';
my $way_out = 'must be "goodbye" or "human"';
my $known = 'known are company, agent, language, caller.number, '
    . 'called.number, date, time, weekday, contact.name, contact.first_name, '
    . 'contact.company, deal.title, ticket.number and ticket.title';
my $control = 'must not contain a line break or another control character';
my $human = 'is "human", but there is no way to one: /fallback/number is '
    . 'missing';
my $form_name = 'must be a lower-case name: a letter, then up to 31 letters, '
    . 'digits or "_"';
my $form_number = 'must be a number in E.164 form such as "+15005550010"';
my $form_language = 'must be a language tag such as "en-US"';
my $form_voice = q{must be a voice id (not a voice's name): letters, digits, }
    . '"_" and "-"';
my $say = q{must be a voice of Twilio's <Say> such as "Polly.Joanna-Neural"};
my $number = '+15005550010';
my $voice = { id => 'abc' };
my $bye = { when => 'bye', do => 'goodbye' };

# Changes to the minimal flow by JSON Pointer, the first line of the answer,
# and 1 when a JSON Schema cannot say it.

my @cases = (
    [ {}, 'ok' ],
    [ { '/$schema' => 'flow.schema.json' }, 'ok' ],
    [ { '/$schema' => 1 }, '/$schema must be a string' ],

    # keys
    [ { '/name' => GONE }, 'lacks the required key "name"' ],
    [ { '/company' => GONE }, 'lacks the required key "company"' ],
    [ { '/greeting' => GONE }, 'lacks the required key "greeting"' ],
    [ { '/prompt' => GONE }, 'lacks the required key "prompt"' ],
    [ { '/greting' => 'x' },
        '/greting is an unknown key, did you mean "greeting"?' ],
    [ { '/flalback' => {} },
        '/flalback is an unknown key, did you mean "fallback"?' ],
    [ { '/x' => 1 }, '/x is an unknown key' ],
    [ { '/a~1b~0c' => 1 }, '/a~1b~0c is an unknown key' ],
    [ { "/a\nb" => 1 }, '/a?b is an unknown key' ],
    [ { '/' . 'k' x 300 => 1 }, '/' . 'k' x 254 . ' is an unknown key' ],
    [ { '/' . 'k' x 253 . "\x{e9}" => 1 },
        '/' . 'k' x 253 . ' is an unknown key' ],

    # strings of a form
    [ { '/name' => 'Test' }, "/name $form_name" ],
    [ { '/name' => 'a' x 32 }, 'ok' ],
    [ { '/name' => 'a' x 33 }, "/name $form_name" ],
    [ { '/name' => 7 }, "/name $form_name" ],
    [ { '/language' => 'de-CH' }, 'ok' ],
    [ { '/language' => 'zh-Hant-TW' }, 'ok' ],
    [ { '/language' => 'english' }, "/language $form_language" ],
    [ { '/language' => 'en_US' }, "/language $form_language" ],
    [ { '/company' => '' }, '/company must not be empty' ],
    [ { '/company' => '  ' }, '/company must not be empty' ],
    [ { '/company' => "A\tB" }, "/company $control" ],
    [ { '/company' => 'c' x 100 }, 'ok' ],
    [ { '/company' => "\x{e9}" x 100 }, 'ok' ],
    [ { '/company' => 'c' x 101 },
        '/company must not be longer than 100 characters' ],
    [ { '/agent' => $true }, '/agent must be a string' ],
    [ { '/agent' => undef }, '/agent must be a string' ],

    # lines and templates
    [ { '/greeting' => [] }, '/greeting must be a string' ],
    [ { '/greeting' => ' ' }, '/greeting must not be empty' ],
    [ { '/greeting' => "Hello.\nBye." }, "/greeting $control" ],
    [ { '/greeting' => 'x' x 500 }, 'ok' ],
    [ { '/greeting' => 'x' x 501 },
        '/greeting must not be longer than 500 bytes with its names '
            . 'filled in' ],
    [ { '/greeting' => "\x{e9}" x 251 },
        '/greeting must not be longer than 500 bytes with its names '
            . 'filled in', 1 ],
    [ { '/greeting' => '{{company}}' x 36 },
        '/greeting must not be longer than 500 bytes with its names '
            . 'filled in', 1 ],
    [ { '/greeting' => '{ {company} }} {' }, 'ok' ],
    [ { '/greeting' => '{{ company }}, {{language}}' }, 'ok' ],
    [ { '/greeting' => '{{caller.number|}}' }, 'ok' ],
    [ { '/greeting' => '{{ caller.number | you }}' }, 'ok' ],
    [ { '/greeting' => '{{called.number}} {{date}} {{time}} {{weekday}}' },
        'ok' ],
    [ { '/greeting' => 'Hi {{company' },
        '/greeting has a "{{" at offset 3 that no "}}" closes' ],
    [ { '/greeting' => '{{company}' },
        '/greeting has a "{{" at offset 0 that no "}}" closes' ],
    [ { '/greeting' => '{{{company}}}' },
        '/greeting has a "{{" at offset 0 that no "}}" closes' ],
    [ { '/greeting' => '{{caller.number|{{company}}}}' },
        '/greeting has a "{{" at offset 0 that no "}}" closes' ],
    [ { '/greeting' => '{{contact.phone}}' },
        qq{/greeting names "{{contact.phone}}", $known} ],
    [ { '/opening_known' => '{{contact.first_name|You}}, {{ticket.number|}}' },
        'ok' ],
    [ { '/greeting' => '{{contact.name}}' },
        '/greeting names "{{contact.name}}", which may be missing: write '
        . '"{{contact.name|alternative}}"' ],
    [ { '/greeting' => '{{}}' }, qq{/greeting names "{{}}", $known} ],
    [ { '/greeting' => '{{Company}}' },
        qq{/greeting names "{{Company}}", $known} ],
    [ { '/greeting' => '{{caller.number}}' },
        '/greeting names "{{caller.number}}", which may be missing: write '
            . '"{{caller.number|alternative}}"' ],
    [ { '/greeting' => 'I am {{agent}}.' },
        '/greeting names "{{agent}}", but the flow has no "agent"', 1 ],
    [ { '/greeting' => 'I am {{agent|the assistant}}.' }, 'ok' ],
    [ { '/greeting' => 'I am {{agent}}.', '/agent' => 'Nora' }, 'ok' ],
    [ { '/opening' => '{{x}}' }, qq{/opening names "{{x}}", $known} ],
    [ { '/apology' => '' }, '/apology must not be empty' ],
    [ { '/goodbye' => 5 }, '/goodbye must be a string' ],
    [ { '/silence' => [] }, '/silence must be an array of 1 to 5 lines' ],
    [ { '/silence' => [ ('Hello?') x 5 ] }, 'ok' ],
    [ { '/silence' => [ ('Hello?') x 6 ] },
        '/silence must be an array of 1 to 5 lines' ],
    [ { '/silence' => 'Hello?' },
        '/silence must be an array of 1 to 5 lines' ],
    [ { '/silence' => [ 'Hello?', 1 ] }, '/silence/1 must be a string' ],
    [ { '/fillers' => [ 'Hm.', '' ] }, '/fillers/1 must not be empty' ],
    [ { '/fillers' => [ ('Hm.') x 9 ] },
        '/fillers must be an array of 1 to 8 lines' ],

    # prompt
    [ { '/prompt' => [ 'a', '', "b\nc" ] }, 'ok' ],
    [ { '/prompt' => 1 },
        '/prompt must be a string or an array of strings' ],
    [ { '/prompt' => '' }, '/prompt must not be empty' ],
    [ { '/prompt' => [] }, '/prompt must not be empty' ],
    [ { '/prompt' => [ '', " \n" ] }, '/prompt must not be empty' ],
    [ { '/prompt' => [ 'a', 1 ] }, '/prompt/1 must be a string' ],
    [ { '/prompt' => [ 'a', '{{b}}' ] },
        qq{/prompt/1 names "{{b}}", $known} ],
    [ { '/prompt' => [ '{{', 'company}}' ] },
        '/prompt/0 has a "{{" at offset 0 that no "}}" closes' ],
    [ { '/prompt' => 'x' x 16384 }, 'ok' ],
    [ { '/prompt' => 'x' x 16385 },
        '/prompt must not be longer than 16384 bytes with its names '
            . 'filled in' ],
    [ { '/prompt' => [ 'x' x 10000, 'x' x 10000 ] },
        '/prompt must not be longer than 16384 bytes with its names '
            . 'filled in', 1 ],

    # model
    [ { '/model' => [] }, '/model must be an object' ],
    [ { '/model' => { name => 'meta/llama-3.1:8b' } }, 'ok' ],
    [ { '/model' => { name => '' } }, q{/model/name must be a model's name: }
        . 'letters, digits and "._:/@+-"' ],
    [ { '/model' => { temperature => 0 } }, 'ok' ],
    [ { '/model' => { temperature => 2.1 } },
        '/model/temperature must be a number between 0 and 2' ],
    [ { '/model' => { temperature => '1' } },
        '/model/temperature must be a number between 0 and 2' ],
    [ { '/model' => { max_tokens => 15 } },
        '/model/max_tokens must be a whole number between 16 and 4096' ],
    [ { '/model' => { max_tokens => 20.5 } },
        '/model/max_tokens must be a whole number between 16 and 4096' ],
    [ { '/model' => { max_token => 20 } },
        '/model/max_token is an unknown key, did you mean "max_tokens"?' ],

    # voice
    [ { '/voice' => {} }, '/voice lacks the required key "id"' ],
    [ { '/voice' => { id => 'A b' } }, "/voice/id $form_voice" ],
    [ { '/voice' => { id => '../x' } }, "/voice/id $form_voice" ],
    [ { '/voice' => { %$voice, format => 'wav_8000' } }, 'ok' ],
    [ { '/voice' => { %$voice, format => 'ogg' } },
        "/voice/format must be one of $formats" ],
    [ { '/voice' => { %$voice, format => 1 } },
        "/voice/format must be one of $formats" ],
    [ { '/voice' => { %$voice, format => 'ulaw_8000' } },
        '/voice/format must not be "ulaw_8000": it has no header, and '
            . 'Twilio plays files; "wav_8000" is as fast' ],
    [ { '/voice' => { %$voice, settings => { stability => 1.5 } } },
        '/voice/settings/stability must be a number between 0 and 1' ],
    [ { '/voice' => { %$voice, settings => { speed => 0.6 } } },
        '/voice/settings/speed must be a number between 0.7 and 1.2' ],
    [ { '/voice' => { %$voice, settings => { speed => 1.2 } } }, 'ok' ],
    [ { '/voice' => { %$voice, settings => { use_speaker_boost => 1 } } },
        '/voice/settings/use_speaker_boost must be true or false' ],
    [ { '/voice' => { %$voice, settings => { stabilty => 1 } } },
        '/voice/settings/stabilty is an unknown key, did you mean '
            . '"stability"?' ],
    [ { '/voice' => { %$voice, say => 'alice' } }, 'ok' ],
    [ { '/voice' => { %$voice, say => "Polly.M\x{ed}a-Generative" } }, 'ok' ],
    [ { '/voice' => { %$voice, say => 'Joanna' } }, "/voice/say $say" ],
    [ { '/voice' => { %$voice, say => 'Polly.<' } }, "/voice/say $say" ],

    # listen
    [ { '/listen' => 'whisper' }, 'ok' ],
    [ { '/listen' => 'gather' }, 'ok' ],
    [ { '/listen' => 'Whisper' },
        '/listen/mode must be "gather" or "whisper"' ],
    [ { '/listen' => 1 }, '/listen must be an object' ],
    [ { '/listen' => { mode => 'whisper', delete_recordings => $true } },
        'ok' ],
    [ { '/listen' => { mode => 'record' } },
        '/listen/mode must be "gather" or "whisper"' ],
    [ { '/listen' => { mode => 1 } },
        '/listen/mode must be "gather" or "whisper"' ],
    [ { '/listen' => { delete_recordings => 'yes' } },
        '/listen/delete_recordings must be true or false' ],
    [ { '/listen' => { hints => [ 'x' x 100 ] } }, 'ok' ],
    [ { '/listen' => { hints => 'a,b' } },
        '/listen/hints must be an array of up to 500 strings' ],
    [ { '/listen' => { hints => [ ('a') x 501 ] } },
        '/listen/hints must be an array of up to 500 strings' ],
    [ { '/listen' => { hints => [ 'a', 'x' x 101 ] } },
        '/listen/hints/1 must not be longer than 100 characters' ],
    [ { '/listen' => { hints => [ 'a, b' ] } },
        '/listen/hints/0 must not contain a comma, which separates hints' ],
    [ { '/listen' => { timeout => 0 } },
        '/listen/timeout must be a whole number between 1 and 60' ],
    [ { '/listen' => { speech_timeout => 'auto' } }, 'ok' ],
    [ { '/listen' => { speech_timeout => 61 } },
        '/listen/speech_timeout must be "auto" or a whole number between 1 '
            . 'and 60' ],
    [ { '/listen' => { speech_timeout => 'Auto' } },
        '/listen/speech_timeout must be "auto" or a whole number between 1 '
            . 'and 60' ],
    [ { '/listen' => { speech_model => 'phone_call', speech_timeout => 3 } },
        'ok' ],
    [ { '/listen' => { speech_model => 'phone_call' } },
        '/listen/speech_model needs /listen/speech_timeout to be a number '
            . 'of seconds, Twilio has no "auto" with a model' ],
    [ { '/listen' => { speech_model => 'Phone Call', speech_timeout => 3 } },
        q{/listen/speech_model must be a speech model of Twilio's <Gather> }
            . 'such as "phone_call"' ],
    [ { '/listen' => { profanity_filter => 'no' } },
        '/listen/profanity_filter must be true or false' ],

    # rules and keys
    [ { '/rules' => {} }, '/rules must be an array of up to 64 rules' ],
    [ { '/rules' => [ ($bye) x 64 ] }, 'ok' ],
    [ { '/rules' => [ ($bye) x 65 ] },
        '/rules must be an array of up to 64 rules' ],
    [ { '/rules' => [ 'bye' ] }, '/rules/0 must be an object' ],
    [ { '/rules' => [ { do => 'goodbye' } ] },
        '/rules/0 lacks the required key "when"' ],
    [ { '/rules' => [ { when => 'bye' } ] },
        '/rules/0 lacks the required key "do"' ],
    [ { '/rules' => [ { %$bye, whne => 1 } ] },
        '/rules/0/whne is an unknown key, did you mean "when"?' ],
    [ { '/rules' => [ { %$bye, do => 'sales' } ] }, "/rules/0/do $action" ],
    [ { '/rules' => [ { %$bye, say => '' } ] },
        '/rules/0/say must not be empty' ],
    [ { '/rules' => [ $bye, { %$bye, when => '(a' } ] },
        '/rules/1/when is no pattern, at offset 2: missing closing '
            . 'parenthesis', 1 ],
    [ { '/rules' => [ { %$bye, when => '[z-a]' } ] },
        '/rules/0/when is no pattern, at offset 3: range out of order in '
            . 'character class', 1 ],
    [ { '/rules' => [ { %$bye, when => '' } ] },
        '/rules/0/when must not be empty' ],
    [ { '/rules' => [ { %$bye, when => 'a*' } ] },
        '/rules/0/when matches an empty text, so it would match whatever '
            . 'the caller says', 1 ],
    [ { '/rules' => [ { %$bye, when => '(?=.*bye)' } ] }, 'ok' ],
    [ { '/rules' => [ { %$bye, when => 'x' x 501 } ] },
        '/rules/0/when must not be longer than 500 characters' ],
    [ { '/rules' => [ $bye, { %$bye, do => 'human' } ] },
        "/rules/1/do $human" ],
    [ { '/rules' => [ { %$bye, do => 'human' } ],
        '/fallback' => { number => $number } }, 'ok' ],
    [ { '/keys' => [] }, '/keys must be an object' ],
    [ { '/keys' => { 0 => 'goodbye', '*' => 'goodbye', '#' => 'goodbye' } },
        'ok' ],
    [ { '/keys' => { 10 => 'goodbye' } },
        '/keys/10 is no key of a telephone: one of 0 to 9, * and #' ],
    [ { '/keys' => { '' => 'goodbye' } },
        '/keys/ is no key of a telephone: one of 0 to 9, * and #' ],
    [ { '/keys' => { 1 => 'operator' } }, "/keys/1 $action" ],
    [ { '/keys' => { '#' => 'human' } }, "/keys/# $human" ],
    [ { '/keys' => { 0 => 'human' }, '/fallback' => { after => 1 } },
        "/keys/0 $human" ],
    [ { '/keys' => { 0 => 'human' }, '/fallback' => { number => $number } },
        'ok' ],

    [ { '/consent' => 'This call is recorded.' }, 'ok' ],
    [ { '/consent' => '' }, '/consent must not be empty' ],
    [ { '/consent' => 'For {{caller.number}}.' }, qq{/consent names }
        . '"{{caller.number}}", which may be missing: write '
        . '"{{caller.number|alternative}}"' ],
    [ { '/busy' => { say => 'Later, please.', do => 'goodbye' } }, 'ok' ],
    [ { '/busy' => {} }, 'ok' ],
    [ { '/busy' => 'Later.' }, '/busy must be an object' ],
    [ { '/busy' => { say => ' ' } }, '/busy/say must not be empty' ],
    [ { '/busy' => { do => 'wait' } }, "/busy/do $way_out" ],
    [ { '/busy' => { do => 1 } }, "/busy/do $way_out" ],
    [ { '/busy' => { do => 'human' } }, "/busy/do $human" ],
    [ { '/busy' => { do => 'human' }, '/fallback' => { number => $number } },
        'ok' ],
    [ { '/busy' => { then => 1 } }, '/busy/then is an unknown key' ],

    # routes, slots, tools and escalation
    [ { '/routes' => [{ to => 'sales' }] }, 'ok' ],
    [ { '/routes' => [{ to => 'sales', when => '\\bprice\\b', say => 'Yes.',
                        description => 'what things cost' },
                      { to => 'sales' }] }, 'ok' ],
    [ { '/routes' => {} }, '/routes must be an array of up to 16 routes' ],
    [ { '/routes' => [ map { { to => "f$_" } } 1 .. 17 ] },
        '/routes must be an array of up to 16 routes' ],
    [ { '/routes' => [{}] }, '/routes/0 lacks the required key "to"' ],
    [ { '/routes' => [{ to => 'Sales' }] }, "/routes/0/to $form_name" ],
    [ { '/routes' => [{ to => 'test' }] }, '/routes/0/to is the flow itself',
        1 ],
    [ { '/routes' => [{ to => 'sales', when => '' }] },
        '/routes/0/when must not be empty' ],
    [ { '/routes' => [{ to => 'sales', when => 'x*' }] },
        '/routes/0/when matches an empty text, so it would match whatever '
        . 'the caller says', 1 ],
    [ { '/routes' => [{ to => 'sales', when => '(' }] },
        '/routes/0/when is no pattern, at offset 1: missing closing '
        . 'parenthesis', 1 ],
    [ { '/routes' => [{ to => 'sales', description => '' }] },
        '/routes/0/description must not be empty' ],
    [ { '/routes' => [{ to => 'sales', say => '{{x}}' }] },
        qq{/routes/0/say names "{{x}}", $known} ],
    [ { '/routes' => [{ to => 'sales', do => 'human' }] },
        '/routes/0/do is an unknown key' ],
    [ { '/slots' => [{ name => 'budget' },
                     { name => 'Size', description => 'in inches' }] }, 'ok' ],
    [ { '/slots' => [{ description => 'x' }] },
        '/slots/0 lacks the required key "name"' ],
    [ { '/slots' => ['budget'] }, '/slots/0 must be an object' ],
    [ { '/tools' => ['create_lead', 'end_call'] }, 'ok' ],
    [ { '/tools' => [] }, 'ok' ],
    [ { '/tools' => 'create_lead' },
        '/tools must be an array of up to 32 names of tools' ],
    [ { '/tools' => ['Create'] },
        '/tools/0 must be the name of a tool such as "create_lead"' ],
    [ { '/tools' => ['end_call', 'end_call'] }, '/tools/1 is there twice' ],
    [ { '/tools' => ['route'] },
        '/tools/0 is "route", which is there when the flow has /routes' ],
    [ { '/tool_fillers' => ['I look.'] }, 'ok' ],
    [ { '/tool_fillers' => [] },
        '/tool_fillers must be an array of 1 to 8 lines' ],
    [ { '/escalation' => { number => $number, hours => {
            days => ['mon', 'sun'], from => '09:00', to => '24:00' } } },
        'ok' ],
    [ { '/escalation' => { number => '911' } },
        "/escalation/number $form_number" ],
    [ { '/escalation' => { hours => { days => ['mon'], from => '09:00' } } },
        '/escalation/hours lacks the required key "to"' ],
    ( map { [ { '/escalation' => { hours => { days => $_, from => '09:00',
                                              to => '10:00' } } },
              '/escalation/hours/days must be an array of some of "mon", '
              . '"tue", "wed", "thu", "fri", "sat", "sun"' ] }
          [], ['Monday'], ['mon', 1], 'mon' ),
    ( map { [ { '/escalation' => { hours => { days => ['mon'], from => $_,
                                              to => '24:00' } } },
              '/escalation/hours/from must be a time such as "09:00"' ] }
          '9:00', '09.00', '09:60', '25:00', '24:01', '09:000', 9, '::::' ),
    [ { '/escalation' => { hours => { days => ['mon'], from => '10:00',
                                      to => '10:00' } } },
        '/escalation/hours/to must be later than from, on the same day', 1 ],

    # fallback and limits
    [ { '/limits' => { rounds => 8 } }, 'ok' ],
    [ { '/limits' => { rounds => 0 } },
        '/limits/rounds must be a whole number between 1 and 8' ],
    [ { '/fallback' => { after => 11 } },
        '/fallback/after must be a whole number between 1 and 10' ],
    [ { '/fallback' => { say => '{{x}}' } },
        qq{/fallback/say names "{{x}}", $known} ],
    [ { '/fallback' => { number => '5005550010' } },
        "/fallback/number $form_number" ],
    [ { '/fallback' => { number => '+1 500 555 0010' } },
        "/fallback/number $form_number" ],
    [ { '/limits' => { turns => 0 } },
        '/limits/turns must be a whole number between 1 and 1000' ],
    [ { '/limits' => { history => 499 } },
        '/limits/history must be a whole number between 500 and 32000' ],
    [ { '/limits' => { answer => 1e300 } },
        '/limits/answer must be a whole number between 50 and 4000' ],
    [ { '/limits' => { turn => 5 } },
        '/limits/turn is an unknown key, did you mean "turns"?' ],
);

# Texts that are no JSON, or not the JSON of a flow.

my @texts = (
    [ '', qr/^line 1, column 1: / ],
    [ '[]', qr/^must be an object$/ ],
    [ '"flow"', qr/^must be an object$/ ],
    [ "{\n  \"name\": \"a\",\n  \"agent\" 1\n}", qr/^line 3, column 11: / ],
    [ "{\n  \"name\": \"a\",\n}", qr/^line 3, column 1: / ],
    [ "{\n  \"name\": 'a'\n}", qr/^line 2, column 11: / ],
    [ "{} x", qr/^line 1, column 4: / ],
    [ "\xef\xbb\xbf{}", qr/^line 1, column 1: / ],
    [ "{\"name\": \"\xff\"}", qr/^line 1, column 11: / ],
    [ '{"name": "a\\u0000b"}', qr/^line 1, column \d+: / ],
    [ "{\n \"model\": {},\n \"model\": {}\n}", qr/^line 3, .*model/ ],
    [ '[' x 200 . ']' x 200, qr/^line 1, / ],
    [ ' ' x (256 * 1024) . '{}', qr/^is larger than 262144 bytes$/ ],
);

my @files;

for my $case (@cases) {
    push @files, write_file(scalar @files, $json->encode(change($case->[0])));
}

for my $text (@texts) {
    push @files, write_file(scalar @files, $text->[0]);
}

my @answers = run($check, @files);
is(scalar @answers, scalar @files, 'every file got its line');

my $schema = schema();

for my $i (0 .. $#cases) {
    my ($changes, $expected, $unsaid) = @{$cases[$i]};
    my $label = label(join ', ', map {
        ref $changes->{$_} eq 'SCALAR' ? "no $_"
            : "$_ " . $json->encode($changes->{$_})
    } sort keys %$changes);

    is($answers[$i], $expected, $label);

    next unless $schema;

    my @errors = $schema->validate(change($changes));

    if ($unsaid || $expected eq 'ok') {
        is("@errors", '', "schema takes $label");

    } else {
        ok(scalar @errors, "schema refuses $label");
    }
}

for my $i (0 .. $#texts) {
    like($answers[@cases + $i], $texts[$i][1],
        'text ' . label($texts[$i][0]));
}

# The flows that ship, and what was made of them.

for my $file (@shipped) {
    my $flow = $json->decode(read_file($file));

    is((run($check, $file))[0], 'ok', "$flow->{name}.json");
    is($file =~ s{.*/}{}r, "$flow->{name}.json", 'it is called like its flow');
    is($flow->{company}, 'Larkspur Bikes', 'and is of the demo tenant');
    is(join(' ', grep { !$flow->{$_} } qw(prompt voice tools slots rules silence
        escalation fallback)), '', 'and has everything that a flow can have');
    is(join(' ', $schema->validate($flow)), '',
        "schema takes $flow->{name}.json") if $schema;
}

my $flow = write_file('full', $json->encode(change({
    '/agent' => 'Nora',
    '/greeting' => 'Hello from {{company}}, {{agent}} speaking.',
    '/opening' => 'You call from {{caller.number|a hidden number}} to '
        . '{{called.number}}.',
    '/goodbye' => 'Until {{ weekday | then}}, {{time}}, {{date}}.',
    '/prompt' => [ 'You are {{agent}}.', '', 'Today is {{date|unknown}}.' ],
    '/model' => { name => 'gpt-4o-mini', temperature => 0.5 },
    '/voice' => { id => 'v-1', format => 'wav_16000',
        settings => { speed => 1.1, stability => 0.25,
            use_speaker_boost => $false } },
    '/listen' => { hints => [ 'one', 'two words' ], speech_timeout => 3,
        mode => 'whisper', delete_recordings => $true, speech_model => 'phone_call', profanity_filter => $true },
    '/keys' => { 0 => 'human', '#' => 'goodbye' },
    '/fallback' => { number => $number },
    '/routes' => [{ to => 'sales', when => 'price', say => 'Yes.' }],
    '/slots' => [{ name => 'size', description => 'in inches' }],
    '/tools' => ['create_lead'],
    '/escalation' => { hours => { days => ['sun', 'tue'], from => '09:30',
                                  to => '24:00' } },
    '/rules' => [
        { when => '^(good)?bye\b', do => 'goodbye' },
        { when => 'operator|stra\x{df}e', do => 'human',
            say => 'One moment.' },
        { when => '^(a+)+$', do => 'goodbye' },
        { when => 'always', do => 'human' },
    ],
})));

my $shown = join "\n", run($check, '--show', $flow);

like($shown, qr/^greeting\.fixed=1$/m, 'a line without facts is fixed');
like($shown, qr/^prompt\.fixed=0$/m, 'a line with facts is not');
like($shown, qr/^model\.temperature=0\.5$/m, 'temperature');
like($shown, qr/^model\.max_tokens=300$/m, 'default of a missing key');
like($shown, qr/^voice\.settings=\{"speed":1\.1,"stability":0\.25,/m,
    'settings as compact JSON');
like($shown, qr/^extension=wav$/m, 'extension');
like($shown, qr/^listen\.hints=one,two words$/m, 'hints joined');
like($shown, qr/^listen\.speech_timeout=3$/m, 'speech_timeout');
like($shown, qr/^listen\.speech_model=phone_call$/m, 'speech_model');
like($shown, qr/^listen\.profanity_filter=1$/m, 'profanity_filter');
like($shown, qr/^listen\.mode=whisper$/m, 'whisper');
like($shown, qr/^listen\.delete_recordings=1$/m, 'recordings are deleted');
like($shown, qr/^rule=human say=One moment\.$/m, 'rule with a line');
like($shown, qr/^key=# goodbye$/m, 'key');
like($shown, qr/^route=sales\n when=price\n description=\n say=Yes\.$/m,
    'route');
like($shown, qr/^slot=size\n description=in inches$/m, 'slot');
like($shown, qr/^tool=create_lead$/m, 'tool');
like($shown, qr/^escalation\.days=5\nescalation\.from=570\n\S+\.to=1440$/m,
    'hours');

$shown = join "\n", run($check, '--show', $files[0]);

like($shown, qr/^language=en-US$/m, 'default language');
like($shown, qr/^voice\.id=$/m, 'no voice unless the flow has one');
like($shown, qr/^voice\.format=mp3_22050_32$/m, 'default format');
like($shown, qr/^voice\.say=Polly\.Joanna-Neural$/m, 'default voice of Say');
like($shown, qr/^listen\.speech_timeout=0$/m, 'auto is 0');
like($shown, qr/^listen\.mode=gather$/m, 'Twilio recognizes');
like($shown, qr/^listen\.delete_recordings=0$/m, 'recordings stay');
unlike($shown, qr/^model\.temperature/m, 'no temperature unless written');
is(scalar(() = $shown =~ /^silence=/mg), 2, 'two default silence lines');
is(scalar(() = $shown =~ /^fillers=/mg), 2, 'two default fillers');

# The defaults in the schema are the defaults of the code.

my $defaults = defaults($json->decode(read_file(
    "$root/conf/flows/flow.schema.json")), '');

for my $key (sort keys %$defaults) {
    for my $value (ref $defaults->{$key} eq 'ARRAY' ? @{$defaults->{$key}}
        : $defaults->{$key})
    {
        my $text = JSON::PP::is_bool($value) ? ($value ? 1 : 0)
            : $value eq 'auto' ? 0 : $value;

        like($shown, qr/^\Q$key=$text\E$/m, "schema's default of $key");
    }
}

my %line = map { /=/ ? split(/=/, $_, 2) : () } run($check, '--render', $flow,
    'caller=+15005550006', 'called=+15005550009', 'date=May first',
    'time=noon', 'weekday=Friday');

is($line{greeting}, 'Hello from Larkspur Bikes, Nora speaking.',
    'company and agent');
is($line{opening}, 'You call from +15005550006 to +15005550009.', 'facts');
is($line{goodbye}, 'Until Friday, noon, May first.', 'date and time');

%line = map { /=/ ? split(/=/, $_, 2) : () } run($check, '--render', $flow);

is($line{opening}, 'You call from a hidden number to .',
    'missing facts and their alternative');
is($line{goodbye}, 'Until  then, , .', 'an alternative keeps its spaces');

like(join("\n", run($check, '--render', $flow, 'date=May first')),
    qr/^prompt=You are Nora\.\n\nToday is May first\.$/m,
    'an array is one prompt');

my @met = run($check, '--match', $flow, 'Goodbye then', 'byebye', 'OPERATOR',
    "STRA\xc3\x9fE", 'a' x 40 . 'b', '', "\xff always", 'always', 'hello');

is($met[0], '0 goodbye', 'upper and lower case are the same');
is($met[1], 'none', 'word boundary');
is($met[2], '1 human', 'the second rule');
is($met[3], '1 human', 'case of letters beyond ASCII');
is($met[4], 'none', 'a pattern that backtracks without end is stopped');
is($met[5], 'none', 'no words, no rule');
is($met[6], 'none', 'invalid UTF-8 matches nothing');
is($met[7], '3 human', 'the rules after a costly one still work');
is($met[8], 'none', 'other words go to the model');

is(join(' ', run($check, '--key', $flow, '0', '1', '*', '#', 'x')),
    'human none none goodbye none', 'keys');

@met = run($check, '--match', $shipped, 'Bye.', 'Okay, thank you. Goodbye!',
    "No, that's all, thank you", 'Can I talk to a real person, please?',
    'operator', 'Do you repair electric bikes?',
    'I said goodbye to my old bike, what do you pay for it?',
    'Somebody stole my wheel', 'Have a nice day', 'Is that all in stock?',
    'One moment, please.', 'Okay, hold on a second.',
    'Can I wait in the shop?');

is(join(' ', @met), '0 goodbye 0 goodbye 1 goodbye 3 human 4 human '
    . 'none none none 0 goodbye none 2 wait 2 wait none',
    'rules of general.json');

is((run($check, '--starve', $_))[0], 'ok', 'memory may run out anywhere')
    for @shipped, $flow;

# Any bytes.  The cases above are its seeds.

SKIP: {
    skip 'no clang', 2 if system('clang --version >/dev/null 2>&1');

    $log = `make -C '$root/t/flow' OUT='$dir' fuzz 2>&1`;
    ok(-x "$dir/flow_fuzz", 'flow_fuzz builds') or diag($log);

    mkdir "$dir/corpus";
    my $runs = $ENV{VOICE_FUZZ_RUNS} || 20000;
    $log = `cd '$dir' && ./flow_fuzz -seed=1 -runs=$runs -max_len=20000 \\
        -dict='$root/t/flow/flow.dict' corpus cases '$root/t/flow/corpus' \\
        '$root/conf/flows' 2>&1`;
    is($?, 0, "$runs fuzz runs") or diag(substr $log, -8000);
}

done_testing();


sub change {
    my ($changes) = @_;

    my $flow = { %$minimal };

    for my $pointer (keys %$changes) {
        my $key = substr $pointer, 1;
        $key =~ s{~1}{/}g;
        $key =~ s{~0}{~}g;

        if (ref $changes->{$pointer} eq 'SCALAR') {
            delete $flow->{$key};

        } else {
            $flow->{$key} = $json->decode($json->encode(
                $changes->{$pointer}));
        }
    }

    return $flow;
}


sub schema {
    if (!eval { require JSON::Validator; 1 }) {
        diag('no JSON::Validator (libjson-validator-perl): the schema is '
            . 'not compared');
        return undef;
    }

    # The Perl module ends at draft 2019-09; the schema uses nothing that
    # 2020-12 has changed.

    my $text = $json->decode(read_file("$root/conf/flows/flow.schema.json"));
    is($text->{'$schema'}, 'https://json-schema.org/draft/2020-12/schema',
        'draft of the schema');
    $text->{'$schema'} = 'https://json-schema.org/draft/2019-09/schema';

    return JSON::Validator->new->schema($text)->schema;
}


sub defaults {
    my ($schema, $path) = @_;

    my $found = {};

    for my $key (keys %{$schema->{properties} || {}}) {
        my $property = $schema->{properties}{$key};
        my $name = $path eq '' ? $key : "$path.$key";

        $found->{$name} = $property->{default} if exists $property->{default};
        %$found = (%$found, %{defaults($property, $name)});
    }

    return $found;
}


sub run {
    my @command = @_;

    open my $out, '-|', @command or die "$command[0]: $!";
    my @lines = <$out>;
    close $out;

    is($? & 127, 0, "$command[0] was not killed") if $? & 127;
    chomp @lines;

    return @lines;
}


sub write_file {
    my ($name, $text) = @_;

    my $file = "$dir/cases/$name.json";

    open my $out, '>:raw', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";

    return $file;
}


sub read_file {
    my ($file) = @_;

    open my $in, '<:raw', $file or die "$file: $!";
    local $/;

    return scalar <$in>;
}


sub label {
    my ($text) = @_;

    $text =~ s/[^ -~]/?/g;

    return length $text > 60 ? substr($text, 0, 57) . '...' : $text;
}
