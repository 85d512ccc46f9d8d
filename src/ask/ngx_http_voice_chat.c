
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_chat.h"
#include "ngx_http_voice_cause.h"
#include "../wire/ngx_voice_sse.h"
#include "../wire/ngx_voice_chat_delta.h"
#include "../wire/ngx_voice_provider_error.h"


/* one event of a stream, or a whole answer where no stream was given */
#define NGX_HTTP_VOICE_CHAT_BUFFER  32768

/* ms that a stream may take to end after it said that it is over */
#define NGX_HTTP_VOICE_CHAT_DRAIN   1000


typedef enum {
    NGX_HTTP_VOICE_CHAT_UNKNOWN = 0,
    NGX_HTTP_VOICE_CHAT_STREAM,
    NGX_HTTP_VOICE_CHAT_WHOLE         /* an error's body, or no stream */
} ngx_http_voice_chat_form_e;


/* what the public part is the head of */

typedef struct {
    ngx_http_voice_chat_t        chat;

    ngx_http_voice_ask_t        *ask;
    ngx_event_t                  timer;
    ngx_voice_sse_t              sse;
    u_char                      *buf;
    size_t                       len;         /* of a whole answer */
    const char                  *cause;
    ngx_msec_t                   heard;       /* when the last token came */
    ngx_voice_chat_calls_t       calls;

    unsigned                     form:2;
    unsigned                     begun:1;     /* words or a call came */
    unsigned                     length:1;    /* it had no room for more */
    unsigned                     finish:1;    /* finish_reason or [DONE] */
    unsigned                     enough:1;    /* no more is wanted */
    unsigned                     drain:1;     /* its end is yet to come */
    unsigned                     reported:1;
    unsigned                     posted:1;

    u_char                       detail[160];
    size_t                       detail_len;
} ngx_http_voice_chat_ctx_t;


static void ngx_http_voice_chat_data(ngx_http_voice_ask_t *ask, u_char *p,
    size_t len);
static ngx_int_t ngx_http_voice_chat_event(void *data, ngx_str_t *event);
static void ngx_http_voice_chat_begun(ngx_http_voice_chat_ctx_t *ctx);
static void ngx_http_voice_chat_ended(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_chat_lost(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_chat_still(ngx_http_voice_chat_ctx_t *ctx);
static void ngx_http_voice_chat_timeout(ngx_event_t *ev);
static void ngx_http_voice_chat_whole(ngx_http_voice_chat_ctx_t *ctx);
static const char *ngx_http_voice_chat_cause(ngx_http_voice_chat_ctx_t *ctx);
static const char *ngx_http_voice_chat_status(ngx_http_voice_chat_ctx_t *ctx);
static void ngx_http_voice_chat_detail(ngx_http_voice_chat_ctx_t *ctx,
    ngx_str_t *message);
static void ngx_http_voice_chat_finish(ngx_http_voice_chat_ctx_t *ctx,
    const char *cause);


ngx_http_voice_chat_t *
ngx_http_voice_chat_start(ngx_http_voice_chat_t *chat, ngx_str_t *body)
{
    static ngx_str_t  json = ngx_string("application/json");

    ngx_int_t                   rc;
    ngx_str_t                  *copy;
    ngx_http_voice_ask_t       *ask;
    ngx_http_voice_model_t     *model;
    ngx_http_voice_chat_ctx_t  *ctx;

    model = chat->model;

    ask = ngx_http_voice_ask_create(chat->ctx, &chat->sid);
    if (ask == NULL) {
        return NULL;
    }

    ask->log->action = "asking the model";

    rc = ngx_http_voice_ask_admit(ask, chat->zone, &model->uri, model->limit,
                                  chat->patient);

    chat->busy = (rc == NGX_BUSY);

    if (rc == NGX_BUSY) {
        goto failed;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, ask->log, 0,
                      "voice model \"%V\" is not asked for another %Mms, as it "
                      "wished", &model->uri,
                      ngx_voice_gate_closed(chat->zone, &model->uri));

        /* the same to who calls: health is to know */

        ngx_voice_zone_spared(chat->zone, NGX_VOICE_MODEL);
        goto failed;
    }

    ctx = ngx_pcalloc(ask->pool, sizeof(ngx_http_voice_chat_ctx_t));
    copy = ngx_palloc(ask->pool, sizeof(ngx_str_t));

    if (ctx == NULL || copy == NULL) {
        goto failed;
    }

    ctx->chat = *chat;
    ctx->ask = ask;
    ctx->calls.pool = ask->pool;

    ctx->buf = ngx_palloc(ask->pool, NGX_HTTP_VOICE_CHAT_BUFFER);
    copy->data = ngx_pstrdup(ask->pool, body);
    copy->len = body->len;

    if (ctx->buf == NULL || copy->data == NULL) {
        goto failed;
    }

    ngx_voice_sse_init(&ctx->sse, ctx->buf, NGX_HTTP_VOICE_CHAT_BUFFER,
                       ngx_http_voice_chat_event, ctx);

    ctx->chat.sid.data = ngx_pstrdup(ask->pool, &chat->sid);
    if (ctx->chat.sid.data == NULL) {
        goto failed;
    }

    ctx->chat.started = ngx_current_msec;
    ctx->chat.prompt_tokens = -1;
    ctx->chat.completion_tokens = -1;
    ctx->chat.ncalls = 0;
    ctx->chat.calling = 0;

    ask->data = ctx;
    ask->on_data = ngx_http_voice_chat_data;
    ask->on_done = ngx_http_voice_chat_ended;
    ask->on_lost = ngx_http_voice_chat_lost;

    ctx->timer.handler = ngx_http_voice_chat_timeout;
    ctx->timer.data = ctx;
    ctx->timer.log = ask->log;

    if (ngx_http_voice_ask_send(ask, &model->uri, &json, copy)
        != NGX_OK)
    {
        return NULL;
    }

    ngx_add_timer(&ctx->timer, chat->first_token_timeout);

    return &ctx->chat;

failed:

    ngx_http_voice_ask_abort(ask);

    return NULL;
}


void
ngx_http_voice_chat_abort(ngx_http_voice_chat_t *chat)
{
    ngx_http_voice_chat_ctx_t  *ctx;

    ctx = (ngx_http_voice_chat_ctx_t *) chat;

    ngx_http_voice_chat_still(ctx);
    ngx_http_voice_ask_abort(ctx->ask);
}


static void
ngx_http_voice_chat_data(ngx_http_voice_ask_t *ask, u_char *p, size_t len)
{
    size_t                      n;
    ngx_int_t                   rc;
    ngx_http_voice_chat_ctx_t  *ctx;

    ctx = ask->data;

    if (ctx->enough || ctx->cause) {
        return;
    }

    if (ctx->form == NGX_HTTP_VOICE_CHAT_UNKNOWN) {

        /*
         * A server that streams says so; one that sends plain JSON, or a page
         * of HTML, although a stream was asked for, says something else.
         */

        if (ask->status == NGX_HTTP_OK
            && ask->content_type.len >= sizeof("text/event-stream") - 1
            && ngx_strncasecmp(ask->content_type.data,
                               (u_char *) "text/event-stream",
                               sizeof("text/event-stream") - 1)
               == 0)
        {
            ctx->form = NGX_HTTP_VOICE_CHAT_STREAM;

        } else {
            ctx->form = NGX_HTTP_VOICE_CHAT_WHOLE;
        }
    }

    if (ctx->form == NGX_HTTP_VOICE_CHAT_WHOLE) {
        n = ngx_min(len, NGX_HTTP_VOICE_CHAT_BUFFER - ctx->len);
        ngx_memcpy(ctx->buf + ctx->len, p, n);
        ctx->len += n;
        return;
    }

    rc = ngx_voice_sse_feed(&ctx->sse, p, len);

    if (rc == NGX_ERROR && ctx->cause == NULL) {
        ctx->cause = "event_too_large";
    }

    if (rc != NGX_OK) {

        /* over, well or not: an event ends the ask, a filter must not */

        ngx_post_event(&ctx->timer, &ngx_posted_events);
    }
}


static ngx_int_t
ngx_http_voice_chat_event(void *data, ngx_str_t *event)
{
    ngx_http_voice_chat_ctx_t *ctx = data;

    ngx_int_t                rc;
    ngx_voice_chat_delta_t   d;

    if (ngx_voice_chat_delta_parse(event, &d) != NGX_OK) {
        ctx->cause = "not_json";
        return NGX_ABORT;
    }

    rc = NGX_OK;

    if (d.content.len || d.nparts || d.finish_reason.len) {

        /* an event without any of these is no progress to who listens */

        ctx->heard = ngx_current_msec;
    }

    if (d.error) {
        ctx->cause = "stream_error";
        ngx_http_voice_chat_detail(ctx, d.error_code.len ? &d.error_code
                                                         : &d.error_type);
        rc = NGX_ABORT;
        goto done;
    }

    if (d.has_usage) {
        ctx->chat.prompt_tokens = d.prompt_tokens;
        ctx->chat.completion_tokens = d.completion_tokens;
    }

    if (d.content.len) {
        ngx_http_voice_chat_begun(ctx);

        if (ctx->chat.on_text(ctx->chat.data, &d.content) != NGX_OK) {
            ctx->enough = 1;
            rc = NGX_DONE;
        }
    }

    if (d.nparts) {
        ngx_http_voice_chat_begun(ctx);

        ctx->chat.calling = 1;
        ctx->cause = ngx_voice_chat_calls_add(&ctx->calls, &d);

        if (ctx->cause) {
            rc = NGX_ABORT;
            goto done;
        }
    }

    if (d.finish_reason.len) {
        ctx->finish = 1;

        if (d.finish_reason.len == 6
            && ngx_memcmp(d.finish_reason.data, "length", 6) == 0)
        {
            ctx->length = 1;
        }
    }

    if (d.done) {
        ctx->finish = 1;
        ctx->enough = 1;
        ctx->drain = 1;
        rc = NGX_DONE;
    }

done:

    ngx_voice_chat_delta_free(&d);

    return rc;
}


static void
ngx_http_voice_chat_begun(ngx_http_voice_chat_ctx_t *ctx)
{
    if (ctx->begun) {
        return;
    }

    ctx->begun = 1;
    ctx->chat.first_token = ngx_max(1, ngx_current_msec - ctx->chat.started);

    /* from here on it is the clock between tokens */

    if (!ctx->timer.posted) {
        ngx_add_timer(&ctx->timer, ctx->chat.token_timeout);
    }
}


static void
ngx_http_voice_chat_ended(ngx_http_voice_ask_t *ask)
{
    const char                 *cause;
    ngx_http_voice_chat_ctx_t  *ctx;

    ctx = ask->data;

    if (ctx->reported) {
        ngx_http_voice_chat_still(ctx);
        return;
    }

    if (ctx->form == NGX_HTTP_VOICE_CHAT_STREAM
        && !ctx->enough
        && ctx->cause == NULL
        && ask->complete)
    {
        (void) ngx_voice_sse_end(&ctx->sse);
    }

    cause = ngx_http_voice_chat_cause(ctx);

    ngx_http_voice_chat_still(ctx);
    ngx_http_voice_chat_finish(ctx, cause);
}


static void
ngx_http_voice_chat_lost(ngx_http_voice_ask_t *ask)
{
    ngx_http_voice_chat_ctx_t  *ctx;

    /* a forced shutdown: who waits looks at the owner of the answer */

    ctx = ask->data;

    ngx_http_voice_chat_still(ctx);

    if (!ctx->reported) {
        ctx->chat.on_lost(ctx->chat.data);
    }
}


static void
ngx_http_voice_chat_still(ngx_http_voice_chat_ctx_t *ctx)
{
    if (ctx->timer.posted) {
        ngx_delete_posted_event(&ctx->timer);
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


/* the clock between tokens, and the event that a filter posts at the end */

static void
ngx_http_voice_chat_timeout(ngx_event_t *ev)
{
    ngx_msec_t                  left, gone;
    const char                 *cause;
    ngx_http_voice_ask_t       *ask;
    ngx_http_voice_chat_ctx_t  *ctx;

    ctx = ev->data;
    ask = ctx->ask;

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    if (ctx->reported) {

        /* the answer was complete, its connection did not end */

        ngx_http_voice_ask_abort(ask);
        return;
    }

    if (!ctx->enough && ctx->cause == NULL) {

        ev->timedout = 0;

        if (ctx->begun) {

            /* armed once, moved on only when it fires */

            gone = ngx_current_msec - ctx->heard;

            if (gone < ctx->chat.token_timeout) {
                left = ctx->chat.token_timeout - gone;
                ngx_add_timer(ev, left);
                return;
            }

            ctx->cause = "stalled";

        } else {
            ctx->cause = ask->waiting ? "queued" : "timeout";
        }
    }

    ngx_http_voice_chat_still(ctx);

    cause = ngx_http_voice_chat_cause(ctx);

    /* the memory is the ask's: on_done first, what ends the ask after it */

    ask->on_data = NULL;
    ctx->reported = 1;

    ngx_http_voice_chat_finish(ctx, cause);

    if (ctx->drain && cause == NULL) {

        /*
         * Only the last chunk is to come.  Who waits for it keeps the
         * connection, and the next turn pays no handshake.
         */

        ngx_add_timer(ev, NGX_HTTP_VOICE_CHAT_DRAIN);
        return;
    }

    ngx_http_voice_ask_abort(ask);
}


static const char *
ngx_http_voice_chat_cause(ngx_http_voice_chat_ctx_t *ctx)
{
    const char            *cause;
    ngx_http_voice_ask_t  *ask;

    ask = ctx->ask;

    if (ctx->cause) {
        return ctx->cause;
    }

    if (ask->status != NGX_HTTP_OK) {
        return ngx_http_voice_chat_status(ctx);
    }

    if (ctx->form == NGX_HTTP_VOICE_CHAT_WHOLE) {

        if (!ask->complete) {
            return "cut";
        }

        ngx_http_voice_chat_whole(ctx);

        if (ctx->cause) {
            return ctx->cause;
        }
    }

    if (!ctx->finish && !ctx->enough) {
        return "cut";
    }

    if (!ctx->begun) {
        return "empty";
    }

    if (ctx->calls.n == 0 || !ctx->finish) {

        /* of a call that nobody waited for the end of there is no half */
        return NULL;
    }

    if (ctx->length) {

        /* it may be the call that is cut */
        return "length";
    }

    cause = ngx_voice_chat_calls_end(&ctx->calls);

    if (cause == NULL) {
        ctx->chat.calls = ctx->calls.calls;
        ctx->chat.ncalls = ctx->calls.n;
    }

    return cause;
}


static void
ngx_http_voice_chat_whole(ngx_http_voice_chat_ctx_t *ctx)
{
    ngx_str_t  body;

    if (ctx->len == NGX_HTTP_VOICE_CHAT_BUFFER) {
        ctx->cause = "event_too_large";
        return;
    }

    body.data = ctx->buf;
    body.len = ctx->len;

    (void) ngx_http_voice_chat_event(ctx, &body);

    ctx->finish = 1;
}


static const char *
ngx_http_voice_chat_status(ngx_http_voice_chat_ctx_t *ctx)
{
    u_char       buf[160];
    ngx_str_t    body, message;
    const char  *cause;

    if (ctx->ask->sr == NULL) {

        /* its provider was closed to all while it waited for its turn */

        return "queued";
    }

    body.data = ctx->buf;
    body.len = ctx->len;

    message.data = buf;
    message.len = sizeof(buf);

    cause = ngx_http_voice_cause(ctx->ask, &body, &message);

    ngx_http_voice_chat_detail(ctx, &message);

    return (ctx->ask->status == NGX_HTTP_NOT_FOUND) ? "model_not_found"
                                                    : cause;
}


static void
ngx_http_voice_chat_detail(ngx_http_voice_chat_ctx_t *ctx, ngx_str_t *message)
{
    ngx_str_t  out;

    out.data = ctx->detail;
    out.len = sizeof(ctx->detail);

    ngx_voice_provider_clean(&out, message->data, message->len);

    ctx->detail_len = out.len;
}


static void
ngx_http_voice_chat_finish(ngx_http_voice_chat_ctx_t *ctx, const char *cause)
{
    ngx_str_t               detail;
    ngx_http_voice_chat_t  *chat;

    chat = &ctx->chat;

    chat->duration = ngx_current_msec - chat->started;

    if (cause) {
        detail.data = ctx->detail;
        detail.len = ctx->detail_len;

        ngx_log_error(NGX_LOG_ERR, ctx->ask->log, 0,
                      "voice model \"%V\" failed: %s, status %ui after %Mms%s"
                      "%V%s", &chat->model->uri, cause, ctx->ask->status,
                      chat->duration, detail.len ? ": \"" : "", &detail,
                      detail.len ? "\"" : "");
    }

    ngx_voice_zone_provider(chat->zone, NGX_VOICE_MODEL, cause);

    if (ctx->ask->sr) {
        ngx_voice_gate_result(chat->zone, &chat->model->uri, NGX_VOICE_MODEL,
                              cause, ctx->ask->retry_after, ctx->ask->log);
    }

    chat->on_done(chat->data, chat, cause);
}
