
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_hook.h"
#include "../brain/ngx_http_voice_context.h"


static ngx_int_t ngx_http_voice_hook_add(ngx_http_voice_agent_t *agent,
    ngx_array_t *agents);


ngx_http_voice_route_t  ngx_http_voice_routes[] = {

    { ngx_string("inbound-webhook"), NGX_VOICE_STEP_OPEN, 1, 0 },
    { ngx_string("conversation-start"), NGX_VOICE_STEP_PROMPT, 1, 1 },
    { ngx_string("process-speech"), NGX_VOICE_STEP_INPUT, 1, 1 },
    { ngx_string("process-recording"), NGX_VOICE_STEP_INPUT, 1, 1 },
    { ngx_string("continue"), NGX_VOICE_STEP_REST, 0, 1 },
    { ngx_string("fallback"), NGX_VOICE_STEP_REST, 0, 0 },
    { ngx_string("status"), NGX_VOICE_STEP_REST, 0, 0 },
    { ngx_null_string, 0, 0, 0 }
};


ngx_uint_t
ngx_http_voice_hook_route(ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_VOICE_ROUTES; i++) {
        if (ngx_http_voice_routes[i].name.len == name->len
            && ngx_strncmp(ngx_http_voice_routes[i].name.data, name->data,
                           name->len)
               == 0)
        {
            break;
        }
    }

    return i;
}


ngx_str_t
ngx_http_voice_hook_param(ngx_http_voice_hook_t *hook, const char *name)
{
    ngx_str_t  *value, empty;

    value = ngx_voice_form_value(hook->params, hook->nparams, name,
                                 ngx_strlen(name));

    if (value == NULL) {
        ngx_str_null(&empty);
        return empty;
    }

    return *value;
}


ngx_str_t
ngx_http_voice_hook_direction(ngx_http_voice_hook_t *hook)
{
    ngx_str_t  direction;

    direction = ngx_http_voice_hook_param(hook, "Direction");

    /* "outbound-api", "outbound-dial" */

    if (direction.len > 8 && ngx_strncmp(direction.data, "outbound", 8) == 0) {
        direction.len = 8;
    }

    return direction;
}


ngx_int_t
ngx_http_voice_hook_recording(ngx_http_voice_hook_t *hook, ngx_str_t *sid)
{
    u_char     *p;
    ngx_str_t   url;

    *sid = ngx_http_voice_hook_param(hook, "RecordingSid");

    if (sid->len == 0) {

        /* it is the last part of the URL, too */

        url = ngx_http_voice_hook_param(hook, "RecordingUrl");

        p = url.data + url.len;

        while (p > url.data && p[-1] != '/') {
            p--;
        }

        sid->data = p;
        sid->len = url.data + url.len - p;
    }

    return ngx_http_voice_twilio_sid(sid, "RE") ? NGX_OK : NGX_DECLINED;
}


ngx_http_voice_number_t *
ngx_http_voice_hook_number(ngx_http_voice_webhook_conf_t *conf,
    ngx_str_t *to)
{
    ngx_uint_t                i;
    ngx_http_voice_number_t  *number, *def;

    def = NULL;
    number = conf->numbers->elts;

    for (i = 0; i < conf->numbers->nelts; i++) {

        if (number[i].number.len == 0) {
            def = &number[i];
            continue;
        }

        if (number[i].number.len == to->len
            && ngx_memcmp(number[i].number.data, to->data, to->len) == 0)
        {
            return &number[i];
        }
    }

    return def;
}


void
ngx_http_voice_hook_agent(ngx_http_voice_webhook_conf_t *conf,
    ngx_http_conf_ctx_t *ctx, ngx_http_voice_number_t *number,
    ngx_voice_flow_t *flow, ngx_http_voice_agent_t *agent)
{
    agent->flows = conf->flows;
    agent->zone = conf->zone;
    agent->ctx = ctx;
    agent->models = conf->models;
    agent->redact = conf->redact;
    agent->crm = conf->crm;
    agent->price = conf->price;
    agent->context = NULL;
    agent->given = number->given;
    agent->first_token_timeout = conf->first_token_timeout;
    agent->token_timeout = conf->token_timeout;
    agent->tool_timeout = conf->tool_timeout;
    agent->turn_timeout = conf->turn_timeout;

    agent->stt = &conf->stt;
    agent->twilio = &conf->twilio;
    agent->transcription_timeout = conf->transcription_timeout;

    agent->speech.uri = conf->tts;
    agent->speech.ctx = ctx;
    agent->speech.zone = conf->zone;
    agent->speech.timeout = conf->speech_timeout;
    agent->speech.limit = conf->tts_limit;
    agent->speech.patient = 0;

    agent->voice = number->voice;

    ngx_http_voice_agent_flow(agent, flow);
}


ngx_int_t
ngx_http_voice_hook_agents(ngx_http_voice_webhook_conf_t *conf,
    ngx_http_conf_ctx_t *ctx, ngx_array_t *agents)
{
    ngx_uint_t                i, n;
    ngx_http_voice_agent_t    agent, *found;
    ngx_http_voice_number_t  *number;

    n = agents->nelts;
    number = conf->numbers->elts;

    for (i = 0; i < conf->numbers->nelts; i++) {

        ngx_http_voice_hook_agent(conf, ctx, &number[i], number[i].flow,
                                  &agent);

        if (ngx_http_voice_hook_add(&agent, agents) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* those without a voice were there for the way */

    found = agents->elts;

    for (i = n; i < agents->nelts; i++) {
        if (ngx_http_voice_agent_speaks(&found[i])) {
            found[n++] = found[i];
        }
    }

    agents->nelts = n;

    return NGX_OK;
}


/* an agent, and those that it hands calls to */

static ngx_int_t
ngx_http_voice_hook_add(ngx_http_voice_agent_t *agent, ngx_array_t *agents)
{
    ngx_uint_t               i;
    ngx_voice_route_t       *route;
    ngx_http_voice_agent_t   next, *other;

    other = agents->elts;

    for (i = 0; i < agents->nelts; i++) {
        if (ngx_http_voice_agent_same(agent, &other[i])) {
            return NGX_OK;
        }
    }

    other = ngx_array_push(agents);
    if (other == NULL) {
        return NGX_ERROR;
    }

    *other = *agent;

    route = agent->flow->routes.elts;

    for (i = 0; i < agent->flow->routes.nelts; i++) {
        next = *agent;

        ngx_http_voice_agent_flow(&next,
                                  ngx_voice_flow_find(agent->flows,
                                                      &route[i].to));

        if (ngx_http_voice_hook_add(&next, agents) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voice_hook_speaker(ngx_http_voice_hook_t *hook)
{
    ngx_str_t                       name;
    ngx_voice_flow_t               *flow;
    ngx_http_core_srv_conf_t       *cscf;
    ngx_http_voice_agent_t         *agent;
    ngx_http_voice_number_t        *number;
    ngx_http_voice_webhook_conf_t  *conf;

    conf = hook->conf;
    agent = &hook->agent;

    number = ngx_http_voice_hook_number(conf, &hook->call.to);

    if (number == NULL) {

        /* a call goes on to its end without the number that it began with */
        return NGX_DECLINED;
    }

    /* the call's own flow; a reload may have taken it away */

    name.data = hook->view.flow;
    name.len = hook->view.flow_len;

    flow = ngx_voice_flow_find(conf->flows, &name);

    if (flow == NULL) {
        flow = number->flow;
    }

    if (hook->view.language_len == 0) {
        hook->view.language_len = ngx_min(hook->call.language.len,
                                          NGX_VOICE_LANGUAGE_LEN);
        ngx_memcpy(hook->view.language, hook->call.language.data,
                   hook->view.language_len);
    }

    cscf = ngx_http_get_module_srv_conf(hook->request, ngx_http_core_module);

    ngx_http_voice_hook_agent(conf, cscf->ctx, number, flow, agent);

    if (conf->crm) {
        agent->context = ngx_http_voice_context_load(conf->zone,
                                                     &hook->call.sid,
                                                     hook->request->pool);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voice_hook_send(ngx_http_request_t *r, ngx_str_t *twiml)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = twiml->len;

    ngx_str_set(&r->headers_out.content_type, "text/xml");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_str_set(&r->headers_out.charset, "utf-8");

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = twiml->data;
    b->last = twiml->data + twiml->len;
    b->memory = 1;
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
