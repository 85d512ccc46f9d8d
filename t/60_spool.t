#!/usr/bin/perl

# Nothing that the database shall know is lost, and nothing is there twice:
# files of dead workers, a database that is away, a disk that is full.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Mojo::IOLoop;
use POSIX qw(mkfifo);
use Voice::Edge;
use Voice::Postgres;
use Voice::Scene;
use Voice::Spool;

my ($pg, $name, $dbh) = Voice::Postgres->crm;

# notes of a call, without a tenant: only schema voice is concerned

my $calls = 0;

sub notes {
    my ($turns) = @_;

    my $sid = sprintf 'CA%032x', ++$calls;

    return $sid, map { {
        key => "$sid/turn/$_", kind => 'turn', call => $sid, turn => $_,
        heard => "words $_ of $sid: \x{e4}\x{1f600} \"\\", said => 'x' x 300,
    } } 0 .. $turns - 1;
}

sub turns {
    my ($sid) = @_;

    return join ' ', @{ $dbh->selectcol_arrayref(
        'select turn from voice.turns where call_sid = ? order by turn', {},
        $sid) };
}

sub arrived {
    my ($sid, $turns, $what) = @_;

    my $want = join ' ', 0 .. $turns - 1;

    Voice::Edge::wait_for(sub { turns($sid) eq $want });

    return is turns($sid), $want, $what;
}

my $scene;

# a disk of its own for the folder, where that is possible: it can be filled

my $disk;

sub small_disk {
    my ($folder) = @_;

    return if $> != 0;

    system("mount -t tmpfs -o size=8m,mode=0700 tmpfs '$folder' 2> /dev/null");

    return $? == 0 ? $folder : undef;
}

END {
    my $status = $?;

    system("umount -l '$disk'") if $disk;
    $? = $status;
}

sub folder { return $scene->edge->path('spool') }

sub health { return $scene->health->json->{spool} }

sub nothing_waits {
    my ($what) = @_;

    my $health;

    # a file that a worker has left is counted by nobody until it is adopted
    Voice::Edge::wait_for(sub {
        $health = health();
        !$health->{notes} && !Voice::Spool::notes(folder());
    });

    return is_deeply $health, { notes => 0, bytes => 0 },
        $what || 'nothing waits';
}


sub well {
    my ($reasons, $what) = @_;

    return is $scene->wait_for_reasons(qr/^\Q$reasons\E$/), $reasons, $what;
}


# --- what dead workers have left -------------------------------------------

my $dir = $pg->{dir};

{
    # a scene that has not begun yet: the folder comes from another life
    my $conninfo = "\"host=$dir dbname=$name user=voice_edge\"";
    my ($sid, @notes) = notes(200);
    my ($torn, @torn) = notes(3);
    my ($bad, @bad) = notes(6);

    $scene = Voice::Scene->new(
        flow => { voice => undef },
        http_directives => { voice_database => $conninfo },
        directives => {
            voice_filler_after => '20s', voice_first_token_timeout => '20s',
            voice_token_timeout => '20s', voice_answer_within => '10s',
        },
        edit => sub {
            my ($folder) = m{voice_spool (\S+)/spool;} or die;

            mkdir "$folder/spool" or die "$folder: $!\n";
            $folder .= '/spool';
            $disk = small_disk($folder);

            Voice::Spool::leave($folder, '1-1-0.spool',
                                Voice::Spool::lines(@notes));
            Voice::Spool::leave($folder, '1-1-1.spool',
                Voice::Spool::lines(@torn)
                . substr(Voice::Spool::line({ key => 'torn', kind => 'turn',
                    call => $torn, turn => 9 }), 0, -5));

            my $changed = Voice::Spool::line($bad[2]);

            $changed =~ s/words/sword/;
            Voice::Spool::leave($folder, '1-1-2.spool', join '',
                Voice::Spool::lines(@bad[0, 1]), $changed,
                "no line of ours\n\n\0\xff" . ('z' x 600_000) . "\n",
                Voice::Spool::lines($bad[3], '{"no":"key"}', '{"key":"cut',
                    { key => "$bad/unknown", kind => 'song', call => $bad },
                    @bad[4, 5]));

            Voice::Spool::leave($folder, '1-1-3.spool', '');

            open my $file, '>', "$folder/1-1-4.spool" or die;
            close $file;
            open $file, '>', "$folder/1-1-5.spool" or die;
            print {$file} "the notes of an operator\n" x 20;
            close $file;
            open $file, '>', "$folder/notes.spool" or die;
            print {$file} $Voice::Spool::HEAD,
                Voice::Spool::line({ key => 'not ours' });
            close $file;
            mkfifo("$folder/1-1-6.spool", 0600) or die;
        },
    );

    my $edge = $scene->edge;

    arrived($sid, 200, '200 notes of a dead worker arrive');
    arrived($torn, 3, 'so do those before one that was cut');
    nothing_waits();

    # each worker looks through the folder; what the other one is just looking
    # at seems to be taken, and nothing is said of it

    $edge->wait_for_log(qr/1-1-5\.spool" is none, it is left/);

    is turns($bad), '0 1 3 4 5', 'and all that are not damaged';
    is $dbh->selectrow_array("select count(*) from voice.recorded"), 208,
        'and nothing else';

    my $log = $edge->log;

    like $log, qr{\[warn\].*1-1-1\.spool": its last note was not written to},
        'the cut one is logged';
    like $log, qr{\[error\].*1-1-2\.spool": \d+ bytes at \d+ are damaged},
        'the damaged ones are';
    is scalar(() = $log =~ /in the spool is no JSON object with a "key"/g), 2,
        'what is no note is';
    like $log, qr{\[error\].* "$bad/unknown" is refused by the database: inv},
        'a refused one is, and why';
    unlike $log, qr/words \d|sword/, 'what was said is not';

    # the empty ones may be looked at last
    my @stay = ('1-1-2.spool.damaged', '1-1-5.spool', '1-1-6.spool',
                'notes.spool');

    Voice::Edge::wait_for(sub {
        my @files = Voice::Spool::files(folder(), qr/^1-|^notes/);

        "@files" eq "@stay";
    });
    is_deeply [ Voice::Spool::files(folder(), qr/^1-|^notes/) ], \@stay,
        'their files go, a damaged one stays';
    is scalar(() = $log =~ /1-1-0\.spool" of a worker that is gone is taken/g),
        1, 'one worker has taken a file over';
    like $log, qr/1-1-5\.spool" is none, it is left alone/,
        'a file of somebody else is left alone';

    my @own;

    Voice::Edge::wait_for(sub {
        @own = Voice::Spool::files(folder(), qr/^\d\d+-.*\.spool$/);
        @own >= 2;
    });
    is scalar @own, 2, 'each worker has a file';
}


# --- one that is locked has a worker ---------------------------------------

{
    my ($sid, @notes) = notes(5);
    my ($after, @after) = notes(5);

    open my $file, '>:raw', folder() . '/locked' or die;
    print {$file} $Voice::Spool::HEAD, Voice::Spool::lines(@notes);
    close $file;

    my $lock = Voice::Spool::lock(folder() . '/locked');

    rename folder() . '/locked', folder() . '/1-2-0.spool' or die;
    Voice::Spool::leave(folder(), '1-2-1.spool', Voice::Spool::lines(@after));

    # both workers have looked when each has had time for a second look
    arrived($after, 5, 'a file that appears later is found');

    my @looks = map { arrived_after_next_look() } 1 .. 2;

    is turns($sid), '', 'a locked one is not touched' if @looks;
    close $lock;
    arrived($sid, 5, 'until it is not locked any more');
    nothing_waits();
}

sub arrived_after_next_look {
    my ($sid, @notes) = notes(1);

    Voice::Spool::leave(folder(), "1-3-$calls.spool",
                        Voice::Spool::lines(@notes));
    Voice::Edge::wait_for(sub { turns($sid) eq '0' });
}


# --- the database is away --------------------------------------------------

{
    my ($sid, @notes) = notes(1500);

    $dbh->disconnect;
    $pg->stop('QUIT');

    Voice::Spool::leave(folder(), '1-4-0.spool', Voice::Spool::lines(@notes));

    Voice::Edge::wait_for(sub { health()->{notes} > 1000 });
    well('database_unreachable spool_waiting',
         'health tells that notes wait, and why');
    is $scene->health->json->{status}, 'degraded', 'and that this is not well';
    ok health()->{bytes} >= length Voice::Spool::lines(@notes),
        'how many bytes, too';
    is $scene->line->post('inbound-webhook', CallStatus => 'ringing')->status,
        200, 'calls are answered';

    $pg->start;
    $dbh = $pg->connect($name);

    arrived($sid, 1500, 'when it is back all of them arrive');
    nothing_waits();
    well('', 'health is well');
}


# --- again and again -------------------------------------------------------

{
    my ($sid, @notes) = notes(10);

    for my $again (1 .. 2) {
        Voice::Spool::leave(folder(), "1-5-$again.spool",
                            Voice::Spool::lines(@notes, @notes));
        Voice::Edge::wait_for(sub { !-e folder() . "/1-5-$again.spool" });
    }

    is turns($sid), join(' ', 0 .. 9), 'notes that come again do no harm';
}


# --- a note at which the database fails, while it takes others -------------

{
    my ($sid, @notes) = notes(12);

    $dbh->do(<<'SQL');
create function public.fails() returns trigger language plpgsql as $$
begin
    if new.turn = 5 then
        raise exception 'not this one' using errcode = '40001';
    end if;
    return new;
end
$$
SQL
    $dbh->do('create trigger fails before insert on voice.turns for each row '
        . 'execute function public.fails()');

    Voice::Spool::leave(folder(), '1-6-0.spool',
                        Voice::Spool::lines(@notes));

    Voice::Edge::wait_for(sub { turns($sid) eq '0 1 2 3 4 6 7 8 9 10 11' });
    is turns($sid), '0 1 2 3 4 6 7 8 9 10 11',
        'one note does not hold up the others';
    ok $scene->edge->wait_for_log(qr{"$sid/turn/5" could not be stored}),
        'it is put behind them';

    # those that the database has just taken are counted until it says so
    my $waiting;

    Voice::Edge::wait_for(sub { ($waiting = health()->{notes}) == 1 });
    is $waiting, 1, 'and waits';

    $dbh->do('drop trigger fails on voice.turns');

    # it would be tried in a minute, but a new connection comes first
    $scene->edge->reconnect_database($dbh);
    arrived($sid, 12, 'it arrives when it can');
    nothing_waits();
}


# --- many of them ------------------------------------------------------------

{
    my ($bad, @bad) = notes(40);
    my ($good, @good) = notes(5);

    # nobody is just connecting, who would not have the setting
    ok $scene->edge->wait_for_database, 'each worker is connected';

    $dbh->do(<<'SQL');
create or replace function public.fails() returns trigger language plpgsql as $$
begin
    if new.call_sid = current_setting('test.bad') then
        raise exception 'not this one' using errcode = '40001';
    end if;
    return new;
end
$$
SQL
    $dbh->do("alter role voice_edge set test.bad = '$bad'");
    $scene->edge->reconnect_database($dbh);
    $dbh->do('create trigger fails before insert on voice.turns for each row '
        . 'execute function public.fails()');

    Voice::Spool::leave(folder(), '1-7-0.spool',
                        Voice::Spool::lines(@bad, @good));

    arrived($good, 5, 'forty that fail do not hold up the others for long');
    is turns($bad), '', 'while they do';

    $dbh->do('drop trigger fails on voice.turns');
    $scene->edge->reconnect_database($dbh);
    arrived($bad, 40, 'they arrive when they can');
    nothing_waits();
}


# --- a file that somebody has emptied ----------------------------------------

{
    my ($worker) = $scene->edge->workers;

    # the call and its step are on the disk
    my $ring = sub {
        my $line = $scene->line(worker => $worker);

        $line->post('inbound-webhook', CallStatus => 'ringing');
        Voice::Edge::wait_for(sub {
            2 == grep { $_->{call} eq $line->sid }
                Voice::Spool::notes(folder()) });

        return $line->sid;
    };

    $dbh->disconnect;
    $pg->stop('QUIT');
    $ring->();

    truncate folder() . "/$_", 0
        for Voice::Spool::files(folder(), qr/^$worker-.*\.spool$/);

    $pg->start;
    ok $scene->edge->wait_for_log(qr/was cut by somebody, \d+ bytes are lost/),
        'who empties a file is told what that was';

    $pg->stop('QUIT');

    my $second = $ring->();

    $scene->edge->kill_worker($worker);
    $pg->start;
    $dbh = $pg->connect($name);

    my $known = sub { $dbh->selectrow_array('select count(*) from voice.calls '
        . 'where sid = ?', undef, $second) };

    Voice::Edge::wait_for($known);
    is $known->(), 1, 'what comes after it is not lost';
    nothing_waits();
}

# --- calls -----------------------------------------------------------------

my @lines = ('hello', 'what does it cost', 'tell me the whole story',
             'goodbye');

# Callers that call again and again while the code runs, and until it is done;
# returns the calls.

sub meanwhile {
    my ($callers, $code) = @_;

    my ($running, $over, @calls) = (0);
    my $phone = $scene->phone;
    my $caller;

    $caller = sub {
        $running++;
        $phone->call_p(lines => [@lines])->then(sub {
            push @calls, $_[0];
            $running--;
            $over ? ($running || Mojo::IOLoop->stop) : $caller->();
        });
    };

    $caller->() for 1 .. $callers;

    # what the code waits for are calls that end
    my $timer;
    my @steps = $code->(\@calls);

    $timer = Mojo::IOLoop->recurring(0.02 => sub {
        return if !@steps || !$steps[0]->();
        shift @steps;
        $over = 1 if !@steps;
    });

    Mojo::IOLoop->start;
    Mojo::IOLoop->remove($timer);

    return @calls;
}

# when so many more calls are over than before

sub after {
    my ($calls, $more, $do) = @_;

    my $begun;

    return sub {
        $begun //= @$calls;
        return if @$calls < $begun + $more;
        $do->() if $do;
        return 1;
    };
}

# The database is stopped, or started, while the telephones go on: who waits
# for it would hear their clocks run out.

sub stops {
    my ($signal) = @_;
    my $over;

    return sub {
        if (!$over) {
            $dbh->disconnect;
            $over = $pg->stopping($signal);
        }

        return $over->();
    };
}

sub starts {
    my $over;

    return sub {
        $over //= $pg->starting;
        $over->() or return;
        $dbh = $pg->connect($name);
    };
}

# Each call with each turn, once and in order, and its end.

sub complete {
    my ($what, @calls) = @_;

    nothing_waits("$what: nothing waits");

    my %heard = map { $_->[0] => $_->[1] } @{ $dbh->selectall_arrayref(<<'SQL') };
select c.sid, string_agg(t.heard, '/' order by t.turn)
         || ' ' || count(*) || ' ' || c.status
  from voice.calls c join voice.turns t on t.call_sid = c.sid group by c.sid
SQL
    my $want = join('/', @lines) . ' 5 completed';
    my @wrong = grep { ($heard{ $_->sid } // '') ne $want } @calls;

    ok scalar @calls, "$what: calls";
    is_deeply [ map { $_->errors } @calls ], [ map { [] } @calls ],
        "$what: none of them has suffered";
    is scalar @wrong, 0, "$what: the database has every turn of "
        . @calls . ' calls'
        or diag map { $_->sid . ': ' . ($heard{ $_->sid } // '') . "\n" } @wrong;
}

complete('at rest', meanwhile(4, sub { after($_[0], 4) }));

complete('reloads', meanwhile(4, sub {
    my ($calls) = @_;

    return map { after($calls, 4, sub { kill HUP => $scene->edge->master }) }
        1 .. 5;
}));

complete('the database stops and starts', meanwhile(4, sub {
    my ($calls) = @_;

    return after($calls, 4), stops('INT'), after($calls, 8), starts(),
        after($calls, 4);
}));

{
    # what waits has lost its worker before the database is back
    my @calls = meanwhile(4, sub {
        my ($calls) = @_;

        return after($calls, 4), stops('QUIT'), after($calls, 8);
    });

    cmp_ok health()->{notes}, '>', 0, 'notes wait';
    $scene->edge->kill_worker($_) for $scene->edge->workers;

    push @calls, meanwhile(2, sub { after($_[0], 2) });

    $pg->start;
    $dbh = $pg->connect($name);

    complete('workers killed with notes that wait', @calls);
    ok scalar $scene->edge->log_lines(qr/of a worker that is gone is taken/),
        'others have taken them over';
}

SKIP: {
    skip 'no file system can be mounted here', 12 if !$disk;

    my $full = "$disk/full";
    my @calls;

    # what has left the spool makes room again: nothing leaves it

    $dbh->begin_work;
    $dbh->do('lock table voice.recorded in access exclusive mode');

    push @calls, meanwhile(4, sub {
        my ($calls) = @_;

        return after($calls, 2, sub { fill($full) }), after($calls, 8);
    });

    my @loud = $scene->edge->log_lines(qr/\[crit\].* cannot be written/);

    ok @loud >= 1 && @loud <= 2, 'a full disk is told once by each worker'
        or diag @loud;
    like $loud[0] // '', qr/No space left.*|make room/, 'and what to do';
    like $scene->wait_for_reasons(qr/spool_failing/), qr/spool_failing/,
        'health tells it';

    $dbh->rollback;
    complete('the disk is full', @calls);

    # and no database either
    @calls = meanwhile(4, sub {
        my ($calls) = @_;

        return after($calls, 2), stops('INT'), after($calls, 8);
    });

    ok health()->{notes}, 'notes wait in memory';
    unlink $full or die "$full: $!\n";
    unlike $scene->wait_for_reasons(qr/^(?!.*spool_failing)/),
        qr/spool_failing/, 'it recovers by itself';
    ok scalar $scene->edge->log_lines(qr/spool .* can be written again/),
        'and says so';
    ok scalar Voice::Spool::notes(folder()), 'the notes are on the disk now';

    # which is proved by those who have not seen them
    $scene->edge->kill_worker($_) for $scene->edge->workers;
    $pg->start;
    $dbh = $pg->connect($name);
    complete('no disk and no database', @calls);
    ok !$scene->edge->log_lines(qr/voice note .* is lost/), 'no note is lost';
}

sub fill {
    my ($path) = @_;

    open my $file, '>:raw', $path or die "$path: $!\n";
    $file->autoflush;
    1 while syswrite $file, 'x' x 4096;
    1 while syswrite $file, 'x';
}

{
    ok $scene->edge->quit, 'nginx stops';
    is_deeply [ Voice::Spool::files(folder(), qr/^\d\d+-.*\.spool$/) ], [],
        'and leaves no empty file';
}

done_testing;
