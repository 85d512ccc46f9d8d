
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_route.h"


static void ngx_http_voice_route_say(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_voice_line_t *line, ngx_pool_t *pool,
    ngx_log_t *log);


void
ngx_http_voice_route_words(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *words, ngx_pool_t *pool,
    ngx_log_t *log)
{
    ngx_str_t           sid;
    ngx_voice_flow_t   *flow;
    ngx_voice_route_t  *route;

    route = ngx_voice_flow_route(agent->flow, words);

    if (route == NULL) {
        return;
    }

    flow = ngx_voice_flow_find(agent->flows, &route->to);

    if (flow == NULL) {
        return;
    }

    if (route->say) {
        ngx_http_voice_route_say(agent, call, route->say, pool, log);
    }

    sid.data = call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    ngx_log_error(NGX_LOG_INFO, log, 0,
                  "voice call \"%V\" goes from \"%V\" to \"%V\"", &sid,
                  &agent->flow->name, &flow->name);

    ngx_voice_call_route(agent->zone, &sid, &flow->name);
    ngx_http_voice_route_to(agent, call, flow);
}


/* without it the other one answers all the same */

static void
ngx_http_voice_route_say(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_voice_line_t *line, ngx_pool_t *pool,
    ngx_log_t *log)
{
    u_char                       digest[NGX_VOICE_DIGEST];
    ngx_str_t                    sid, text;
    ngx_voice_facts_t            facts;
    ngx_http_voice_facts_buf_t   buf;

    sid.data = call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    ngx_http_voice_agent_facts(agent, call, &facts, &buf);

    if (ngx_voice_line_render(line, pool, &facts, &text) != NGX_OK
        || text.len == 0)
    {
        return;
    }

    (void) ngx_http_voice_agent_speak(agent, &text, digest, &sid);
    (void) ngx_voice_answer_add(agent->zone, &sid, call->turn, digest, &text,
                                log);
}


void
ngx_http_voice_route_to(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_voice_flow_t *flow)
{
    call->flow_len = ngx_min(flow->name.len, NGX_VOICE_FLOW_LEN);
    ngx_memcpy(call->flow, flow->name.data, call->flow_len);

    ngx_http_voice_agent_flow(agent, flow);
}
