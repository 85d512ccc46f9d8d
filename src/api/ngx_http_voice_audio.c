
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_audio.h"
#include "../ask/ngx_http_voice_header.h"
#include "../call/ngx_voice_wait.h"
#include "../wire/ngx_voice_audio_id.h"
#include "../wire/ngx_voice_base64url.h"
#include "../wire/ngx_voice_json_text.h"


/* what a GET waits for speech beyond the time that speech itself has, in ms */
#define NGX_HTTP_VOICE_AUDIO_SLACK  1000


typedef struct {
    ngx_http_request_t          *request;
    ngx_http_voice_speech_t      speech;
    ngx_str_t                    content_type;
    ngx_str_t                    etag;
    ngx_str_t                    uri;       /* redirected to */
    ngx_event_t                  timer;
    ngx_voice_waiter_t           waiter;
    ngx_voice_crm_t             *crm;       /* NULL: it is not asked (again) */
    ngx_voice_crm_ask_t         *lookup;
    u_char                       digest[NGX_VOICE_DIGEST];
} ngx_http_voice_audio_ctx_t;


typedef struct {
    ngx_str_t                    extension;
    ngx_str_t                    content_type;
} ngx_http_voice_audio_type_t;


static ngx_int_t ngx_http_voice_audio_name(ngx_http_request_t *r,
    ngx_http_voice_audio_ctx_t *ctx, ngx_array_t *keys);
static ngx_int_t ngx_http_voice_audio_unchanged(
    ngx_http_voice_audio_ctx_t *ctx);
static ngx_int_t ngx_http_voice_audio_serve(ngx_http_voice_audio_ctx_t *ctx);
static ngx_int_t ngx_http_voice_audio_lookup(ngx_http_voice_audio_ctx_t *ctx);
static void ngx_http_voice_audio_words(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static void ngx_http_voice_audio_event(ngx_event_t *ev);
static void ngx_http_voice_audio_again(ngx_http_voice_audio_ctx_t *ctx);
static void ngx_http_voice_audio_timeout(ngx_event_t *ev);
static void ngx_http_voice_audio_cleanup(void *data);
static void ngx_http_voice_audio_rest(ngx_http_voice_audio_ctx_t *ctx);
static ngx_int_t ngx_http_voice_audio_header_filter(ngx_http_request_t *r);
static ngx_http_voice_audio_ctx_t *ngx_http_voice_audio_of(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_voice_audio_headers(ngx_http_request_t *r,
    ngx_http_voice_audio_ctx_t *ctx);


static ngx_http_voice_audio_type_t  ngx_http_voice_audio_types[] = {
    { ngx_string("mp3"), ngx_string("audio/mpeg") },
    { ngx_string("wav"), ngx_string("audio/wav") },
    { ngx_null_string, ngx_null_string }
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


ngx_int_t
ngx_http_voice_audio(ngx_http_request_t *r, ngx_http_voice_speech_t *speech,
    ngx_array_t *keys, ngx_voice_crm_t *crm)
{
    static ngx_str_t  allow = ngx_string("GET, HEAD");

    ngx_int_t                    rc;
    ngx_pool_cleanup_t          *cln;
    ngx_http_voice_audio_ctx_t  *ctx;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_voice_header_add(r, "Allow", &allow)
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_voice_audio_ctx_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_voice_audio_ctx_t));

    ctx->request = r;
    ctx->speech = *speech;
    ctx->crm = crm;

    ctx->timer.handler = ngx_http_voice_audio_timeout;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    cln->handler = ngx_http_voice_audio_cleanup;

    if (ngx_http_voice_audio_name(r, ctx, keys) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (ngx_http_voice_audio_unchanged(ctx) == NGX_OK) {

        /* sent here: the core's own answer would lose the tag */

        if (ngx_http_voice_audio_headers(r, ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        r->headers_out.status = NGX_HTTP_NOT_MODIFIED;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    rc = ngx_http_voice_audio_serve(ctx);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    r->main->count++;
    r->read_event_handler = ngx_http_block_reading;

    ngx_add_timer(&ctx->timer, speech->timeout + NGX_HTTP_VOICE_AUDIO_SLACK);

    return NGX_DONE;
}


ngx_int_t
ngx_http_voice_audio_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_voice_audio_header_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_audio_name(ngx_http_request_t *r,
    ngx_http_voice_audio_ctx_t *ctx, ngx_array_t *keys)
{
    u_char                       *p, *dot, *last;
    ngx_http_voice_audio_type_t  *type;

    last = r->uri.data + r->uri.len;
    dot = NULL;

    for (p = last; p > r->uri.data && p[-1] != '/'; p--) {
        if (p[-1] == '.' && dot == NULL) {
            dot = p - 1;
        }
    }

    if (dot == NULL) {
        return NGX_DECLINED;
    }

    for (type = ngx_http_voice_audio_types; type->extension.len; type++) {
        if (type->extension.len == (size_t) (last - dot - 1)
            && ngx_strncmp(type->extension.data, dot + 1, last - dot - 1)
               == 0)
        {
            break;
        }
    }

    if (type->extension.len == 0
        || ngx_voice_audio_id_parse(keys->elts, keys->nelts, p, dot - p,
                                    ctx->digest)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx->content_type = type->content_type;

    /* the name is the content: a part of it is as good a tag as any */

    ctx->etag.len = NGX_VOICE_AUDIO_ID_LEN / 2 + 2;
    ctx->etag.data = ngx_pnalloc(r->pool, ctx->etag.len + 1);

    if (ctx->etag.data == NULL) {
        return NGX_DECLINED;
    }

    ngx_sprintf(ctx->etag.data, "\"%*s\"%Z",
                (size_t) NGX_VOICE_AUDIO_ID_LEN / 2, p);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_audio_unchanged(ngx_http_voice_audio_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    /*
     * The core compares tags of what it sends; here nothing has to be looked
     * up, because under this name there never was anything else.
     */

    h = ctx->request->headers_in.if_none_match;

    if (h == NULL
        || ngx_strnstr(h->value.data, (char *) ctx->etag.data, h->value.len)
           == NULL)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* NGX_AGAIN: not yet */

static ngx_int_t
ngx_http_voice_audio_serve(ngx_http_voice_audio_ctx_t *ctx)
{
    ngx_str_t            none, text;
    ngx_http_request_t  *r;
    ngx_voice_speech_e   state;
    ngx_voice_profile_t  profile;

    r = ctx->request;
    ngx_str_null(&none);

    if (!ctx->waiter.active) {
        ngx_voice_wait_add(&ctx->waiter,
                           ngx_voice_wait_key(ctx->digest, NGX_VOICE_DIGEST),
                           ngx_http_voice_audio_event, ctx,
                           r->connection->log);
    }

    state = ngx_voice_speech_state(ctx->speech.zone, ctx->digest, 0);

    if (state == NGX_VOICE_SPEECH_UNKNOWN) {

        if (ngx_voice_speech_open(ctx->speech.zone, ctx->digest) != NGX_OK) {
            ngx_voice_wait_del(&ctx->waiter);
            return NGX_HTTP_SERVICE_UNAVAILABLE;
        }

        state = NGX_VOICE_SPEECH_NEW;
    }

    if (state == NGX_VOICE_SPEECH_NEW) {
        state = ngx_http_voice_speech_want(&ctx->speech, ctx->digest, &none);
    }

    if (state == NGX_VOICE_SPEECH_FILLING) {
        return NGX_AGAIN;
    }

    ngx_voice_wait_del(&ctx->waiter);

    if (state == NGX_VOICE_SPEECH_FAILED) {

        /* words without a sound are the provider's failure */

        if (ngx_voice_speech_get(ctx->speech.zone, ctx->digest, r->pool,
                                 &profile, &text)
            == NGX_OK)
        {
            return NGX_HTTP_BAD_GATEWAY;
        }

        return ngx_http_voice_audio_lookup(ctx);
    }

    ctx->uri = ngx_http_voice_speech_uri(&ctx->speech, r->pool, ctx->digest);

    if (ctx->uri.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* these would be held against a tag and a date of the upstream's */

    r->headers_in.if_match = NULL;
    r->headers_in.if_unmodified_since = NULL;

    return ngx_http_internal_redirect(r, &ctx->uri, NULL);
}


/* another node, or an earlier run, may have known the words */

static ngx_int_t
ngx_http_voice_audio_lookup(ngx_http_voice_audio_ctx_t *ctx)
{
    u_char     name[ngx_voice_base64url_len(NGX_VOICE_DIGEST)];
    ngx_str_t  id;

    if (ctx->crm == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    (void) ngx_voice_base64url_encode(name, ctx->digest, NGX_VOICE_DIGEST);

    id.data = name;
    id.len = sizeof(name);

    ctx->lookup = ngx_voice_crm_utterance(ctx->crm, &id,
                                          ngx_http_voice_audio_words, ctx);
    ctx->crm = NULL;

    return ctx->lookup ? NGX_AGAIN : NGX_HTTP_NOT_FOUND;
}


static void
ngx_http_voice_audio_words(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value)
{
    ngx_http_voice_audio_ctx_t *ctx = data;

    cJSON                *root;
    u_char                digest[NGX_VOICE_DIGEST];
    ngx_str_t             text;
    ngx_voice_profile_t   profile;

    ctx->lookup = NULL;

    root = (rc == NGX_VOICE_CRM_OK)
           ? cJSON_ParseWithLength((char *) value->data, value->len) : NULL;

    text = ngx_voice_json_text(root, "text");
    profile.voice = ngx_voice_json_text(root, "voice");
    profile.model = ngx_voice_json_text(root, "model");
    profile.format = ngx_voice_json_text(root, "format");
    profile.settings = ngx_voice_json_text(root, "settings");

    if (text.len && profile.voice.len) {

        /* the id has a MAC, what stands behind it in the database has none */

        ngx_voice_speech_digest(&profile, &text, digest);

        if (ngx_memcmp(digest, ctx->digest, NGX_VOICE_DIGEST) == 0) {
            (void) ngx_voice_speech_put(ctx->speech.zone, ctx->digest,
                                        &profile, &text);
        }
    }

    cJSON_Delete(root);

    ngx_http_voice_audio_again(ctx);
}


static void
ngx_http_voice_audio_event(ngx_event_t *ev)
{
    ngx_http_voice_audio_again(ev->data);
}


static void
ngx_http_voice_audio_again(ngx_http_voice_audio_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    rc = ngx_http_voice_audio_serve(ctx);

    if (rc != NGX_AGAIN) {
        ngx_http_voice_audio_rest(ctx);
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_voice_audio_timeout(ngx_event_t *ev)
{
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_http_voice_audio_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_voice_audio_rest(ctx);

    ngx_http_finalize_request(r, NGX_HTTP_GATEWAY_TIME_OUT);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_voice_audio_cleanup(void *data)
{
    ngx_http_voice_audio_rest(data);
}


/* ends all waiting */

static void
ngx_http_voice_audio_rest(ngx_http_voice_audio_ctx_t *ctx)
{
    ngx_voice_wait_del(&ctx->waiter);

    if (ctx->lookup) {
        ngx_voice_crm_drop(ctx->lookup);
        ctx->lookup = NULL;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


static ngx_int_t
ngx_http_voice_audio_header_filter(ngx_http_request_t *r)
{
    ngx_uint_t                   status;
    ngx_http_voice_audio_ctx_t  *ctx;

    if (!r->internal
        || r != r->main
        || r->upstream == NULL
        || (ctx = ngx_http_voice_audio_of(r)) == NULL
        || ctx->uri.len == 0
        || r->uri.len != ctx->uri.len
        || ngx_memcmp(r->uri.data, ctx->uri.data, r->uri.len) != 0)
    {
        return ngx_http_next_header_filter(r);
    }

    status = r->headers_out.status;

    if (!r->cached
        && status != NGX_HTTP_NOT_MODIFIED
        && (status != NGX_HTTP_OK
            || !ngx_http_voice_speech_is_audio(&r->headers_out.content_type)))
    {
        /*
         * The cache has lost it, and the provider did not make it again: what
         * it says is about our account, and not for Twilio's ears.
         */

        ctx->uri.len = 0;

        return ngx_http_filter_finalize_request(r, NULL,
                    (ngx_voice_speech_reset(ctx->speech.zone, ctx->digest)
                     == NGX_OK)
                    ? NGX_HTTP_BAD_GATEWAY : NGX_HTTP_NOT_FOUND);
    }

    if (status != NGX_HTTP_OK && status != NGX_HTTP_NOT_MODIFIED) {

        /* a range that is not there */
        return ngx_http_next_header_filter(r);
    }

    /* the provider's headers are about our account, not about the sound */

    ngx_http_voice_header_clear(r);

    r->headers_out.content_type = ctx->content_type;
    r->headers_out.content_type_len = ctx->content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_http_clear_last_modified(r);

#if (NGX_HTTP_CACHE)

    /* an answer that came chunked has its length only in the cache */

    if (r->cached) {

        if (r->headers_out.content_length_n == -1 && r->cache) {
            r->headers_out.content_length_n = r->cache->length
                                              - r->cache->body_start;
        }

        r->allow_ranges = 1;
    }

#endif

    if (ngx_http_voice_audio_headers(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/* an internal redirect wipes a request's contexts, not its cleanups */

static ngx_http_voice_audio_ctx_t *
ngx_http_voice_audio_of(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_voice_audio_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


/* a name stands for one sound for ever */

static ngx_int_t
ngx_http_voice_audio_headers(ngx_http_request_t *r,
    ngx_http_voice_audio_ctx_t *ctx)
{
    static ngx_str_t  forever = ngx_string(
                                       "public, max-age=31536000, immutable");

    if (ngx_http_voice_header_add(r, "Cache-Control", &forever) == NULL) {
        return NGX_ERROR;
    }

    r->headers_out.etag = ngx_http_voice_header_add(r, "ETag", &ctx->etag);

    return r->headers_out.etag ? NGX_OK : NGX_ERROR;
}
