
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_talk.h"
#include "ngx_http_voice_greet.h"
#include "ngx_http_voice_heard.h"
#include "ngx_http_voice_record.h"
#include "../brain/ngx_http_voice_note.h"
#include "../brain/ngx_http_voice_route.h"
#include "../brain/ngx_http_voice_turn.h"


static ngx_int_t ngx_http_voice_talk_give_up(ngx_http_voice_pace_t *pace,
    const char *reason);
static ngx_int_t ngx_http_voice_talk_patience(ngx_http_voice_pace_t *pace,
    ngx_voice_line_t *line);
static ngx_uint_t ngx_http_voice_talk_understood(ngx_http_voice_pace_t *pace);
static ngx_int_t ngx_http_voice_talk_again(ngx_http_voice_pace_t *pace,
    ngx_voice_line_t *line, ngx_uint_t answers);
static void ngx_http_voice_talk_note(ngx_http_voice_pace_t *pace);


ngx_int_t
ngx_http_voice_talk_begin(ngx_http_voice_pace_t *pace)
{
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    switch (hook->route) {

    case NGX_HTTP_VOICE_INBOUND:
        return ngx_http_voice_greet_ring(pace);

    case NGX_HTTP_VOICE_START:

        if (hook->step.step == 0) {
            return ngx_http_voice_greet_open(pace);
        }

        return ngx_http_voice_talk_prompt(pace, hook->step.step);

    case NGX_HTTP_VOICE_SPEECH:

        if (hook->step.kind == NGX_VOICE_STEP_PROMPT) {
            return ngx_http_voice_talk_prompt(pace, hook->step.step + 1);
        }

        return ngx_http_voice_talk_input(pace);

    case NGX_HTTP_VOICE_RECORDING:

        if (hook->step.kind == NGX_VOICE_STEP_PROMPT) {
            ngx_http_voice_record_forget(hook);

            return ngx_http_voice_talk_prompt(pace, hook->step.step + 1);
        }

        return ngx_http_voice_record_begin(pace);

    default: /* NGX_HTTP_VOICE_CONTINUE */
        hook->state = "answering";
        return ngx_http_voice_talk_answer(pace);
    }
}


/* asks for words again, up the silence ladder */

ngx_int_t
ngx_http_voice_talk_prompt(ngx_http_voice_pace_t *pace, ngx_uint_t step)
{
    ngx_voice_flow_t       *flow;
    ngx_voice_line_t       *line;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;
    flow = hook->agent.flow;

    pace->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
    pace->reply.step = step;

    if (step <= flow->silence.nelts) {
        hook->state = "silence";
        line = flow->silence.elts;
        line += step - 1;

        /* the last rung takes its leave itself */

        if (step == flow->silence.nelts) {
            pace->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;
        }

    } else {
        hook->state = "goodbye";
        line = &flow->goodbye;
        pace->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;
    }

    if (ngx_http_voice_pace_line(pace, line) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voice_pace_lines(pace);
}


ngx_int_t
ngx_http_voice_talk_input(ngx_http_voice_pace_t *pace)
{
    ngx_int_t                       rc;
    ngx_str_t                       words, digits, confidence;
    ngx_voice_flow_t               *flow;
    ngx_voice_rule_t               *rule;
    ngx_voice_action_e              action;
    ngx_http_voice_hook_t          *hook;
    ngx_http_voice_webhook_conf_t  *conf;

    hook = pace->hook;
    conf = hook->conf;
    flow = hook->agent.flow;

    words = ngx_http_voice_hook_param(hook, "SpeechResult");
    digits = ngx_http_voice_hook_param(hook, "Digits");

    confidence = ngx_http_voice_hook_param(hook, "Confidence");

    ngx_http_voice_heard(hook, &words);

    if (digits.len && words.len == 0) {
        words.data = ngx_pnalloc(hook->request->pool,
                                 sizeof("I pressed .") - 1 + digits.len);
        if (words.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        words.len = ngx_sprintf(words.data, "I pressed %V.", &digits)
                    - words.data;
    }

    if (ngx_http_voice_agent_redact(&hook->agent, &words, hook->request->pool,
                                    hook->request->connection->log)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_voice_note_heard(&hook->agent, &hook->view, hook->step.turn,
                              &words, digits.len ? "dtmf" : "speech",
                              &confidence);

    action = NGX_VOICE_ACTION_NONE;

    if (digits.len) {

        action = ngx_voice_flow_key(flow, digits.data[0]);

        /* who asks for time goes on: that is a turn like any other */

        if (action != NGX_VOICE_ACTION_NONE
            && action != NGX_VOICE_ACTION_WAIT)
        {
            return ngx_http_voice_talk_act(pace, action, NULL);
        }
    }

    if (digits.len == 0 && !ngx_http_voice_talk_understood(pace)) {
        return ngx_http_voice_talk_misheard(pace);
    }

    if (hook->view.misheard) {
        (void) ngx_voice_call_misheard(conf->zone, &hook->call.sid, 1);
    }

    ngx_voice_call_said(conf->zone, &hook->call.sid, hook->step.turn,
                        NGX_VOICE_ROLE_USER, &words, flow->limits.history);

    if (hook->step.turn > ngx_http_voice_talk_turns(pace)) {
        return ngx_http_voice_talk_act(pace, NGX_VOICE_ACTION_GOODBYE, NULL);
    }

    if (action == NGX_VOICE_ACTION_WAIT) {
        return ngx_http_voice_talk_act(pace, action, NULL);
    }

    rule = ngx_voice_flow_match(flow, &words);

    if (rule) {
        return ngx_http_voice_talk_act(pace, rule->action, rule->say);
    }

    hook->state = "answering";

    rc = ngx_voice_answer_begin(conf->zone, &hook->call.sid, hook->step.turn);

    if (rc == NGX_ERROR) {
        return ngx_http_voice_talk_failed(pace);
    }

    if (rc == NGX_OK) {

        ngx_http_voice_route_words(&hook->agent, &hook->view, &words,
                                   hook->request->pool,
                                   hook->request->connection->log);

        /* a failure is in the answer, too */

        (void) ngx_http_voice_turn_start(&hook->agent, &hook->view, 0);
    }

    return ngx_http_voice_talk_answer(pace);
}


ngx_int_t
ngx_http_voice_talk_act(ngx_http_voice_pace_t *pace,
    ngx_voice_action_e action, ngx_voice_line_t *say)
{
    ngx_voice_flow_t  *flow;

    flow = pace->hook->agent.flow;

    if (action == NGX_VOICE_ACTION_WAIT) {
        return ngx_http_voice_talk_patience(pace, say ? say
                                                      : &flow->patience);
    }

    if (action == NGX_VOICE_ACTION_HUMAN && flow->fallback.number.len) {
        pace->hook->state = "human";
        pace->reply.next = NGX_HTTP_VOICE_NEXT_DIAL;

        if (say == NULL) {
            say = &flow->fallback.say;
        }

        ngx_http_voice_note_transfer(&pace->hook->agent, &pace->hook->view,
                                     pace->hook->step.turn, pace->reason);

    } else {
        pace->hook->state = "goodbye";
        pace->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;

        /* where a human was wanted and there is none, that is said first */

        if (action == NGX_VOICE_ACTION_HUMAN
            && ngx_http_voice_pace_line(pace, &flow->fallback.say) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (say == NULL) {
            say = &flow->goodbye;
        }
    }

    if (ngx_http_voice_pace_line(pace, say) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_voice_talk_note(pace);

    return ngx_http_voice_pace_lines(pace);
}


/* to a human, whom nobody has asked for */

static ngx_int_t
ngx_http_voice_talk_give_up(ngx_http_voice_pace_t *pace, const char *reason)
{
    pace->reason = reason;

    return ngx_http_voice_talk_act(pace, NGX_VOICE_ACTION_HUMAN, NULL);
}


/* "one moment, please": the caller is given time, and no answer */

static ngx_int_t
ngx_http_voice_talk_patience(ngx_http_voice_pace_t *pace,
    ngx_voice_line_t *line)
{
    if (ngx_http_voice_talk_last(pace)) {
        return ngx_http_voice_talk_act(pace, NGX_VOICE_ACTION_GOODBYE, NULL);
    }

    pace->hook->state = "patience";
    pace->reply.patient = 1;

    return ngx_http_voice_talk_again(pace, line, 1);
}


/* whether the recognizer was sure enough of what it heard */

static ngx_uint_t
ngx_http_voice_talk_understood(ngx_http_voice_pace_t *pace)
{
    ngx_int_t  n;
    ngx_str_t  value;

    /* decimal text; missing or 0.0 where the recognizer does not tell */

    value = ngx_http_voice_hook_param(pace->hook, "Confidence");

    n = ngx_atofp(value.data, ngx_min(value.len, sizeof("0.000") - 1), 3);

    return n == NGX_ERROR
           || n == 0
           || n >= (ngx_int_t) (pace->hook->agent.flow->listen.confidence
                                * 1000 + 0.5);
}


ngx_int_t
ngx_http_voice_talk_misheard(ngx_http_voice_pace_t *pace)
{
    ngx_uint_t              n;
    ngx_voice_flow_t       *flow;
    ngx_voice_line_t       *line;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;
    flow = hook->agent.flow;

    n = ngx_voice_call_misheard(hook->conf->zone, &hook->call.sid, 0);

    if (n > flow->limits.misheard) {
        ngx_log_error(NGX_LOG_WARN, hook->request->connection->log, 0,
                      "voice call \"%V\" was not understood %ui times in a "
                      "row", &hook->call.sid, n);

        return ngx_http_voice_talk_give_up(pace,
                                           "The caller was not understood");
    }

    if (ngx_http_voice_talk_last(pace)) {

        /* there is no turn to say it again in */

        return ngx_http_voice_talk_give_up(pace,
                                           "The caller was not understood");
    }

    hook->state = "misheard";

    line = flow->misheard.elts;
    line += (n - 1) % flow->misheard.nelts;

    return ngx_http_voice_talk_again(pace, line, 0);
}


/* a line of the flow's, which may answer words, then the caller's turn again */

static ngx_int_t
ngx_http_voice_talk_again(ngx_http_voice_pace_t *pace, ngx_voice_line_t *line,
    ngx_uint_t answers)
{
    ngx_str_t              *said;
    ngx_http_voice_hook_t  *hook;

    pace->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
    pace->reply.turn = pace->hook->step.turn + 1;
    pace->reply.step = 0;

    if (ngx_http_voice_pace_line(pace, line) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* some servers insist on roles that alternate */

    if (answers && pace->reply.n) {
        hook = pace->hook;
        said = &pace->reply.lines[pace->reply.n - 1].text;

        if (said->len) {
            ngx_voice_call_said(hook->conf->zone, &hook->call.sid,
                                hook->step.turn, NGX_VOICE_ROLE_ASSISTANT,
                                said, hook->agent.flow->limits.history);
        }
    }

    ngx_http_voice_talk_note(pace);

    return ngx_http_voice_pace_lines(pace);
}


/* lines that are all that was said in a turn: an answer is noted as one */

static void
ngx_http_voice_talk_note(ngx_http_voice_pace_t *pace)
{
    ngx_str_t               text;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    if (pace->given == 0 && hook->conf->crm
        && ngx_http_voice_pace_text(pace, pace->reply.n, &text) == NGX_OK)
    {
        ngx_http_voice_note_said(&hook->agent, &hook->view, hook->step.turn,
                                 &text, NULL);
    }
}


/* turns that the call may have */

ngx_uint_t
ngx_http_voice_talk_turns(ngx_http_voice_pace_t *pace)
{
    ngx_uint_t  limit, max;

    limit = pace->hook->agent.flow->limits.turns;
    max = pace->hook->conf->max_turns;

    return (max && max < limit) ? max : limit;
}


/* whether the call's turns or its time are used up with this turn */

ngx_uint_t
ngx_http_voice_talk_last(ngx_http_voice_pace_t *pace)
{
    time_t                  limit;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    limit = hook->agent.flow->limits.duration;

    if (hook->conf->max_duration && hook->conf->max_duration < limit) {
        limit = hook->conf->max_duration;
    }

    if (hook->step.turn < ngx_http_voice_talk_turns(pace)
        && ngx_time() - hook->view.started < limit)
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, hook->request->connection->log, 0,
                  "voice call \"%V\" has reached its limit after %ui turns "
                  "and %T seconds", &hook->call.sid, hook->step.turn,
                  ngx_time() - hook->view.started);

    return 1;
}


/* no room for the call, or for one more step of it */

ngx_int_t
ngx_http_voice_talk_busy(ngx_http_voice_pace_t *pace)
{
    ngx_voice_flow_t  *flow;

    flow = pace->hook->agent.flow;

    pace->hook->state = "full";
    pace->reply.next = (flow->busy.action == NGX_VOICE_ACTION_HUMAN)
                       ? NGX_HTTP_VOICE_NEXT_DIAL
                       : NGX_HTTP_VOICE_NEXT_HANGUP;

    if (ngx_http_voice_pace_line(pace, &flow->busy.say) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_voice_talk_note(pace);

    return ngx_http_voice_pace_lines(pace);
}


ngx_int_t
ngx_http_voice_talk_aside(ngx_http_voice_pace_t *pace)
{
    ngx_uint_t              turn;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;
    hook->state = "aside";

    turn = hook->view.turn;

    if (hook->step.kind == NGX_VOICE_STEP_REST && hook->step.turn > turn) {

        /* the call has come farther than is known here */

        turn = hook->step.turn;

    } else if (hook->view.answering) {
        pace->reply.next = NGX_HTTP_VOICE_NEXT_CONTINUE;
        pace->reply.turn = hook->view.turn;
        pace->reply.step = hook->view.rest;

        return ngx_http_voice_pace_send(pace);
    }

    pace->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
    pace->reply.turn = turn + 1;
    pace->reply.step = 0;

    if (hook->route == NGX_HTTP_VOICE_FALLBACK
        && ngx_http_voice_pace_line(pace, &hook->agent.flow->apology)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voice_pace_lines(pace);
}


/* the turn has no answer: an apology, and after several the way out */

ngx_int_t
ngx_http_voice_talk_failed(ngx_http_voice_pace_t *pace)
{
    ngx_voice_flow_t       *flow;
    ngx_voice_call_view_t   view;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;
    flow = hook->agent.flow;

    /* these lines have a wait of their own, within the same deadline */

    pace->late = 0;

    if (ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &view)
        == NGX_OK
        && view.failures >= flow->fallback.after)
    {
        ngx_log_error(NGX_LOG_ERR, hook->request->connection->log, 0,
                      "voice call \"%V\" is given up after %ui failed turns, "
                      "%s", &hook->call.sid, view.failures,
                      flow->fallback.number.len ? "a human is dialled"
                                                : "it ends with a goodbye");

        return ngx_http_voice_talk_give_up(pace, "The agent had no answer");
    }

    if (ngx_http_voice_talk_last(pace)) {

        /* the apology asks for words that nobody would hear any more */

        return ngx_http_voice_talk_give_up(pace, "The agent had no answer");
    }

    hook->state = "apology";

    return ngx_http_voice_talk_again(pace, &flow->apology, 1);
}
