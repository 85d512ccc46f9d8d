
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_recording.h"
#include "ngx_http_voice_cause.h"


/* ms: the first pause before a recording is asked for again, and the last */
#define NGX_HTTP_VOICE_RECORDING_PAUSE      150
#define NGX_HTTP_VOICE_RECORDING_PAUSE_MAX  1000

#define NGX_HTTP_VOICE_RECORDING_REDIRECTS  3

/* bytes to begin with, where the length is not told */
#define NGX_HTTP_VOICE_RECORDING_FIRST      65536


/* what the public part is the head of */

typedef struct {
    ngx_http_voice_recording_t     recording;

    ngx_pool_t                    *pool;
    ngx_http_voice_ask_t          *ask;      /* NULL between two tries */
    ngx_event_t                    timer;    /* of all tries */
    ngx_event_t                    pause;    /* until the next one */
    ngx_event_t                    full;     /* posted by the filter */
    ngx_msec_t                     started;
    ngx_msec_t                     wait;     /* the next pause */
    ngx_uint_t                     redirects;
    ngx_uint_t                     status;   /* of the last try */
    size_t                         size;     /* of the buffer */
    const char                    *cause;

    u_char                         error[512];
    size_t                         error_len;
} ngx_http_voice_recording_ctx_t;


static ngx_int_t ngx_http_voice_recording_ask(
    ngx_http_voice_recording_ctx_t *ctx, ngx_str_t *uri, ngx_str_t *args);
static void ngx_http_voice_recording_data(ngx_http_voice_ask_t *ask,
    u_char *p, size_t len);
static ngx_int_t ngx_http_voice_recording_room(
    ngx_http_voice_recording_ctx_t *ctx, size_t len);
static void ngx_http_voice_recording_ended(ngx_http_voice_ask_t *ask);
static ngx_int_t ngx_http_voice_recording_follow(
    ngx_http_voice_recording_ctx_t *ctx, ngx_http_voice_ask_t *ask);
static ngx_http_voice_media_t *ngx_http_voice_recording_host(
    ngx_http_voice_recording_ctx_t *ctx, ngx_str_t *location,
    ngx_str_t *path);
static void ngx_http_voice_recording_lost(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_recording_full(ngx_event_t *ev);
static void ngx_http_voice_recording_again(ngx_event_t *ev);
static void ngx_http_voice_recording_timeout(ngx_event_t *ev);
static void ngx_http_voice_recording_finish(
    ngx_http_voice_recording_ctx_t *ctx, const char *cause,
    ngx_str_t *detail);
static void ngx_http_voice_recording_free(
    ngx_http_voice_recording_ctx_t *ctx);


ngx_http_voice_recording_t *
ngx_http_voice_recording_start(ngx_http_voice_recording_t *recording)
{
    ngx_str_t                        uri, none;
    ngx_pool_t                      *pool;
    ngx_http_voice_recording_t      *copy;
    ngx_http_voice_recording_ctx_t  *ctx;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    ctx = ngx_pcalloc(pool, sizeof(ngx_http_voice_recording_ctx_t));
    if (ctx == NULL) {
        goto failed;
    }

    ctx->pool = pool;
    ctx->recording = *recording;

    copy = &ctx->recording;

    copy->call.data = ngx_pstrdup(pool, &recording->call);
    copy->account.data = ngx_pstrdup(pool, &recording->account);
    copy->sid.data = ngx_pstrdup(pool, &recording->sid);

    if (copy->call.data == NULL
        || copy->account.data == NULL
        || copy->sid.data == NULL
        || ngx_http_voice_twilio_uri(pool, copy->twilio, &copy->account,
                                     &copy->sid, ".wav", &uri)
           != NGX_OK)
    {
        goto failed;
    }

    ngx_str_null(&copy->audio);
    ngx_str_null(&none);

    ctx->started = ngx_current_msec;
    ctx->wait = NGX_HTTP_VOICE_RECORDING_PAUSE;

    ctx->timer.handler = ngx_http_voice_recording_timeout;
    ctx->timer.data = ctx;
    ctx->timer.log = pool->log;

    ctx->pause.handler = ngx_http_voice_recording_again;
    ctx->pause.data = ctx;
    ctx->pause.log = pool->log;

    ctx->full.handler = ngx_http_voice_recording_full;
    ctx->full.data = ctx;
    ctx->full.log = pool->log;

    ngx_add_timer(&ctx->timer, copy->timeout);

    if (ngx_http_voice_recording_ask(ctx, &uri, &none) != NGX_OK) {
        ngx_http_voice_recording_free(ctx);
        return NULL;
    }

    return copy;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


void
ngx_http_voice_recording_abort(ngx_http_voice_recording_t *recording)
{
    ngx_http_voice_recording_ctx_t  *ctx;

    ctx = (ngx_http_voice_recording_ctx_t *) recording;

    if (ctx->ask) {
        ngx_http_voice_ask_abort(ctx->ask);
    }

    ngx_http_voice_recording_free(ctx);
}


static ngx_int_t
ngx_http_voice_recording_ask(ngx_http_voice_recording_ctx_t *ctx,
    ngx_str_t *uri, ngx_str_t *args)
{
    ngx_str_t             *copy;
    ngx_http_voice_ask_t  *ask;

    ask = ngx_http_voice_ask_create(ctx->recording.ctx, &ctx->recording.call);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->log->action = "fetching a recording";

    copy = ngx_palloc(ask->pool, sizeof(ngx_str_t));
    if (copy == NULL) {
        goto failed;
    }

    copy->len = uri->len;
    copy->data = ngx_pstrdup(ask->pool, uri);

    if (copy->data == NULL) {
        goto failed;
    }

    if (args->len) {
        ask->args.len = args->len;
        ask->args.data = ngx_pstrdup(ask->pool, args);

        if (ask->args.data == NULL) {
            goto failed;
        }
    }

    ask->data = ctx;
    ask->on_data = ngx_http_voice_recording_data;
    ask->on_done = ngx_http_voice_recording_ended;
    ask->on_lost = ngx_http_voice_recording_lost;

    ctx->recording.audio.len = 0;
    ctx->error_len = 0;
    ctx->ask = ask;

    if (ngx_http_voice_ask_send(ask, copy, NULL, NULL) != NGX_OK) {
        ctx->ask = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;

failed:

    ngx_http_voice_ask_abort(ask);

    return NGX_ERROR;
}


static void
ngx_http_voice_recording_data(ngx_http_voice_ask_t *ask, u_char *p,
    size_t len)
{
    ngx_str_t                       *audio;
    ngx_http_voice_recording_ctx_t  *ctx;

    ctx = ask->data;
    audio = &ctx->recording.audio;

    if (ctx->cause) {
        return;
    }

    if (ask->status != NGX_HTTP_OK) {
        len = ngx_min(len, sizeof(ctx->error) - ctx->error_len);
        ngx_memcpy(ctx->error + ctx->error_len, p, len);
        ctx->error_len += len;
        return;
    }

    if (ngx_http_voice_recording_room(ctx, len) != NGX_OK) {

        /* an event ends the ask, a filter must not */

        ngx_post_event(&ctx->full, &ngx_posted_events);
        return;
    }

    ngx_memcpy(audio->data + audio->len, p, len);
    audio->len += len;
}


static ngx_int_t
ngx_http_voice_recording_room(ngx_http_voice_recording_ctx_t *ctx, size_t len)
{
    off_t       told;
    size_t      size, max;
    u_char     *p;
    ngx_str_t  *audio;

    audio = &ctx->recording.audio;
    max = ctx->recording.twilio->max_size;
    told = ctx->ask->sr->headers_out.content_length_n;

    if (told > (off_t) max || len > max - audio->len) {
        ctx->cause = "too_large";
        return NGX_ERROR;
    }

    if (audio->len + len <= ctx->size) {
        return NGX_OK;
    }

    size = ngx_max(ctx->size * 2, NGX_HTTP_VOICE_RECORDING_FIRST);
    size = ngx_max(size, audio->len + len);

    if (told > 0) {
        size = ngx_max(size, (size_t) told);
    }

    size = ngx_min(size, max);

    p = ngx_palloc(ctx->pool, size);
    if (p == NULL) {
        ctx->cause = "no_memory";
        return NGX_ERROR;
    }

    if (audio->len) {
        ngx_memcpy(p, audio->data, audio->len);
    }

    if (audio->data) {
        ngx_pfree(ctx->pool, audio->data);
    }

    audio->data = p;
    ctx->size = size;

    return NGX_OK;
}


static void
ngx_http_voice_recording_ended(ngx_http_voice_ask_t *ask)
{
    u_char                           buf[160];
    ngx_str_t                        body, detail;
    const char                      *cause;
    ngx_http_voice_recording_ctx_t  *ctx;

    ctx = ask->data;

    ctx->ask = NULL;
    ctx->status = ask->status;

    ngx_str_null(&detail);

    if (ctx->cause) {
        ngx_http_voice_recording_finish(ctx, ctx->cause, &detail);
        return;
    }

    switch (ask->status) {

    case NGX_HTTP_OK:
        cause = !ask->complete ? "cut"
                               : ctx->recording.audio.len ? NULL : "empty";

        ngx_http_voice_recording_finish(ctx, cause, &detail);
        return;

    case NGX_HTTP_NOT_FOUND:

        /* Twilio tells of a recording before it can be downloaded */

        ngx_add_timer(&ctx->pause, ctx->wait);
        ctx->wait = ngx_min(ctx->wait * 2,
                            NGX_HTTP_VOICE_RECORDING_PAUSE_MAX);
        return;

    case NGX_HTTP_MOVED_PERMANENTLY:
    case NGX_HTTP_MOVED_TEMPORARILY:
    case NGX_HTTP_SEE_OTHER:
    case NGX_HTTP_TEMPORARY_REDIRECT:
    case NGX_HTTP_PERMANENT_REDIRECT:

        if (ngx_http_voice_recording_follow(ctx, ask) != NGX_OK) {
            ngx_http_voice_recording_finish(ctx, "redirect", &detail);
        }

        return;
    }

    body.data = ctx->error;
    body.len = ctx->error_len;

    detail.data = buf;
    detail.len = sizeof(buf);

    cause = ngx_http_voice_cause(ask, &body, &detail);

    ngx_http_voice_recording_finish(ctx, cause, &detail);
}


/* to a host that the operator has named, by the location for it */

static ngx_int_t
ngx_http_voice_recording_follow(ngx_http_voice_recording_ctx_t *ctx,
    ngx_http_voice_ask_t *ask)
{
    u_char                  *p;
    ngx_str_t                path, uri, args;
    ngx_uint_t               flags;
    ngx_http_voice_media_t  *media;

    if (ctx->redirects++ == NGX_HTTP_VOICE_RECORDING_REDIRECTS) {
        return NGX_ERROR;
    }

    media = ngx_http_voice_recording_host(ctx, &ask->location, &path);
    if (media == NULL) {
        return NGX_ERROR;
    }

    uri.len = media->uri.len + path.len;
    uri.data = ngx_pnalloc(ctx->pool, uri.len);
    if (uri.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(uri.data, media->uri.data, media->uri.len);

    if (path.len) {
        ngx_memcpy(p, path.data, path.len);
    }

    ngx_str_null(&args);
    flags = 0;

    /* the request is only asked for its pool and its log */

    if (ngx_http_parse_unsafe_uri(ask->main, &uri, &args, &flags)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_voice_recording_ask(ctx, &uri, &args);
}


/* NULL: no absolute URL, or the host is none of those; path follows its "/" */

static ngx_http_voice_media_t *
ngx_http_voice_recording_host(ngx_http_voice_recording_ctx_t *ctx,
    ngx_str_t *location, ngx_str_t *path)
{
    u_char                  *p, *last;
    ngx_str_t                host;
    ngx_uint_t               i;
    ngx_http_voice_media_t  *media;

    p = location->data;
    last = p + location->len;

    ngx_str_null(&host);

    if (location->len > 8
        && ngx_strncasecmp(p, (u_char *) "https://", 8) == 0)
    {
        p += 8;

    } else if (location->len > 7
               && ngx_strncasecmp(p, (u_char *) "http://", 7) == 0)
    {
        p += 7;

    } else {
        goto refused;
    }

    host.data = p;

    while (p < last && *p != '/' && *p != '?' && *p != '#') {
        p++;
    }

    host.len = p - host.data;

    if (p < last && *p == '/') {
        p++;
    }

    path->data = p;

    while (p < last && *p != '#') {
        p++;
    }

    path->len = p - path->data;

    if (ctx->recording.twilio->media == NULL) {
        goto refused;
    }

    media = ctx->recording.twilio->media->elts;

    for (i = 0; i < ctx->recording.twilio->media->nelts; i++) {
        if (media[i].host.len == host.len
            && ngx_strncasecmp(media[i].host.data, host.data, host.len) == 0)
        {
            return &media[i];
        }
    }

refused:

    ngx_log_error(NGX_LOG_ERR, ctx->pool->log, 0,
                  "voice recording \"%V\" is said to be at \"%V\", which no "
                  "\"voice_twilio_media\" names", &ctx->recording.sid, &host);

    return NULL;
}


static void
ngx_http_voice_recording_lost(ngx_http_voice_ask_t *ask)
{
    void                             *data;
    ngx_http_voice_recording_ctx_t   *ctx;
    ngx_http_voice_recording_lost_pt  lost;

    ctx = ask->data;

    lost = ctx->recording.on_lost;
    data = ctx->recording.data;

    ctx->ask = NULL;

    ngx_http_voice_recording_free(ctx);

    lost(data);
}


/* what the filter has noted: there is no room for more */

static void
ngx_http_voice_recording_full(ngx_event_t *ev)
{
    ngx_str_t                        none;
    ngx_http_voice_ask_t            *ask;
    ngx_http_voice_recording_ctx_t  *ctx;

    ctx = ev->data;
    ask = ctx->ask;

    ctx->ask = NULL;
    ctx->status = ask->status;

    ngx_str_null(&none);

    ngx_http_voice_ask_abort(ask);
    ngx_http_voice_recording_finish(ctx, ctx->cause, &none);
}


static void
ngx_http_voice_recording_again(ngx_event_t *ev)
{
    ngx_str_t                        uri, none;
    ngx_http_voice_recording_t      *recording;
    ngx_http_voice_recording_ctx_t  *ctx;

    ctx = ev->data;
    recording = &ctx->recording;

    ngx_str_null(&none);

    ctx->redirects = 0;

    if (ngx_http_voice_twilio_uri(ctx->pool, recording->twilio,
                                  &recording->account, &recording->sid,
                                  ".wav", &uri)
        != NGX_OK
        || ngx_http_voice_recording_ask(ctx, &uri, &none) != NGX_OK)
    {
        ngx_http_voice_recording_finish(ctx, "no_memory", &none);
    }
}


static void
ngx_http_voice_recording_timeout(ngx_event_t *ev)
{
    ngx_str_t                        none;
    const char                      *cause;
    ngx_http_voice_recording_ctx_t  *ctx;

    ctx = ev->data;

    cause = (ctx->status == NGX_HTTP_NOT_FOUND) ? "not_found" : "timeout";

    ngx_str_null(&none);

    if (ctx->ask) {
        ngx_http_voice_ask_abort(ctx->ask);
        ctx->ask = NULL;
    }

    ngx_http_voice_recording_finish(ctx, cause, &none);
}


static void
ngx_http_voice_recording_finish(ngx_http_voice_recording_ctx_t *ctx,
    const char *cause, ngx_str_t *detail)
{
    ngx_http_voice_recording_t  *recording;

    recording = &ctx->recording;

    recording->duration = ngx_current_msec - ctx->started;

    if (cause) {
        ngx_log_error(NGX_LOG_ERR, ctx->pool->log, 0,
                      "voice recording \"%V\" of \"%V\" failed: %s, status "
                      "%ui after %Mms%s%V%s, call: \"%V\"", &recording->sid,
                      &recording->twilio->uri, cause, ctx->status,
                      recording->duration, detail->len ? ": \"" : "", detail,
                      detail->len ? "\"" : "", &recording->call);
    }

    ngx_voice_zone_provider(recording->zone, NGX_VOICE_RECORDING, cause);

    recording->on_done(recording->data, recording, cause);

    ngx_http_voice_recording_free(ctx);
}


static void
ngx_http_voice_recording_free(ngx_http_voice_recording_ctx_t *ctx)
{
    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (ctx->pause.timer_set) {
        ngx_del_timer(&ctx->pause);
    }

    if (ctx->full.posted) {
        ngx_delete_posted_event(&ctx->full);
    }

    ngx_destroy_pool(ctx->pool);
}
