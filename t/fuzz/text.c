
/* What is to be spoken has nothing unspeakable in it, and stays as it is. */

#include "fuzz.h"
#include "ngx_voice_text.h"
#include "ngx_voice_utf8.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char     *p, *again;
    size_t      i, n, cut, size, bad;
    uint32_t    ch;
    ngx_str_t   s;

    p = fuzz_copy(data, len);

    s.data = p;
    s.len = len;
    CHECK(!ngx_voice_text_is_e164(&s) || (len >= 8 && p[0] == '+'));
    CHECK(!ngx_voice_text_withheld(&s) || len < 16);

    size = ngx_voice_text_speakable(p, len);
    CHECK(size <= len);

    again = fuzz_copy(p, size);
    CHECK(ngx_voice_text_speakable(again, size) == size);
    CHECK(memcmp(p, again, size) == 0);

    for (i = 0; i < size; i += n) {
        n = ngx_voice_utf8_len(p + i, size - i, &ch, &bad);
        CHECK(n > 0);
        CHECK(ch >= 0x20 && ch != 0x7f);
        CHECK(strchr("*_`<>[]|", (int) ch) == NULL || ch >= 0x80);
        CHECK(ch != ' ' || (i > 0 && i + 1 < size && p[i + 1] != ' '));
        CHECK(ch < 0x1f000 || ch > 0x1fbff);
    }

    for (i = 0; i <= size; i++) {
        cut = ngx_voice_text_utf8_cut(p, size, i);
        CHECK(cut <= i && i - cut < 4);
        CHECK(cut == size || (p[cut] & 0xc0) != 0x80);
    }

    cut = ngx_voice_text_utf8_cut((u_char *) data, len, len / 2);
    CHECK(cut <= len / 2);

    free(again);
    free(p);

    return 0;
}
