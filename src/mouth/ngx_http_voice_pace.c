
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_pace.h"
#include "../brain/ngx_http_voice_note.h"


static void ngx_http_voice_pace_note(ngx_http_voice_pace_t *pace,
    ngx_str_t *twiml);
static ngx_int_t ngx_http_voice_pace_masked(ngx_http_voice_pace_t *pace,
    ngx_str_t *twiml, ngx_str_t *masked);
static ngx_int_t ngx_http_voice_pace_words(ngx_http_voice_pace_t *pace,
    ngx_uint_t n, ngx_str_t *text);
static void ngx_http_voice_pace_timeout(ngx_event_t *ev);
static void ngx_http_voice_pace_cleanup(void *data);


ngx_http_voice_pace_t *
ngx_http_voice_pace_create(ngx_http_voice_hook_t *hook)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_voice_pace_t  *pace;

    cln = ngx_pool_cleanup_add(hook->request->pool,
                               sizeof(ngx_http_voice_pace_t));
    if (cln == NULL) {
        return NULL;
    }

    pace = cln->data;
    ngx_memzero(pace, sizeof(ngx_http_voice_pace_t));

    cln->handler = ngx_http_voice_pace_cleanup;

    pace->hook = hook;
    pace->deadline = ngx_current_msec + hook->conf->answer_within;

    pace->timer.handler = ngx_http_voice_pace_timeout;
    pace->timer.data = pace;
    pace->timer.log = hook->request->connection->log;

    return pace;
}


void
ngx_http_voice_pace_news(ngx_http_voice_pace_t *pace)
{
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    ngx_voice_wait_add(&pace->call_waiter,
                       ngx_voice_wait_key(hook->call.sid.data,
                                          hook->call.sid.len),
                       ngx_http_voice_pace_event, pace,
                       hook->request->connection->log);
}


void
ngx_http_voice_pace_listen(ngx_http_voice_pace_t *pace, ngx_uint_t n,
    u_char digest[NGX_VOICE_DIGEST])
{
    ngx_voice_wait_del(&pace->speech_waiters[n]);
    ngx_voice_wait_add(&pace->speech_waiters[n],
                       ngx_voice_wait_key(digest, NGX_VOICE_DIGEST),
                       ngx_http_voice_pace_event, pace,
                       pace->hook->request->connection->log);
}


ngx_int_t
ngx_http_voice_pace_line(ngx_http_voice_pace_t *pace,
    ngx_voice_line_t *line)
{
    ngx_voice_facts_t            facts;
    ngx_http_voice_hook_t       *hook;
    ngx_http_voice_spoken_t     *spoken;
    ngx_http_voice_facts_buf_t   buf;

    hook = pace->hook;
    spoken = &pace->reply.lines[pace->reply.n];

    ngx_http_voice_agent_facts(&hook->agent, &hook->view, &facts, &buf);

    if (ngx_voice_line_render(line, hook->request->pool, &facts,
                              &spoken->text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (spoken->text.len == 0) {
        return NGX_OK;
    }

    spoken->speech = ngx_http_voice_agent_speak(&hook->agent, &spoken->text,
                                                spoken->digest,
                                                &hook->call.sid);
    pace->reply.n++;

    return NGX_OK;
}


ngx_int_t
ngx_http_voice_pace_lines(ngx_http_voice_pace_t *pace)
{
    ngx_uint_t                i;
    ngx_http_voice_hook_t    *hook;
    ngx_http_voice_spoken_t  *line;

    hook = pace->hook;

    for (i = 0; i < pace->reply.n && !pace->late; i++) {
        line = &pace->reply.lines[i];

        if (line->speech != NGX_VOICE_SPEECH_FILLING) {
            continue;
        }

        /* waits before it looks: no news are lost in between */

        ngx_http_voice_pace_listen(pace, 0, line->digest);

        line->speech = ngx_http_voice_speech_want(&hook->agent.speech,
                                                  line->digest,
                                                  &hook->call.sid);

        if (line->speech == NGX_VOICE_SPEECH_FILLING) {

            ngx_http_voice_pace_wait(pace, ngx_http_voice_pace_lines,
                                     ngx_min(hook->conf->speech_timeout,
                                           ngx_http_voice_pace_left(pace)));
            return NGX_DONE;
        }
    }

    return ngx_http_voice_pace_send(pace);
}


ngx_msec_t
ngx_http_voice_pace_left(ngx_http_voice_pace_t *pace)
{
    ngx_msec_int_t  left;

    left = pace->deadline - ngx_current_msec;

    return ngx_max(left, 1);
}


ngx_msec_t
ngx_http_voice_pace_gone(ngx_http_voice_pace_t *pace)
{
    return ngx_current_msec
           - (pace->deadline - pace->hook->conf->answer_within);
}


ngx_int_t
ngx_http_voice_pace_send(ngx_http_voice_pace_t *pace)
{
    ngx_str_t               twiml;
    ngx_uint_t              last;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    ngx_http_voice_pace_rest(pace);

    if (ngx_http_voice_reply_twiml(hook, &pace->reply, &twiml) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pace->claimed) {
        pace->claimed = 0;

        last = (pace->reply.next != NGX_HTTP_VOICE_NEXT_CONTINUE);

        ngx_voice_call_done(hook->conf->zone, &hook->call.sid, &hook->step,
                            &twiml, pace->spoken, last,
                            hook->request->connection->log);

        ngx_http_voice_pace_note(pace, &twiml);
    }

    return ngx_http_voice_hook_send(hook->request, &twiml);
}


/* for who has to go on with the call elsewhere, and for the same bytes there */

static void
ngx_http_voice_pace_note(ngx_http_voice_pace_t *pace, ngx_str_t *twiml)
{
    ngx_str_t               said, masked;
    ngx_uint_t              last;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    if (hook->conf->crm == NULL
        || ngx_http_voice_pace_text(pace, pace->given, &said) != NGX_OK
        || ngx_http_voice_pace_masked(pace, twiml, &masked) != NGX_OK)
    {
        return;
    }

    last = (hook->step.kind == NGX_VOICE_STEP_INPUT
            || hook->step.kind == NGX_VOICE_STEP_REST)
           && pace->reply.next != NGX_HTTP_VOICE_NEXT_CONTINUE;

    ngx_http_voice_note_step(&hook->agent, &hook->view,
                             &ngx_http_voice_routes[hook->route].name,
                             &hook->step, &masked, &said, last);
}


/* the document; where words stand in it that are to be masked, one with masks */

static ngx_int_t
ngx_http_voice_pace_masked(ngx_http_voice_pace_t *pace, ngx_str_t *twiml,
    ngx_str_t *masked)
{
    ngx_str_t                words, text;
    ngx_uint_t               i;
    ngx_http_voice_hook_t   *hook;
    ngx_http_voice_reply_t   reply;

    hook = pace->hook;
    *masked = *twiml;

    for (i = 0; i < pace->reply.n; i++) {
        if (pace->reply.lines[i].speech != NGX_VOICE_SPEECH_READY) {
            break;
        }
    }

    if (i == pace->reply.n) {
        return NGX_OK;
    }

    if (ngx_http_voice_pace_words(pace, pace->reply.n, &words) != NGX_OK) {
        return NGX_ERROR;
    }

    text = words;

    if (ngx_http_voice_agent_redact(&hook->agent, &text, hook->request->pool,
                                    hook->request->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (text.data == words.data) {
        return NGX_OK;
    }

    reply = pace->reply;

    reply.n = 1;
    reply.lines[0].text = text;
    reply.lines[0].speech = NGX_VOICE_SPEECH_FAILED;

    return ngx_http_voice_reply_twiml(hook, &reply, masked);
}


ngx_int_t
ngx_http_voice_pace_text(ngx_http_voice_pace_t *pace, ngx_uint_t n,
    ngx_str_t *text)
{
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    if (ngx_http_voice_pace_words(pace, n, text) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voice_agent_redact(&hook->agent, text,
                                       hook->request->pool,
                                       hook->request->connection->log);
}


static ngx_int_t
ngx_http_voice_pace_words(ngx_http_voice_pace_t *pace, ngx_uint_t n,
    ngx_str_t *text)
{
    u_char                   *p;
    ngx_uint_t                i;
    ngx_http_voice_spoken_t  *line;

    text->len = 1;

    for (i = 0; i < n; i++) {
        text->len += pace->reply.lines[i].text.len + 1;
    }

    p = ngx_pnalloc(pace->hook->request->pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < n; i++) {
        line = &pace->reply.lines[i];

        if (i) {
            *p++ = ' ';
        }

        p = ngx_cpymem(p, line->text.data, line->text.len);
    }

    text->len = p - text->data;

    return NGX_OK;
}


void
ngx_http_voice_pace_wait(ngx_http_voice_pace_t *pace,
    ngx_http_voice_resume_pt resume, ngx_msec_t timeout)
{
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    if (pace->timer.timer_set && pace->resume == resume) {
        return;
    }

    if (pace->timer.timer_set) {
        ngx_del_timer(&pace->timer);
    }

    pace->resume = resume;

    ngx_add_timer(&pace->timer, timeout);

    hook->request->connection->log->action = "waiting for words";
}


void
ngx_http_voice_pace_rest(ngx_http_voice_pace_t *pace)
{
    ngx_uint_t  i;

    ngx_voice_wait_del(&pace->call_waiter);

    for (i = 0; i < NGX_HTTP_VOICE_SPEECH_AHEAD; i++) {
        ngx_voice_wait_del(&pace->speech_waiters[i]);
    }

    if (pace->lookup) {
        ngx_voice_crm_drop(pace->lookup);
        pace->lookup = NULL;
    }

    if (pace->timer.timer_set) {
        ngx_del_timer(&pace->timer);
    }

    /* nobody who comes late finds that it is still waited for him */

    pace->resume = NULL;
}


static void
ngx_http_voice_pace_timeout(ngx_event_t *ev)
{
    ngx_http_voice_pace_t  *pace;

    pace = ev->data;
    pace->late = 1;

    ngx_http_voice_pace_event(ev);
}


void
ngx_http_voice_pace_event(ngx_event_t *ev)
{
    ngx_http_voice_pace_t  *pace;

    pace = ev->data;

    ngx_http_voice_pace_again(pace, pace->resume);
}


void
ngx_http_voice_pace_again(ngx_http_voice_pace_t *pace,
    ngx_http_voice_resume_pt resume)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = pace->hook->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    rc = resume(pace);

    if (rc != NGX_DONE) {

        /* the request may outlive its answer, on a slow connection */

        ngx_http_voice_pace_rest(pace);
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_voice_pace_cleanup(void *data)
{
    ngx_http_voice_pace_t *pace = data;

    ngx_http_voice_pace_rest(pace);

    if (pace->claimed) {
        ngx_voice_call_release(pace->hook->conf->zone, &pace->hook->call.sid,
                               &pace->hook->step, ngx_cycle->log);
    }
}
