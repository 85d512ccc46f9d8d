
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_heard.h"
#include "../brain/ngx_http_voice_note.h"


/*
 * What is between a document and the words that follow it, besides what is
 * heard, in ms.  Nobody tells us, so these are small: as much as was possible
 * counts as heard, and only what can not have been is taken out.
 *
 * FETCH: the document and its first file are on their way to Twilio, then the
 * caller's words on theirs to us.  PAUSE: silence by which the recognizer
 * knows that the caller is done, where the flow leaves that to Twilio.
 * SLACK: so little is not worth being called an interruption.
 */
#define NGX_HTTP_VOICE_HEARD_FETCH   300
#define NGX_HTTP_VOICE_HEARD_PAUSE   700
#define NGX_HTTP_VOICE_HEARD_SLACK   1000

/* bytes that are spoken in a second: by a hasty caller, and by the agent */
#define NGX_HTTP_VOICE_HEARD_CALLER  20
#define NGX_HTTP_VOICE_HEARD_AGENT   14


static void ngx_http_voice_heard_mask(ngx_http_voice_hook_t *hook,
    ngx_voice_given_t *given, ngx_msec_t left, ngx_str_t *text);
static ngx_msec_t ngx_http_voice_heard_time(ngx_http_voice_hook_t *hook,
    ngx_voice_given_t *given, ngx_str_t *words, ngx_msec_t total);
static ngx_msec_t ngx_http_voice_heard_length(ngx_voice_given_piece_t *piece);
static ngx_int_t ngx_http_voice_heard_text(ngx_http_voice_hook_t *hook,
    ngx_voice_given_t *given, ngx_msec_t left, ngx_str_t *text, size_t *len);


void
ngx_http_voice_heard(ngx_http_voice_hook_t *hook, ngx_str_t *words)
{
    ngx_str_t           text;
    ngx_uint_t          i;
    ngx_msec_t          total, heard;
    ngx_voice_given_t   given;

    ngx_http_voice_note_answer_t  answer;

    if (ngx_voice_call_given(hook->conf->zone, &hook->call.sid, &given)
        != NGX_OK)
    {
        return;
    }

    total = 0;

    for (i = given.before; i < given.given; i++) {
        total += ngx_http_voice_heard_length(&given.pieces[i]);
    }

    heard = ngx_http_voice_heard_time(hook, &given, words, total);

    /* all of it, or nothing had been said yet */

    if ((heard == total && given.whole && given.given == given.n)
        || (given.given == 0 && !given.whole))
    {
        ngx_voice_call_heard(hook->conf->zone, &hook->call.sid, given.turn,
                             NULL, 0);
        return;
    }

    ngx_http_voice_heard_mask(hook, &given, heard, &text);

    ngx_log_error(NGX_LOG_INFO, hook->request->connection->log, 0,
                  "voice call \"%V\" turn %ui was interrupted: about %Mms of "
                  "the last %Mms were heard", &hook->call.sid, given.turn,
                  heard, total);

    ngx_voice_call_heard(hook->conf->zone, &hook->call.sid, given.turn, &text,
                         hook->agent.flow->limits.history);

    ngx_memzero(&answer, sizeof(ngx_http_voice_note_answer_t));

    answer.estimated = 1;

    ngx_http_voice_note_said(&hook->agent, &hook->view, given.turn, &text,
                             &answer);
}


void
ngx_http_voice_heard_last(ngx_http_voice_hook_t *hook)
{
    ngx_str_t          text;
    ngx_voice_given_t  given;

    ngx_voice_call_leave(hook->conf->zone, &hook->call.sid);

    if (ngx_voice_call_given(hook->conf->zone, &hook->call.sid, &given)
        != NGX_OK
        || (given.whole && given.given == given.n))
    {
        return;
    }

    /* how much of the last document was heard is not even guessed */

    ngx_http_voice_heard_mask(hook, &given, NGX_MAX_INT32_VALUE, &text);

    ngx_http_voice_note_left(&hook->agent, &hook->view, given.turn, &text);
}


static void
ngx_http_voice_heard_mask(ngx_http_voice_hook_t *hook,
    ngx_voice_given_t *given, ngx_msec_t left, ngx_str_t *text)
{
    size_t               len;
    ngx_http_request_t  *r;

    r = hook->request;

    if (ngx_http_voice_heard_text(hook, given, left, text, &len) != NGX_OK
        || ngx_http_voice_agent_redact_head(&hook->agent, text, len, r->pool,
                                            r->connection->log)
           != NGX_OK)
    {
        /* without memory better nothing than what must not be seen */

        ngx_str_set(text, "");
    }

    while (text->len && text->data[text->len - 1] == ' ') {
        text->len--;
    }
}


/* ms of the last document that can have been heard */

static ngx_msec_t
ngx_http_voice_heard_time(ngx_http_voice_hook_t *hook,
    ngx_voice_given_t *given, ngx_str_t *words, ngx_msec_t total)
{
    ngx_msec_t  least, spoken;

    if (hook->agent.flow->listen.mode == NGX_VOICE_LISTEN_WHISPER) {

        /* the recording begins when everything was said */
        return total;
    }

    least = NGX_HTTP_VOICE_HEARD_FETCH;
    spoken = 0;

    if (words->len) {
        least += hook->agent.flow->listen.speech_timeout
                 ? hook->agent.flow->listen.speech_timeout * 1000
                 : NGX_HTTP_VOICE_HEARD_PAUSE;

        spoken = words->len * 1000 / NGX_HTTP_VOICE_HEARD_CALLER;
    }

    /* sooner than any telephone could: this clock says nothing */

    if (given->elapsed < least) {
        return total;
    }

    least += ngx_min(spoken, given->elapsed - least);

    return (given->elapsed - least + NGX_HTTP_VOICE_HEARD_SLACK >= total)
           ? total : given->elapsed - least;
}


static ngx_msec_t
ngx_http_voice_heard_length(ngx_voice_given_piece_t *piece)
{
    return piece->length ? piece->length
                         : piece->text.len * 1000 / NGX_HTTP_VOICE_HEARD_AGENT;
}


/*
 * The whole text, because what is to be masked may go on behind what was
 * heard, and how much of it that was: pieces of earlier documents, and of the
 * last one for the time that is left, to the end of a word.
 */

static ngx_int_t
ngx_http_voice_heard_text(ngx_http_voice_hook_t *hook,
    ngx_voice_given_t *given, ngx_msec_t left, ngx_str_t *text, size_t *len)
{
    u_char                   *p, *start;
    ngx_uint_t                i;
    ngx_msec_t                length;
    ngx_voice_given_piece_t  *piece;

    text->len = 0;

    for (i = 0; i < given->n; i++) {
        text->len += given->pieces[i].text.len + 1;
    }

    text->data = ngx_pnalloc(hook->request->pool, text->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    *len = 0;
    p = text->data;

    for (i = 0; i < given->n; i++) {
        piece = &given->pieces[i];
        length = ngx_http_voice_heard_length(piece);

        start = p;
        p = ngx_cpymem(p, piece->text.data, piece->text.len);

        if (i < given->before) {
            *len = p - text->data;

        } else if (i < given->given && left >= length) {
            *len = p - text->data;
            left -= length;

        } else if (i < given->given && left) {
            *len = start - text->data + piece->text.len * left / length;
            left = 0;

            while (*len > (size_t) (start - text->data)
                   && text->data[*len] != ' ')
            {
                (*len)--;
            }
        }

        *p++ = ' ';
    }

    text->len = p - text->data;

    return NGX_OK;
}
