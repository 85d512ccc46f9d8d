
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_header.h"


/* longer numbers are not to be read as such */
#define NGX_HTTP_VOICE_DIGITS  12


static ngx_int_t ngx_http_voice_header_number(ngx_str_t *value,
    size_t point);


ngx_uint_t
ngx_http_voice_header_find(ngx_list_t *headers, const char *name,
    ngx_str_t *value)
{
    size_t            len;
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    found = 0;
    len = ngx_strlen(name);

    part = &headers->part;
    h = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash != 0
            && h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
        {
            *value = h[i].value;
            found++;
        }
    }

    return found;
}


ngx_msec_t
ngx_http_voice_header_retry_after(ngx_list_t *headers)
{
    time_t     when;
    ngx_int_t  ms;
    ngx_str_t  value;

    if (ngx_http_voice_header_find(headers, "retry-after-ms", &value)) {
        ms = ngx_http_voice_header_number(&value, 0);

        if (ms != NGX_ERROR) {
            return (ngx_msec_t) ms;
        }
    }

    if (ngx_http_voice_header_find(headers, "Retry-After", &value) == 0
        || value.len == 0)
    {
        return 0;
    }

    if (value.data[0] >= '0' && value.data[0] <= '9') {
        ms = ngx_http_voice_header_number(&value, 3);

        return (ms == NGX_ERROR) ? 0 : (ngx_msec_t) ms;
    }

    when = ngx_parse_http_time(value.data, value.len);

    if (when == NGX_ERROR || when <= ngx_time()) {
        return 0;
    }

    return (ngx_msec_t) (when - ngx_time()) * 1000;
}


/* in ms, of which the value has so many digits behind its point */

static ngx_int_t
ngx_http_voice_header_number(ngx_str_t *value, size_t point)
{
    u_char  *dot;
    size_t   len;

    len = value->len;
    dot = ngx_strlchr(value->data, value->data + len, '.');

    /* what is finer than a millisecond is nothing to wait for */

    if (dot) {
        len = ngx_min(len, (size_t) (dot - value->data)
                           + (point ? point + 1 : 0));
    }

    if (len > NGX_HTTP_VOICE_DIGITS) {
        return NGX_MAX_INT32_VALUE;
    }

    return point ? ngx_atofp(value->data, len, point)
                 : ngx_atoi(value->data, len);
}


ngx_table_elt_t *
ngx_http_voice_header_add(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    /* newer versions link the headers of one name: no next one */

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return h;
}


void
ngx_http_voice_header_clear(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_out.headers.part;
    h = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        h[i].hash = 0;
    }
}
