
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_URL_H_INCLUDED_
#define _NGX_HTTP_VOICE_URL_H_INCLUDED_


#include "ngx_http_voice_hook.h"


/*
 * The URLs that we give to Twilio.  They carry the step under a MAC that also
 * covers the CallSid, so that none serves another call, and are relative to
 * the document, so that they work under any prefix.  The query is sorted by
 * name, "k=<mac>&n=<node>&s=<step>&t=<turn>"; the node is only there with a
 * database, as the name of "voice_node", a dot, and the zone's number.
 */


/*
 * The URL of a step in pool, with connection overrides (Twilio, "Connection
 * overrides") that leave room for one retry within 15 seconds; data is NULL
 * without memory.
 */
ngx_str_t ngx_http_voice_url_step(ngx_http_voice_hook_t *hook,
    ngx_uint_t route, ngx_uint_t turn, ngx_uint_t step);

/* the URL of a piece of speech */
ngx_str_t ngx_http_voice_url_audio(ngx_http_voice_hook_t *hook,
    u_char digest[NGX_VOICE_DIGEST]);

/*
 * Reads the step out of the request's query: NGX_OK, NGX_DECLINED if there is
 * none of ours in it, NGX_ERROR if it is incomplete or forged.
 */
ngx_int_t ngx_http_voice_url_parse(ngx_http_voice_hook_t *hook);


/* whether another zone gave out the URL: another node, or an earlier run */
ngx_uint_t ngx_http_voice_url_foreign(ngx_http_voice_hook_t *hook);

/* the other node's name; NGX_DECLINED: it was this one, or one without name */
ngx_int_t ngx_http_voice_url_node(ngx_http_voice_hook_t *hook,
    ngx_str_t *node);


#endif /* _NGX_HTTP_VOICE_URL_H_INCLUDED_ */
