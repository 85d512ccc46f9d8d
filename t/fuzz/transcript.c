
/* An answer of a transcription: its text is one line of UTF-8. */

#include "fuzz.h"
#include "ngx_voice_transcript.h"
#include "ngx_voice_utf8.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char                  *copy, *p;
    size_t                   n, left, bad;
    uint32_t                 ch;
    ngx_str_t                body, prompt;
    ngx_voice_transcript_t   t;

    copy = fuzz_copy(data, len);
    body.data = copy;
    body.len = len;

    prompt.data = (u_char *) "one,two";
    prompt.len = 7;

    if (ngx_voice_transcript_parse(&body, &t) == NGX_OK) {
        CHECK(t.text.len <= len);
        CHECK(t.confidence <= 1 && t.no_speech < 1e6);

        p = t.text.data;

        for (left = t.text.len; left; left -= n) {
            n = ngx_voice_utf8_len(p, left, &ch, &bad);
            CHECK(n != 0 && ch >= ' ' && ch != 0x7f);
            CHECK(ch != ' ' || left == 1 || p[1] != ' ');
            p += n;
        }

        CHECK(t.text.len != 0 || ngx_voice_transcript_silent(&t, &prompt));
    }

    free(copy);

    /* words as they are, too */

    copy = fuzz_copy(data, len);
    t.text.data = copy;
    t.text.len = len;
    t.no_speech = (double) (len % 3) / 2;

    (void) ngx_voice_transcript_silent(&t, &t.text);

    free(copy);

    return 0;
}
