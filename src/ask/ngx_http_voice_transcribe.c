
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_transcribe.h"
#include "ngx_http_voice_cause.h"
#include "../wire/ngx_voice_multipart.h"
#include "../wire/ngx_voice_text.h"


/* bytes of an answer; a minute with all its tokens is some 40 kB */
#define NGX_HTTP_VOICE_TRANSCRIBE_BUFFER  131072

/* bytes of hints; models look at the last 224 tokens only */
#define NGX_HTTP_VOICE_TRANSCRIBE_PROMPT  1000

/* all that is not the sound, a long model's name included */
#define NGX_HTTP_VOICE_TRANSCRIBE_FIELDS  3072

#define NGX_HTTP_VOICE_TRANSCRIBE_PARTS   6


/* what the public part is the head of */

typedef struct {
    ngx_http_voice_transcribe_t  transcribe;

    ngx_http_voice_ask_t        *ask;
    ngx_event_t                  timer;
    ngx_msec_t                   started;
    u_char                      *buf;
    size_t                       len;
} ngx_http_voice_transcribe_ctx_t;


static ngx_int_t ngx_http_voice_transcribe_body(
    ngx_http_voice_transcribe_ctx_t *ctx, ngx_str_t *audio, ngx_str_t *type,
    ngx_str_t *body);
static void ngx_http_voice_transcribe_part(ngx_voice_part_t *part,
    const char *name, ngx_str_t *value);
static ngx_uint_t ngx_http_voice_transcribe_is(ngx_str_t *model,
    const char *name);
static void ngx_http_voice_transcribe_data(ngx_http_voice_ask_t *ask,
    u_char *p, size_t len);
static void ngx_http_voice_transcribe_ended(ngx_http_voice_ask_t *ask);
static const char *ngx_http_voice_transcribe_read(
    ngx_http_voice_transcribe_ctx_t *ctx, ngx_str_t *detail);
static void ngx_http_voice_transcribe_lost(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_transcribe_timeout(ngx_event_t *ev);
static void ngx_http_voice_transcribe_still(
    ngx_http_voice_transcribe_ctx_t *ctx);
static void ngx_http_voice_transcribe_finish(
    ngx_http_voice_transcribe_ctx_t *ctx, const char *cause,
    ngx_str_t *detail);


ngx_http_voice_transcribe_t *
ngx_http_voice_transcribe_start(ngx_http_voice_transcribe_t *transcribe,
    ngx_str_t *audio)
{
    ngx_str_t                        *type, *body;
    ngx_http_voice_ask_t             *ask;
    ngx_http_voice_transcribe_t      *copy;
    ngx_http_voice_transcribe_ctx_t  *ctx;

    ask = ngx_http_voice_ask_create(transcribe->ctx, &transcribe->sid);
    if (ask == NULL) {
        return NULL;
    }

    ask->log->action = "transcribing";

    if (ngx_http_voice_ask_admit(ask, transcribe->zone, &transcribe->stt->uri,
                                 0, 0)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, ask->log, 0,
                      "voice transcription \"%V\" is not asked for another "
                      "%Mms, as it wished", &transcribe->stt->uri,
                      ngx_voice_gate_closed(transcribe->zone,
                                            &transcribe->stt->uri));
        goto failed;
    }

    ctx = ngx_pcalloc(ask->pool, sizeof(ngx_http_voice_transcribe_ctx_t));
    type = ngx_palloc(ask->pool, sizeof(ngx_str_t));
    body = ngx_palloc(ask->pool, sizeof(ngx_str_t));

    if (ctx == NULL || type == NULL || body == NULL) {
        goto failed;
    }

    ctx->transcribe = *transcribe;
    ctx->ask = ask;
    ctx->started = ngx_current_msec;

    copy = &ctx->transcribe;

    copy->sid.data = ngx_pstrdup(ask->pool, &transcribe->sid);
    copy->language.data = ngx_pstrdup(ask->pool, &transcribe->language);
    copy->prompt.data = ngx_pstrdup(ask->pool, &transcribe->prompt);
    ctx->buf = ngx_palloc(ask->pool, NGX_HTTP_VOICE_TRANSCRIBE_BUFFER);

    if (copy->sid.data == NULL
        || copy->language.data == NULL
        || copy->prompt.data == NULL
        || ctx->buf == NULL
        || ngx_http_voice_transcribe_body(ctx, audio, type, body) != NGX_OK)
    {
        goto failed;
    }

    ask->data = ctx;
    ask->on_data = ngx_http_voice_transcribe_data;
    ask->on_done = ngx_http_voice_transcribe_ended;
    ask->on_lost = ngx_http_voice_transcribe_lost;

    ctx->timer.handler = ngx_http_voice_transcribe_timeout;
    ctx->timer.data = ctx;
    ctx->timer.log = ask->log;

    if (ngx_http_voice_ask_send(ask, &copy->stt->uri, type, body) != NGX_OK) {
        return NULL;
    }

    ngx_add_timer(&ctx->timer, copy->timeout);

    return copy;

failed:

    ngx_http_voice_ask_abort(ask);

    return NULL;
}


void
ngx_http_voice_transcribe_abort(ngx_http_voice_transcribe_t *transcribe)
{
    ngx_http_voice_transcribe_ctx_t  *ctx;

    ctx = (ngx_http_voice_transcribe_ctx_t *) transcribe;

    ngx_http_voice_transcribe_still(ctx);
    ngx_http_voice_ask_abort(ctx->ask);
}


size_t
ngx_http_voice_transcribe_size(ngx_http_voice_stt_t *stt, size_t audio)
{
    return audio + stt->model.len + NGX_HTTP_VOICE_TRANSCRIBE_FIELDS;
}


static ngx_int_t
ngx_http_voice_transcribe_body(ngx_http_voice_transcribe_ctx_t *ctx,
    ngx_str_t *audio, ngx_str_t *type, ngx_str_t *body)
{
    u_char                        boundary[NGX_VOICE_BOUNDARY];
    uint64_t                      seed;
    ngx_str_t                    *model, language, prompt;
    ngx_uint_t                    n;
    ngx_pool_t                   *pool;
    ngx_voice_part_t              parts[NGX_HTTP_VOICE_TRANSCRIBE_PARTS];
    ngx_http_voice_transcribe_t  *transcribe;

    static ngx_str_t  json = ngx_string("json");
    static ngx_str_t  verbose = ngx_string("verbose_json");
    static ngx_str_t  logprobs = ngx_string("logprobs");

    transcribe = &ctx->transcribe;
    model = &transcribe->stt->model;
    pool = ctx->ask->pool;

    ngx_memzero(parts, sizeof(parts));
    n = 0;

    ngx_http_voice_transcribe_part(&parts[n++], "model", model);

    /* what tells how sure a model is differs from one to the other */

    if (ngx_http_voice_transcribe_is(model, "whisper")) {
        ngx_http_voice_transcribe_part(&parts[n++], "response_format",
                                       &verbose);

    } else {
        ngx_http_voice_transcribe_part(&parts[n++], "response_format", &json);

        if (ngx_http_voice_transcribe_is(model, "gpt-4o")
            && !ngx_http_voice_transcribe_is(model, "diarize"))
        {
            ngx_http_voice_transcribe_part(&parts[n++], "include[]",
                                           &logprobs);
        }
    }

    /* ISO 639-1: the first two letters, where there are no more */

    language = transcribe->language;

    if (language.len > 2 && language.data[2] == '-') {
        language.len = 2;
    }

    if (language.len == 2) {
        ngx_http_voice_transcribe_part(&parts[n++], "language", &language);
    }

    prompt = transcribe->prompt;
    prompt.len = ngx_voice_text_utf8_cut(prompt.data, prompt.len,
                                         NGX_HTTP_VOICE_TRANSCRIBE_PROMPT);

    if (prompt.len && !ngx_http_voice_transcribe_is(model, "diarize")) {
        ngx_http_voice_transcribe_part(&parts[n++], "prompt", &prompt);
    }

    ngx_http_voice_transcribe_part(&parts[n], "file", audio);
    ngx_str_set(&parts[n].filename, "caller.wav");
    ngx_str_set(&parts[n].type, "audio/wav");
    n++;

    seed = ((uint64_t) ngx_random() << 32) ^ ngx_random();

    ngx_voice_multipart_boundary(parts, n, seed, boundary);

    body->len = ngx_voice_multipart_len(parts, n);
    body->data = ngx_pnalloc(pool, body->len);

    type->len = sizeof("multipart/form-data; boundary=") - 1
                + NGX_VOICE_BOUNDARY;
    type->data = ngx_pnalloc(pool, type->len);

    if (body->data == NULL || type->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_voice_multipart_write(body->data, parts, n, boundary);
    (void) ngx_sprintf(type->data, "multipart/form-data; boundary=%*s",
                       (size_t) NGX_VOICE_BOUNDARY, boundary);

    return NGX_OK;
}


static void
ngx_http_voice_transcribe_part(ngx_voice_part_t *part, const char *name,
    ngx_str_t *value)
{
    part->name.data = (u_char *) name;
    part->name.len = ngx_strlen(name);
    part->value = *value;
}


/* whether a model is one of a family, by its name */

static ngx_uint_t
ngx_http_voice_transcribe_is(ngx_str_t *model, const char *name)
{
    return ngx_strlcasestrn(model->data, model->data + model->len,
                            (u_char *) name, ngx_strlen(name) - 1)
           != NULL;
}


static void
ngx_http_voice_transcribe_data(ngx_http_voice_ask_t *ask, u_char *p,
    size_t len)
{
    ngx_http_voice_transcribe_ctx_t  *ctx;

    ctx = ask->data;

    len = ngx_min(len, NGX_HTTP_VOICE_TRANSCRIBE_BUFFER - ctx->len);

    ngx_memcpy(ctx->buf + ctx->len, p, len);
    ctx->len += len;
}


static void
ngx_http_voice_transcribe_ended(ngx_http_voice_ask_t *ask)
{
    u_char                            buf[160];
    ngx_str_t                         detail;
    const char                       *cause;
    ngx_http_voice_transcribe_ctx_t  *ctx;

    ctx = ask->data;

    ngx_http_voice_transcribe_still(ctx);

    detail.data = buf;
    detail.len = sizeof(buf);

    cause = ngx_http_voice_transcribe_read(ctx, &detail);

    ngx_http_voice_transcribe_finish(ctx, cause, &detail);
}


static const char *
ngx_http_voice_transcribe_read(ngx_http_voice_transcribe_ctx_t *ctx,
    ngx_str_t *detail)
{
    ngx_str_t                     body;
    ngx_http_voice_ask_t         *ask;
    ngx_http_voice_transcribe_t  *transcribe;

    ask = ctx->ask;
    transcribe = &ctx->transcribe;

    body.data = ctx->buf;
    body.len = ctx->len;

    if (ask->status != NGX_HTTP_OK) {
        return ngx_http_voice_cause(ask, &body, detail);
    }

    detail->len = 0;

    if (!ask->complete) {
        return "cut";
    }

    if (ctx->len == NGX_HTTP_VOICE_TRANSCRIBE_BUFFER) {
        return "too_large";
    }

    if (ngx_voice_transcript_parse(&body, &transcribe->transcript) != NGX_OK)
    {
        return "not_json";
    }

    transcribe->silent = ngx_voice_transcript_silent(&transcribe->transcript,
                                                     &transcribe->prompt);

    return NULL;
}


static void
ngx_http_voice_transcribe_lost(ngx_http_voice_ask_t *ask)
{
    ngx_http_voice_transcribe_ctx_t  *ctx;

    ctx = ask->data;

    ngx_http_voice_transcribe_still(ctx);

    ctx->transcribe.on_lost(ctx->transcribe.data);
}


static void
ngx_http_voice_transcribe_timeout(ngx_event_t *ev)
{
    ngx_str_t                         none;
    ngx_http_voice_ask_t             *ask;
    ngx_http_voice_transcribe_ctx_t  *ctx;

    ctx = ev->data;
    ask = ctx->ask;

    ngx_str_null(&none);

    /* the memory is the ask's: on_done first, what ends the ask after it */

    ask->reported = 1;
    ask->on_data = NULL;

    ngx_http_voice_transcribe_finish(ctx, "timeout", &none);
    ngx_http_voice_ask_abort(ask);
}


static void
ngx_http_voice_transcribe_still(ngx_http_voice_transcribe_ctx_t *ctx)
{
    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


static void
ngx_http_voice_transcribe_finish(ngx_http_voice_transcribe_ctx_t *ctx,
    const char *cause, ngx_str_t *detail)
{
    ngx_http_voice_transcribe_t  *transcribe;

    transcribe = &ctx->transcribe;

    transcribe->duration = ngx_current_msec - ctx->started;

    if (cause) {
        ngx_log_error(NGX_LOG_ERR, ctx->ask->log, 0,
                      "voice transcription \"%V\" failed: %s, status %ui "
                      "after %Mms%s%V%s", &transcribe->stt->uri, cause,
                      ctx->ask->status, transcribe->duration,
                      detail->len ? ": \"" : "", detail,
                      detail->len ? "\"" : "");
    }

    ngx_voice_zone_provider(transcribe->zone, NGX_VOICE_TRANSCRIPTION, cause);
    ngx_voice_gate_result(transcribe->zone, &transcribe->stt->uri,
                          NGX_VOICE_TRANSCRIPTION, cause,
                          ctx->ask->retry_after, ctx->ask->log);

    transcribe->on_done(transcribe->data, transcribe, cause);
}
