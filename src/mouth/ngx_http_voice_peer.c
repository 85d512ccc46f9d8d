
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_peer.h"
#include "../ask/ngx_http_voice_ask.h"
#include "../ask/ngx_http_voice_header.h"
#include "../wire/ngx_voice_twiml.h"


/* the pace goes with its request, the ask goes on: each can leave alone */

typedef struct ngx_http_voice_peer_s  ngx_http_voice_peer_t;

struct ngx_http_voice_peer_s {
    ngx_http_voice_pace_t     *pace;      /* NULL: nobody waits any more */
    ngx_http_voice_peer_t    **slot;      /* the request's pointer to this */
    ngx_http_voice_resume_pt   next;
    ngx_str_t                  node;
    size_t                     len;
    unsigned                   over:1;    /* more than a document can be */
    u_char                     twiml[NGX_VOICE_TWIML_MAX];
};


static ngx_int_t ngx_http_voice_peer_ask(ngx_http_voice_peer_t *peer,
    ngx_http_voice_ask_t *ask);
static ngx_int_t ngx_http_voice_peer_copy(ngx_http_voice_ask_t *ask,
    ngx_list_t *headers, const char *name, const char *lowcase);
static ngx_str_t ngx_http_voice_peer_body(ngx_http_voice_hook_t *hook,
    ngx_pool_t *pool);
static void ngx_http_voice_peer_data(ngx_http_voice_ask_t *ask, u_char *p,
    size_t len);
static void ngx_http_voice_peer_done(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_peer_lost(ngx_http_voice_ask_t *ask);
static ngx_http_voice_pace_t *ngx_http_voice_peer_leave(
    ngx_http_voice_peer_t *peer);
static ngx_int_t ngx_http_voice_peer_send(ngx_http_voice_pace_t *pace);
static void ngx_http_voice_peer_left(void *data);


ngx_int_t
ngx_http_voice_peer(ngx_http_voice_pace_t *pace, ngx_str_t *node,
    ngx_http_voice_resume_pt next)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_request_t        *r;
    ngx_http_voice_ask_t      *ask;
    ngx_http_voice_peer_t     *peer;
    ngx_http_voice_hook_t     *hook;
    ngx_http_core_srv_conf_t  *cscf;

    hook = pace->hook;
    r = hook->request;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ask = ngx_http_voice_ask_create(cscf->ctx, &hook->call.sid);
    if (ask == NULL) {
        return next(pace);
    }

    ask->log->action = "asking another node";

    peer = ngx_pcalloc(ask->pool, sizeof(ngx_http_voice_peer_t));
    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_voice_peer_t *));

    if (peer == NULL || cln == NULL) {
        ngx_http_voice_ask_abort(ask);
        return next(pace);
    }

    peer->pace = pace;
    peer->next = next;
    peer->node = *node;
    peer->slot = cln->data;

    if (ngx_http_voice_peer_ask(peer, ask) != NGX_OK) {
        return next(pace);
    }

    *peer->slot = peer;
    cln->handler = ngx_http_voice_peer_left;

    /* what is left of the time is for going on without it */

    ngx_http_voice_pace_wait(pace, next, hook->conf->answer_within * 3 / 4);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_voice_peer_ask(ngx_http_voice_peer_t *peer,
    ngx_http_voice_ask_t *ask)
{
    u_char                         *p;
    ngx_str_t                       uri, path, *type, *body;
    ngx_http_request_t             *r;
    ngx_http_voice_hook_t          *hook;
    ngx_http_voice_webhook_conf_t  *conf;

    static ngx_str_t  form = ngx_string("application/x-www-form-urlencoded");
    static ngx_str_t  json = ngx_string("application/json");

    hook = peer->pace->hook;
    conf = hook->conf;
    r = hook->request;

    /* the path as it came: it is what was signed */

    path = r->unparsed_uri;
    p = ngx_strlchr(path.data, path.data + path.len, '?');

    if (p) {
        ask->args.len = path.data + path.len - (p + 1);
        ask->args.data = ngx_pnalloc(ask->pool, ask->args.len + 1);

        if (ask->args.data == NULL) {
            goto failed;
        }

        (void) ngx_cpystrn(ask->args.data, p + 1, ask->args.len + 1);

        path.len = p - path.data;
    }

    uri.len = conf->peer.len + peer->node.len + path.len;
    uri.data = ngx_pnalloc(ask->pool, uri.len);

    type = ngx_palloc(ask->pool, 2 * sizeof(ngx_str_t));

    if (uri.data == NULL || type == NULL) {
        goto failed;
    }

    p = ngx_cpymem(uri.data, conf->peer.data, conf->peer.len);
    p = ngx_cpymem(p, peer->node.data, peer->node.len);
    (void) ngx_cpymem(p, path.data, path.len);

    body = &type[1];

    if (hook->json) {
        *type = json;
        body->len = hook->body.len;
        body->data = ngx_pstrdup(ask->pool, &hook->body);

    } else {
        *type = form;
        *body = ngx_http_voice_peer_body(hook, ask->pool);
    }

    if (body->data == NULL
        || ngx_http_voice_ask_header(ask, "X-Voice-Node", "x-voice-node",
                                     &conf->crm->node)
           != NGX_OK
        || ngx_http_voice_peer_copy(ask, &r->headers_in.headers,
                                    "X-Twilio-Signature",
                                    "x-twilio-signature")
           != NGX_OK
        || ngx_http_voice_peer_copy(ask, &r->headers_in.headers,
                                    "I-Twilio-Idempotency-Token",
                                    "i-twilio-idempotency-token")
           != NGX_OK)
    {
        goto failed;
    }

    ask->data = peer;
    ask->on_data = ngx_http_voice_peer_data;
    ask->on_done = ngx_http_voice_peer_done;
    ask->on_lost = ngx_http_voice_peer_lost;

    return ngx_http_voice_ask_send(ask, &uri, type, body);

failed:

    ngx_http_voice_ask_abort(ask);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_voice_peer_copy(ngx_http_voice_ask_t *ask, ngx_list_t *headers,
    const char *name, const char *lowcase)
{
    ngx_str_t  value;

    if (ngx_http_voice_header_find(headers, name, &value) != 1) {
        return NGX_OK;
    }

    return ngx_http_voice_ask_header(ask, name, lowcase, &value);
}


/*
 * A form again: it was decoded in place.  What is signed are names and values,
 * however they are spelled.
 */

static ngx_str_t
ngx_http_voice_peer_body(ngx_http_voice_hook_t *hook, ngx_pool_t *pool)
{
    u_char             *p;
    size_t              len;
    ngx_str_t           body;
    ngx_uint_t          i;
    ngx_voice_param_t  *param;

    len = 1;

    for (i = 0; i < hook->nparams; i++) {
        param = &hook->params[i];
        len += 3 * (param->name.len + param->value.len) + 2;
    }

    ngx_str_null(&body);

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return body;
    }

    body.data = p;

    for (i = 0; i < hook->nparams; i++) {
        param = &hook->params[i];

        if (i) {
            *p++ = '&';
        }

        p = (u_char *) ngx_escape_uri(p, param->name.data, param->name.len,
                                      NGX_ESCAPE_URI_COMPONENT);
        *p++ = '=';
        p = (u_char *) ngx_escape_uri(p, param->value.data, param->value.len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    body.len = p - body.data;

    return body;
}


static void
ngx_http_voice_peer_data(ngx_http_voice_ask_t *ask, u_char *p, size_t len)
{
    ngx_http_voice_peer_t  *peer;

    peer = ask->data;

    if (len > NGX_VOICE_TWIML_MAX - peer->len) {
        peer->over = 1;
        return;
    }

    ngx_memcpy(peer->twiml + peer->len, p, len);
    peer->len += len;
}


static void
ngx_http_voice_peer_done(ngx_http_voice_ask_t *ask)
{
    ngx_str_t               twiml;
    ngx_http_request_t     *r;
    ngx_http_voice_peer_t  *peer;
    ngx_http_voice_pace_t  *pace;

    peer = ask->data;
    pace = ngx_http_voice_peer_leave(peer);

    if (pace == NULL) {
        return;
    }

    r = pace->hook->request;

    if (ask->status == NGX_HTTP_NO_CONTENT) {

        /* it has been told, and had nothing to say */

        ngx_http_voice_pace_again(pace, peer->next);
        return;
    }

    if (ask->status == NGX_HTTP_OK && ask->complete && !peer->over
        && peer->len)
    {
        twiml.len = peer->len;
        twiml.data = ngx_pnalloc(r->pool, peer->len);

        if (twiml.data) {
            ngx_memcpy(twiml.data, peer->twiml, peer->len);

            pace->passed = twiml;
            ngx_http_voice_pace_again(pace, ngx_http_voice_peer_send);
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "voice node \"%V\" did not answer for call \"%V\", status "
                  "%ui: it goes on here", &peer->node, &pace->hook->call.sid,
                  ask->status);

    ngx_http_voice_pace_again(pace, peer->next);
}


/* parts the two; who waited, unless that was over before */

static ngx_http_voice_pace_t *
ngx_http_voice_peer_leave(ngx_http_voice_peer_t *peer)
{
    ngx_http_voice_pace_t  *pace;

    pace = peer->pace;

    if (pace) {
        *peer->slot = NULL;
        peer->pace = NULL;

        /* it may have gone on by itself, after its time was over */

        if (pace->resume != peer->next) {
            pace = NULL;
        }
    }

    return pace;
}


static ngx_int_t
ngx_http_voice_peer_send(ngx_http_voice_pace_t *pace)
{
    pace->hook->state = "passed";

    return ngx_http_voice_hook_send(pace->hook->request, &pace->passed);
}


static void
ngx_http_voice_peer_lost(ngx_http_voice_ask_t *ask)
{
    (void) ngx_http_voice_peer_leave(ask->data);
}


/* the request is over, the ask may not be */

static void
ngx_http_voice_peer_left(void *data)
{
    ngx_http_voice_peer_t **peer = data;

    if (*peer) {
        (*peer)->pace = NULL;
    }
}


ngx_uint_t
ngx_http_voice_peer_passed(ngx_http_request_t *r)
{
    ngx_str_t  value;

    return ngx_http_voice_header_find(&r->headers_in.headers, "X-Voice-Node",
                                      &value)
           != 0;
}
