
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_TWILIO_H_INCLUDED_
#define _NGX_HTTP_VOICE_TWILIO_H_INCLUDED_


#include "ngx_http_voice_ask.h"
#include "../call/ngx_voice_zone.h"


/*
 * Twilio's REST API.  What is asked for is made of an account and a recording
 * that were checked, never of a URL that came with a request.
 */

#define NGX_HTTP_VOICE_TWILIO_SID  34


typedef struct {
    ngx_str_t                    host;      /* of the URL, with its port */
    ngx_str_t                    uri;       /* prefix of internal location */
} ngx_http_voice_media_t;


typedef struct {
    ngx_str_t                    uri;       /* likewise; empty: none */
    ngx_array_t                 *media;     /* ngx_http_voice_media_t, NULL */
    size_t                       max_size;  /* bytes of a recording */
} ngx_http_voice_twilio_t;


/* whether this is such an id: two letters and 32 hexadecimal digits */
ngx_uint_t ngx_http_voice_twilio_sid(ngx_str_t *sid, const char *letters);

/*
 * The internal location of a recording ("Recordings"), with what follows its
 * id; NGX_ERROR also where an id is none.
 */
ngx_int_t ngx_http_voice_twilio_uri(ngx_pool_t *pool,
    ngx_http_voice_twilio_t *twilio, ngx_str_t *account, ngx_str_t *sid,
    const char *suffix, ngx_str_t *uri);


/* cause is NULL when it is deleted, or was not there */
typedef void (*ngx_http_voice_delete_done_pt)(void *data, const char *cause);

/*
 * Deletes a recording; strings are copied.  done runs once, as an event, and
 * may be NULL: a failure has its log line.  NGX_ERROR: it could not be asked.
 */
ngx_int_t ngx_http_voice_twilio_delete(ngx_http_voice_twilio_t *twilio,
    ngx_http_conf_ctx_t *ctx, ngx_str_t *call, ngx_str_t *account,
    ngx_str_t *sid, ngx_http_voice_delete_done_pt done, void *data);


#endif /* _NGX_HTTP_VOICE_TWILIO_H_INCLUDED_ */
