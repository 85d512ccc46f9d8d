
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_reply.h"
#include "ngx_http_voice_url.h"
#include "../wire/ngx_voice_twiml.h"


/* seconds a human's telephone rings */
#define NGX_HTTP_VOICE_DIAL_TIMEOUT  25

/*
 * Seconds of a recording: of silence that end it, and the most of that,
 * because it also ends what somebody says after asking for time; of all of it,
 * which is what Gather takes, too.
 */
#define NGX_HTTP_VOICE_RECORD_TIMEOUT   3
#define NGX_HTTP_VOICE_RECORD_PATIENCE  10
#define NGX_HTTP_VOICE_RECORD_LENGTH    60


static ngx_int_t ngx_http_voice_reply_lines(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_voice_twiml_t *w);
static ngx_int_t ngx_http_voice_reply_listen(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_voice_twiml_t *w);
static ngx_int_t ngx_http_voice_reply_record(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_voice_twiml_t *w);
static ngx_int_t ngx_http_voice_reply_redirect(ngx_http_voice_hook_t *hook,
    ngx_voice_twiml_t *w, ngx_uint_t route, ngx_uint_t turn, ngx_uint_t step);
static void ngx_http_voice_reply_dial(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_voice_twiml_t *w);
static void ngx_http_voice_reply_say(ngx_http_voice_hook_t *hook,
    ngx_voice_twiml_t *w, ngx_str_t *text);
static void ngx_http_voice_reply_set(ngx_voice_twiml_t *w, const char *name,
    const char *value);


ngx_int_t
ngx_http_voice_reply_twiml(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_str_t *twiml)
{
    u_char             *scratch;
    ngx_int_t           rc;
    ngx_str_t           document;
    ngx_voice_twiml_t   w;

    /* written where there is always room, then kept at its size */

    scratch = ngx_voice_zone_scratch();

    ngx_voice_twiml_begin(&w, scratch, ngx_min(NGX_VOICE_SCRATCH,
                                               NGX_VOICE_TWIML_MAX));
    rc = NGX_OK;

    if (reply->next == NGX_HTTP_VOICE_NEXT_LISTEN) {
        rc = ngx_http_voice_reply_listen(hook, reply, &w);

    } else {
        rc = ngx_http_voice_reply_lines(hook, reply, &w);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    switch (reply->next) {

    case NGX_HTTP_VOICE_NEXT_LISTEN:

        /* reached when nothing was said: the next rung of the ladder */

        rc = ngx_http_voice_reply_redirect(hook, &w, NGX_HTTP_VOICE_START,
                                           reply->turn, reply->step + 1);
        break;

    case NGX_HTTP_VOICE_NEXT_START:
        rc = ngx_http_voice_reply_redirect(hook, &w, NGX_HTTP_VOICE_START,
                                           reply->turn, reply->step);
        break;

    case NGX_HTTP_VOICE_NEXT_CONTINUE:
        rc = ngx_http_voice_reply_redirect(hook, &w, NGX_HTTP_VOICE_CONTINUE,
                                           reply->turn, reply->step);
        break;

    case NGX_HTTP_VOICE_NEXT_DIAL:
        ngx_http_voice_reply_dial(hook, reply, &w);
        break;

    case NGX_HTTP_VOICE_NEXT_HANGUP:
        ngx_voice_twiml_open(&w, "Hangup");
        ngx_voice_twiml_close(&w, "Hangup");
        break;

    default: /* NGX_HTTP_VOICE_NEXT_NOTHING */
        break;
    }

    if (rc != NGX_OK || ngx_voice_twiml_end(&w, &document) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, hook->request->connection->log, 0,
                      "voice answer could not be written");
        return NGX_ERROR;
    }

    twiml->len = document.len;
    twiml->data = ngx_pstrdup(hook->request->pool, &document);

    return twiml->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_voice_reply_lines(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_voice_twiml_t *w)
{
    ngx_str_t                 url;
    ngx_uint_t                i;
    ngx_http_voice_spoken_t  *line;

    for (i = 0; i < reply->n; i++) {
        line = &reply->lines[i];

        if (line->speech != NGX_VOICE_SPEECH_READY) {
            ngx_http_voice_reply_say(hook, w, &line->text);
            continue;
        }

        url = ngx_http_voice_url_audio(hook, line->digest);
        if (url.data == NULL) {
            return NGX_ERROR;
        }

        ngx_voice_twiml_open(w, "Play");
        ngx_voice_twiml_text(w, &url);
        ngx_voice_twiml_close(w, "Play");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_reply_listen(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_voice_twiml_t *w)
{
    ngx_str_t                 url, language;
    ngx_voice_flow_listen_t  *listen;

    listen = &hook->agent.flow->listen;

    if (listen->mode == NGX_VOICE_LISTEN_WHISPER) {
        return ngx_http_voice_reply_record(hook, reply, w);
    }

    url = ngx_http_voice_url_step(hook, NGX_HTTP_VOICE_SPEECH, reply->turn,
                                  reply->step);
    if (url.data == NULL) {
        return NGX_ERROR;
    }

    language.data = hook->view.language;
    language.len = hook->view.language_len;

    ngx_voice_twiml_open(w, "Gather");

    ngx_http_voice_reply_set(w, "input", "dtmf speech");
    ngx_voice_twiml_attribute(w, "action", &url);
    ngx_http_voice_reply_set(w, "method", "POST");
    ngx_voice_twiml_integer(w, "timeout", reply->patient ? listen->patience
                                                         : listen->timeout);

    /* Twilio refuses "auto" together with a model (warning 13335) */

    if (listen->speech_timeout) {
        ngx_voice_twiml_integer(w, "speechTimeout", listen->speech_timeout);

    } else if (listen->speech_model.len == 0) {
        ngx_http_voice_reply_set(w, "speechTimeout", "auto");
    }

    if (listen->speech_model.len) {
        ngx_voice_twiml_attribute(w, "speechModel", &listen->speech_model);
    }

    /* one key is an answer: there is nothing to spell here */

    ngx_voice_twiml_integer(w, "numDigits", 1);
    ngx_voice_twiml_attribute(w, "language", &language);

    if (listen->hints.len) {
        ngx_voice_twiml_attribute(w, "hints", &listen->hints);
    }

    if (!listen->profanity_filter) {
        ngx_http_voice_reply_set(w, "profanityFilter", "false");
    }

    if (ngx_http_voice_reply_lines(hook, reply, w) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_voice_twiml_close(w, "Gather");

    return NGX_OK;
}


/*
 * Twilio, TwiML Record: one pause, before the first word and after the last,
 * and nothing inside: the words before it can not be interrupted.
 */

static ngx_int_t
ngx_http_voice_reply_record(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_voice_twiml_t *w)
{
    ngx_str_t                 url;
    ngx_uint_t                timeout;
    ngx_voice_flow_listen_t  *listen;

    listen = &hook->agent.flow->listen;

    timeout = listen->speech_timeout ? listen->speech_timeout
                                     : NGX_HTTP_VOICE_RECORD_TIMEOUT;

    if (reply->patient) {
        timeout = ngx_max(timeout, ngx_min(listen->patience,
                                           NGX_HTTP_VOICE_RECORD_PATIENCE));
    }

    url = ngx_http_voice_url_step(hook, NGX_HTTP_VOICE_RECORDING, reply->turn,
                                  reply->step);
    if (url.data == NULL
        || ngx_http_voice_reply_lines(hook, reply, w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_voice_twiml_open(w, "Record");
    ngx_voice_twiml_attribute(w, "action", &url);
    ngx_http_voice_reply_set(w, "method", "POST");
    ngx_voice_twiml_integer(w, "timeout", timeout);
    ngx_http_voice_reply_set(w, "finishOnKey", "1234567890*#");
    ngx_voice_twiml_integer(w, "maxLength", NGX_HTTP_VOICE_RECORD_LENGTH);
    ngx_http_voice_reply_set(w, "playBeep", "false");
    ngx_http_voice_reply_set(w, "trim", "trim-silence");
    ngx_voice_twiml_close(w, "Record");

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_reply_redirect(ngx_http_voice_hook_t *hook,
    ngx_voice_twiml_t *w, ngx_uint_t route, ngx_uint_t turn, ngx_uint_t step)
{
    ngx_str_t  url;

    url = ngx_http_voice_url_step(hook, route, turn, step);
    if (url.data == NULL) {
        return NGX_ERROR;
    }

    ngx_voice_twiml_open(w, "Redirect");
    ngx_http_voice_reply_set(w, "method", "POST");
    ngx_voice_twiml_text(w, &url);
    ngx_voice_twiml_close(w, "Redirect");

    return NGX_OK;
}


static void
ngx_http_voice_reply_dial(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_voice_twiml_t *w)
{
    ngx_str_t           goodbye;
    ngx_voice_flow_t   *flow;
    ngx_voice_facts_t   facts;

    ngx_http_voice_facts_buf_t  buf;

    flow = hook->agent.flow;

    ngx_voice_twiml_open(w, "Dial");
    ngx_voice_twiml_integer(w, "timeout", NGX_HTTP_VOICE_DIAL_TIMEOUT);
    ngx_voice_twiml_open(w, "Number");
    ngx_voice_twiml_text(w, reply->escalate ? ngx_voice_flow_escalate(flow)
                                            : &flow->fallback.number);
    ngx_voice_twiml_close(w, "Number");
    ngx_voice_twiml_close(w, "Dial");

    /* reached when the human did not answer, or has hung up */

    ngx_http_voice_agent_facts(&hook->agent, &hook->view, &facts, &buf);

    if (ngx_voice_line_render(&flow->goodbye, hook->request->pool, &facts,
                              &goodbye)
        == NGX_OK)
    {
        ngx_http_voice_reply_say(hook, w, &goodbye);
    }

    ngx_voice_twiml_open(w, "Hangup");
    ngx_voice_twiml_close(w, "Hangup");
}


static void
ngx_http_voice_reply_say(ngx_http_voice_hook_t *hook, ngx_voice_twiml_t *w,
    ngx_str_t *text)
{
    ngx_str_t          language;
    ngx_voice_flow_t  *flow;

    flow = hook->agent.flow;

    ngx_voice_twiml_open(w, "Say");

    if (flow->voice.say.len) {
        ngx_voice_twiml_attribute(w, "voice", &flow->voice.say);
    }

    language.data = hook->view.language;
    language.len = hook->view.language_len;

    if (language.len) {
        ngx_voice_twiml_attribute(w, "language", &language);
    }

    ngx_voice_twiml_text(w, text);
    ngx_voice_twiml_close(w, "Say");
}


static void
ngx_http_voice_reply_set(ngx_voice_twiml_t *w, const char *name,
    const char *value)
{
    ngx_str_t  text;

    text.data = (u_char *) value;
    text.len = ngx_strlen(value);

    ngx_voice_twiml_attribute(w, name, &text);
}
