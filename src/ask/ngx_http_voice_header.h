
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_HEADER_H_INCLUDED_
#define _NGX_HTTP_VOICE_HEADER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * How often a header is in a list, requests' and responses' alike; *value is
 * the last one's.  The name is compared without regard to case.
 */
ngx_uint_t ngx_http_voice_header_find(ngx_list_t *headers, const char *name,
    ngx_str_t *value);

/*
 * Retry-After (RFC 9110, 10.2.3) in ms from now: seconds, also with a
 * fraction as some providers write them, or a date; before it retry-after-ms,
 * which OpenAI's clients read.  0: there is none, or it is over.
 */
ngx_msec_t ngx_http_voice_header_retry_after(ngx_list_t *headers);

/* adds a response header; name and value are kept, not copied; NULL: memory */
ngx_table_elt_t *ngx_http_voice_header_add(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);

/* takes all response headers away that are in the list */
void ngx_http_voice_header_clear(ngx_http_request_t *r);


#endif /* _NGX_HTTP_VOICE_HEADER_H_INCLUDED_ */
