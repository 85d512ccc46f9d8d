
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_greet.h"
#include "../brain/ngx_http_voice_context.h"
#include "../brain/ngx_http_voice_note.h"


static ngx_int_t ngx_http_voice_greet_rung(ngx_http_voice_pace_t *pace);
static ngx_uint_t ngx_http_voice_greet_asked(ngx_http_voice_pace_t *pace,
    ngx_http_voice_resume_pt resume);
static ngx_int_t ngx_http_voice_greet_say(ngx_http_voice_pace_t *pace);
static ngx_int_t ngx_http_voice_greet_opened(ngx_http_voice_pace_t *pace,
    ngx_voice_line_t *opening);


/*
 * Who calls is looked up while the greeting is heard.  Only where the number
 * has no line of its own in the configuration the database may know another
 * flow for it, and the greeting waits for that, but not for long.
 */

ngx_int_t
ngx_http_voice_greet_ring(ngx_http_voice_pace_t *pace)
{
    ngx_str_t                       direction;
    ngx_http_voice_hook_t          *hook;
    ngx_http_voice_number_t        *number;
    ngx_http_voice_webhook_conf_t  *conf;
    ngx_http_voice_context_ask_t    ask;

    hook = pace->hook;
    conf = hook->conf;

    if (conf->crm == NULL) {
        return ngx_http_voice_greet_say(pace);
    }

    direction = ngx_http_voice_hook_direction(hook);

    ngx_http_voice_note_call(&hook->agent, &hook->view, &direction);

    number = ngx_http_voice_hook_number(conf, &hook->call.to);

    ask.zone = conf->zone;
    ask.crm = conf->crm;
    ask.flows = conf->flows;
    ask.sid = hook->call.sid;
    ask.called = hook->call.to;
    ask.caller = hook->call.from;
    ask.given = number->given;

    ngx_http_voice_context_ask(&ask);

    if (number->number.len == 0) {
        return ngx_http_voice_greet_rung(pace);
    }

    return ngx_http_voice_greet_say(pace);
}


static ngx_int_t
ngx_http_voice_greet_rung(ngx_http_voice_pace_t *pace)
{
    if (ngx_http_voice_greet_asked(pace, ngx_http_voice_greet_rung)) {
        return NGX_DONE;
    }

    (void) ngx_http_voice_hook_speaker(pace->hook);

    return ngx_http_voice_greet_say(pace);
}


/* whether it is still being found out who calls: then it is waited for */

static ngx_uint_t
ngx_http_voice_greet_asked(ngx_http_voice_pace_t *pace,
    ngx_http_voice_resume_pt resume)
{
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    ngx_http_voice_pace_news(pace);

    if (ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &hook->view)
        == NGX_OK
        && hook->view.known == NGX_VOICE_KNOWN_ASKED
        && !pace->late)
    {
        ngx_http_voice_pace_wait(pace, resume,
                                 ngx_min(hook->conf->crm->timeout,
                                         ngx_http_voice_pace_left(pace)));
        return 1;
    }

    /* the lines have a wait of their own */

    pace->late = 0;

    return 0;
}


static ngx_int_t
ngx_http_voice_greet_say(ngx_http_voice_pace_t *pace)
{
    ngx_voice_flow_t       *flow;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;
    flow = hook->agent.flow;

    hook->state = "greeting";

    pace->reply.next = NGX_HTTP_VOICE_NEXT_START;
    pace->reply.turn = 1;
    pace->reply.step = 0;

    /* what the caller has to know comes first */

    if (flow->consent.source.len) {
        if (ngx_http_voice_pace_line(pace, &flow->consent) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_voice_call_consent(hook->conf->zone, &hook->call.sid);
    }

    if (ngx_http_voice_pace_line(pace, &flow->greeting) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voice_pace_lines(pace);
}


ngx_int_t
ngx_http_voice_greet_open(ngx_http_voice_pace_t *pace)
{
    ngx_voice_flow_t       *flow;
    ngx_voice_line_t       *line;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    if (hook->conf->crm) {

        if (ngx_http_voice_greet_asked(pace, ngx_http_voice_greet_open)) {
            return NGX_DONE;
        }

        (void) ngx_http_voice_hook_speaker(hook);
    }

    flow = hook->agent.flow;
    line = &flow->opening;

    if (flow->opening_known.source.len
        && hook->agent.context && hook->agent.context->name.len)
    {
        line = &flow->opening_known;
    }

    hook->state = "opening";

    pace->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
    pace->reply.step = 0;

    /* a call that begins here, or of which nobody knows, was told nothing */

    if (hook->step.turn == 1
        && flow->consent.source.len
        && !hook->view.consent
        && ngx_http_voice_pace_line(pace, &flow->consent) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_voice_pace_line(pace, line) != NGX_OK
        || ngx_http_voice_greet_opened(pace, line) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voice_pace_lines(pace);
}


/* to the model the opening and what was said before it are one */

static ngx_int_t
ngx_http_voice_greet_opened(ngx_http_voice_pace_t *pace,
    ngx_voice_line_t *opening)
{
    u_char                      *p;
    ngx_str_t                    text, lines[3];
    ngx_uint_t                   i, n;
    ngx_voice_flow_t            *flow;
    ngx_voice_line_t            *first[3];
    ngx_voice_facts_t            facts;
    ngx_http_voice_hook_t       *hook;
    ngx_http_voice_facts_buf_t   buf;

    hook = pace->hook;
    flow = hook->agent.flow;

    n = 0;

    if (hook->step.turn == 1) {

        if (flow->consent.source.len) {
            first[n++] = &flow->consent;
        }

        first[n++] = &flow->greeting;
    }

    first[n++] = opening;

    ngx_http_voice_agent_facts(&hook->agent, &hook->view, &facts, &buf);

    text.len = 0;

    for (i = 0; i < n; i++) {

        if (ngx_voice_line_render(first[i], hook->request->pool, &facts,
                                  &lines[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        text.len += lines[i].len + 1;
    }

    text.data = ngx_pnalloc(hook->request->pool, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = text.data;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, lines[i].data, lines[i].len);
        *p++ = ' ';
    }

    text.len--;

    if (text.len) {
        ngx_voice_call_said(hook->conf->zone, &hook->call.sid,
                            hook->step.turn - 1, NGX_VOICE_ROLE_ASSISTANT,
                            &text, flow->limits.history);
    }

    if (hook->step.turn == 1) {
        ngx_http_voice_note_said(&hook->agent, &hook->view, 0, &text, NULL);
    }

    return NGX_OK;
}
