
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_agent.h"
#include "../wire/ngx_voice_text.h"


static ngx_str_t  ngx_http_voice_weekdays[] = {
    ngx_string("Sunday"),
    ngx_string("Monday"),
    ngx_string("Tuesday"),
    ngx_string("Wednesday"),
    ngx_string("Thursday"),
    ngx_string("Friday"),
    ngx_string("Saturday")
};


static char  *ngx_http_voice_months[] = {
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December"
};


void
ngx_http_voice_agent_facts(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_voice_facts_t *facts,
    ngx_http_voice_facts_buf_t *buf)
{
    ngx_tm_t                   tm;
    ngx_http_voice_context_t  *context;

    ngx_memzero(facts, sizeof(ngx_voice_facts_t));

    context = agent->context;

    if (context) {
        facts->contact_name = context->name;
        facts->contact_first_name = context->first_name;
        facts->contact_company = context->company;
        facts->deal_title = context->deal;
        facts->ticket_number = context->ticket;
        facts->ticket_title = context->ticket_title;
    }

    facts->caller.data = call->from;
    facts->caller.len = call->from_len;

    /*
     * The keypad spelling of "anonymous" is nobody's number, and an address or
     * a client's name is words of who calls: a prompt is no place for them.
     */

    if (ngx_voice_text_withheld(&facts->caller)
        || !ngx_voice_text_is_number(&facts->caller))
    {
        facts->caller.len = 0;
    }

    facts->called.data = call->to;
    facts->called.len = call->to_len;

    if (!ngx_voice_text_is_number(&facts->called)) {
        facts->called.len = 0;
    }

    ngx_http_voice_agent_clock(call, &tm);

    facts->weekday = ngx_http_voice_weekdays[tm.ngx_tm_wday];

    facts->date.data = buf->date;
    facts->date.len = ngx_snprintf(buf->date, sizeof(buf->date), "%d %s %d",
                                   tm.ngx_tm_mday,
                                   ngx_http_voice_months[tm.ngx_tm_mon - 1],
                                   tm.ngx_tm_year)
                      - buf->date;

    facts->time.data = buf->time;
    facts->time.len = ngx_snprintf(buf->time, sizeof(buf->time), "%02d:%02d",
                                   tm.ngx_tm_hour, tm.ngx_tm_min)
                      - buf->time;
}


void
ngx_http_voice_agent_clock(ngx_voice_call_view_t *call, ngx_tm_t *tm)
{
    if (call->known == NGX_VOICE_KNOWN_YES) {
        ngx_gmtime(ngx_time() + call->offset, tm);

    } else {
        ngx_localtime(ngx_time(), tm);
    }
}


void
ngx_http_voice_agent_flow(ngx_http_voice_agent_t *agent,
    ngx_voice_flow_t *flow)
{
    agent->flow = flow;

    agent->profile.voice = agent->voice.len ? agent->voice : flow->voice.id;
    agent->profile.model = flow->voice.model;
    agent->profile.format = flow->voice.format;
    agent->profile.settings = flow->voice.settings;
}


ngx_uint_t
ngx_http_voice_agent_speaks(ngx_http_voice_agent_t *agent)
{
    return agent->speech.uri.len != 0 && agent->profile.voice.len != 0;
}


ngx_uint_t
ngx_http_voice_agent_same(ngx_http_voice_agent_t *a,
    ngx_http_voice_agent_t *b)
{
    return a->flow == b->flow
           && a->ctx == b->ctx
           && a->speech.uri.len == b->speech.uri.len
           && ngx_strncmp(a->speech.uri.data, b->speech.uri.data,
                          a->speech.uri.len)
              == 0
           && a->profile.voice.len == b->profile.voice.len
           && ngx_strncmp(a->profile.voice.data, b->profile.voice.data,
                          a->profile.voice.len)
              == 0;
}


ngx_voice_speech_e
ngx_http_voice_agent_speak(ngx_http_voice_agent_t *agent, ngx_str_t *text,
    u_char digest[NGX_VOICE_DIGEST], ngx_str_t *sid)
{
    if (ngx_http_voice_agent_word(agent, text, digest)
        == NGX_VOICE_SPEECH_FAILED)
    {
        return NGX_VOICE_SPEECH_FAILED;
    }

    return ngx_http_voice_speech_want(&agent->speech, digest, sid);
}


ngx_voice_speech_e
ngx_http_voice_agent_word(ngx_http_voice_agent_t *agent, ngx_str_t *text,
    u_char digest[NGX_VOICE_DIGEST])
{
    ngx_voice_speech_digest(&agent->profile, text, digest);

    if (!ngx_http_voice_agent_speaks(agent)) {
        return NGX_VOICE_SPEECH_FAILED;
    }

    if (ngx_voice_speech_put(agent->zone, digest, &agent->profile, text)
        != NGX_OK)
    {
        return NGX_VOICE_SPEECH_FAILED;
    }

    return ngx_voice_speech_state(agent->zone, digest, 0);
}


void
ngx_http_voice_agent_bill(ngx_http_voice_agent_t *agent, ngx_str_t *sid,
    double amount)
{
    uint64_t  billionths;

    billionths = amount * NGX_VOICE_BILLIONTHS + 0.5;

    if (billionths) {
        ngx_voice_call_cost(agent->zone, sid, billionths);
    }
}


ngx_int_t
ngx_http_voice_agent_redact(ngx_http_voice_agent_t *agent, ngx_str_t *text,
    ngx_pool_t *pool, ngx_log_t *log)
{
    return ngx_http_voice_agent_redact_head(agent, text, text->len, pool,
                                            log);
}


ngx_int_t
ngx_http_voice_agent_redact_head(ngx_http_voice_agent_t *agent,
    ngx_str_t *text, size_t len, ngx_pool_t *pool, ngx_log_t *log)
{
    u_char              *p, *mark;
    size_t               size;
    ngx_int_t            rc;
    ngx_voice_redact_t  *redact;

    redact = agent->redact;

    if (redact == NULL || text->len == 0) {
        text->len = len;
        return NGX_OK;
    }

    mark = ngx_pnalloc(pool, text->len);
    if (mark == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_voice_redact_mark(redact, text->data, text->len, mark, &size);

    if (rc == NGX_DECLINED) {
        text->len = len;
        return NGX_OK;
    }

    if (rc == NGX_ABORT) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "\"voice_redact %V\" gave up, its pattern takes too "
                      "many steps: the rest of the text is masked",
                      &redact->rules[redact->gave_up].name);
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    while (len && len < text->len && mark[len] && mark[len - 1] == mark[len]) {
        len--;
    }

    text->len = ngx_voice_redact_write(redact, p, text->data, len, mark) - p;
    text->data = p;

    return NGX_OK;
}
