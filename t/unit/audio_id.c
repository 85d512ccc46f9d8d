
#include "tap.h"
#include "ngx_voice_audio_id.h"
#include "ngx_voice_base64url.h"


static ngx_int_t
decode(ngx_str_t text, size_t len)
{
    u_char     *src, *dst;
    ngx_int_t   rc;

    src = tap_copy(text.data, text.len);
    dst = malloc(len ? len : 1);

    rc = ngx_voice_base64url_decode(dst, len, src, text.len);

    free(src);
    free(dst);

    return rc;
}


static void
base64url(void)
{
    u_char     src[64], text[96], back[64], *end;
    size_t     i, len, bad;
    ngx_str_t  got;

    end = ngx_voice_base64url_encode(text, (u_char *) "\xfb\xff\xfe", 3);
    got.data = text;
    got.len = end - text;
    is_str(got, S("-__-"), "the URL alphabet");

    end = ngx_voice_base64url_encode(text, (u_char *) "fo", 2);
    got.len = end - text;
    is_str(got, S("Zm8"), "no padding");

    bad = 0;

    for (len = 0; len <= sizeof(src); len++) {
        for (i = 0; i < len; i++) {
            src[i] = (u_char) (i * 37 + len * 101);
        }

        end = ngx_voice_base64url_encode(text, src, len);
        bad += (size_t) (end - text) != ngx_voice_base64url_len(len);
        bad += ngx_voice_base64url_decode(back, len, text, end - text)
               != NGX_OK;
        bad += memcmp(src, back, len) != 0;
    }

    ok(bad == 0, "there and back, every length");

    is_int(decode(S("Zm8"), 2), NGX_OK, "canonical");
    is_int(decode(S("Zm9"), 2), NGX_DECLINED, "unused bits set");
    is_int(decode(S("Zm8="), 2), NGX_DECLINED, "padding");
    is_int(decode(S("Zm8A"), 2), NGX_DECLINED, "too long");
    is_int(decode(S("Zm"), 2), NGX_DECLINED, "too short");
    is_int(decode(S("Z+8"), 2), NGX_DECLINED, "the other alphabet");
    is_int(decode(S("Z\xff" "8"), 2), NGX_DECLINED, "no ASCII");
    is_int(decode(S(""), 0), NGX_OK, "nothing");
}


static void
ids(void)
{
    u_char      digest[16], other[16], id[43], back[16];
    size_t      i, bad;
    ngx_str_t   keys[2], parts[2];

    keys[0] = S("first key");
    keys[1] = S("second key");
    parts[0] = S("voice");
    parts[1] = S("Hello.");

    ngx_voice_audio_digest(parts, 2, digest);
    ngx_voice_audio_digest(parts, 2, other);
    ok(memcmp(digest, other, 16) == 0, "a digest is always the same");

    parts[0] = S("voiceH");
    parts[1] = S("ello.");
    ngx_voice_audio_digest(parts, 2, other);
    ok(memcmp(digest, other, 16) != 0, "and of these very parts");

    ngx_voice_audio_id_make(&keys[0], digest, id);
    is_int(ngx_voice_audio_id_parse(keys, 2, id, 43, back), NGX_OK, "parsed");
    ok(memcmp(digest, back, 16) == 0, "the digest is back");

    ngx_voice_audio_id_make(&keys[1], digest, id);
    is_int(ngx_voice_audio_id_parse(keys, 2, id, 43, back), NGX_OK,
           "made with the second key");
    is_int(ngx_voice_audio_id_parse(keys, 1, id, 43, back), NGX_DECLINED,
           "which is not known here");
    is_int(ngx_voice_audio_id_parse(keys, 0, id, 43, back), NGX_DECLINED,
           "no keys");
    is_int(ngx_voice_audio_id_parse(keys, 2, id, 42, back), NGX_DECLINED,
           "shorter");

    bad = 0;

    for (i = 0; i < sizeof(id); i++) {
        id[i] = (id[i] == 'A') ? 'E' : 'A';
        bad += ngx_voice_audio_id_parse(keys, 2, id, 43, back) == NGX_OK;
        ngx_voice_audio_id_make(&keys[1], digest, id);
    }

    ok(bad == 0, "every character counts");
}


int
main(void)
{
    base64url();
    ids();

    return done_testing();
}
