
#include "ngx_voice_sse.h"


enum {
    ngx_voice_sse_name = 0,     /* at a line's start or in the field name */
    ngx_voice_sse_space,        /* behind the colon of a data field */
    ngx_voice_sse_value,
    ngx_voice_sse_skip          /* a comment or another field */
};


static const u_char  ngx_voice_sse_bom[] = { 0xef, 0xbb, 0xbf };


static ngx_int_t ngx_voice_sse_name_byte(ngx_voice_sse_t *s, u_char ch);
static ngx_int_t ngx_voice_sse_line(ngx_voice_sse_t *s);
static ngx_uint_t ngx_voice_sse_is_data(ngx_voice_sse_t *s);
static ngx_int_t ngx_voice_sse_data_line(ngx_voice_sse_t *s);
static ngx_int_t ngx_voice_sse_dispatch(ngx_voice_sse_t *s);
static ngx_int_t ngx_voice_sse_append(ngx_voice_sse_t *s, const u_char *p,
    size_t len);


void
ngx_voice_sse_init(ngx_voice_sse_t *s, u_char *buf, size_t size,
    ngx_voice_sse_event_pt handler, void *data)
{
    ngx_memzero(s, sizeof(ngx_voice_sse_t));

    s->buf = buf;
    s->size = size;
    s->handler = handler;
    s->data = data;
    s->rc = NGX_OK;
}


ngx_int_t
ngx_voice_sse_feed(ngx_voice_sse_t *s, u_char *p, size_t len)
{
    u_char  *last, *end;

    if (len == 0) {
        return s->rc;
    }

    last = p + len;

    while (p < last && s->rc == NGX_OK) {

        if (s->cr) {
            s->cr = 0;

            if (*p == LF) {
                p++;
                continue;
            }
        }

        if (s->state == ngx_voice_sse_space) {
            s->state = ngx_voice_sse_value;

            if (*p == ' ') {
                p++;
                continue;
            }
        }

        if (s->state == ngx_voice_sse_name && *p != CR && *p != LF) {
            s->rc = ngx_voice_sse_name_byte(s, *p++);
            continue;
        }

        for (end = p; end < last && *end != CR && *end != LF; end++) {
            /* void */
        }

        if (s->state == ngx_voice_sse_value) {
            s->rc = ngx_voice_sse_append(s, p, end - p);
            if (s->rc != NGX_OK) {
                break;
            }
        }

        p = end;

        if (p < last) {
            s->cr = (*p++ == CR);
            s->rc = ngx_voice_sse_line(s);
        }
    }

    return s->rc;
}


ngx_int_t
ngx_voice_sse_end(ngx_voice_sse_t *s)
{
    if (s->rc != NGX_OK) {
        return s->rc;
    }

    if (s->state != ngx_voice_sse_name || s->name_len) {
        s->rc = ngx_voice_sse_line(s);
    }

    if (s->rc == NGX_OK) {
        s->rc = ngx_voice_sse_dispatch(s);
    }

    return s->rc;
}


static ngx_int_t
ngx_voice_sse_name_byte(ngx_voice_sse_t *s, u_char ch)
{
    if (s->bom < sizeof(ngx_voice_sse_bom)) {

        if (ch == ngx_voice_sse_bom[s->bom]) {
            s->bom++;
            return NGX_OK;
        }

        if (s->bom) {
            s->name_len = sizeof(s->name) + 1;
        }

        s->bom = sizeof(ngx_voice_sse_bom);
    }

    if (ch == ':') {
        if (ngx_voice_sse_is_data(s)) {
            s->state = ngx_voice_sse_space;
            return ngx_voice_sse_data_line(s);
        }

        s->state = ngx_voice_sse_skip;
        return NGX_OK;
    }

    if (s->name_len < sizeof(s->name)) {
        s->name[s->name_len++] = ch;

    } else {
        s->name_len = sizeof(s->name) + 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_sse_line(ngx_voice_sse_t *s)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    /* a byte order mark is the first thing or none */

    s->bom = sizeof(ngx_voice_sse_bom);

    if (s->state == ngx_voice_sse_name) {

        if (s->name_len == 0) {
            rc = ngx_voice_sse_dispatch(s);

        } else if (ngx_voice_sse_is_data(s)) {
            rc = ngx_voice_sse_data_line(s);
        }
    }

    s->state = ngx_voice_sse_name;
    s->name_len = 0;

    return rc;
}


static ngx_uint_t
ngx_voice_sse_is_data(ngx_voice_sse_t *s)
{
    return s->name_len == sizeof(s->name)
           && ngx_memcmp(s->name, "data", sizeof(s->name)) == 0;
}


static ngx_int_t
ngx_voice_sse_data_line(ngx_voice_sse_t *s)
{
    if (s->lines) {
        return ngx_voice_sse_append(s, (u_char *) "\n", 1);
    }

    s->lines = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_sse_dispatch(ngx_voice_sse_t *s)
{
    ngx_str_t  event;

    event.data = s->buf;
    event.len = s->len;

    s->len = 0;
    s->lines = 0;

    return event.len ? s->handler(s->data, &event) : NGX_OK;
}


static ngx_int_t
ngx_voice_sse_append(ngx_voice_sse_t *s, const u_char *p, size_t len)
{
    if (len > s->size - s->len) {
        return NGX_ERROR;
    }

    if (len) {
        ngx_memcpy(s->buf + s->len, p, len);
        s->len += len;
    }

    return NGX_OK;
}
