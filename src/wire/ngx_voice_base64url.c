
#include "ngx_voice_base64url.h"


static ngx_int_t ngx_voice_base64url_value(u_char ch);


static const u_char  ngx_voice_base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


u_char *
ngx_voice_base64url_encode(u_char *dst, const u_char *src, size_t len)
{
    size_t      i;
    uint32_t    bits;
    ngx_uint_t  n;

    bits = 0;
    n = 0;

    for (i = 0; i < len; i++) {
        bits = (bits << 8 | src[i]) & 0xffff;
        n += 8;

        while (n >= 6) {
            n -= 6;
            *dst++ = ngx_voice_base64url_alphabet[(bits >> n) & 0x3f];
        }
    }

    if (n) {
        *dst++ = ngx_voice_base64url_alphabet[(bits << (6 - n)) & 0x3f];
    }

    return dst;
}


ngx_int_t
ngx_voice_base64url_decode(u_char *dst, size_t len, const u_char *src,
    size_t srclen)
{
    size_t      i;
    uint32_t    bits;
    ngx_int_t   value;
    ngx_uint_t  n;

    if (srclen != ngx_voice_base64url_len(len)) {
        return NGX_DECLINED;
    }

    bits = 0;
    n = 0;

    for (i = 0; i < srclen; i++) {
        value = ngx_voice_base64url_value(src[i]);
        if (value < 0) {
            return NGX_DECLINED;
        }

        bits = (bits << 6 | (uint32_t) value) & 0xffff;
        n += 6;

        if (n >= 8) {
            n -= 8;
            *dst++ = (u_char) (bits >> n);
        }
    }

    /* bits that are left over would give one value several spellings */

    return (bits & ((1U << n) - 1)) ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_voice_base64url_value(u_char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }

    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }

    if (ch == '-') {
        return 62;
    }

    return (ch == '_') ? 63 : -1;
}
