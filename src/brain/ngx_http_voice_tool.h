
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_TOOL_H_INCLUDED_
#define _NGX_HTTP_VOICE_TOOL_H_INCLUDED_


#include "ngx_http_voice_offer.h"


/*
 * One call of a tool by the model: those of the CRM's database, and what the
 * edge does itself ("route", "transfer_to_human", "end_call").
 */

typedef struct ngx_http_voice_tool_s  ngx_http_voice_tool_t;

/* runs once, as an event, when the result is there */
typedef void (*ngx_http_voice_tool_done_pt)(ngx_http_voice_tool_t *tool);


struct ngx_http_voice_tool_s {
    void                        *data;
    ngx_http_voice_tool_done_pt  done;

    ngx_http_voice_agent_t      *agent;
    ngx_voice_call_view_t       *call;
    ngx_pool_t                  *pool;
    ngx_log_t                   *log;
    cJSON                       *offered;
    ngx_uint_t                   nth;       /* of this name in the turn */

    ngx_str_t                    name;
    ngx_str_t                    arguments; /* as the model wrote them */

    /* results */

    ngx_str_t                    result;    /* JSON, for the model */
    ngx_voice_after_e            after;     /* what the answer ends with */
    ngx_voice_flow_t            *flow;      /* where the call goes, or NULL */

    ngx_voice_crm_ask_t         *ask;
    ngx_msec_t                   started;
    unsigned                     own:1;     /* the edge's part comes first */
};


/*
 * Arguments are checked before anything happens.  NGX_OK: the result is there
 * already; NGX_AGAIN: done will run, unless it is stopped; NGX_ERROR without
 * memory.  An action that cannot be done now is noted, to be done later.
 */
ngx_int_t ngx_http_voice_tool_run(ngx_http_voice_tool_t *tool);


#endif /* _NGX_HTTP_VOICE_TOOL_H_INCLUDED_ */
