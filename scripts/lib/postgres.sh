# A PostgreSQL of the edge's own: a unix socket, no TCP, its files below
# VOICE_WORK, ended by its pid.  The system says who is who ("peer"), so there
# is no password: who runs this is the superuser, nginx's workers are
# voice_edge, and anybody else is refused.


# postgres_as COMMAND...: the server refuses to run as root

postgres_as()
{
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid postgres --regid postgres --clear-groups "$@"
    else
        "$@"
    fi
}


# Sets postgres_bin: what made the data, else the newest.

postgres_find()
{
    if [ -s "$postgres_folder/data/PG_VERSION" ]; then
        postgres_bin=$(cat "$postgres_folder/data/PG_VERSION")
    else
        postgres_bin=$(ls /usr/lib/postgresql 2>/dev/null | sort -n | tail -n 1)
    fi

    postgres_bin=/usr/lib/postgresql/$postgres_bin/bin

    if [ ! -x "$postgres_bin/postgres" ]; then
        echo "run: there is no PostgreSQL server in $postgres_bin" >&2
        exit 1
    fi
}


postgres_create()
{
    mkdir -p "$postgres_folder"

    if [ "$(id -u)" = 0 ]; then
        # workers pass through to the socket
        chown postgres: "$postgres_folder"
        chmod 711 "$postgres_folder"
    fi

    if [ -s "$postgres_folder/data/PG_VERSION" ]; then
        return
    fi

    # one that was interrupted is begun anew

    rm -rf "$postgres_folder/new"

    if ! (
        cd "$postgres_folder"
        postgres_as "$postgres_bin/initdb" -D "$postgres_folder/new" \
            -U postgres -A peer -E UTF8 --locale C.UTF-8
    ) > "$VOICE_VAR/log/initdb.log" 2>&1
    then
        cat "$VOICE_VAR/log/initdb.log" >&2
        echo "run: the database could not be created in $postgres_folder" >&2
        exit 1
    fi

    mv "$postgres_folder/new" "$postgres_folder/data"
}


# Each time: who runs this may be another than the last time.

postgres_users()
{
    postgres_me=$(id -un)
    postgres_worker=$postgres_me

    if [ "$(id -u)" = 0 ]; then
        postgres_worker=www-data
    fi

    echo 'local all all peer map=edge' \
        | postgres_as tee "$postgres_folder/data/pg_hba.conf"

    {
        echo "edge \"$postgres_me\" postgres"
        echo "edge \"$postgres_worker\" voice_edge"
    } | postgres_as tee "$postgres_folder/data/pg_ident.conf"
}


# postgres_query DATABASE STATEMENT

postgres_query()
{
    psql -XqAt -v ON_ERROR_STOP=1 -h "$postgres_folder" -U postgres \
        -d "$1" -c "$2"
}


# Starts it, and sets DATABASE_URL.

postgres_start()
{
    postgres_folder=$VOICE_WORK/postgres
    postgres_log=$VOICE_VAR/log/postgres.log

    postgres_find
    postgres_create
    postgres_users > /dev/null

    set -- "$postgres_bin/postgres" -D "$postgres_folder/data" \
        -c listen_addresses= \
        -c "unix_socket_directories=\"$postgres_folder\"" \
        -c unix_socket_permissions=0777 -c max_connections=200

    if [ "$(id -u)" = 0 ]; then
        set -- setpriv --reuid postgres --regid postgres --clear-groups "$@"
    fi

    process_start "$VOICE_VAR/run/postgres" "$postgres_log" "$@"

    until postgres_query postgres 'select' > /dev/null 2>&1; do
        if ! process_alive "$VOICE_VAR/run/postgres"; then
            cat "$postgres_log" >&2
            echo "run: PostgreSQL did not start, see $postgres_log" >&2
            exit 1
        fi

        sleep 0.1
    done

    if [ -z "$(postgres_query postgres "select datname from pg_database
                                        where datname = 'voice'")" ]
    then
        postgres_query postgres 'create database voice'
    fi

    DATABASE_URL=postgresql:///voice?user=postgres\&host=$(
        jq -rn --arg folder "$postgres_folder" '$folder | @uri')
}
