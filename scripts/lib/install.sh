# Installs the packages of the given lists that are not there yet.
#
#     voice_install build run

voice_packages()
{
    for list in "$@"; do
        sed -n "s/^$list  *//p" "$VOICE_ROOT/scripts/lib/packages"
    done
}


voice_missing()
{
    # shellcheck disable=SC2046
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' \
        $(voice_packages "$@") 2>/dev/null \
        | sed -n 's/^installed //p' | sort -u > "$voice_tmp/have"

    voice_packages "$@" | tr -s ' ' '\n' | sort -u \
        | comm -23 - "$voice_tmp/have"
}


voice_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "${0##*/}: not root and no sudo, cannot run: $*" >&2
        return 1
    fi
}


# Debian starts and enables a web server when its package is installed.  It
# may not here: only the operator opens port 80.

voice_hold_services()
{
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > "$voice_tmp/policy"
        voice_held=1
        voice_root install -m 755 "$voice_tmp/policy" /usr/sbin/policy-rc.d
    fi
}


voice_release_services()
{
    if [ -n "$voice_held" ] && [ -e /usr/sbin/policy-rc.d ]; then
        voice_root rm -f /usr/sbin/policy-rc.d
        voice_held=
    fi
}


# Neither may Debian make a cluster of its own, which would take port 5432
# after the next boot.  What is there stays as it is.

voice_hold_cluster()
{
    voice_cluster=/etc/postgresql-common/createcluster.d/voice-edge.conf

    case " $* " in
        *" postgresql-"[0-9]*)
            voice_root mkdir -p "${voice_cluster%/*}" || return 1
            echo 'create_main_cluster = false' > "$voice_tmp/cluster"
            voice_held_cluster=1
            voice_root install -m 644 "$voice_tmp/cluster" "$voice_cluster" ;;
    esac
}


voice_release_cluster()
{
    if [ -n "$voice_held_cluster" ] && [ -e "$voice_cluster" ]; then
        voice_root rm -f "$voice_cluster"
        voice_held_cluster=
    fi
}


voice_disable_nginx()
{
    if [ -z "$voice_new_nginx" ] || [ ! -e /usr/sbin/nginx ]; then
        return 0
    fi

    voice_new_nginx=

    if [ -d /run/systemd/system ]; then
        voice_root systemctl disable --now nginx.service
    else
        # a policy-rc.d that was there before may have let it start
        voice_root service nginx stop
        voice_root deb-systemd-helper disable nginx.service
        voice_root update-rc.d nginx disable
    fi >/dev/null 2>&1 || :
}


voice_tidy()
{
    trap '' HUP INT TERM

    rm -rf "$voice_tmp"
    voice_release_services
    voice_release_cluster
    voice_disable_nginx
}


voice_install()
{
    voice_tmp=
    voice_held=
    voice_held_cluster=
    voice_new_nginx=

    # on Ctrl-C, and where a step fails under "set -e"

    trap voice_tidy EXIT
    trap 'exit 1' HUP INT TERM

    voice_tmp=$(mktemp -d "${TMPDIR:-/tmp}/voice-install-XXXXXX") || return 1
    voice_wanted=$(voice_missing "$@")
    voice_rc=0

    if [ -n "$voice_wanted" ]; then
        # shellcheck disable=SC2086
        voice_apt_install $voice_wanted || voice_rc=1
    fi

    voice_tidy
    trap - EXIT HUP INT TERM

    return $voice_rc
}


voice_apt_install()
{
    echo "installing: $*" >&2

    # it may come as a dependency

    if ! dpkg-query -W -f '${db:Status-Status}' nginx 2>/dev/null \
        | grep -qx installed
    then
        voice_new_nginx=1
    fi

    voice_hold_services || return 1
    voice_hold_cluster "$@" || return 1

    if ! voice_root apt-get -q update > "$voice_tmp/log" 2>&1 \
        || ! voice_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -qy -o DPkg::Lock::Timeout=300 \
            install --no-install-recommends "$@" >> "$voice_tmp/log" 2>&1
    then
        tail -n 20 "$voice_tmp/log" >&2
        echo "${0##*/}: could not install: $*" >&2
        return 1
    fi
}
