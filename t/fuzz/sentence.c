
/* No text is lost or made up; the pieces do not depend on the chunks. */

#include "fuzz.h"
#include "ngx_voice_sentence.h"
#include "ngx_voice_utf8.h"


static size_t      largest;
static ngx_uint_t  valid;


static ngx_uint_t
is_valid(const u_char *p, size_t len)
{
    size_t    i, n, bad;
    uint32_t  ch;

    for (i = 0; i < len; i += n) {
        n = ngx_voice_utf8_len(p + i, len - i, &ch, &bad);

        if (n == 0) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
is_blank(u_char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r');
}


static ngx_int_t
piece(void *data, ngx_str_t *text)
{
    CHECK(text->len > 0 && text->len <= largest);
    CHECK(!is_blank(text->data[0]) && !is_blank(text->data[text->len - 1]));
    CHECK(!valid || is_valid(text->data, text->len));

    fuzz_log(data, text->data, text->len);
    fuzz_log(data, "\n", 1);

    return NGX_OK;
}


static void
split(const uint8_t *data, size_t len, size_t chunk, size_t first, size_t min,
    size_t max, fuzz_log_t *log)
{
    size_t                 i, n;
    u_char                *buf, *part;
    ngx_voice_sentence_t   s;

    memset(log, 0, sizeof(fuzz_log_t));
    buf = malloc(max + 8);
    CHECK(buf != NULL);
    ngx_voice_sentence_init(&s, buf, max + 8, first, min, max);

    for (i = 0; i < len; i += n) {
        n = ngx_min(chunk, len - i);
        part = fuzz_copy(data + i, n);
        CHECK(ngx_voice_sentence_feed(&s, part, n, piece, log) == NGX_OK);
        free(part);
    }

    CHECK(ngx_voice_sentence_end(&s, piece, log) == NGX_OK);
    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t          i, j, first, min, chunk;
    fuzz_log_t      whole, cut;

    if (len < 4) {
        return 0;
    }

    first = data[0] % 64;
    min = data[1] % 128;
    largest = 24 + data[2];
    chunk = 1 + data[3] % 8;
    data += 4;
    len -= 4;

    valid = is_valid(data, len);

    split(data, len, len, first, min, largest, &whole);
    split(data, len, chunk, first, min, largest, &cut);

    CHECK(whole.len == cut.len);
    CHECK(whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0);

    for (i = 0, j = 0; ; ) {

        if (i < len && is_blank(data[i])) {
            i++;

        } else if (j < whole.len && is_blank(whole.data[j])) {
            j++;

        } else if (i < len || j < whole.len) {
            CHECK(i < len && j < whole.len && data[i] == whole.data[j]);
            i++;
            j++;

        } else {
            break;
        }
    }

    free(whole.data);
    free(cut.data);

    return 0;
}
