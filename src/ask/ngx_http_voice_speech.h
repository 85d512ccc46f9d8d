
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_SPEECH_H_INCLUDED_
#define _NGX_HTTP_VOICE_SPEECH_H_INCLUDED_


#include "ngx_http_voice_ask.h"
#include "../call/ngx_voice_speech_store.h"


/*
 * Pieces of one answer that are made at the same time: enough to be ahead of
 * who listens.  A provider's limit is for all calls.
 */
#define NGX_HTTP_VOICE_SPEECH_AHEAD  3


/* where speech comes from */

typedef struct {
    ngx_str_t                    uri;       /* prefix of internal location */
    ngx_http_conf_ctx_t         *ctx;
    ngx_voice_zone_t            *zone;
    ngx_msec_t                   timeout;
    ngx_uint_t                   limit;     /* at the same time, 0: any */
    unsigned                     patient:1; /* nobody waits for it */
} ngx_http_voice_speech_t;


/*
 * Wants the audio of a piece in the store.  READY and FAILED are final for
 * now; with FILLING somebody makes it, this worker or another, and news come
 * under ngx_voice_wait_key(digest).  A piece whose words are not known is only
 * looked for in the cache: the provider is not asked.  Nor is it when it does
 * not want to be, after a Retry-After or for quota.  Where too many are asking
 * already, the piece waits for one of them to end; if nobody waits for it, it
 * is NEW again at once.
 */
ngx_voice_speech_e ngx_http_voice_speech_want(ngx_http_voice_speech_t *speech,
    u_char digest[NGX_VOICE_DIGEST], ngx_str_t *sid);

/* the internal URI of a piece, in pool; data is NULL without memory */
ngx_str_t ngx_http_voice_speech_uri(ngx_http_voice_speech_t *speech,
    ngx_pool_t *pool, u_char digest[NGX_VOICE_DIGEST]);

/* the digest at the end of such an URI; NGX_DECLINED if there is none */
ngx_int_t ngx_http_voice_speech_of_uri(ngx_str_t *uri,
    u_char digest[NGX_VOICE_DIGEST]);

/* whether an upstream's answer is sound worth keeping */
ngx_uint_t ngx_http_voice_speech_is_audio(ngx_str_t *content_type);

/*
 * For the cache key's variable: a piece without words, or whose provider is
 * not to be asked now, must be served from the cache or not at all, so the
 * request to the provider is made to fail.
 */
void ngx_http_voice_speech_guard(ngx_http_request_t *r, ngx_uint_t words);


#endif /* _NGX_HTTP_VOICE_SPEECH_H_INCLUDED_ */
