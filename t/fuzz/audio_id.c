
/* No id is accepted that we did not make; base64 has one spelling. */

#include "fuzz.h"
#include "ngx_voice_audio_id.h"
#include "ngx_voice_base64url.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char     *copy, *raw, *text;
    u_char      digest[16], back[16], id[43];
    size_t      size;
    ngx_str_t   keys[2], part;

    ngx_str_set(&keys[0], "one");
    ngx_str_set(&keys[1], "two");

    copy = fuzz_copy(data, len);

    if (ngx_voice_audio_id_parse(keys, 2, copy, len, back) == NGX_OK) {
        ngx_voice_audio_id_make(&keys[0], back, id);

        if (memcmp(id, copy, len) != 0) {
            ngx_voice_audio_id_make(&keys[1], back, id);
        }

        CHECK(len == 43 && memcmp(id, copy, len) == 0);
    }

    part.data = copy;
    part.len = len;
    ngx_voice_audio_digest(&part, 1, digest);
    ngx_voice_audio_id_make(&keys[1], digest, id);
    CHECK(ngx_voice_audio_id_parse(keys, 2, id, 43, back) == NGX_OK);
    CHECK(memcmp(digest, back, 16) == 0);

    if (len) {
        id[data[0] % 43] ^= 1;
        CHECK(ngx_voice_audio_id_parse(keys, 2, id, 43, back)
              == NGX_DECLINED);
    }

    size = len * 3 / 4;
    raw = malloc(size ? size : 1);
    text = malloc(len + 1);
    CHECK(raw != NULL && text != NULL);

    if (ngx_voice_base64url_decode(raw, size, copy, len) == NGX_OK) {
        CHECK(ngx_voice_base64url_encode(text, raw, size) == text + len);
        CHECK(len == 0 || memcmp(text, copy, len) == 0);
    }

    free(text);
    free(raw);
    free(copy);

    return 0;
}
