
/*
 * Any file is read to its end, what is found there is what the writer would
 * write, and what was written is found behind any rubbish.
 */

#include "fuzz.h"
#include "ngx_voice_spool_line.h"


static size_t
lines(u_char *p, size_t len)
{
    size_t      found;
    u_char     *last, *begin, mark[NGX_VOICE_SPOOL_MARK_LEN];
    ngx_int_t   rc;
    ngx_str_t   note;

    last = p + len;
    found = 0;

    for ( ;; ) {
        begin = p;
        rc = ngx_voice_spool_line_read(&p, last, &note);

        if (rc == NGX_AGAIN) {
            CHECK(p == begin);
            CHECK(p == last || memchr(p, '\n', last - p) == NULL);
            return found;
        }

        CHECK(p > begin && p <= last && p[-1] == '\n');

        if (rc != NGX_OK) {
            CHECK(rc == NGX_DECLINED);
            continue;
        }

        found++;

        CHECK(note.len > 0);
        CHECK(note.data == begin + NGX_VOICE_SPOOL_MARK_LEN);
        CHECK(note.data + note.len + 1 == p);
        CHECK(memchr(note.data, '\n', note.len) == NULL);

        ngx_voice_spool_line_mark(mark, &note);
        CHECK(memcmp(mark, begin, NGX_VOICE_SPOOL_MARK_LEN) == 0);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t      found;
    u_char     *text, *p;
    ngx_str_t   note;

    text = fuzz_copy(data, len);
    found = lines(text, len);
    free(text);

    /* the same bytes, a line end, and then a line as it is written */

    note.data = (u_char *) "{\"key\":\"a\"}";
    note.len = 11;

    text = malloc(len + 1 + note.len + NGX_VOICE_SPOOL_LINE_MORE);
    CHECK(text != NULL);

    p = text;

    if (len) {
        memcpy(p, data, len);
        p += len;
    }

    if (len && data[len - 1] != '\n') {
        *p++ = '\n';
    }

    ngx_voice_spool_line_mark(p, &note);
    p += NGX_VOICE_SPOOL_MARK_LEN;
    memcpy(p, note.data, note.len);
    p += note.len;
    *p++ = '\n';

    CHECK(lines(text, p - text) >= found + 1);

    free(text);

    return 0;
}
