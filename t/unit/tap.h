
/*
 * What a test program needs: TAP on standard output, byte strings shown so
 * that a difference can be seen.
 */


#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>


static int  tap_count;
static int  tap_failed;


#define S(text)  ((ngx_str_t) { sizeof(text) - 1, (u_char *) (text) })


static inline int
ok(int good, const char *name, ...)
{
    char     text[256], *p;
    va_list  args;

    va_start(args, name);
    vsnprintf(text, sizeof(text), name, args);
    va_end(args);

    for (p = text; *p; p++) {
        if ((u_char) *p < ' ' || *p == '#') {
            *p = ' ';       /* it would mean something to the harness */
        }
    }

    printf("%sok %d - %s\n", good ? "" : "not ", ++tap_count, text);

    tap_failed += !good;

    return good;
}


static inline void
tap_show(const char *label, const u_char *p, size_t len)
{
    size_t  i;

    printf("# %s \"", label);

    for (i = 0; i < len; i++) {
        printf(p[i] >= ' ' && p[i] < 0x7f && p[i] != '\\' ? "%c" : "\\x%02x",
               p[i]);
    }

    printf("\"\n");
}


static inline int
is_str(ngx_str_t got, ngx_str_t want, const char *name)
{
    int  good;

    good = got.len == want.len
           && (got.len == 0 || memcmp(got.data, want.data, got.len) == 0);

    ok(good, "%s", name);

    if (!good) {
        tap_show("got ", got.data, got.len);
        tap_show("want", want.data, want.len);
    }

    return good;
}


static inline int
is_int(long got, long want, const char *name)
{
    if (!ok(got == want, "%s", name)) {
        printf("# got %ld, want %ld\n", got, want);
        return 0;
    }

    return 1;
}


/* a copy of exactly that size: the sanitizer sees a byte too far */

static inline u_char *
tap_copy(const void *p, size_t len)
{
    u_char  *copy;

    copy = malloc(len ? len : 1);
    if (copy == NULL) {
        abort();
    }

    memcpy(copy, p, len);

    return copy;
}


static inline int
done_testing(void)
{
    printf("1..%d\n", tap_count);

    return tap_failed ? 1 : 0;
}


#endif /* _TAP_H_INCLUDED_ */
