
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_ROUND_H_INCLUDED_
#define _NGX_HTTP_VOICE_ROUND_H_INCLUDED_


#include "ngx_http_voice_tool.h"


/*
 * The tools of a turn: what the model called in one answer runs in that order,
 * one after another, and becomes history, whole calls with their results.  All
 * of it lives in the turn.
 */

/* calls of one turn, in all its rounds; each takes up to 3 kB of the zone */
#define NGX_HTTP_VOICE_ROUND_CALLS  12


typedef void (*ngx_http_voice_round_done_pt)(void *data);


typedef struct {
    void                          *data;
    ngx_http_voice_round_done_pt   done;

    ngx_http_voice_agent_t        *agent;
    ngx_voice_call_view_t         *call;
    ngx_pool_t                    *pool;
    ngx_log_t                     *log;

    ngx_array_t                    names;   /* ngx_str_t: called so far */
    ngx_uint_t                     number;  /* rounds so far */
    ngx_voice_after_e              after;   /* what the answer ends with */
    ngx_voice_flow_t              *flow;    /* where the call goes, or NULL */

    ngx_http_voice_tool_t          tool;
    ngx_voice_chat_call_t         *calls;
    ngx_uint_t                     n;
    ngx_uint_t                     i;       /* the one that runs */

    unsigned                       over:1;  /* no results are to be told */
    unsigned                       busy:1;  /* done will run */
    unsigned                       failed:1;  /* as NGX_ERROR, in done */
    unsigned                       stopped:1;
} ngx_http_voice_round_t;


/* what the turn has done before, in a worker that died; the head is set */
ngx_int_t ngx_http_voice_round_init(ngx_http_voice_round_t *round);

/*
 * One more round.  calls are copied.  NGX_OK: all results are there;
 * NGX_AGAIN: done will run, as an event; NGX_ERROR without memory: nothing that
 * follows is to be asked, since the model does not know what was done.
 */
ngx_int_t ngx_http_voice_round_run(ngx_http_voice_round_t *round,
    cJSON *offered, ngx_voice_chat_call_t *calls, ngx_uint_t n);


#endif /* _NGX_HTTP_VOICE_ROUND_H_INCLUDED_ */
