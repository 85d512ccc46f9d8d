
/* The same events, however the stream was cut. */

#include "fuzz.h"
#include "ngx_voice_sse.h"


static ngx_int_t
event(void *data, ngx_str_t *text)
{
    CHECK(text->len > 0);

    fuzz_log(data, text->data, text->len);
    fuzz_log(data, "\n|\n", 3);

    return text->data[0] == 'X' ? NGX_DONE : NGX_OK;
}


static ngx_int_t
feed(const uint8_t *data, size_t len, size_t chunk, size_t size,
    fuzz_log_t *log)
{
    u_char           *buf, *part;
    size_t            i, n;
    ngx_int_t         rc;
    ngx_voice_sse_t   s;

    memset(log, 0, sizeof(fuzz_log_t));
    buf = malloc(size);
    CHECK(buf != NULL);
    ngx_voice_sse_init(&s, buf, size, event, log);

    for (i = 0; i < len; i += n) {
        n = ngx_min(chunk, len - i);
        part = fuzz_copy(data + i, n);
        rc = ngx_voice_sse_feed(&s, part, n);
        free(part);

        if (rc != NGX_OK) {
            CHECK(ngx_voice_sse_end(&s) == rc);
            break;
        }
    }

    rc = ngx_voice_sse_end(&s);
    free(buf);

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t      chunk, size;
    fuzz_log_t  whole, cut;

    if (len < 2) {
        return 0;
    }

    chunk = 1 + data[0] % 8;
    size = 1 + data[1];

    CHECK(feed(data + 2, len - 2, len, size, &whole)
          == feed(data + 2, len - 2, chunk, size, &cut));
    CHECK(whole.len == cut.len);
    CHECK(whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0);

    free(whole.data);
    free(cut.data);

    return 0;
}
