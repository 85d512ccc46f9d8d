
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_talk.h"
#include "ngx_http_voice_record.h"
#include "../brain/ngx_http_voice_route.h"


/*
 * ms: the least that is waited before one more filler, and before the same one
 * is said again because there is no other
 */
#define NGX_HTTP_VOICE_TALK_AGAIN  200
#define NGX_HTTP_VOICE_TALK_SAME   3000


static void ngx_http_voice_talk_flow(ngx_http_voice_hook_t *hook,
    u_char *name, size_t len);
static ngx_int_t ngx_http_voice_talk_take(ngx_http_voice_pace_t *pace,
    ngx_voice_answer_view_t *view);
static ngx_voice_speech_e ngx_http_voice_talk_want(
    ngx_http_voice_hook_t *hook, ngx_http_voice_spoken_t *line);
static ngx_int_t ngx_http_voice_talk_over(ngx_http_voice_pace_t *pace,
    ngx_voice_answer_view_t *view);
static ngx_int_t ngx_http_voice_talk_filler(ngx_http_voice_pace_t *pace,
    ngx_uint_t busy);
static ngx_int_t ngx_http_voice_talk_words(ngx_http_voice_pace_t *pace,
    ngx_voice_line_t *line, uint32_t *words);


ngx_int_t
ngx_http_voice_talk_answer(ngx_http_voice_pace_t *pace)
{
    ngx_msec_t                      timeout, gone;
    ngx_http_voice_hook_t          *hook;
    ngx_voice_answer_view_t         view;
    ngx_http_voice_webhook_conf_t  *conf;

    hook = pace->hook;
    conf = hook->conf;

    ngx_http_voice_pace_news(pace);

    ngx_voice_answer_look(conf->zone, &hook->call.sid, hook->step.turn, &view);
    ngx_http_voice_talk_flow(hook, view.flow, view.flow_len);

    if (view.state == NGX_VOICE_ANSWER_ORPHANED
        && ngx_voice_answer_begin(conf->zone, &hook->call.sid,
                                  hook->step.turn)
           == NGX_OK)
    {
        ngx_log_error(NGX_LOG_NOTICE, hook->request->connection->log, 0,
                      "voice call \"%V\" turn %ui is taken over from a worker "
                      "that died", &hook->call.sid, hook->step.turn);

        ngx_http_voice_record_start(pace);

        ngx_voice_answer_look(conf->zone, &hook->call.sid, hook->step.turn,
                              &view);
    }

    if (view.state > NGX_VOICE_ANSWER_FAILED) {
        return ngx_http_voice_record_heard(pace, &view);
    }

    if (ngx_http_voice_talk_take(pace, &view) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pace->reply.n == view.n && view.state == NGX_VOICE_ANSWER_FAILED) {
        return ngx_http_voice_talk_failed(pace);
    }

    if (pace->reply.n == view.n
        && (view.state == NGX_VOICE_ANSWER_DONE
            || view.state == NGX_VOICE_ANSWER_NONE))
    {
        return ngx_http_voice_talk_over(pace, &view);
    }

    if (pace->reply.n) {
        pace->reply.next = NGX_HTTP_VOICE_NEXT_CONTINUE;
        pace->reply.step = hook->step.step + 1;

        return ngx_http_voice_pace_send(pace);
    }

    /*
     * Where a tool was called without a word the caller hears at once why it
     * takes a moment, and else when it does.
     */

    if (pace->late
        || (view.busy && !view.soothed && view.spoken == 0 && view.n == 0))
    {
        return ngx_http_voice_talk_filler(pace, view.busy);
    }

    timeout = conf->filler_after;

    if (hook->step.kind == NGX_VOICE_STEP_REST) {

        /* something was heard a moment ago */

        timeout = ngx_max(timeout, NGX_HTTP_VOICE_TALK_AGAIN);
    }

    /* silence began with the webhook, whatever it has waited for so far */

    gone = ngx_http_voice_pace_gone(pace);

    timeout = (gone < timeout) ? timeout - gone : 1;
    timeout = ngx_min(timeout, ngx_http_voice_pace_left(pace));

    ngx_http_voice_pace_wait(pace, ngx_http_voice_talk_answer, timeout);

    return NGX_DONE;
}


/* the call may have gone to another flow since this webhook came */

static void
ngx_http_voice_talk_flow(ngx_http_voice_hook_t *hook, u_char *name,
    size_t len)
{
    ngx_str_t          other;
    ngx_voice_flow_t  *flow;

    if (len == 0
        || (len == hook->view.flow_len
            && ngx_memcmp(name, hook->view.flow, len) == 0))
    {
        return;
    }

    other.data = name;
    other.len = len;

    flow = ngx_voice_flow_find(hook->conf->flows, &other);

    if (flow) {
        ngx_http_voice_route_to(&hook->agent, &hook->view, flow);
    }
}


/*
 * Moves what can be heard now into the reply: the first pieces in a row.  A
 * few of those behind them are made meanwhile.
 */

static ngx_int_t
ngx_http_voice_talk_take(ngx_http_voice_pace_t *pace,
    ngx_voice_answer_view_t *view)
{
    ngx_uint_t                i, making;
    ngx_voice_speech_e        state;
    ngx_voice_piece_t        *piece;
    ngx_http_voice_hook_t    *hook;
    ngx_http_voice_spoken_t  *line;

    hook = pace->hook;

    pace->reply.n = 0;
    pace->spoken = view->spoken;

    /* the texts lie in a buffer that what follows may use */

    for (i = 0; i < view->n; i++) {
        line = &pace->reply.lines[i];
        piece = &view->pieces[i];

        line->text.len = piece->text.len;
        line->text.data = ngx_pstrdup(hook->request->pool, &piece->text);

        if (line->text.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(line->digest, piece->digest, NGX_VOICE_DIGEST);
    }

    making = 0;

    for (i = 0; i < view->n && making < NGX_HTTP_VOICE_SPEECH_AHEAD; i++) {
        line = &pace->reply.lines[i];
        state = view->pieces[i].speech;

        if (state != NGX_VOICE_SPEECH_READY
            && state != NGX_VOICE_SPEECH_FAILED)
        {
            ngx_http_voice_pace_listen(pace, making, line->digest);

            state = ngx_http_voice_talk_want(hook, line);
        }

        if (state == NGX_VOICE_SPEECH_FILLING) {
            making++;
            continue;
        }

        if (making == 0) {
            line->speech = state;
            pace->reply.n++;
        }
    }

    pace->spoken += pace->reply.n;
    pace->given = pace->reply.n;

    return NGX_OK;
}


/* the words are made known again, if they are to have this agent's voice */

static ngx_voice_speech_e
ngx_http_voice_talk_want(ngx_http_voice_hook_t *hook,
    ngx_http_voice_spoken_t *line)
{
    u_char  digest[NGX_VOICE_DIGEST];

    ngx_voice_speech_digest(&hook->agent.profile, &line->text, digest);

    if (ngx_memcmp(digest, line->digest, NGX_VOICE_DIGEST) == 0) {
        return ngx_http_voice_agent_speak(&hook->agent, &line->text, digest,
                                          &hook->call.sid);
    }

    return ngx_http_voice_speech_want(&hook->agent.speech, line->digest,
                                      &hook->call.sid);
}


/* all was said: what comes then */

static ngx_int_t
ngx_http_voice_talk_over(ngx_http_voice_pace_t *pace,
    ngx_voice_answer_view_t *view)
{
    ngx_uint_t              said;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;
    said = view->spoken + view->n;

    if (view->after == NGX_VOICE_AFTER_DIAL) {

        hook->state = "human";
        pace->reply.next = NGX_HTTP_VOICE_NEXT_DIAL;
        pace->reply.escalate = 1;

        if (said == 0
            && ngx_http_voice_pace_line(pace, &hook->agent.flow->fallback.say)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_voice_pace_lines(pace);
    }

    if (view->after == NGX_VOICE_AFTER_HANGUP && said) {
        hook->state = "goodbye";
        pace->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;

        return ngx_http_voice_pace_send(pace);
    }

    if (view->after == NGX_VOICE_AFTER_HANGUP
        || ngx_http_voice_talk_last(pace))
    {
        /* the answer is still given */

        return ngx_http_voice_talk_act(pace, NGX_VOICE_ACTION_GOODBYE, NULL);
    }

    pace->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
    pace->reply.turn = hook->step.turn + 1;
    pace->reply.step = 0;

    return ngx_http_voice_pace_send(pace);
}


/* a line that is not the one before, as long as there is another */

static ngx_int_t
ngx_http_voice_talk_filler(ngx_http_voice_pace_t *pace, ngx_uint_t busy)
{
    uint32_t                words;
    ngx_uint_t              i;
    ngx_msec_t              gone, left;
    ngx_array_t            *lines;
    ngx_voice_line_t       *line;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    lines = busy ? &hook->agent.flow->tool_fillers
                 : &hook->agent.flow->fillers;

    for (i = 0; /* void */ ; i++) {
        line = lines->elts;
        line += (hook->view.fillers + i) % lines->nelts;

        if (ngx_http_voice_talk_words(pace, line, &words) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (words != hook->view.filler || i == lines->nelts) {
            break;
        }
    }

    if (words == hook->view.filler) {

        /* there is no other one: after a longer silence */

        gone = ngx_http_voice_pace_gone(pace);
        left = ngx_http_voice_pace_left(pace);

        if (gone < NGX_HTTP_VOICE_TALK_SAME && left > 1) {
            pace->late = 0;

            ngx_http_voice_pace_wait(pace, ngx_http_voice_talk_answer,
                                     ngx_min(NGX_HTTP_VOICE_TALK_SAME - gone,
                                             left));
            return NGX_DONE;
        }
    }

    hook->state = "filler";

    if (busy) {
        ngx_voice_answer_soothed(hook->conf->zone, &hook->call.sid,
                                 hook->step.turn);
    }

    ngx_voice_call_filler(hook->conf->zone, &hook->call.sid, words);

    pace->reply.next = NGX_HTTP_VOICE_NEXT_CONTINUE;
    pace->reply.step = hook->step.step + 1;

    if (ngx_http_voice_pace_line(pace, line) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* played if it is there, said if not: it is already late */

    return ngx_http_voice_pace_send(pace);
}


/* what a line says, as a number that is never 0 */

static ngx_int_t
ngx_http_voice_talk_words(ngx_http_voice_pace_t *pace, ngx_voice_line_t *line,
    uint32_t *words)
{
    ngx_str_t                    text;
    ngx_voice_facts_t            facts;
    ngx_http_voice_hook_t       *hook;
    ngx_http_voice_facts_buf_t   buf;

    hook = pace->hook;

    ngx_http_voice_agent_facts(&hook->agent, &hook->view, &facts, &buf);

    if (ngx_voice_line_render(line, hook->request->pool, &facts, &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *words = ngx_max(ngx_crc32_long(text.data, text.len), 1);

    return NGX_OK;
}
