
/* Decoded parameters, encoded again byte by byte, decode to the same. */

#include "fuzz.h"
#include "ngx_voice_form.h"


#define MAX  16


static void
encode(fuzz_log_t *log, ngx_str_t *s)
{
    char    escape[4];
    size_t  i;

    for (i = 0; i < s->len; i++) {
        snprintf(escape, sizeof(escape), "%%%02x", s->data[i]);
        fuzz_log(log, escape, 3);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char              *body, *again;
    ngx_int_t            rc;
    ngx_str_t           *value;
    fuzz_log_t           log;
    ngx_uint_t           i, n, m;
    ngx_voice_param_t    params[MAX], others[MAX];

    body = fuzz_copy(data, len);
    rc = ngx_voice_form_decode(body, len, params, MAX, &n);

    CHECK(rc == NGX_OK || (rc == NGX_DECLINED && n == MAX));

    memset(&log, 0, sizeof(log));

    for (i = 0; i < n; i++) {
        CHECK(params[i].name.data >= body);
        CHECK(params[i].name.data + params[i].name.len
              <= params[i].value.data);
        CHECK(params[i].value.data + params[i].value.len <= body + len);

        value = ngx_voice_form_value(params, n, (char *) params[i].name.data,
                                     params[i].name.len);
        CHECK(value != NULL && value <= &params[i].value);

        encode(&log, &params[i].name);
        fuzz_log(&log, "=", 1);
        encode(&log, &params[i].value);
        fuzz_log(&log, "&", 1);
    }

    again = fuzz_copy(log.data, log.len);
    rc = ngx_voice_form_decode(again, log.len, others, MAX, &m);

    CHECK(rc == NGX_OK && m == n);

    for (i = 0; i < n; i++) {
        CHECK(params[i].name.len == others[i].name.len);
        CHECK(params[i].value.len == others[i].value.len);
        CHECK(memcmp(params[i].name.data, others[i].name.data,
                     params[i].name.len)
              == 0);
        CHECK(memcmp(params[i].value.data, others[i].value.data,
                     params[i].value.len)
              == 0);
    }

    free(log.data);
    free(again);
    free(body);

    return 0;
}
