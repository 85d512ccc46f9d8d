# Fetches nginx's source of Debian, once, and prints the tarball's path.
#
#     voice_source DIR
#
# The machine's own package sources seldom name source packages.  A private
# apt configuration beside the cache does; the machine's is left as it is.

voice_source()
{
    voice_apt=$1/apt
    voice_version=$(dpkg-query -W -f '${source:Upstream-Version}' nginx-dev)
    voice_tarball=$1/nginx_$voice_version.orig.tar.gz

    if [ -s "$voice_tarball" ]; then
        echo "$voice_tarball"
        return 0
    fi

    rm -rf "$voice_apt"
    mkdir -p "$voice_apt/parts" "$voice_apt/lists/partial" \
             "$voice_apt/cache/archives/partial"

    voice_source_lists > "$voice_apt/list"
    voice_source_parts "$voice_apt/parts"

    # apt's sandbox user can not write below a private folder such as /root
    # (the first option), and its messages must not be taken for the path

    if (
        cd "$voice_apt"

        set -- -q -o "APT::Sandbox::User=$(id -un)" \
            -o "Dir::Etc::SourceList=$voice_apt/list" \
            -o "Dir::Etc::SourceParts=$voice_apt/parts" \
            -o "Dir::State::Lists=$voice_apt/lists" \
            -o "Dir::Cache=$voice_apt/cache"

        apt-get "$@" update

        # the very revision may have left the mirrors; the tarball is the same

        apt-get "$@" source --download-only --tar-only \
            "nginx=$(dpkg-query -W -f '${source:Version}' nginx-dev)" \
            || apt-get "$@" source --download-only --tar-only nginx
    ) > "$voice_apt/log" 2>&1 && [ -s "$voice_apt/${voice_tarball##*/}" ]
    then
        mv "$voice_apt/${voice_tarball##*/}" "$voice_tarball"
        rm -rf "$voice_apt"
        echo "$voice_tarball"
        return 0
    fi

    tail -n 20 "$voice_apt/log" >&2
    echo "${0##*/}: could not get nginx's source by apt" >&2
    return 1
}


# "deb …" and "deb-src …" of one-line files, as "deb-src …"

voice_source_lists()
{
    for voice_file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        if [ -r "$voice_file" ]; then
            sed -n -E 's/^[[:space:]]*deb(-src)?[[:space:]]/deb-src /p' \
                "$voice_file"
        fi
    done | sort -u
}


# stanzas of deb822 files, with their type replaced

voice_source_parts()
{
    for voice_file in /etc/apt/sources.list.d/*.sources; do
        if [ -r "$voice_file" ]; then
            sed -E 's/^[Tt]ypes:.*/Types: deb-src/' "$voice_file" \
                > "$1/${voice_file##*/}"
        fi
    done
}
