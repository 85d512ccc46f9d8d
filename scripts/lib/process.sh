# Processes by pid file.  A pid alone may have been given to somebody else
# meanwhile: the file holds the pid and the time at which it started.


process_born()
{
    # field 22, counted behind the name, which may hold anything; a zombie
    # that nobody has collected yet is dead
    sed -n 's/^.*) \([^ZX] \)/\1/p' "/proc/$1/stat" 2>/dev/null \
        | cut -d ' ' -f 20
}


# process_record PID FILE

process_record()
{
    echo "$1 $(process_born "$1")" > "$2"
}


# process_start FILE LOG COMMAND...

process_start()
{
    process_file=$1
    process_log=$2
    shift 2

    setsid "$@" < /dev/null > "$process_log" 2>&1 &
    process_record $! "$process_file"
}


process_alive()
{
    [ -s "$1" ] || return 1

    read -r process_pid process_time < "$1" || return 1

    [ -n "$process_time" ] \
        && [ "$(process_born "$process_pid")" = "$process_time" ]
}


# process_stop FILE SIGNAL SECONDS: the signal, then after that time KILL

process_stop()
{
    for process_signal in "$2" KILL; do
        process_tries=$(($3 * 10))

        process_alive "$1" || break
        kill -s "$process_signal" "$process_pid" 2>/dev/null || :

        while process_alive "$1" && [ $process_tries -gt 0 ]; do
            process_tries=$((process_tries - 1))
            sleep 0.1
        done
    done

    rm -f "$1"
}


# process_stop_all DIR: the foreground script first, it ends the others

process_stop_all()
{
    process_stop "$1/edge" TERM 30
    process_stop_servers "$1"
}


# nginx leaves when its calls are over; a turn ends within seconds

process_stop_servers()
{
    process_stop "$1/nginx" QUIT 20
    process_stop "$1/model" TERM 2
    process_stop "$1/speech" TERM 2
    process_stop "$1/transcription" TERM 2
    process_stop "$1/twilio" TERM 2
    process_stop "$1/postgres" INT 20
}
