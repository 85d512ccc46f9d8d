#!/usr/bin/perl
# no-sanitize

# scripts/run, as a person starts it: it comes up, holds calls that leave rows
# in the CRM, stands beside others, asks the providers and the database it was
# told to, and leaves nothing behind; and the example configuration for an
# nginx that is there already.

use strict;
use warnings;

# it bounds a hang, also where others are busy
BEGIN { $ENV{VOICE_TEST_TIMEOUT} ||= 1800 }

use Test::More;

use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP ();
use lib "$FindBin::RealBin/lib";
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);
use Voice::Edge;
use Voice::Lab::Model;
use Voice::Lab::Phone;
use Voice::Lab::Speech;
use Voice::Postgres;

my $root = $Voice::Edge::ROOT;

# for its ports, its requests and nginx -t: no nginx of its own is started
my $edge = Voice::Edge->new;

# One state folder with a space in its name, that workers can reach, one that
# they can not where root starts them
my $open = tempdir('voice-run-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $closed = tempdir('voice-run-XXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0755, $open;

my %runs;

# the settings of whoever runs the tests are not ours
my @inherited = grep { !/^(?:OPENAI|ELEVENLABS|TWILIO|VOICE|DATABASE|TRANSCRIPTION)_/ }
    keys %ENV;
my %clean = map { $_ => $ENV{$_} } @inherited;
$clean{VOICE_BUILD} = $ENV{VOICE_BUILD} if $ENV{VOICE_BUILD};


sub slurp {
    my ($path) = @_;

    open my $file, '<', $path or return '';
    local $/;

    return <$file> // '';
}

# forks into a script with these settings; output goes to a file, or a handle

sub spawn {
    my ($output, $settings, @command) = @_;

    # what an earlier one wrote
    unlink $output if !ref $output;

    my $pid = fork // die "fork: $!";

    if (!$pid) {
        %ENV = (%clean, %$settings);
        alarm 0;
        $SIG{$_} = 'DEFAULT' for qw(ALRM TERM INT HUP);
        POSIX::setpgid(0, 0);
        open STDIN, '<', '/dev/null';
        open STDOUT, ref $output ? '>&' : '>', $output or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT;
        # away from the project: from any folder
        chdir '/';
        exec @command or POSIX::_exit(127);
    }

    return $pid;
}

sub ended {
    my ($pid, $seconds) = @_;

    my $rc;

    Voice::Edge::wait_for(sub {
        waitpid($pid, WNOHANG) == $pid or return;
        $rc = $? & 127 ? "signal $?" : $? >> 8;
        return 1;
    }, $seconds || 120);

    return $rc // 'still running';
}

# exit code and output of a script that ends

sub command {
    my ($settings, $script, @arguments) = @_;

    my $output = $edge->path('command.out');
    my $rc = ended(spawn($output, $settings, "$root/scripts/$script",
                         @arguments));

    return ($rc, slurp($output));
}

sub up {
    my ($name, %settings) = @_;

    my $output = $edge->path("run-$name.out");
    my $run = $runs{$name} = { output => $output, var => $settings{VOICE_VAR},
                               settings => \%settings,
                               port => $settings{VOICE_PORT} };

    $run->{pid} = spawn($output, \%settings, "$root/scripts/run");

    my $up = Voice::Edge::wait_for(sub {
        return -1 if waitpid($run->{pid}, WNOHANG) == $run->{pid};
        return slurp($output) =~ /^The voice edge is up: /m;
    }, 180);

    delete $run->{pid} if ($up || 0) < 0;

    return ok(($up || 0) > 0, "$name: it comes up")
        || diag(slurp($output)) && 0;
}

# Clocks of a run that are far apart, so that a busy machine does not mix them
# up: what is asked here is what a call says and leaves, not how soon.

sub patient {
    my ($name) = @_;

    my $var = $runs{$name}{var};
    my $text = slurp("$var/conf/nginx.conf");

    $text =~ s/^( *voice_database .*);$/$1 timeout=8s;/m or die 'database';
    $text =~ s{^(?= *voice_llm )}{
        voice_filler_after 20s; voice_first_token_timeout 20s;
        voice_token_timeout 20s; voice_speech_timeout 8s;
        voice_tool_timeout 8s; voice_answer_within 10s;
    }m or die 'voice_llm';

    open my $file, '>', "$var/conf/nginx.conf" or die "nginx.conf: $!";
    print {$file} $text;
    close $file or die "nginx.conf: $!";

    my ($pid) = slurp("$var/run/nginx") =~ /^(\d+) /;
    my ($workers) = $text =~ /^worker_processes (\d+);/m or die 'workers';
    my $nginx = bless { master => $pid, dir => "$var/log",
                        workers => $workers }, 'Voice::Edge';

    # the new ones have what they need to act, too
    ok $nginx->reload && $nginx->wait_for_database
        && $nginx->wait_for_old_workers, "$name: is patient";
}

# Processes that have a file below a folder open, or name it

sub users {
    my ($folder) = @_;

    my %found;

    for my $link (glob '/proc/[0-9]*/fd/*') {
        my $to = readlink $link // next;
        $found{$1} = 1 if $to =~ m{^\Q$folder\E/} && $link =~ m{^/proc/(\d+)};
    }

    for my $file (glob '/proc/[0-9]*/cmdline') {
        $found{$1} = 1 if slurp($file) =~ m{\Q$folder\E[/\0]}
            && $file =~ m{^/proc/(\d+)};
    }

    delete $found{$$};

    return map { "$_: " . slurp("/proc/$_/cmdline") =~ tr/\0/ /r }
        sort { $a <=> $b } keys %found;
}

sub health {
    my ($name) = @_;

    local $edge->{ports}{run} = $runs{$name}{port};

    my $r = $edge->get('/api/voice/health', port => 'run');

    return $r->status ? $r->json : { status => 'down' };
}

# a script of lines, by scripts/phone

sub phone {
    my ($name, $script) = @_;

    return command({ VOICE_VAR => $runs{$name}{var} }, 'phone', '--fast',
                   '--script', "$root/conf/calls/$script.txt");
}

# what the database of a run says, by scripts/psql

sub rows {
    my ($name, $query) = @_;

    my ($rc, $out) = command({ VOICE_VAR => $runs{$name}{var} }, 'psql',
                             '-XAt', '-c', $query);

    chomp $out;

    return $out;
}

# until it says it: what is recorded comes behind the call

sub comes {
    my ($name, $query, $wanted, $what) = @_;

    my $got;

    Voice::Edge::wait_for(sub { ($got = rows($name, $query)) eq $wanted });
    is $got, $wanted, $what;
}

my %folders = (first => "$open/voice edge", second => "$closed/var");
my %ports = map { $_ => $edge->port($_) } qw(first second third);


# --- alone -----------------------------------------------------------------

up('first', VOICE_VAR => $folders{first}, VOICE_PORT => $ports{first})
    or BAIL_OUT('scripts/run does not start');

my $said = slurp($runs{first}{output});

like $said, qr{is up: http://127\.0\.0\.1:$ports{first}\n}, 'where';
like $said, qr/^\s+model\s.*stand-in/m, 'it says that the model is none';
like $said, qr/^\s+speech\s.*stand-in/m, 'nor is the speech';
like $said, qr{scripts/phone}, 'and what to try';
is health('first')->{status}, 'ready', 'ready';
patient('first');
is_deeply [ map { sprintf '%o', (stat)[2] & 077 }
                glob "'$folders{first}/keys/*' '$folders{first}/phone.json'" ],
    [ map { 0 } glob "'$folders{first}/keys/*' '$folders{first}/phone.json'" ],
    'nobody else reads its keys';

{
    my ($rc, $out) = phone('first', 'front-desk');

    is $rc, 0, 'a call to the front desk ends well' or diag $out;
    like $out, qr/agent  We are open Tuesday to Friday/, 'the agent answers';
    like $out, qr/the agent hung up/, 'and takes its leave';

    ok Voice::Edge::wait_for(sub {
        slurp("$folders{first}/log/error.log") =~ /stock phrases(?: are|:)/;
    }), 'stock phrases are made meanwhile';

    my $before = health('first')->{counters}{speech_requests};

    ($rc, $out) = phone('first', 'front-desk');

    # a filler is heard where the machine is slow, and may be a new one
    my ($fillers) = JSON::PP->new->utf8->decode(
        slurp("$root/conf/flows/general.json"))->{fillers};
    my $new = grep { my $line = $_; grep { index($line, $_) >= 0 } @$fillers }
        split /\n/, $out;

    is $rc, 0, 'and so does a second one';
    cmp_ok health('first')->{counters}{speech_requests} - $before, '<=', $new,
        'for which no speech is made that was made before';
    like $before, qr/^[1-9]/, 'as it was for the first';
}


# --- calls that leave something in the CRM ---------------------------------

like $said, qr{scripts/phone --script conf/calls/sales\.txt}, 'what to try';
like $said, qr{scripts/psql calls}, 'and where to look';

{
    my ($rc, $out) = phone('first', 'sales');

    is $rc, 0, 'the sales call ends well' or diag $out;
    like $out, qr/You are booked for \w+day/, 'with a meeting';
    like $out, qr/the agent hung up/, 'and a goodbye';

    is rows('first', q{
        select p.name, l.title, l.status, l.score, l.score_confidence
        from leads l join contacts p on p.id = l.contact_id
        where l.status = 'qualified'}),
        'Omar Haddad|Ten cargo bikes|qualified|95|1',
        'the lead is qualified, with its score';
    is rows('first', q{
        select p.name, d.title, d.reminder_date > timezone('utc', now()),
            (select count(*) from activities a where a.deal_id = d.id
             and a.type = 'Meeting Scheduled')
        from deals d join contacts p on p.id = d.contact_id
        where d.reminder_date is not null}),
        'Omar Haddad|Ten cargo bikes|t|1', 'the meeting is on the deal';

    ($rc, $out) = phone('first', 'support');

    is $rc, 0, 'the support call ends well' or diag $out;
    like $out, qr/added that to ticket TKT-001-000001/, 'what was open';
    like $out, qr/opened ticket TKT-001-000002/, 'and what is new';

    is rows('first', q{
        select t.ticket_number, k.content, k.author_name
        from support_comments k join support_tickets t on t.id = k.ticket_id}),
        'TKT-001-000001|The light of the charger is still red.|Anna Berg',
        'a comment on her ticket';
    is rows('first', q{
        select t.ticket_number, t.title, t.priority, t.status, p.name
        from support_tickets t join contacts p on p.id = t.contact_id
        order by t.id desc limit 1}),
        'TKT-001-000002|The brakes make a terrible noise|high|open|Anna Berg',
        'another ticket';

    comes('first', q{
        select c.status, p.name, c.end_time is not null
        from calls c join contacts p on p.id = c.contact_id
        order by p.name},
        "completed|Anna Berg|t\ncompleted|Omar Haddad|t",
        'both calls are rows, and closed');

    ($rc, $out) = command({ VOICE_VAR => $folders{first} }, 'psql', 'calls');
    is $rc, 0, 'scripts/psql calls';
    like $out, qr/Omar Haddad.*\| 95\b/s, 'shows the lead';
    like $out, qr/TKT-001-000002/, 'and the ticket';
}


# --- another one beside it -------------------------------------------------

my $model = Voice::Lab::Model->spawn(key => 'sk-of-the-test',
                                     models => ['model-of-the-test']);
my $speech = Voice::Lab::Speech->spawn(key => 'xi-of-the-test', real => 0,
                                       voices => ['VoiceOfTheTest01']);
my $token = 'fedcba9876543210fedcba9876543210';
my $account = 'AC' . '0123456789abcdef' x 2;

# a CRM that is there already, and whose owner may become the edge

my $pg = Voice::Postgres->new;

chmod 0711, $pg->{dir};
$pg->database('crm');
$pg->migrate('crm', '--demo');

my %own = (
    DATABASE_URL => $pg->url('crm'), VOICE_ORGANIZATION => 1,
    VOICE_VAR => $folders{second}, VOICE_PORT => $ports{second},
    VOICE_WORKERS => 1, VOICE_PUBLIC_URL => 'https://edge.test/',
    OPENAI_API_KEY => 'sk-of-the-test', OPENAI_MODEL => 'model-of-the-test',
    OPENAI_BASE_URL => $model->base . '/v1',
    ELEVENLABS_API_KEY => 'xi-of-the-test',
    ELEVENLABS_BASE_URL => $speech->base . '/',
    ELEVENLABS_VOICE_ID => 'VoiceOfTheTest01',
    TWILIO_AUTH_TOKEN => $token, TWILIO_ACCOUNT_SID => $account,
    TWILIO_PHONE_NUMBER => '+15005550123',
);

sub someone {
    my (%option) = @_;

    return Voice::Lab::Phone->new(
        base => "http://127.0.0.1:$ports{second}",
        public_url => 'https://edge.test', token => $token,
        account => $account, to => '+15005550123',
        status_url => '/api/voice/status', %option);
}

if (up('second', %own)) {
    patient('second');

    my $call = someone()->call(lines => ['hello', 'goodbye']);

    is_deeply $call->errors, [], 'a call without an error';
    is $call->reason, 'hangup', 'to its end';
    is scalar(grep { $_->{kind} ne 'play' } @{ $call->heard }), 0,
        'everything is played';

    my ($asked) = @{ $model->requests };

    is scalar(@{ $model->requests }), 1, 'OPENAI_BASE_URL is asked';
    is $asked->{path}, '/v1/chat/completions', 'under its path';
    is $asked->{headers}{Authorization}, 'Bearer sk-of-the-test',
        'with OPENAI_API_KEY';
    is $asked->{body}{model}, 'model-of-the-test', 'for OPENAI_MODEL';

    my @spoken = @{ $speech->requests };

    cmp_ok scalar(@spoken), '>', 2, 'ELEVENLABS_BASE_URL is asked';
    is_deeply [ grep { $_ ne '/v1/text-to-speech/VoiceOfTheTest01' }
                    map { $_->{path} } @spoken ], [],
        'for ELEVENLABS_VOICE_ID';
    is_deeply [ grep { $_ ne 'xi-of-the-test' } map {
                    my $h = $_->{headers};
                    map { $h->{$_} } grep { lc eq 'xi-api-key' } keys %$h
                } @spoken ], [], 'with ELEVENLABS_API_KEY';

    is_deeply [ grep { -e "$folders{second}/run/$_" }
                    qw(model speech postgres) ], [],
        'no stand-in is started, nor a database';

    comes('second', q{select c.status from calls c}, 'completed',
          'the call is in DATABASE_URL');

    my $webhook = '/api/voice/inbound-webhook';

    is someone()->webhook($webhook)->{status}, 200, 'a webhook';
    is someone(token => '0' x 32)->webhook($webhook)->{status}, 403,
        'TWILIO_AUTH_TOKEN is the one that counts';
    is someone(public_url => "http://127.0.0.1:$ports{second}")
        ->webhook($webhook)->{status}, 403,
        'so does VOICE_PUBLIC_URL';
    is someone(account => 'AC' . '0' x 32)->webhook($webhook)->{status}, 403,
        'and TWILIO_ACCOUNT_SID';

    my ($rc, $out) = phone('second', 'front-desk');

    is $rc, 0, 'scripts/phone knows the settings' or diag $out;

    my $text = slurp("$folders{second}/conf/nginx.conf")
        . slurp("$folders{second}/conf/providers.conf")
        . slurp("$folders{second}/log/error.log")
        . slurp($runs{second}{output});

    unlike $text, qr/sk-of-the-test|xi-of-the-test|$token/,
        'no secret in the configuration, the log or on the screen';

    is health('first')->{status}, 'ready', 'the first is still there';
}


# --- callers who are recorded ----------------------------------------------

{
    my $general = JSON::PP->new->utf8->decode(
        slurp("$root/conf/flows/general.json"));
    my $var = "$open/recorded";

    # the flows that it hands calls to are not there
    delete $general->{routes};
    $general->{listen} = { mode => 'whisper', delete_recordings => \1 };
    $edge->write_file('recorded/general.json',
                      JSON::PP->new->utf8->encode($general));

    if (up('recorded', VOICE_VAR => $var, VOICE_PORT => $ports{third},
           VOICE_FLOWS => $edge->path('recorded') . '/*.json'))
    {
        patient('recorded');

        my ($rc, $out) = phone('recorded', 'front-desk');

        is $rc, 0, 'a call that is transcribed ends well' or diag $out;
        like $out, qr/process-recording 200/, 'it is recorded';
        like $out, qr/agent  We are open Tuesday to Friday/,
            'and the agent answers';
        cmp_ok health('recorded')->{counters}{transcription_requests}, '>', 5,
            'each time it is transcribed';
        is_deeply [ grep { !-e "$var/run/$_" } qw(transcription twilio) ],
            [], 'by stand-ins';
    }

    is +(command({ VOICE_VAR => $var }, 'run', 'stop'))[0], 0, 'stopped';
    is ended($runs{recorded}{pid}), 0, 'and over';
    is_deeply [ users($var) ], [], 'without a trace';
    delete $runs{recorded};
}


# --- what is refused -------------------------------------------------------

sub refused {
    my ($name, $like, $settings, %option) = @_;

    my $var = $settings->{VOICE_VAR} // "$open/refused";
    my ($rc, $out) = command({ VOICE_VAR => $var, VOICE_PORT => $ports{third},
                               %$settings },
                             'run', @{ $option{arguments} || [] });

    subtest $name => sub {
        is $rc, $option{rc} // 1, 'exit code';
        like $out, $like, 'what is wrong';
        unlike $out, qr/is up:/, 'nothing came up';
        is_deeply [ users($var) ], [], 'and nothing is left'
            if !$settings->{VOICE_VAR};
    } or diag $out;
}

refused('a port that is taken', qr/port $ports{first} is taken/,
        { VOICE_PORT => $ports{first} });
refused('a folder that is in use', qr/already running/,
        { VOICE_VAR => $folders{first} });
refused('a port that is none', qr/VOICE_PORT can not be "http"/,
        { VOICE_PORT => 'http' });
refused('an URL of another kind', qr/OPENAI_BASE_URL is not an http/,
        { OPENAI_BASE_URL => 'ftp://127.0.0.1/v1' });
refused('an URL with a directive', qr/ELEVENLABS_BASE_URL is not an http/,
        { ELEVENLABS_BASE_URL => 'http://127.0.0.1:9/; return 200' });
refused('a public URL with a path', qr/VOICE_PUBLIC_URL can not be/,
        { VOICE_PUBLIC_URL => 'https://edge.test/path' });
refused('a number of workers with a directive', qr/VOICE_WORKERS can not be/,
        { VOICE_WORKERS => '1; env X' });
refused('two lines', qr/OPENAI_MODEL can not be/,
        { OPENAI_MODEL => "a\nb" });
refused('a flow that is broken', qr{broken\.json": line 1, column 11}, do {
    make_path("$open/flows");
    open my $file, '>', "$open/flows/broken.json" or die $!;
    print {$file} '{ "name": ';
    close $file;
    { VOICE_FLOWS => "$open/flows/*.json" };
});
refused('a database that is not there', qr/the database is not ready/,
        { DATABASE_URL => "postgresql:///crm?host=$open/nowhere" });
refused('a database that the edge may not use',
        qr/DATABASE_URL names has to be a member of voice_edge/, do {
    my $dbh = $pg->connect('postgres');

    $dbh->do('create role owner login createrole');
    $dbh->do('create database theirs owner owner');
    { DATABASE_URL => $pg->url('theirs', 'owner') };
});
refused('an organization with a directive', qr/VOICE_ORGANIZATION can not be/,
        { VOICE_ORGANIZATION => '1; env X' });
refused('data of a PostgreSQL that is not here',
        qr{there is no PostgreSQL server in /usr/lib/postgresql/7/bin}, do {
    make_path("$open/old/work/postgres/data");
    open my $file, '>', "$open/old/work/postgres/data/PG_VERSION" or die $!;
    print {$file} "7\n";
    close $file;
    { VOICE_VAR => "$open/old" };
});
refused('an unknown word', qr/scripts\/run stop/, {},
        arguments => ['start'], rc => 2);

is health('first')->{status}, 'ready', 'the first is not disturbed';


# --- stop and start --------------------------------------------------------

sub gone {
    my ($name, $rc) = @_;

    my $run = $runs{$name};
    my $status = ended(delete $run->{pid});

    is $status, $rc, "$name: ends with $rc";
    is_deeply [ users($run->{var}) ], [], "$name: and nothing is left";
    is health($name)->{status}, 'down', "$name: nobody answers";
    ok !-e "$run->{var}/phone.json" && !-e "$run->{var}/database",
        "$name: nor is the token on the disk";
}

sub stop {
    my ($name) = @_;

    my ($rc, $out) = command({ VOICE_VAR => $runs{$name}{var} }, 'run',
                             'stop');

    is $rc, 0, "scripts/run stop: $name" or diag $out;
}

if ($runs{second}{pid}) {
    stop('second');
    gone('second', 0);
    is health('first')->{status}, 'ready', 'the other one stays';
}

stop('second');

# without DATABASE_URL, in a folder that no server can reach

if (up('second', %own, DATABASE_URL => '')) {
    patient('second');
    $speech->forget;

    my $call = someone()->call(lines => ['hello', 'goodbye']);

    is_deeply $call->errors, [], 'after a second start: a call';
    is_deeply [ grep { $_->{text} =~ /Hello|Thank you/ }
                    @{ $speech->requests } ], [],
        'whose speech is there since the first';
    comes('second', q{
        select c.status, o.name
        from calls c join organizations o on o.id = c.organization_id},
        'completed|Larkspur Bikes', 'and whose row is in its own database');

    kill INT => $runs{second}{pid};
    gone('second', 0);
}

kill TERM => $runs{first}{pid};
gone('first', 0);

{
    # nginx is killed: the run ends and says so; what a killed run leaves is
    # taken away by the next one
    up('first', VOICE_VAR => $folders{first}, VOICE_PORT => $ports{first});
    is rows('first', 'select max(score) from leads'), '95',
        'after a second start: what calls have left is there';

    my ($pid) = slurp("$folders{first}/run/nginx") =~ /^(\d+) /;
    my @workers = Voice::Edge::children($pid);

    kill KILL => $pid, @workers;
    is ended(delete $runs{first}{pid}), 1, 'nginx is killed: exit code 1';
    like slurp($runs{first}{output}), qr/nginx has ended, see /, 'it says so';
    is_deeply [ users($folders{first}) ], [], 'and takes the stand-ins along';

    up('first', VOICE_VAR => $folders{first}, VOICE_PORT => $ports{first});
    kill KILL => $runs{first}{pid};
    ended(delete $runs{first}{pid});
    ok scalar(users($folders{first})), 'killed itself, it leaves some';
    stop('first');
    is_deeply [ users($folders{first}) ], [], 'which stop finds';

    # "scripts/run | tee log", and Ctrl-C
    pipe my $reader, my $writer or die "pipe: $!";

    my $run = spawn($writer, $runs{first}{settings}, "$root/scripts/run");

    close $writer;

    my $said = '';

    while (my $line = <$reader>) {
        $said .= $line;
        last if $line =~ /^Ctrl-C here/;
    }

    close $reader;
    kill INT => $run;
    is ended($run), 0, 'nobody reads what it says: it ends' or diag $said;
    is_deeply [ users($folders{first}) ], [], 'and all it has started';
}


# --- conf/voice.conf.example -----------------------------------------------

{
    my $text = slurp("$root/conf/voice.conf.example");
    my $dir = $edge->path('example');

    make_path("$dir/flows", "$dir/cache");
    copy($_, "$dir/flows") or die "$_: $!" for glob "$root/conf/flows/*";
    $edge->write_file("example/$_", "something like a key 0123456789\n")
        for qw(voice.key twilio.token openai.key elevenlabs.key);

    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x "
           . "-keyout '$dir/privkey.pem' -out '$dir/fullchain.pem' "
           . '2>/dev/null') == 0 or die 'openssl';

    # what an operator is to change, and nothing else

    my $port = $edge->port('example');

    $text =~ s{^load_module .*;$}{%%GLOBALS%%}m or die 'load_module';
    $text =~ s{/etc/nginx/voice\b}{$dir}g or die 'keys';
    $text =~ s{/var/cache/nginx/voice\b}{$dir/cache} or die 'cache';
    $text =~ s{/etc/letsencrypt/live/[^/]+}{$dir}g or die 'certificates';
    $text =~ s{listen 443}{listen 127.0.0.1:$port} or die 'listen';
    $text =~ s{server api\.\w+\.(?:com|io):443}{server 127.0.0.1:9}g
        or die 'upstreams';
    $text =~ s{(?=^# 2\. In "http")}{events { }\nhttp \{\n}m or die 'http';

    # neither are these paths its business
    $text .= join '', map { "$_ %%DIR%%/tmp/$_;\n" } map { "${_}_temp_path" }
        qw(client_body proxy fastcgi uwsgi scgi);

    $edge->good_conf('the example configuration is good',
                     conf => "pid %%DIR%%/%%NAME%%.pid;\n$text}\n");

    # and closed by default

    like $text, qr/location = \/voice\/llm \{\s+internal;/, 'internal: model';
    like $text, qr/location \/voice\/tts\/ \{\s+internal;/, 'internal: speech';
    like $text, qr/health \{\s+allow 127\.0\.0\.1;\s+deny all;/, 'health';
}

done_testing;


END {
    my $status = $?;

    for my $run (values %runs) {
        command({ VOICE_VAR => $run->{var} }, 'run', 'stop')
            if $edge->{owner} == $$ && defined $run->{var};

        # where workers could not reach the state folder
        my $work = slurp("$run->{var}/work.path");
        chomp $work;
        remove_tree($work) if $work =~ m{^/var/tmp/voice-edge-\w+$};
    }

    $? = $status;
}
