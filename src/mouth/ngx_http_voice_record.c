
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_record.h"
#include "ngx_http_voice_heard.h"
#include "ngx_http_voice_talk.h"
#include "../brain/ngx_http_voice_listen.h"
#include "../brain/ngx_http_voice_turn.h"


/* the words are still in a recording; a key that ended it says enough */

ngx_int_t
ngx_http_voice_record_begin(ngx_http_voice_pace_t *pace)
{
    ngx_int_t               rc;
    ngx_str_t               recording, none;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    if (ngx_http_voice_hook_param(hook, "Digits").len) {
        ngx_http_voice_record_forget(hook);

        return ngx_http_voice_talk_input(pace);
    }

    if (hook->step.turn > ngx_http_voice_talk_turns(pace)) {
        ngx_http_voice_record_forget(hook);

        return ngx_http_voice_talk_act(pace, NGX_VOICE_ACTION_GOODBYE, NULL);
    }

    if (ngx_http_voice_hook_recording(hook, &recording) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, hook->request->connection->log, 0,
                      "voice call \"%V\" has a recording without an id",
                      &hook->call.sid);

        return ngx_http_voice_talk_misheard(pace);
    }

    if (hook->conf->stt.uri.len == 0 || hook->conf->twilio.uri.len == 0) {

        /* not by a document of ours: a flow that records needs both */

        ngx_log_error(NGX_LOG_ERR, hook->request->connection->log, 0,
                      "voice call \"%V\" has a recording, but there is no "
                      "\"voice_stt\" or no \"voice_twilio\"",
                      &hook->call.sid);

        return ngx_http_voice_talk_misheard(pace);
    }

    hook->state = "listening";

    ngx_str_null(&none);

    ngx_http_voice_heard(hook, &none);

    rc = ngx_voice_answer_record(hook->conf->zone, &hook->call.sid,
                                 hook->step.turn, &recording,
                                 hook->step.step);

    if (rc == NGX_ERROR) {
        ngx_http_voice_record_forget(hook);

        return ngx_http_voice_talk_failed(pace);
    }

    if (rc == NGX_OK) {
        ngx_http_voice_record_start(pace);
    }

    return ngx_http_voice_talk_answer(pace);
}


/* the answer is ours to make, from where it stands */

void
ngx_http_voice_record_start(ngx_http_voice_pace_t *pace)
{
    ngx_str_t                account;
    ngx_http_voice_hook_t   *hook;
    ngx_voice_answer_view_t  view;

    hook = pace->hook;

    ngx_voice_answer_look(hook->conf->zone, &hook->call.sid, hook->step.turn,
                          &view);

    /* a failure is in the answer, too */

    if (view.recording.len == 0) {
        (void) ngx_http_voice_turn_start(&hook->agent, &hook->view, 1);
        return;
    }

    account = ngx_http_voice_hook_param(hook, "AccountSid");

    ngx_http_voice_listen_start(&hook->agent, &hook->view, &account,
                                &view.recording);
}


/* the webhook's recording is not going to be transcribed */

void
ngx_http_voice_record_forget(ngx_http_voice_hook_t *hook)
{
    ngx_str_t  account, recording;

    if (ngx_http_voice_hook_recording(hook, &recording) != NGX_OK) {
        return;
    }

    account = ngx_http_voice_hook_param(hook, "AccountSid");

    ngx_http_voice_listen_forget(&hook->agent, &hook->call.sid, &account,
                                 &recording);
}


/* what a recording came to, where that is no answer */

ngx_int_t
ngx_http_voice_record_heard(ngx_http_voice_pace_t *pace,
    ngx_voice_answer_view_t *view)
{
    ngx_voice_flow_t  *flow;
    ngx_voice_rule_t  *rule;

    flow = pace->hook->agent.flow;

    /* these lines have a wait of their own, within the same deadline */

    pace->late = 0;

    switch (view->state) {

    case NGX_VOICE_ANSWER_SILENT:
        pace->reply.turn = pace->hook->step.turn + 1;

        return ngx_http_voice_talk_prompt(pace, view->rung + 1);

    case NGX_VOICE_ANSWER_UNCLEAR:
        return ngx_http_voice_talk_misheard(pace);

    default: /* NGX_VOICE_ANSWER_RULE */

        if (view->rule >= flow->rules.nelts) {

            /* a reload has taken it away */
            return ngx_http_voice_talk_failed(pace);
        }

        rule = flow->rules.elts;
        rule += view->rule;

        return ngx_http_voice_talk_act(pace, rule->action, rule->say);
    }
}
