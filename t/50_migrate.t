#!/usr/bin/perl

# scripts/migrate, and who may do what afterwards.
# no-sanitize

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::RealBin/lib";
use File::Temp qw(tempdir);
use Voice::Postgres;

my $pg = Voice::Postgres->new;
my $script = "$Voice::Postgres::ROOT/scripts/migrate";
my @files = sort map { m{([^/]+)\.sql$} }
    glob "$Voice::Postgres::ROOT/migrations/0*.sql";

sub ledger {
    my ($database) = @_;

    my $dbh = $pg->connect($database);

    return [] if !$dbh->selectrow_array(
        "select to_regclass('voice.migrations') is not null");
    return $dbh->selectcol_arrayref(
        'select name from voice.migrations order by name');
}

sub copy_of_migrations {
    my $dir = tempdir('voice-migrations-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    system "cp -r '$Voice::Postgres::ROOT'/migrations/* '$dir'";

    return $dir;
}

sub add {
    my ($file, $text) = @_;

    open my $out, '>>', $file or die "$file: $!\n";
    print $out $text;
    close $out;

    return;
}


subtest 'usage' => sub {
    my ($rc, $out);

    {
        local $ENV{DATABASE_URL};
        $out = `'$script' 2>&1`;
        is $? >> 8, 2, 'no database';
        like $out, qr/DATABASE_URL is not set/, 'says so';
    }

    ($rc, $out) = $pg->migrate('postgres', '--force');
    is $rc, 2, 'an option that there is not';
    like $out, qr/--dry-run/, 'tells those that there are';

    ($rc, $out) = $pg->migrate('nowhere');
    is $rc, 4, 'no connection';
    like $out, qr/^migrate: .*"nowhere" does not exist/m, 'says why';
};


subtest 'a password' => sub {
    my $dir = tempdir('voice-psql-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    add("$dir/psql", "#!/bin/sh\necho \"\$* password=\$PGPASSWORD\" >&2\n"
        . "exit 1\n");
    chmod 0755, "$dir/psql";

    local $ENV{PATH} = "$dir:$ENV{PATH}";
    local $ENV{DATABASE_URL} =
        'postgresql+psycopg2://owner:se%2Fcr%40et@db.example/crm?sslmode=require';
    my $out = `'$script' 2>&1`;

    is $? >> 8, 4, 'no connection';
    like $out, qr{-d postgresql://owner\@db\.example/crm\?sslmode=require },
        'is not on a command line';
    like $out, qr{password=se/cr\@et$}m, 'but in the environment';
};


subtest 'from nothing, with the demo' => sub {
    $pg->database('demo');

    my ($rc, $out) = $pg->migrate('demo', '--status');
    is $rc, 5, 'all is pending';
    is scalar(() = $out =~ /^pending/mg), @files, 'each file';

    ($rc, $out) = $pg->migrate('demo', '--demo', '--dry-run');
    is $rc, 0, 'dry run' or diag $out;
    like $out, qr/\Q$_\E$/m, "tells $_" for @files;
    is_deeply ledger('demo'), [], 'and nothing is left of it';

    ($rc, $out) = $pg->migrate('demo', '--demo');
    is $rc, 0, 'applied' or BAIL_OUT($out);
    unlike $out, qr/CRM:|WARNING|NOTICE/, 'no problem';
    is_deeply ledger('demo'), \@files, 'all in the ledger';

    my $dbh = $pg->connect('demo');
    my $count = sub {
        return join ' ', map { $dbh->selectrow_array("select count(*) from $_") }
            qw(organizations contacts deals support_tickets activities
               knowledge_base_articles voice.numbers voice.countries);
    };
    my $before = $count->();

    ($rc, $out) = $pg->migrate('demo', '--demo');
    is $rc, 0, 'again';
    like $out, qr/nothing was pending/, 'nothing to do';
    is $count->(), $before, 'and no row more';

    ($rc, $out) = $pg->migrate('demo', '--status');
    is $rc, 0, 'nothing is pending';
    is scalar(() = $out =~ /^applied +\S+ +\d{4}-\S+Z$/mg), @files, 'all applied';
};


subtest 'a file that was changed' => sub {
    my $dir = copy_of_migrations();
    local $ENV{VOICE_MIGRATIONS} = $dir;

    add("$dir/0002_helpers.sql", "-- later\n");
    add("$dir/0900_later.sql", "create table voice.later ();\n");

    my ($rc, $out) = $pg->migrate('demo');
    is $rc, 3, 'is refused';
    like $out, qr/0002_helpers was applied with another content/, 'by name';
    is_deeply ledger('demo'), \@files, 'and nothing after it is applied';

    ($rc, $out) = $pg->migrate('demo', '--status');
    is $rc, 3, 'status tells';
    like $out, qr/^changed +0002_helpers/m, 'which';
};


subtest 'a file that fails' => sub {
    my $dir = copy_of_migrations();
    local $ENV{VOICE_MIGRATIONS} = $dir;

    $pg->database('failing', 'demo');
    add("$dir/0900_good.sql", "create table voice.good ();\n");
    add("$dir/0901_bad.sql", "create table voice.half ();\nselect 1/0;\n");

    my ($rc, $out) = $pg->migrate('failing');
    is $rc, 1, 'fails';
    like $out, qr/0901_bad\.sql:2: ERROR:  division by zero/, 'file and line';
    is_deeply ledger('failing'), [@files, '0900_good'], 'the ones before stay';
    is $pg->connect('failing')->selectrow_array(
        "select to_regclass('voice.half')"), undef, 'nothing of it is left';

    unlink "$dir/0900_good.sql", "$dir/0901_bad.sql";
    ($rc, $out) = $pg->migrate('failing', '--status');
    like $out, qr/^unknown +0900_good/m, 'a file that is not here';
};


subtest 'a CRM of its own' => sub {
    $pg->database('real');

    my $dbh = $pg->connect('real');
    $dbh->do('create table organizations (id serial primary key, name varchar, '
        . 'settings varchar)');

    my ($rc, $out) = $pg->migrate('real', '--demo');
    is $rc, 1, 'gets no demo tenants';
    like $out, qr/has a CRM of its own/, 'says why';
    is_deeply ledger('real'), [], 'and nothing happened';

    ($rc, $out) = $pg->migrate('real');
    is $rc, 0, 'the schema alone' or diag $out;
    like $out, qr/CRM: core: off, there is no .*contacts\.phone/,
        'tells what is missing';

    my $result = $pg->call($dbh, 'act', 'CA1', 'k', 'create_lead', {},
        { caller => '+15005550006', called => '+15005550009' });
    is $result->{error}{code}, 'crm_unavailable', 'a tool says so';
    is $pg->call($dbh, 'caller', 1, '+15005550006')->{match}, 'none',
        'nobody is known';
};


subtest 'an owner who is no superuser' => sub {
    my $dbh = $pg->connect('postgres');

    $dbh->do('create role crm_owner login');
    $dbh->do('create database managed owner crm_owner');

    local $ENV{DATABASE_URL} = $pg->url('managed', 'crm_owner')
        =~ s/^postgresql:/postgresql+psycopg2:/r;
    my $out = `'$script' --demo 2>&1`;
    is $? >> 8, 1, 'may not create the roles';
    like $out, qr/may not create roles|permission denied|admin option/,
        'and is told';

    $dbh->do('grant voice_owner to crm_owner');
    $out = `'$script' --demo 2>&1`;
    is $? >> 8, 0, 'with the roles there it works' or diag $out;

    my $edge = $pg->connect('managed', user => 'voice_edge');
    is $pg->call($edge, 'caller', 1, '+15005550006')->{contact}{name},
        'Anna Berg', 'and the edge reads';
};


subtest 'an owner who may create roles' => sub {
    my $own = Voice::Postgres->new;
    my $dbh = $own->connect('postgres');

    $dbh->do('create role crm_owner login createrole');
    $dbh->do('create database managed owner crm_owner');

    local $ENV{DATABASE_URL} = $own->url('managed', 'crm_owner');
    my $out = `'$script' --demo 2>&1`;
    is $? >> 8, 0, 'needs nobody else' or diag $out;
};


subtest 'rights' => sub {
    my $dbh = $pg->connect('demo');
    my $edge = $pg->connect('demo', user => 'voice_edge');

    my $may = $dbh->selectcol_arrayref(q{
        select p.proname from pg_proc p
        where p.pronamespace = 'voice'::regnamespace
        and has_function_privilege('voice_edge', p.oid, 'execute')
        order by 1});
    is_deeply $may, [sort qw(act caller claim_jobs close_stale_calls crm_probe
        finish_job number put_job record resume tools utterance_get
        utterance_put)],
        'voice_edge may execute the contract';

    my $pinned = $dbh->selectcol_arrayref(q{
        select p.proname from pg_proc p
        where p.pronamespace = 'voice'::regnamespace
        and (has_function_privilege('voice_edge', p.oid, 'execute')
             or p.prosecdef)
        and not (p.prosecdef and p.proconfig::text
                 like '%search_path=pg_catalog, pg_temp%')});
    is_deeply $pinned, [], 'which runs as its owner, its search path pinned';

    is $dbh->selectrow_array(q{
        select count(*) from pg_class c
        where c.relkind in ('r', 'S', 'v')
        and c.relnamespace::regnamespace::text in ('public', 'voice')
        and (c.relowner = 'voice_edge'::regrole
             or has_table_privilege('voice_edge', c.oid,
                                    'select, insert, update, delete'))}), 0,
        'and no table';

    for my $sql ('select * from voice.calls', 'select * from contacts',
        'create table voice.x ()', 'create table public.x ()',
        'select voice.crm_insert(\'contacts\', \'{}\')',
        'set role voice_owner')
    {
        ok !eval { $edge->do($sql); 1 }, "not: $sql";
    }

    is $dbh->selectrow_array(q{
        select count(*) from pg_class c
        where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
        and has_table_privilege('voice_owner', c.oid, 'delete, truncate, trigger')
        }), 0, 'the functions delete nothing of the CRM';

    for ('users.password_hash', 'pbx_providers.password',
        'pbx_providers.api_key')
    {
        my ($table, $column) = split /\./;

        is $dbh->selectrow_array('select has_column_privilege(?, ?, ?, ?)', {},
            'voice_owner', $table, $column, 'select'), 0, "and do not read $_";
    }

    is $dbh->selectrow_array(q{
        select has_column_privilege('voice_owner', 'contacts', 'organization_id',
            'update') or has_column_privilege('voice_owner', 'deals', 'stage_id',
            'update')}), 0, 'nor move rows to other tenants or stages';
};


subtest 'what is there is explained' => sub {
    my $dbh = $pg->connect('demo');

    is_deeply $dbh->selectcol_arrayref(q{
        select c.relname from pg_class c
        where c.relnamespace = 'voice'::regnamespace and c.relkind = 'r'
        and obj_description(c.oid) is null}), [], 'tables';
    is_deeply $dbh->selectcol_arrayref(q{
        select c.relname || '.' || a.attname from pg_class c
        join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'voice'::regnamespace and c.relkind = 'r'
        and a.attnum > 0 and not a.attisdropped
        and col_description(c.oid, a.attnum) is null}), [], 'columns';
    is_deeply $dbh->selectcol_arrayref(q{
        select p.proname from pg_proc p
        where p.pronamespace = 'voice'::regnamespace
        and obj_description(p.oid) is null}), [], 'functions';
    is_deeply $dbh->selectcol_arrayref(q{
        select c.relname from pg_class c
        where c.relnamespace = 'public'::regnamespace
        and c.relname like '%voice%'}), ['voice_contacts_phone'],
        'and the index is all that came into the CRM\'s schema';
};


done_testing;
