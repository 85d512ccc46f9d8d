
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_ROUTE_H_INCLUDED_
#define _NGX_HTTP_VOICE_ROUTE_H_INCLUDED_


#include "ngx_http_voice_agent.h"


/*
 * Where the caller's words lead to another flow the call goes there, and the
 * agent is that one from now on.  What is said on the way begins the answer,
 * which is this worker's, in the voice of who the caller was talking to.
 */
void ngx_http_voice_route_words(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *words, ngx_pool_t *pool,
    ngx_log_t *log);

/* the call goes to a flow; the name is what the zone has, or is to have */
void ngx_http_voice_route_to(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_voice_flow_t *flow);


#endif /* _NGX_HTTP_VOICE_ROUTE_H_INCLUDED_ */
