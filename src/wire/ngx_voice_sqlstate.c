
#include "ngx_voice_sqlstate.h"


/*
 * Whole classes, or codes of a class whose others quote values: 42601 has the
 * text of a query that a function has put together, or that to_tsquery() was
 * given, 54000 a word that is too long for it, 55P04 the value of an enum,
 * and XX000 is whatever an extension or another language makes of it.  Those
 * of 22 and 23 are made of values, and triggers like to raise them.
 */

static const char  *ngx_voice_sqlstates[] = {
    "08",       /* connection */
    "25",       /* state of the transaction, read-only */
    "26",       /* no such prepared statement */
    "40",       /* deadlock, could not serialize */
    "53",       /* out of memory, disk, connections */
    "57",       /* time limit, shutdown */
    "58",       /* I/O */

    "3F000",    /* no such schema */

    "42501",    /* no right to it */
    "42703",    /* no such column, function, table, other thing */
    "42883",
    "42P01",
    "42704",
    "42702",    /* more than one of that name */
    "42725",
    "42804",    /* of another type */
    "42809",
    "42846",
    "428C9",    /* a column that is generated */
    "42P05",    /* prepared already */
    "42P10",    /* no constraint for "on conflict" */

    "54001",    /* stack, columns, arguments */
    "54011",
    "54023",

    "55000",    /* state of a thing, in use, locked */
    "55006",
    "55P03",

    "XX001",    /* a table or an index is damaged */
    "XX002",

    NULL
};


ngx_uint_t
ngx_voice_sqlstate_tells(const char *state)
{
    ngx_uint_t  i;

    if (ngx_strlen(state) != 5) {
        return 0;
    }

    for (i = 0; ngx_voice_sqlstates[i]; i++) {

        if (ngx_strncmp(state, ngx_voice_sqlstates[i],
                        ngx_strlen(ngx_voice_sqlstates[i]))
            == 0)
        {
            return 1;
        }
    }

    return 0;
}
