
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_twilio.h"
#include "ngx_http_voice_cause.h"


#define NGX_HTTP_VOICE_DELETE_TIMEOUT  10000


typedef struct {
    ngx_http_voice_ask_t          *ask;
    ngx_event_t                    timer;
    ngx_http_voice_delete_done_pt  done;
    void                          *data;
    ngx_str_t                      sid;
} ngx_http_voice_delete_ctx_t;


static void ngx_http_voice_delete_data(ngx_http_voice_ask_t *ask, u_char *p,
    size_t len);
static void ngx_http_voice_delete_ended(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_delete_lost(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_delete_timeout(ngx_event_t *ev);
static void ngx_http_voice_delete_finish(ngx_http_voice_delete_ctx_t *ctx,
    const char *cause);


ngx_uint_t
ngx_http_voice_twilio_sid(ngx_str_t *sid, const char *letters)
{
    u_char      c;
    ngx_uint_t  i;

    if (sid->len != NGX_HTTP_VOICE_TWILIO_SID
        || ngx_strncmp(sid->data, letters, 2) != 0)
    {
        return 0;
    }

    for (i = 2; i < NGX_HTTP_VOICE_TWILIO_SID; i++) {
        c = sid->data[i] | 0x20;

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_voice_twilio_uri(ngx_pool_t *pool, ngx_http_voice_twilio_t *twilio,
    ngx_str_t *account, ngx_str_t *sid, const char *suffix, ngx_str_t *uri)
{
    u_char  *p;

    if (!ngx_http_voice_twilio_sid(account, "AC")
        || !ngx_http_voice_twilio_sid(sid, "RE"))
    {
        return NGX_ERROR;
    }

    uri->len = twilio->uri.len + sizeof("Accounts//Recordings/") - 1
               + account->len + sid->len + ngx_strlen(suffix);

    uri->data = ngx_pnalloc(pool, uri->len);
    if (uri->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(uri->data, "%VAccounts/%V/Recordings/%V%s", &twilio->uri,
                    account, sid, suffix);

    uri->len = p - uri->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_voice_twilio_delete(ngx_http_voice_twilio_t *twilio,
    ngx_http_conf_ctx_t *conf, ngx_str_t *call, ngx_str_t *account,
    ngx_str_t *sid, ngx_http_voice_delete_done_pt done, void *data)
{
    ngx_str_t                    *uri;
    ngx_http_voice_ask_t         *ask;
    ngx_http_voice_delete_ctx_t  *ctx;

    ask = ngx_http_voice_ask_create(conf, call);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->log->action = "deleting a recording";
    ask->method = NGX_HTTP_DELETE;

    ctx = ngx_pcalloc(ask->pool, sizeof(ngx_http_voice_delete_ctx_t));
    uri = ngx_palloc(ask->pool, sizeof(ngx_str_t));

    if (ctx == NULL || uri == NULL) {
        goto failed;
    }

    ctx->ask = ask;
    ctx->done = done;
    ctx->data = data;
    ctx->sid.len = sid->len;
    ctx->sid.data = ngx_pstrdup(ask->pool, sid);

    if (ctx->sid.data == NULL
        || ngx_http_voice_twilio_uri(ask->pool, twilio, account, sid, ".json",
                                     uri)
           != NGX_OK)
    {
        goto failed;
    }

    ask->data = ctx;
    ask->on_data = ngx_http_voice_delete_data;
    ask->on_done = ngx_http_voice_delete_ended;
    ask->on_lost = ngx_http_voice_delete_lost;

    ctx->timer.handler = ngx_http_voice_delete_timeout;
    ctx->timer.data = ctx;
    ctx->timer.log = ask->log;

    if (ngx_http_voice_ask_send(ask, uri, NULL, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(&ctx->timer, NGX_HTTP_VOICE_DELETE_TIMEOUT);

    return NGX_OK;

failed:

    ngx_http_voice_ask_abort(ask);

    return NGX_ERROR;
}


static void
ngx_http_voice_delete_data(ngx_http_voice_ask_t *ask, u_char *p, size_t len)
{
    /* what it says besides its status is not looked at */
}


static void
ngx_http_voice_delete_ended(ngx_http_voice_ask_t *ask)
{
    ngx_str_t                     none, detail;
    const char                   *cause;
    u_char                        buf[64];
    ngx_http_voice_delete_ctx_t  *ctx;

    ctx = ask->data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    cause = NULL;

    if (ask->status != NGX_HTTP_NO_CONTENT
        && ask->status != NGX_HTTP_OK
        && ask->status != NGX_HTTP_NOT_FOUND)
    {
        ngx_str_null(&none);

        detail.data = buf;
        detail.len = sizeof(buf);

        cause = ngx_http_voice_cause(ask, &none, &detail);
    }

    ngx_http_voice_delete_finish(ctx, cause);
}


static void
ngx_http_voice_delete_lost(ngx_http_voice_ask_t *ask)
{
    ngx_http_voice_delete_ctx_t  *ctx;

    ctx = ask->data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


static void
ngx_http_voice_delete_timeout(ngx_event_t *ev)
{
    ngx_http_voice_ask_t         *ask;
    ngx_http_voice_delete_ctx_t  *ctx;

    ctx = ev->data;
    ask = ctx->ask;

    ask->reported = 1;

    ngx_http_voice_delete_finish(ctx, "timeout");
    ngx_http_voice_ask_abort(ask);
}


static void
ngx_http_voice_delete_finish(ngx_http_voice_delete_ctx_t *ctx,
    const char *cause)
{
    if (cause) {
        ngx_log_error(NGX_LOG_ERR, ctx->ask->log, 0,
                      "voice recording \"%V\" could not be deleted: %s, "
                      "status %ui", &ctx->sid, cause, ctx->ask->status);

    } else {
        ngx_log_error(NGX_LOG_INFO, ctx->ask->log, 0,
                      "voice recording \"%V\" is deleted", &ctx->sid);
    }

    if (ctx->done) {
        ctx->done(ctx->data, cause);
    }
}
