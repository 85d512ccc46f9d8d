
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_CONTEXT_H_INCLUDED_
#define _NGX_HTTP_VOICE_CONTEXT_H_INCLUDED_


#include "ngx_http_voice_agent.h"


/*
 * Who calls, from the CRM: asked for when the telephone rings, kept in the
 * call, and used by the opening line and the prompt.
 */

/* what the asking needs; strings are the caller's, flows configuration */

typedef struct {
    ngx_voice_zone_t        *zone;
    ngx_voice_crm_t         *crm;
    ngx_array_t             *flows;     /* of ngx_voice_flow_t *: known ones */
    ngx_str_t                sid;
    ngx_str_t                called;
    ngx_str_t                given;     /* the configuration's words, JSON */
    ngx_str_t                caller;
} ngx_http_voice_context_ask_t;


/*
 * Asks, unless somebody does or it is known: the answer comes into the call,
 * with news for who waits, or the news that there is none.
 */
void ngx_http_voice_context_ask(ngx_http_voice_context_ask_t *ask);

/*
 * What is known about a call's caller, in pool; NULL: nothing, or no memory.
 * Fields are empty where the CRM has nothing, names also where more than one
 * contact matches.
 */
ngx_http_voice_context_t *ngx_http_voice_context_load(ngx_voice_zone_t *zone,
    ngx_str_t *sid, ngx_pool_t *pool);

/*
 * Brings an answer of the database's, {"number" or "resume", "caller",
 * "offset"}, into what the zone keeps; strings live in pool.  NGX_ERROR
 * without memory or where it makes no sense.
 */
ngx_int_t ngx_http_voice_context_known(ngx_str_t *answer, ngx_array_t *flows,
    ngx_pool_t *pool, ngx_voice_call_known_t *known);


#endif /* _NGX_HTTP_VOICE_CONTEXT_H_INCLUDED_ */
