
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_speech.h"
#include "ngx_http_voice_cause.h"
#include "../wire/ngx_voice_base64url.h"
#include "../wire/ngx_voice_provider_error.h"


/* how long nobody tries again after a failure, in ms */
#define NGX_HTTP_VOICE_SPEECH_RETRY  5000

#define NGX_HTTP_VOICE_SPEECH_NAME   ngx_voice_base64url_len(NGX_VOICE_DIGEST)


typedef struct {
    ngx_http_voice_speech_t      speech;
    ngx_http_voice_ask_t        *ask;
    ngx_event_t                  timer;
    ngx_msec_t                   started;
    size_t                       size;
    u_char                       digest[NGX_VOICE_DIGEST];
    u_char                       error[512];
    size_t                       error_len;
} ngx_http_voice_fill_t;


static ngx_int_t ngx_http_voice_speech_fill(ngx_http_voice_speech_t *speech,
    u_char *digest, ngx_str_t *sid);
static void ngx_http_voice_speech_data(ngx_http_voice_ask_t *ask, u_char *p,
    size_t len);
static void ngx_http_voice_speech_ended(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_speech_forget(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_speech_lost(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_speech_timeout(ngx_event_t *ev);
static const char *ngx_http_voice_speech_cause(ngx_http_voice_fill_t *fill,
    ngx_str_t *message);
static void ngx_http_voice_speech_finish(ngx_http_voice_fill_t *fill,
    const char *cause, ngx_str_t *message);
static ngx_int_t ngx_http_voice_speech_refuse(ngx_http_request_t *r);


/* the guard's refusals: no failures of the provider */
static const char  ngx_http_voice_speech_forgotten[] = "forgotten";
static const char  ngx_http_voice_speech_spared[] = "spared";


ngx_voice_speech_e
ngx_http_voice_speech_want(ngx_http_voice_speech_t *speech,
    u_char digest[NGX_VOICE_DIGEST], ngx_str_t *sid)
{
    ngx_int_t           rc;
    ngx_voice_speech_e  state;

    state = ngx_voice_speech_state(speech->zone, digest, 1);

    if (state != NGX_VOICE_SPEECH_NEW) {
        return (state == NGX_VOICE_SPEECH_UNKNOWN) ? NGX_VOICE_SPEECH_FAILED
                                                   : state;
    }

    rc = ngx_http_voice_speech_fill(speech, digest, sid);

    if (rc != NGX_OK) {
        ngx_voice_speech_done(speech->zone, digest, 0, 0,
                              (rc == NGX_BUSY) ? 0
                                               : NGX_HTTP_VOICE_SPEECH_RETRY,
                              ngx_cycle->log);
        return NGX_VOICE_SPEECH_FAILED;
    }

    /* it may have come from the cache at once */

    return ngx_voice_speech_state(speech->zone, digest, 0);
}


ngx_str_t
ngx_http_voice_speech_uri(ngx_http_voice_speech_t *speech, ngx_pool_t *pool,
    u_char digest[NGX_VOICE_DIGEST])
{
    u_char     *p;
    ngx_str_t   uri;

    uri.len = speech->uri.len + NGX_HTTP_VOICE_SPEECH_NAME;
    uri.data = ngx_pnalloc(pool, uri.len);

    if (uri.data) {
        p = ngx_cpymem(uri.data, speech->uri.data, speech->uri.len);
        (void) ngx_voice_base64url_encode(p, digest, NGX_VOICE_DIGEST);
    }

    return uri;
}


ngx_int_t
ngx_http_voice_speech_of_uri(ngx_str_t *uri, u_char digest[NGX_VOICE_DIGEST])
{
    u_char  *p;

    if (uri->len <= NGX_HTTP_VOICE_SPEECH_NAME) {
        return NGX_DECLINED;
    }

    p = uri->data + uri->len - NGX_HTTP_VOICE_SPEECH_NAME;

    if (p[-1] != '/') {
        return NGX_DECLINED;
    }

    return ngx_voice_base64url_decode(digest, NGX_VOICE_DIGEST, p,
                                      NGX_HTTP_VOICE_SPEECH_NAME);
}


ngx_uint_t
ngx_http_voice_speech_is_audio(ngx_str_t *content_type)
{
    ngx_uint_t  i;

    static ngx_str_t  types[] = {
        ngx_string("audio/"),
        ngx_string("application/octet-stream"),
        ngx_string("binary/"),
        ngx_null_string
    };

    /* what it is was asked for; here is only told what it cannot be */

    if (content_type->len == 0) {
        return 1;
    }

    for (i = 0; types[i].len; i++) {
        if (content_type->len >= types[i].len
            && ngx_strncasecmp(content_type->data, types[i].data,
                               types[i].len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_voice_speech_guard(ngx_http_request_t *r, ngx_uint_t words)
{
    ngx_http_voice_ask_t  *ask;

    ask = ngx_http_voice_ask_of(r);

    if (r->upstream && (!words || (ask && ask->guarded))) {
        r->upstream->create_request = ngx_http_voice_speech_refuse;
    }
}


static ngx_int_t
ngx_http_voice_speech_refuse(ngx_http_request_t *r)
{
    ngx_http_voice_ask_t  *ask;

#if (NGX_HTTP_CACHE)

    /* who looked first was to fill the cache, and is not going to */

    if (r->cache) {
        ngx_http_file_cache_free(r->cache, NULL);
    }

#endif

    ask = ngx_http_voice_ask_of(r);

    if (ask) {
        ask->refused = 1;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_voice_speech_fill(ngx_http_voice_speech_t *speech, u_char *digest,
    ngx_str_t *sid)
{
    ngx_int_t               rc;
    ngx_str_t               uri;
    ngx_http_voice_ask_t   *ask;
    ngx_http_voice_fill_t  *fill;

    ask = ngx_http_voice_ask_create(speech->ctx, sid);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->log->action = "making speech";
    ask->cacheable = 1;

    rc = ngx_http_voice_ask_admit(ask, speech->zone, &speech->uri,
                                  speech->limit, speech->patient);
    if (rc != NGX_OK) {
        goto failed;
    }

    rc = NGX_ERROR;

    fill = ngx_pcalloc(ask->pool, sizeof(ngx_http_voice_fill_t));
    if (fill == NULL) {
        goto failed;
    }

    uri = ngx_http_voice_speech_uri(speech, ask->pool, digest);
    if (uri.data == NULL) {
        goto failed;
    }

    fill->speech = *speech;
    fill->ask = ask;
    fill->started = ngx_current_msec;
    ngx_memcpy(fill->digest, digest, NGX_VOICE_DIGEST);

    ask->data = fill;
    ask->on_data = ngx_http_voice_speech_data;
    ask->on_done = ngx_http_voice_speech_ended;
    ask->on_lost = ngx_http_voice_speech_lost;

    fill->timer.handler = ngx_http_voice_speech_timeout;
    fill->timer.data = fill;
    fill->timer.log = ask->log;

    /* GET: the cache and the retry rules look at the request's own method */

    if (ngx_http_voice_ask_send(ask, &uri, NULL, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(&fill->timer, speech->timeout);

    return NGX_OK;

failed:

    ngx_http_voice_ask_abort(ask);

    return rc;
}


static void
ngx_http_voice_speech_data(ngx_http_voice_ask_t *ask, u_char *p, size_t len)
{
    size_t                  n;
    ngx_http_voice_fill_t  *fill;

    fill = ask->data;
    fill->size += len;

    if (ask->status != NGX_HTTP_OK) {
        n = ngx_min(len, sizeof(fill->error) - fill->error_len);
        ngx_memcpy(fill->error + fill->error_len, p, n);
        fill->error_len += n;
    }
}


static void
ngx_http_voice_speech_ended(ngx_http_voice_ask_t *ask)
{
    u_char                  buf[160];
    ngx_str_t               message;
    const char             *cause;
    ngx_http_voice_fill_t  *fill;

    fill = ask->data;

    if (fill->timer.timer_set) {
        ngx_del_timer(&fill->timer);
    }

    message.data = buf;
    message.len = sizeof(buf);

    cause = ngx_http_voice_speech_cause(fill, &message);

    if (cause && ask->status == NGX_HTTP_OK) {
        ngx_http_voice_speech_forget(ask);
    }

    ngx_http_voice_speech_finish(fill, cause, &message);
}


/*
 * The cache keeps whatever is complete and has status 200.  That it was
 * chunked and empty is known too late to prevent it, so its file is removed:
 * the core then takes it for one that was never there.
 */

static void
ngx_http_voice_speech_forget(ngx_http_voice_ask_t *ask)
{
#if (NGX_HTTP_CACHE)

    ngx_str_t         *name;
    ngx_http_cache_t  *c;

    c = ask->sr->cache;

    if (c == NULL || c->file.name.len == 0) {
        return;
    }

    name = &c->file.name;

    if (ngx_delete_file(name->data) == NGX_FILE_ERROR
        && ngx_errno != NGX_ENOENT)
    {
        ngx_log_error(NGX_LOG_CRIT, ask->log, ngx_errno,
                      ngx_delete_file_n " \"%V\" failed", name);
    }

#endif
}


static void
ngx_http_voice_speech_lost(ngx_http_voice_ask_t *ask)
{
    ngx_http_voice_fill_t  *fill;

    fill = ask->data;

    if (fill->timer.timer_set) {
        ngx_del_timer(&fill->timer);
    }

    ngx_voice_speech_done(fill->speech.zone, fill->digest, 0, 0, 0,
                          ngx_cycle->log);
}


static void
ngx_http_voice_speech_timeout(ngx_event_t *ev)
{
    ngx_str_t               none;
    ngx_http_voice_ask_t   *ask;
    ngx_http_voice_fill_t  *fill;

    fill = ev->data;
    ask = fill->ask;

    ngx_str_null(&none);

    ask->reported = 1;

    ngx_http_voice_speech_finish(fill, ask->waiting ? "queued" : "timeout",
                                 &none);
    ngx_http_voice_ask_abort(ask);
}


static const char *
ngx_http_voice_speech_cause(ngx_http_voice_fill_t *fill, ngx_str_t *message)
{
    u_char                 buf[64];
    ngx_str_t              body, code;
    ngx_http_voice_ask_t  *ask;

    ask = fill->ask;

    if (ask->status == NGX_HTTP_OK) {
        message->len = 0;

        if (!ngx_http_voice_speech_is_audio(&ask->content_type)) {
            return "not_audio";
        }

        if (!ask->complete) {
            return "cut";
        }

        return fill->size ? NULL : "empty";
    }

    body.data = fill->error;
    body.len = fill->error_len;

    code.data = buf;
    code.len = sizeof(buf);

    (void) ngx_voice_provider_error(&body, &code, message);

    if (ask->refused) {
        return ask->guarded ? ngx_http_voice_speech_spared
                            : ngx_http_voice_speech_forgotten;
    }

    if (!ngx_http_voice_cause_tells(ask->status)) {
        message->len = 0;
    }

    if (!ask->header
        && (ask->status == 0
            || ask->status >= NGX_HTTP_INTERNAL_SERVER_ERROR))
    {
        return (ask->status == NGX_HTTP_GATEWAY_TIME_OUT) ? "timeout"
                                                          : "unreachable";
    }

    if (ask->status == NGX_HTTP_VOICE_PAYMENT
        || ngx_strnstr(code.data, "quota", code.len))
    {
        return "quota";
    }

    if (ngx_strnstr(code.data, "voice", code.len)) {
        return "voice_not_found";
    }

    switch (ask->status) {

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:
        return "unauthorized";

    case NGX_HTTP_NOT_FOUND:
        return "voice_not_found";

    case NGX_HTTP_TOO_MANY_REQUESTS:
        return "rate_limited";

    default:
        return (ask->status >= 500) ? "server_error" : "bad_request";
    }
}


static void
ngx_http_voice_speech_finish(ngx_http_voice_fill_t *fill, const char *cause,
    ngx_str_t *message)
{
    ngx_msec_t                retry;
    ngx_http_voice_ask_t     *ask;
    ngx_http_voice_speech_t  *speech;

    ask = fill->ask;
    speech = &fill->speech;

    retry = NGX_HTTP_VOICE_SPEECH_RETRY;

    if (cause == ngx_http_voice_speech_forgotten) {
        ngx_log_error(NGX_LOG_INFO, ask->log, 0,
                      "voice speech is neither in the cache of \"%V\" nor "
                      "are its words known", &speech->uri);

    } else if (cause == ngx_http_voice_speech_spared) {
        retry = ngx_voice_gate_closed(speech->zone, &speech->uri);

        ngx_log_error(NGX_LOG_INFO, ask->log, 0,
                      "voice speech \"%V\" is not asked for another %Mms, as "
                      "it wished", &speech->uri, retry);

    } else if (cause) {
        ngx_log_error(NGX_LOG_ERR, ask->log, 0,
                      "voice speech \"%V\" failed: %s, status %ui after %Mms%s"
                      "%V%s", &speech->uri, cause, ask->status,
                      ngx_current_msec - fill->started,
                      message->len ? ": \"" : "", message,
                      message->len ? "\"" : "");
    }

    /* what the cache had, or had not, says nothing of the provider's health */

    if (cause != ngx_http_voice_speech_forgotten
        && cause != ngx_http_voice_speech_spared
        && !(cause == NULL && ask->cached))
    {
        ngx_voice_zone_provider(speech->zone, NGX_VOICE_SPEECH, cause);

        if (ask->sr) {
            ngx_voice_gate_result(speech->zone, &speech->uri,
                                  NGX_VOICE_SPEECH, cause, ask->retry_after,
                                  ask->log);
        }
    }

    /* rings the bell */

    ngx_voice_speech_done(speech->zone, fill->digest, cause == NULL,
                          fill->size, retry, ask->log);
}
