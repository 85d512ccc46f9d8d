
#include "tap.h"
#include "ngx_voice_sqlstate.h"


int
main(void)
{
    ngx_uint_t  i;

    /* a whole class; names; the server */

    static const char  *told[] = {
        "08000", "08P01", "25006", "25P02", "26000", "40001", "40P01",
        "53100", "53300", "57014", "57P01", "58030", "3F000", "42501",
        "42703", "42883", "42P01", "42704", "42P10", "54001", "55P03",
        "55006", "XX001", "XX002", NULL
    };

    static const char  *quoting[] = {
        "00000", "01000", "02000", "0A000", "21000", "22001", "22007",
        "22P02", "22P05", "23502", "23505", "23514", "28000", "38000",
        "42601", "42602", "42P02", "44000", "54000", "55P04", "F0000",
        "HV000", "P0001", "P0002", "P0004", "VE001", "XX000", NULL
    };

    static const char  *none[] = {
        "", "0", "08", "4250", "425011", "080001", "invalid_note", NULL
    };

    for (i = 0; told[i]; i++) {
        ok(ngx_voice_sqlstate_tells(told[i]), "%s is told", told[i]);
    }

    for (i = 0; quoting[i]; i++) {
        ok(!ngx_voice_sqlstate_tells(quoting[i]), "%s may quote", quoting[i]);
    }

    for (i = 0; none[i]; i++) {
        ok(!ngx_voice_sqlstate_tells(none[i]), "\"%s\" is none", none[i]);
    }

    return done_testing();
}
