#!/usr/bin/perl

# A database whose statements fail, that gets bytes which are no text, and that
# answers what nobody has asked.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();
use Test::More;
use Voice::Edge;
use Voice::Postgres;
use Voice::Scene;

my $json = JSON::PP->new->utf8->canonical;
my ($pg, $name, $owner, $larkspur) = Voice::Postgres->crm;

sub reply {
    my ($words, $messages) = @_;

    return 'Done.' if $messages->[-1]{role} eq 'tool';
    return { calls => [{ name => 'create_support_ticket', arguments => {
        title => "It is $words", description => 'That is all.' } }] };
}

my $scene = Voice::Scene->new(
    model => { reply => \&reply },
    flow => { voice => undef, tools => ['create_support_ticket'] },
    http_directives => {
        voice_database => "\"host=$pg->{dir} dbname=$name user=voice_edge\" "
            . 'timeout=8s',
        voice_number => "default flow=general organization=$larkspur",
    },
    directives => {
        voice_filler_after => '20s', voice_first_token_timeout => '20s',
        voice_token_timeout => '20s', voice_answer_within => '10s',
        voice_tool_timeout => '20s',
    },
);

my $edge = $scene->edge;
my $model = $scene->model;

sub line {
    my ($from, %option) = @_;

    my $line = $scene->line(%option);

    $line->{who} = [From => $from];
    $line->{target} = $line->open(@{ $line->{who} });

    return $line;
}

# what the model was told that has become of it

sub ticket {
    my ($line, $words) = @_;

    $model->forget;

    my $r = $line->post($line->{target}, SpeechResult => $words,
                        @{ $line->{who} });

    for (1 .. 20) {
        $line->{target} = Voice::Scene::Line::action($r) and last;
        $r = $line->post(Voice::Scene::Line::redirect($r), @{ $line->{who} });
    }

    my ($result) = grep { $_->{role} eq 'tool' }
        @{ $model->requests->[-1]{body}{messages} }[-1];

    return $json->decode($result->{content} =~ s/([^\x00-\x7f])/?/gr);
}

sub titles {
    my ($line) = @_;

    return join ', ', @{ $owner->selectcol_arrayref('select title from '
        . 'support_tickets where description like ? order by title', undef,
        '%' . $line->sid . '%') };
}

ok $edge->wait_for_database, 'the database is reached';


# --- a statement that fails the first time ---------------------------------

{
    my ($act) = $owner->selectrow_array('select pg_get_functiondef('
        . "'voice.act(text,text,text,jsonb,jsonb)'::regprocedure)");
    my ($one) = $edge->workers;
    my $line = line('+15005553001', worker => $one);

    $owner->do($act =~ s/^AS (\$\w*\$).*/AS $1 begin raise exception 'not now'
        using errcode = '55P03'; end $1/smr);

    ok ticket($line, 'first')->{queued}, 'it fails: what was asked is noted';

    like $edge->log, qr/voice database refused "act": error 55P03, /,
        'the log says what kind of failure it is';

    $owner->do($act);

    ok ticket($line, 'second')->{ticket}, 'and it is done the next time';
    ok ticket($line, 'third')->{ticket}, 'and the next';

    Voice::Edge::wait_for(sub { titles($line) =~ /first/ });
    is titles($line), 'It is first, It is second, It is third',
        'in the end all of it, once';

    unlike $edge->log, qr/already exists|is lost/,
        'nothing is prepared twice, and no connection is lost by it';
}


# --- a right that is missing, as after a restore of the CRM's tables -----------

{
    $owner->do('revoke select on contacts from voice_owner');

    my $line = line('+15005553002');

    ok ticket($line, 'early')->{queued}, 'what can not be done is noted';
    ok $edge->wait_for_log(qr/"record": permission denied for table contacts/),
        'the log says why';
    ok $edge->wait_for_log(qr/could not be stored, it is tried again/),
        'and that it is tried again';

    $owner->do('grant select on contacts to voice_owner');

    # else it is a minute
    ok $edge->reconnect_database($owner), 'the connections are new';

    ok Voice::Edge::wait_for(sub { titles($line) }), 'then it is done';
    ok Voice::Edge::wait_for(sub { $owner->selectrow_array('select 1 from '
        . "voice.turns where call_sid = ? and turn = 1 and heard = 'early' and "
        . 'said <> \'\'', {}, $line->sid) }), 'and the turn is there';
    is $owner->selectrow_array('select organization from voice.calls where '
        . 'sid = ?', {}, $line->sid), $larkspur, 'of whose call it is';
    unlike $edge->log, qr/is refused by the database/, 'nothing is given up';
}


# --- errors and notices that quote what was said -------------------------------

# libpq keeps the last error, and would have it in front of why the connection
# is lost

sub lose {
    my ($what) = @_;

    ok $edge->reconnect_database($owner),
        "$what: the connection is lost and comes back";
}

{
    my ($act) = $owner->selectrow_array('select pg_get_functiondef('
        . "'voice.act(text,text,text,jsonb,jsonb)'::regprocedure)");
    my ($one) = $edge->workers;
    my $line = line('+15005553003', worker => $one);

    my %bad = (
        '22P02' => "perform (arguments ->> 'title')::integer",
        '23505' => "create temp table twice (t text primary key) on commit drop;
            insert into twice select arguments ->> 'title'
                from generate_series(1, 2)",
        '42601' => "perform to_tsquery(arguments ->> 'title')",
        'P0001' => "raise exception 'not %', arguments ->> 'title'",
        '40P01' => "raise exception 'not %', arguments ->> 'title'
            using errcode = '40P01'",
    );

    for my $code (sort keys %bad) {
        $owner->do($act =~ s/^AS (\$\w*\$).*/AS $1 begin $bad{$code};
            end $1/smr);

        ok ticket($line, "bluebird $code")->{queued}, "$code: it is noted";
        ok $edge->wait_for_log(qr/refused "act": error $code, its own log/),
            "$code: the log says so";
    }

    lose('an error');
    $owner->do($act);

    # a name is none of what was said

    $owner->do($act =~ s/^AS (\$\w*\$).*/AS $1 begin perform from nowhere;
        end $1/smr);
    ok ticket($line, 'bluebird')->{queued}, 'a table that is not there';
    ok $edge->wait_for_log(
        qr/refused "act": relation "nowhere" does not exist \(42P01\)/),
        'is named';
    $owner->do($act);
}

{
    my $line = line('+15005553004');

    # what the edge's own rights do in the CRM's tables

    $owner->do(<<'SQL');
create function public.talks() returns trigger language plpgsql as $$
begin
    raise notice 'bluebird: %', new.title;
    raise warning 'bluebird: %', new.title;
    raise info 'bluebird: %', new.title using errcode = '57014';

    if new.title like '%never%' then
        raise exception 'bluebird: %', new.title;
    end if;
    return new;
end
$$
SQL
    $owner->do('create trigger talks before insert on support_tickets '
        . 'for each row execute function public.talks()');

    ok ticket($line, 'bluebird')->{ticket}, 'a trigger that has notices';
    is ticket($line, 'never bluebird')->{error}{code}, 'failed',
        'and one that has exceptions';
    $owner->do('drop trigger talks on support_tickets');

    # a note

    $owner->do(<<'SQL');
create function public.objects() returns trigger language plpgsql as $$
begin
    if new.heard like '%kingfisher' then
        raise exception 'not %', new.heard;
    elsif new.heard like '%kingfisher %' then
        perform new.heard::integer;
    end if;
    return new;
end
$$
SQL
    $owner->do('create trigger objects before insert or update on voice.turns '
        . 'for each row execute function public.objects()');

    ticket($line, 'a kingfisher');
    ticket($line, 'a kingfisher 22');

    for my $code (qw(P0001 22P02)) {
        ok $edge->wait_for_log(
            qr/is refused by the database: error $code, its own log/),
            "$code: a note is refused";
    }

    $owner->do('drop trigger objects on voice.turns');
    lose('notices');
}

unlike $edge->log, qr/bluebird|kingfisher/, 'nothing of it is in the log';
ok scalar $edge->log_lines(qr/database says: (?:FATAL: +)?terminating connection due to/),
    'what the server says of itself is';


# --- a worker that has to go at once -------------------------------------------

{
    my ($one) = $edge->workers;
    my $line = $scene->line(sid => 'CA' . 'e' x 32, worker => $one);
    my $locker = $pg->connect($name);

    # a call that another node had
    $pg->call($owner, 'record', [{ key => 'e/call', kind => 'call',
        call => $line->sid, caller => '+15005553009',
        called => '+15005550009' }]);

    $locker->begin_work;
    $locker->do('lock table voice.calls in access exclusive mode');

    is $line->post('status', CallStatus => 'completed', CallDuration => 7)
        ->status, 204, 'the end of a call, of which is asked';
    Voice::Edge::wait_for(sub { $owner->selectrow_array('select count(*) from '
        . "pg_stat_activity where wait_event_type = 'Lock' and "
        . "query like '%voice.resume(%'") });

    kill TERM => $one;
    Voice::Edge::wait_for(sub { !kill 0, $one });
    $locker->rollback;

    my $ended = sub { $owner->selectrow_array('select duration from '
        . 'voice.calls where sid = ? and ended_at is not null', undef,
        $line->sid) };

    Voice::Edge::wait_for($ended);
    is $ended->(), 7, 'is not lost with the worker that asked';
    ok $edge->wait_for_database, 'there is another one';
}


# --- a number that is no text ------------------------------------------------

for my $from ("sip:\xff\xfe\@voice.test", "sip:x\xc3\xbc" . "\xc3\xbc" x 40) {
    my $line = line($from);
    my $result = ticket($line, 'odd');

    ok $result->{ticket}, 'who calls from bytes is served'
        or diag explain $result;
    is titles($line), 'It is odd', 'and it is done';
}

unlike $edge->log, qr/invalid byte sequence|voice note .* is no JSON/,
    'the database and the spool get text only';


# --- answers that make no sense ----------------------------------------------

# CopyIn, CopyOut, CopyBoth, to whatever is asked

sub nonsense {
    my ($path, $type) = @_;

    my $server = IO::Socket::UNIX->new(Local => $path, Listen => 10) or die $!;
    my $select = IO::Select->new($server);
    my %known;

    # who has given up does not read it
    local $SIG{PIPE} = 'IGNORE';

    chmod 0777, $path;

    while (my @ready = $select->can_read) {
        for my $socket (@ready) {

            if ($socket == $server) {
                $select->add($server->accept);
                next;
            }

            if (!sysread $socket, my $bytes, 65536) {
                delete $known{$socket};
                $select->remove($socket);
                close $socket;
                next;
            }

            syswrite $socket, $known{$socket}++
                ? $type . pack('NCn', 7, 0, 0)
                : 'R' . pack('NN', 8, 0) . 'Z' . pack('NA', 5, 'I');
        }
    }
}

for my $type (qw(G H W)) {
    my $dir = tempdir('voice-pg-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    chmod 0755, $dir;

    my $other = Voice::Edge->new(http_directives => { voice_database =>
        "\"host=$dir dbname=x user=y\" timeout=3s" });

    $other->run_daemon(sub {
        nonsense("$dir/.s.PGSQL.5432", $type) });
    Voice::Edge::wait_for(sub { -S "$dir/.s.PGSQL.5432" });
    $other->start;

    ok $other->wait_for_log(qr/gave "setup" an answer that makes no sense/),
        "$type: no answer";
    ok $other->wait_for_log(qr/lookups is lost: its answers make no sense/),
        'the connection is closed';

    is $other->get('/api/voice/health')->status, 200, 'the edge goes on';
    ok Voice::Edge::wait_for(sub { $other->get('/api/voice/health')->body
        =~ /"database_unreachable"/ }), 'and says so';
    $other->quit;
}

done_testing;
