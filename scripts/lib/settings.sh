# What "scripts/run" gives nginx: keys, folders, and the rendered templates.


settings_random()
{
    od -A n -t x1 -N "$1" /dev/urandom | tr -d ' \n'
}


settings_keys()
{
    keys=$VOICE_VAR/keys

    for key in voice.key:32 twilio-local.token:16 stand-in.key:16; do
        if [ ! -s "$keys/${key%:*}" ]; then
            settings_random "${key#*:}" > "$keys/${key%:*}"
        fi
    done

    if [ -n "${TWILIO_AUTH_TOKEN-}" ]; then
        printf '%s\n' "$TWILIO_AUTH_TOKEN" > "$keys/twilio.token"
    else
        cp "$keys/twilio-local.token" "$keys/twilio.token"
    fi
}


# Workers run as www-data when root starts nginx, and PostgreSQL as postgres;
# they open their files themselves.  They can not reach below /root or another
# closed folder, and the path of a socket may not be long: then those files,
# and only those, live under /var/tmp.  The alternative, workers as root,
# would be a poor thing to show.

settings_work()
{
    VOICE_USER=
    VOICE_WORK=$VOICE_VAR/work

    if [ "$(id -u)" = 0 ]; then
        VOICE_USER='user www-data;'

        chmod 711 "$VOICE_VAR"
    fi

    if [ "$(printf %s "$VOICE_WORK" | wc -c)" -gt 80 ] \
        || [ "$(id -u)" = 0 ] \
            && ! setpriv --reuid www-data --regid www-data --clear-groups \
                   test -x "$VOICE_VAR"
    then
        if [ -s "$VOICE_VAR/work.path" ]; then
            VOICE_WORK=$(cat "$VOICE_VAR/work.path")
        fi

        # only a folder of one's own: others may write to /var/tmp

        if [ ! -d "$VOICE_WORK" ] || [ -L "$VOICE_WORK" ] \
            || [ "$(stat -c %u "$VOICE_WORK")" != "$(id -u)" ] \
            || [ "${VOICE_WORK#/var/tmp/}" = "$VOICE_WORK" ]
        then
            VOICE_WORK=$(mktemp -d /var/tmp/voice-edge-XXXXXX)
            echo "$VOICE_WORK" > "$VOICE_VAR/work.path"
        fi
    fi

    mkdir -p "$VOICE_WORK"

    if [ "$(id -u)" = 0 ]; then
        chmod 711 "$VOICE_WORK"
    fi
}


# The database: a private one with the demo, or the one that DATABASE_URL names,
# which gets what scripts/migrate does and nothing else.

settings_database()
{
    if [ -n "${DATABASE_URL-}" ]; then
        database="that of DATABASE_URL"
        set --
    else
        postgres_start
        database="a private PostgreSQL with two demo tenants"
        set -- --demo
    fi

    settings_migrate "$@"

    printf '%s\n' "$DATABASE_URL" > "$VOICE_VAR/database"
    rm -f "$VOICE_VAR/keys/database.password"

    # what one database has not taken yet is nothing for another

    VOICE_SPOOL=$VOICE_WORK/spool
    VOICE_DEMO=

    if [ $# -gt 0 ]; then
        VOICE_DEMO=+15005550009
        VOICE_DATABASE="host='$postgres_folder' dbname=voice user=voice_edge"
        VOICE_DATABASE=\"$VOICE_DATABASE\"
        VOICE_ORGANIZATION=${VOICE_ORGANIZATION:-$(postgres_query voice \
            "select id from organizations
             where domain = 'larkspur-bikes.example'")}
    else
        settings_edge
    fi
}


settings_migrate()
{
    if ! DATABASE_URL=$DATABASE_URL "$VOICE_ROOT/scripts/migrate" "$@"; then
        echo "run: the database is not ready" >&2
        exit 1
    fi
}


# On a database of somebody else's the edge logs in as DATABASE_URL says, and
# becomes voice_edge at once.

settings_edge()
{
    database_url "$DATABASE_URL"

    settings_word database_url '[^"$\\]+'

    VOICE_SPOOL=$VOICE_SPOOL-$(printf %s "$database_url" | sha256sum | cut -c 1-12)

    case $database_url in
        *://*\?*)  VOICE_DATABASE="$database_url&options=-crole%3Dvoice_edge" ;;
        *://*)     VOICE_DATABASE="$database_url?options=-crole%3Dvoice_edge" ;;
        *)         VOICE_DATABASE="$database_url options=-crole=voice_edge" ;;
    esac

    if ! (
        database_use "$DATABASE_URL"
        psql -Xqc 'select' -d "$VOICE_DATABASE" > /dev/null
    ) then
        echo "run: whom DATABASE_URL names has to be a member of voice_edge," \
             "see \"grant voice_edge to ...\"" >&2
        exit 1
    fi

    VOICE_DATABASE=\"$VOICE_DATABASE\"

    if [ -n "$database_password" ]; then
        printf '%s\n' "$database_password" \
            > "$VOICE_VAR/keys/database.password"
        VOICE_DATABASE="$VOICE_DATABASE
                   \"password=$VOICE_VAR/keys/database.password\""
    fi
}


# settings_url NAME URL: sets NAME_SCHEME, _SERVER, _HOST, _PATH and _TLS

settings_url()
{
    url_scheme=${2%%://*}
    url_rest=${2#*://}
    url_host=${url_rest%%/*}
    url_path=${url_rest#"$url_host"}

    while [ "${url_path%/}" != "$url_path" ]; do
        url_path=${url_path%/}
    done

    case $url_scheme in
        http)   url_port=80 ;;
        https)  url_port=443 ;;
        *)      url_port= ;;
    esac

    # a name, an address or a bracketed address, and a plain path: nothing
    # that nginx would read as more than one word

    if [ -z "$url_port" ] \
        || ! printf '%s\n' "$url_host" | grep -Eq \
               '^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$' \
        || ! printf '%s\n' "$url_path" | grep -Eq '^[A-Za-z0-9._~/-]*$'
    then
        echo "run: $1_BASE_URL is not an http or https URL: $2" >&2
        exit 1
    fi

    if printf '%s\n' "$url_host" | grep -Eq ':[0-9]{1,5}$'; then
        url_server=$url_host
    else
        url_server=$url_host:$url_port
    fi

    url_tls=

    if [ "$url_scheme" = https ]; then
        url_tls=$(
            TLS_NAME=$(printf '%s' "$url_server" | sed 's/:[0-9]*$//')
            export TLS_NAME
            envsubst '$TLS_NAME' \
                < "$VOICE_ROOT/conf/templates/tls.conf.template"
        )
    fi

    eval "$1_SCHEME=\$url_scheme $1_SERVER=\$url_server" \
         "$1_HOST=\$url_host $1_PATH=\$url_path $1_TLS=\$url_tls"
}


# settings_secret NAME FILE KEY: sets NAME_SECRET

settings_secret()
{
    rm -f "$VOICE_VAR/keys/$2.key"
    eval "$1_SECRET="

    if [ -n "$3" ]; then
        printf '%s\n' "$3" > "$VOICE_VAR/keys/$2.key"
        eval "$1_SECRET='voice_secret \$$2_key \"'\"\$VOICE_VAR\"'/keys/$2.key\";'"
    fi
}


# settings_word NAME PATTERN

settings_word()
{
    eval "word=\${$1-}"

    if [ "$(printf '%s\n' "$word" | grep -Ecx -e "$2")" != 1 ] \
        || [ "$(printf '%s\n' "$word" | wc -l)" != 1 ]
    then
        echo "run: $1 can not be \"$word\"" >&2
        exit 1
    fi
}


settings_render()
{
    settings_url OPENAI "$OPENAI_BASE_URL"
    settings_url ELEVENLABS "$ELEVENLABS_BASE_URL"
    settings_secret OPENAI openai "${OPENAI_API_KEY-}"
    settings_secret ELEVENLABS elevenlabs "${ELEVENLABS_API_KEY-}"

    # an empty value: nginx sends no such header

    OPENAI_AUTHORIZATION='""'
    ELEVENLABS_KEY='""'

    if [ -n "$OPENAI_SECRET" ]; then
        OPENAI_AUTHORIZATION='"Bearer $openai_key"'
    fi

    if [ -n "$ELEVENLABS_SECRET" ]; then
        ELEVENLABS_KEY='$elevenlabs_key'
    fi

    OPENAI_MODEL=${OPENAI_MODEL:-gpt-4o-mini}
    settings_whisper
    VOICE_WORKERS=${VOICE_WORKERS:-2}
    VOICE_PUBLIC_URL=${VOICE_PUBLIC_URL:-http://127.0.0.1:$VOICE_PORT}
    VOICE_PUBLIC_URL=${VOICE_PUBLIC_URL%/}
    VOICE_FLOWS=${VOICE_FLOWS:-$VOICE_ROOT/conf/flows/*.json}

    case $VOICE_FLOWS in
        /*)  ;;
        *)   VOICE_FLOWS=$PWD/$VOICE_FLOWS ;;
    esac

    settings_flow

    VOICE_VOICE=${ELEVENLABS_VOICE_ID:+ voice=$ELEVENLABS_VOICE_ID}
    VOICE_TENANT=${VOICE_ORGANIZATION:+ organization=$VOICE_ORGANIZATION}
    VOICE_ACCOUNT=${TWILIO_ACCOUNT_SID:+voice_account_sid $TWILIO_ACCOUNT_SID;}
    VOICE_NUMBER=

    for number in "${TWILIO_PHONE_NUMBER-}" "$VOICE_DEMO"; do
        VOICE_NUMBER="$VOICE_NUMBER${number:+
    voice_number $number flow=$VOICE_FLOW$VOICE_TENANT$VOICE_VOICE;}"

        if [ "$number" = "$VOICE_DEMO" ]; then
            break
        fi
    done

    # what is written into nginx.conf may not bring directives of its own

    settings_word VOICE_WORKERS '[0-9]{1,3}|auto'
    settings_word VOICE_PUBLIC_URL 'https?://[][A-Za-z0-9.:-]+'
    settings_word OPENAI_MODEL '[A-Za-z0-9._:/@-]+'
    settings_word ELEVENLABS_VOICE_ID '[A-Za-z0-9_-]*'
    settings_word TWILIO_ACCOUNT_SID '[A-Za-z0-9]*'
    settings_word TWILIO_PHONE_NUMBER '(\+[0-9]{6,15})?'
    settings_word VOICE_ORGANIZATION '([1-9][0-9]{0,8})?'
    settings_word VOICE_FLOW '[a-z][a-z0-9_]*'
    settings_word VOICE_FLOWS '[^"$\\]+'

    names='VOICE_MODULE VOICE_USER VOICE_VAR VOICE_WORK VOICE_WORKERS
        VOICE_PORT VOICE_PUBLIC_URL VOICE_FLOWS VOICE_FLOW VOICE_VOICE
        VOICE_NUMBER VOICE_ACCOUNT VOICE_DATABASE VOICE_SPOOL VOICE_TENANT
        OPENAI_SECRET OPENAI_SERVER OPENAI_SCHEME OPENAI_HOST OPENAI_PATH
        OPENAI_AUTHORIZATION OPENAI_TLS OPENAI_MODEL
        ELEVENLABS_SECRET ELEVENLABS_SERVER ELEVENLABS_SCHEME ELEVENLABS_HOST
        ELEVENLABS_PATH ELEVENLABS_KEY ELEVENLABS_TLS
        WHISPER_HTTP WHISPER_SERVER
        TRANSCRIPTION_SECRET TRANSCRIPTION_SERVER TRANSCRIPTION_SCHEME
        TRANSCRIPTION_HOST TRANSCRIPTION_PATH TRANSCRIPTION_AUTHORIZATION
        TRANSCRIPTION_TLS TRANSCRIPTION_MODEL
        TWILIO_SECRET TWILIO_SERVER TWILIO_SCHEME TWILIO_HOST TWILIO_PATH
        TWILIO_TLS TWILIO_MEDIA'

    list=

    for name in $names; do
        list="$list \${$name}"
    done

    templates='nginx.conf providers.conf'

    if [ -n "$WHISPER_SERVER" ]; then
        templates="$templates whisper.http.conf whisper.conf"
    fi

    for template in $templates; do
        (
            # shellcheck disable=SC2086,SC2163
            export $names
            envsubst "$list" < "$VOICE_ROOT/conf/templates/$template.template"
        ) > "$VOICE_VAR/conf/$template"
    done
}


# Whether a flow wants its callers recorded and transcribed.

settings_listens()
{
    for file in ${VOICE_FLOWS:-"$VOICE_ROOT"/conf/flows/*.json}; do
        case $file in
            *.schema.json)  continue ;;
        esac

        if jq -e '.listen as $l | "whisper" == ($l.mode? // $l)' "$file" \
            > /dev/null 2>&1
        then
            return 0
        fi
    done

    return 1
}


# Where recordings are transcribed, and where they are: without these two the
# templates for it are left out.

settings_whisper()
{
    WHISPER_HTTP=
    WHISPER_SERVER=

    if [ -z "${TRANSCRIPTION_BASE_URL-}" ]; then
        return
    fi

    WHISPER_HTTP="include \"$VOICE_VAR/conf/whisper.http.conf\";"
    WHISPER_SERVER="include \"$VOICE_VAR/conf/whisper.conf\";"

    settings_url TRANSCRIPTION "$TRANSCRIPTION_BASE_URL"
    settings_url TWILIO "$TWILIO_BASE_URL"

    TRANSCRIPTION_MODEL=${TRANSCRIPTION_MODEL:-whisper-1}
    settings_secret TRANSCRIPTION transcription "${TRANSCRIPTION_API_KEY-}"
    TRANSCRIPTION_AUTHORIZATION='""'

    if [ -n "$TRANSCRIPTION_SECRET" ]; then
        TRANSCRIPTION_AUTHORIZATION='"Bearer $transcription_key"'
    fi

    printf '%s:%s' "$TWILIO_ACCOUNT" "$(cat "$VOICE_VAR/keys/twilio.token")" \
        | base64 -w 0 > "$VOICE_VAR/keys/twilio.basic"

    TWILIO_SECRET="voice_secret \$twilio_basic \"$VOICE_VAR/keys/twilio.basic\";"
    TWILIO_MEDIA=

    # the stand-in's storage has its own name and port

    if [ "$recorder" != null ]; then
        TWILIO_MEDIA="voice_twilio_media $TWILIO_HOST /voice/media/;"
    fi

    settings_word TRANSCRIPTION_MODEL '[A-Za-z0-9._:/@-]+'
}


# The flow that answers: "general", else the first one that there is.

settings_flow()
{
    VOICE_FLOW=

    for file in $VOICE_FLOWS; do
        case $file in
            *.schema.json)  continue ;;
        esac

        name=$(jq -r '.name // empty' "$file" 2>/dev/null) || name=

        if [ "$name" = general ]; then
            VOICE_FLOW=general
        else
            VOICE_FLOW=${VOICE_FLOW:-$name}
        fi
    done

    # a flow that can not be read is explained by "nginx -t"

    VOICE_FLOW=${VOICE_FLOW:-general}
}


# what scripts/phone needs to know, its secret included

settings_phone()
{
    jq -n --arg base "http://127.0.0.1:$VOICE_PORT" \
        --arg public_url "$VOICE_PUBLIC_URL" \
        --rawfile token "$VOICE_VAR/keys/twilio.token" \
        --arg account "$TWILIO_ACCOUNT" \
        --arg to "${TWILIO_PHONE_NUMBER:-+15005550009}" \
        --argjson captions "$captions" \
        --argjson recorder "$recorder" \
        --argjson transcription "$transcription" \
        '{$base, $public_url, token: ($token | rtrimstr("\n")), $account, $to,
          from: "+15005550006", $captions, $recorder, $transcription}' > "$VOICE_VAR/phone.json"
}
