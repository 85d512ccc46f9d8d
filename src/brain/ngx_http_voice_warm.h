
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_WARM_H_INCLUDED_
#define _NGX_HTTP_VOICE_WARM_H_INCLUDED_


#include "ngx_http_voice_agent.h"


/*
 * Stock phrases: what a flow says in every call is made before the first
 * one, one piece at a time, so that nobody waits for a greeting.
 */

typedef struct {
    ngx_flag_t               enable;
    ngx_msec_t               interval;  /* after a piece */
    ngx_msec_t               pause;     /* after one that failed */
} ngx_http_voice_warm_conf_t;


/*
 * Begins soon, in this worker.  The agents are of ngx_http_voice_agent_t and
 * live as long as the cycle does.
 */
ngx_int_t ngx_http_voice_warm_start(ngx_cycle_t *cycle,
    ngx_http_voice_warm_conf_t *conf, ngx_array_t *agents);


#endif /* _NGX_HTTP_VOICE_WARM_H_INCLUDED_ */
