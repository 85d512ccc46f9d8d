
#include "ngx_voice_form.h"


static u_char *ngx_voice_form_unescape(u_char *dst, u_char **src, u_char *last,
    u_char stop);
static ngx_int_t ngx_voice_form_hex(u_char ch);


ngx_int_t
ngx_voice_form_decode(u_char *data, size_t len, ngx_voice_param_t *params,
    ngx_uint_t max, ngx_uint_t *n)
{
    u_char             *p, *dst, *last;
    ngx_voice_param_t  *param;

    *n = 0;

    if (len == 0) {
        return NGX_OK;
    }

    p = data;
    dst = data;
    last = data + len;

    while (p < last) {

        if (*p == '&') {
            p++;
            continue;
        }

        if (*n == max) {
            return NGX_DECLINED;
        }

        param = &params[(*n)++];

        param->name.data = dst;
        dst = ngx_voice_form_unescape(dst, &p, last, '=');
        param->name.len = dst - param->name.data;

        if (p < last && *p == '=') {
            p++;
        }

        param->value.data = dst;
        dst = ngx_voice_form_unescape(dst, &p, last, '&');
        param->value.len = dst - param->value.data;
    }

    return NGX_OK;
}


ngx_str_t *
ngx_voice_form_value(ngx_voice_param_t *params, ngx_uint_t n, const char *name,
    size_t len)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (params[i].name.len == len
            && ngx_memcmp(params[i].name.data, name, len) == 0)
        {
            return &params[i].value;
        }
    }

    return NULL;
}


/* decodes up to stop or "&", which is left for the caller */

static u_char *
ngx_voice_form_unescape(u_char *dst, u_char **src, u_char *last, u_char stop)
{
    u_char     *p, ch;
    ngx_int_t   high, low;

    for (p = *src; p < last; p++) {
        ch = *p;

        if (ch == stop || ch == '&') {
            break;
        }

        if (ch == '+') {
            ch = ' ';

        } else if (ch == '%' && last - p > 2) {
            high = ngx_voice_form_hex(p[1]);
            low = ngx_voice_form_hex(p[2]);

            if (high >= 0 && low >= 0) {
                ch = (u_char) (high * 16 + low);
                p += 2;
            }
        }

        *dst++ = ch;
    }

    *src = p;

    return dst;
}


static ngx_int_t
ngx_voice_form_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }

    return -1;
}
