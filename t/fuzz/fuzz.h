
/* What every target needs: exact-size copies, and a way to complain. */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>
#include <stdlib.h>


#define CHECK(condition)                                                      \
    if (!(condition)) {                                                       \
        fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,          \
                #condition);                                                  \
        abort();                                                              \
    }


typedef struct {
    u_char  *data;
    size_t   len;
    size_t   size;
} fuzz_log_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


static inline u_char *
fuzz_copy(const void *p, size_t len)
{
    u_char  *copy;

    copy = malloc(len ? len : 1);
    CHECK(copy != NULL);

    if (len) {
        memcpy(copy, p, len);
    }

    return copy;
}


static inline void
fuzz_log(fuzz_log_t *log, const void *p, size_t len)
{
    if (log->len + len > log->size) {
        log->size = 2 * (log->len + len);
        log->data = realloc(log->data, log->size);
        CHECK(log->data != NULL);
    }

    if (len) {
        memcpy(log->data + log->len, p, len);
        log->len += len;
    }
}


#endif /* _FUZZ_H_INCLUDED_ */
