# database_url URL
#
# Sets database_url to what libpq understands: the CRM's URL may name its
# Python driver.  The password is taken out, into database_password: a command
# line, or a configuration, is for more to see than a file or the environment.

database_url()
{
    database_url=$(printf '%s' "$1" \
        | sed 's/^\(postgres[a-z]*\)+[a-z0-9]*:/\1:/')
    database_password=$(printf '%s' "$database_url" \
        | sed -n 's,^[a-z]*://[^/@:]*:\([^/@]*\)@.*,\1,p')

    if [ -n "$database_password" ]; then
        database_url=$(printf '%s' "$database_url" \
            | sed 's,^\([a-z]*://[^/@:]*\):[^/@]*@,\1@,')
        database_password=$(printf '%s' "$database_password" \
            | perl -pe 's/%(..)/chr hex $1/ge')
    fi
}


# database_use URL: for libpq's programs

database_use()
{
    database_url "$1"

    if [ -n "$database_password" ]; then
        PGPASSWORD=$database_password
        export PGPASSWORD
    fi
}
