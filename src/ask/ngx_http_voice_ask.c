
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <sys/eventfd.h>

#include "ngx_http_voice_ask.h"
#include "ngx_http_voice_sink.h"


/* ms between two looks whether an ask that is aborted can end */
#define NGX_HTTP_VOICE_ASK_BLOCKED  100


typedef struct {
    ngx_http_log_ctx_t     ctx;       /* first: the core casts to it */
    ngx_str_t              sid;
} ngx_http_voice_ask_log_t;


static ngx_connection_t *ngx_http_voice_ask_connect(ngx_http_conf_ctx_t *ctx,
    ngx_str_t *sid);
static ngx_http_request_t *ngx_http_voice_ask_request(ngx_connection_t *c);
static ngx_int_t ngx_http_voice_ask_enter(ngx_http_voice_ask_t *ask,
    ngx_uint_t patient);
static void ngx_http_voice_ask_turn(ngx_event_t *ev);
static ngx_int_t ngx_http_voice_ask_start(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_ask_leave(ngx_http_voice_ask_t *ask);
static ngx_int_t ngx_http_voice_ask_headers(ngx_http_request_t *sr,
    ngx_str_t *content_type, ngx_str_t *body);
static ngx_int_t ngx_http_voice_ask_body(ngx_http_request_t *sr,
    ngx_str_t *body);
static ngx_int_t ngx_http_voice_ask_end(ngx_http_request_t *sr, void *data,
    ngx_int_t rc);
static void ngx_http_voice_ask_wake(ngx_http_request_t *r);
static void ngx_http_voice_ask_event(ngx_event_t *ev);
static void ngx_http_voice_ask_terminate(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_ask_closed(ngx_http_voice_ask_t *ask);
static void ngx_http_voice_ask_blocked(ngx_event_t *ev);
static void ngx_http_voice_ask_cleanup(void *data);
static void ngx_http_voice_ask_read(ngx_event_t *rev);
static void ngx_http_voice_ask_write(ngx_event_t *wev);
static u_char *ngx_http_voice_ask_log(ngx_log_t *log, u_char *buf,
    size_t len);


static ngx_str_t  ngx_http_voice_ask_name = ngx_string("voice");
static ngx_str_t  ngx_http_voice_ask_addr = ngx_string("unix:voice");
static ngx_str_t  ngx_http_voice_ask_protocol = ngx_string("HTTP/1.1");
static ngx_str_t  ngx_http_voice_ask_get = ngx_string("GET");
static ngx_str_t  ngx_http_voice_ask_post = ngx_string("POST");
static ngx_str_t  ngx_http_voice_ask_delete = ngx_string("DELETE");

static struct sockaddr        ngx_http_voice_ask_sockaddr = {
    .sa_family = AF_UNIX
};
static ngx_http_addr_conf_t   ngx_http_voice_ask_addr_conf;

/* what is not there any more: nothing is read from it, and nothing awaited */
static ngx_event_t            ngx_http_voice_ask_no_event;
static ngx_connection_t       ngx_http_voice_ask_no_connection = {
    .read = &ngx_http_voice_ask_no_event,
    .write = &ngx_http_voice_ask_no_event,
    .fd = (ngx_socket_t) -1
};


ngx_http_voice_ask_t *
ngx_http_voice_ask_create(ngx_http_conf_ctx_t *ctx, ngx_str_t *sid)
{
    ngx_connection_t      *c;
    ngx_pool_cleanup_t    *cln;
    ngx_http_request_t    *r;
    ngx_http_voice_ask_t  *ask;

    c = ngx_http_voice_ask_connect(ctx, sid);
    if (c == NULL) {
        return NULL;
    }

    r = ngx_http_voice_ask_request(c);
    if (r == NULL) {
        ngx_http_close_connection(c);
        return NULL;
    }

    ask = ngx_pcalloc(r->pool, sizeof(ngx_http_voice_ask_t));
    if (ask == NULL) {
        goto failed;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        goto failed;
    }

    cln->handler = ngx_http_voice_ask_cleanup;
    cln->data = ask;

    ask->main = r;
    ask->pool = r->pool;
    ask->log = c->log;

    ask->event.handler = ngx_http_voice_ask_event;
    ask->event.data = ask;
    ask->event.log = c->log;

    ngx_http_set_ctx(r, ask, ngx_http_voice_sink_filter_module);

    return ask;

failed:

    ngx_http_finalize_request(r, NGX_DONE);

    return NULL;
}


ngx_int_t
ngx_http_voice_ask_admit(ngx_http_voice_ask_t *ask, ngx_voice_zone_t *zone,
    ngx_str_t *gate, ngx_uint_t limit, ngx_uint_t patient)
{
    ngx_int_t  rc;

    ask->zone = zone;
    ask->gate = *gate;
    ask->limit = limit;

    rc = ngx_http_voice_ask_enter(ask, patient);

    if (rc == NGX_AGAIN) {
        ask->waiting = 1;
        return NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_http_voice_ask_enter(ngx_http_voice_ask_t *ask, ngx_uint_t patient)
{
    ngx_int_t  rc;

    rc = ngx_voice_gate_enter(ask->zone, &ask->gate, ask->limit, patient,
                              &ask->ticket, ask->log);

    if (rc == NGX_DECLINED && ask->cacheable) {
        ask->guarded = 1;
        return NGX_OK;
    }

    return rc;
}


ngx_int_t
ngx_http_voice_ask_header(ngx_http_voice_ask_t *ask, const char *name,
    const char *lowcase, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    if (ask->headers == NULL) {
        ask->headers = ngx_array_create(ask->pool, 4,
                                        sizeof(ngx_table_elt_t));
        if (ask->headers == NULL) {
            return NGX_ERROR;
        }
    }

    h = ngx_array_push(ask->headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->lowcase_key = (u_char *) lowcase;
    h->value.len = value->len;
    h->value.data = ngx_pstrdup(ask->pool, value);

    return h->value.data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_voice_ask_send(ngx_http_voice_ask_t *ask, ngx_str_t *uri,
    ngx_str_t *content_type, ngx_str_t *body)
{
    ngx_connection_t  *c;

    ask->uri = *uri;
    ask->body_type = content_type;
    ask->body = body;

    if (ask->waiting) {
        ngx_voice_wait_add(&ask->waiter,
                           ngx_voice_wait_key(ask->gate.data, ask->gate.len),
                           ngx_http_voice_ask_turn, ask, ask->log);

        /* what became free between the look and here */

        ngx_post_event(&ask->waiter.event, &ngx_posted_events);

        return NGX_OK;
    }

    c = ask->main->connection;

    if (ngx_http_voice_ask_start(ask) != NGX_OK) {
        ngx_http_voice_ask_abort(ask);
        return NGX_ERROR;
    }

    ngx_http_run_posted_requests(c);

    return NGX_OK;
}


/* somebody left, or the gate was closed */

static void
ngx_http_voice_ask_turn(ngx_event_t *ev)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_http_voice_ask_t  *ask;

    ask = ev->data;
    c = ask->main->connection;

    rc = ngx_http_voice_ask_enter(ask, 0);

    if (rc == NGX_AGAIN) {
        return;
    }

    ask->waiting = 0;
    ngx_voice_wait_del(&ask->waiter);

    if (rc == NGX_OK && ngx_http_voice_ask_start(ask) == NGX_OK) {
        ngx_http_run_posted_requests(c);
        return;
    }

    /* it ends as if nobody had answered */

    ask->status = NGX_HTTP_SERVICE_UNAVAILABLE;
    ask->finished = 1;

    ngx_post_event(&ask->event, &ngx_posted_events);
}


static ngx_int_t
ngx_http_voice_ask_start(ngx_http_voice_ask_t *ask)
{
    ngx_http_request_t          *sr;
    ngx_http_post_subrequest_t  *ps;

    ps = ngx_palloc(ask->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    ps->handler = ngx_http_voice_ask_end;
    ps->data = ask;

    if (ngx_http_subrequest(ask->main, &ask->uri,
                            ask->args.len ? &ask->args : NULL, &sr, ps, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_voice_ask_headers(sr, ask->body_type, ask->body) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ask->method == NGX_HTTP_DELETE) {
        sr->method = NGX_HTTP_DELETE;
        sr->method_name = ngx_http_voice_ask_delete;

    } else if (ask->body || ask->method == NGX_HTTP_POST) {
        sr->method = NGX_HTTP_POST;
        sr->method_name = ngx_http_voice_ask_post;
    }

    ask->sr = sr;

    return NGX_OK;
}


static void
ngx_http_voice_ask_leave(ngx_http_voice_ask_t *ask)
{
    ngx_voice_wait_del(&ask->waiter);

    if (ask->ticket) {
        ngx_voice_gate_leave(ask->zone, &ask->gate, ask->ticket,
                             ngx_cycle->log);
        ask->ticket = NULL;
    }
}


void
ngx_http_voice_ask_abort(ngx_http_voice_ask_t *ask)
{
    ask->reported = 1;
    ask->on_data = NULL;

    ngx_http_voice_ask_terminate(ask);
}


static void
ngx_http_voice_ask_terminate(ngx_http_voice_ask_t *ask)
{
    ngx_connection_t  *c;

    c = ask->main->connection;

    ngx_http_finalize_request(ask->main, NGX_ERROR);
    ngx_http_run_posted_requests(c);

    if (c->destroyed) {
        return;
    }

    /*
     * A thread reads or writes for it, or it waits for a lock of the cache.
     * The core ends it afterwards, but not always: before 1.25.4 it forgets a
     * subrequest whose upstream is closed already.
     */

    ngx_http_voice_ask_closed(ask);

    if (ask->event.posted) {
        ngx_delete_posted_event(&ask->event);
    }

    ask->event.handler = ngx_http_voice_ask_blocked;

    ngx_add_timer(&ask->event, NGX_HTTP_VOICE_ASK_BLOCKED);
}


/*
 * The provider's connection is closed, and where the thread has ended a core
 * before 1.25.4 goes on to read from it, which may be another one by then.
 */

static void
ngx_http_voice_ask_closed(ngx_http_voice_ask_t *ask)
{
    ngx_event_pipe_t     *p;
    ngx_http_upstream_t  *u;

    u = ask->sr ? ask->sr->upstream : NULL;

    if (u == NULL || u->pipe == NULL || u->peer.connection) {
        return;
    }

    p = u->pipe;

    p->upstream = &ngx_http_voice_ask_no_connection;
    p->upstream_error = 1;
    p->downstream_error = 1;
}


static void
ngx_http_voice_ask_blocked(ngx_event_t *ev)
{
    ngx_http_voice_ask_t  *ask;

    ask = ev->data;

    if (ask->main->blocked) {
        ngx_add_timer(ev, NGX_HTTP_VOICE_ASK_BLOCKED);
        return;
    }

    ngx_http_voice_ask_terminate(ask);
}


ngx_http_voice_ask_t *
ngx_http_voice_ask_of(ngx_http_request_t *r)
{
    return ngx_http_get_module_ctx(r->main,
                                   ngx_http_voice_sink_filter_module);
}


static ngx_connection_t *
ngx_http_voice_ask_connect(ngx_http_conf_ctx_t *ctx, ngx_str_t *sid)
{
    int                        fd;
    ngx_log_t                 *log;
    ngx_pool_t                *pool;
    ngx_connection_t          *c;
    ngx_http_connection_t     *hc;
    ngx_http_voice_ask_log_t  *lctx;

    /* a descriptor of our own lets the core close this like any other */

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);
    if (fd == -1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                      "voice request eventfd() failed");
        return NULL;
    }

    c = ngx_get_connection(fd, ngx_cycle->log);
    if (c == NULL) {
        if (close(fd) == -1) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                          "voice request close() failed");
        }

        return NULL;
    }

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        goto failed;
    }

    c->pool = pool;

    log = ngx_palloc(pool, sizeof(ngx_log_t));
    lctx = ngx_pcalloc(pool, sizeof(ngx_http_voice_ask_log_t) + sid->len);
    hc = ngx_pcalloc(pool, sizeof(ngx_http_connection_t));
    c->buffer = ngx_create_temp_buf(pool, 1);

    if (log == NULL || lctx == NULL || hc == NULL || c->buffer == NULL) {
        goto failed;
    }

    lctx->ctx.connection = c;
    lctx->sid.len = sid->len;
    lctx->sid.data = (u_char *) lctx + sizeof(ngx_http_voice_ask_log_t);

    if (sid->len) {
        ngx_memcpy(lctx->sid.data, sid->data, sid->len);
    }

    *log = *ngx_cycle->log;

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

    log->connection = c->number;
    log->handler = ngx_http_voice_ask_log;
    log->data = lctx;
    log->action = "asking a provider";

    c->log = log;
    pool->log = log;
    c->read->log = log;
    c->write->log = log;
    c->log_error = NGX_ERROR_INFO;

    c->sockaddr = &ngx_http_voice_ask_sockaddr;
    c->socklen = sizeof(sa_family_t);
    c->local_sockaddr = &ngx_http_voice_ask_sockaddr;
    c->local_socklen = sizeof(sa_family_t);
    c->addr_text = ngx_http_voice_ask_addr;

    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    c->read->handler = ngx_http_voice_ask_read;
    c->write->handler = ngx_http_voice_ask_write;
    c->write->ready = 1;

    /* nobody is there to linger for */
    c->read->eof = 1;

    c->start_time = ngx_current_msec;

    hc->addr_conf = &ngx_http_voice_ask_addr_conf;
    hc->conf_ctx = ctx;
    c->data = hc;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    return c;

failed:

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }

    return NULL;
}


static ngx_http_request_t *
ngx_http_voice_ask_request(ngx_connection_t *c)
{
    ngx_http_request_t  *r;

    r = ngx_http_create_request(c);
    if (r == NULL) {
        return NULL;
    }

    c->data = r;

    r->method = NGX_HTTP_GET;
    r->method_name = ngx_http_voice_ask_get;
    r->uri = ngx_http_voice_ask_name;
    r->unparsed_uri = ngx_http_voice_ask_name;
    r->http_protocol = ngx_http_voice_ask_protocol;
    r->http_version = NGX_HTTP_VERSION_11;
    r->headers_in.content_length_n = 0;

    r->internal = 1;
    r->keepalive = 0;
    r->logged = 1;
    r->valid_location = 1;
    r->http_state = NGX_HTTP_PROCESS_REQUEST_STATE;

    r->write_event_handler = ngx_http_voice_ask_wake;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        /* nothing else holds it: freed with its connection */
        ngx_http_free_request(r, 0);
        return NULL;
    }

    return r;
}


static ngx_int_t
ngx_http_voice_ask_headers(ngx_http_request_t *sr, ngx_str_t *content_type,
    ngx_str_t *body)
{
    ngx_uint_t             i;
    ngx_table_elt_t       *h;
    ngx_http_voice_ask_t  *ask;

    /*
     * Fresh ones: a copy would hand the parent's to the provider, and both
     * would share one list.
     */

    ngx_memzero(&sr->headers_in, sizeof(ngx_http_headers_in_t));

    sr->headers_in.content_length_n = -1;
    sr->headers_in.keep_alive_n = -1;

    if (ngx_list_init(&sr->headers_in.headers, sr->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (content_type) {
        h = ngx_list_push(&sr->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->hash = 1;
        ngx_str_set(&h->key, "Content-Type");
        h->lowcase_key = (u_char *) "content-type";
        h->value = *content_type;

        sr->headers_in.content_type = h;
    }

    ask = ngx_http_voice_ask_of(sr);

    for (i = 0; ask->headers && i < ask->headers->nelts; i++) {
        h = ngx_list_push(&sr->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ((ngx_table_elt_t *) ask->headers->elts)[i];
    }

    return ngx_http_voice_ask_body(sr, body);
}


static ngx_int_t
ngx_http_voice_ask_body(ngx_http_request_t *sr, ngx_str_t *body)
{
    ngx_buf_t                *b;
    ngx_http_request_body_t  *rb;

    /* an empty one, too: without it the parent's would be sent */

    rb = ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    sr->request_body = rb;

    if (body == NULL) {
        return NGX_OK;
    }

    b = ngx_calloc_buf(sr->pool);
    rb->bufs = ngx_alloc_chain_link(sr->pool);

    if (b == NULL || rb->bufs == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->start = b->pos;
    b->end = b->last;
    b->memory = 1;
    b->last_buf = 1;

    rb->buf = b;
    rb->bufs->buf = b;
    rb->bufs->next = NULL;

    sr->headers_in.content_length_n = body->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_ask_end(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_http_voice_ask_t *ask = data;

    ask->rc = rc;

    /* no header came: the code is the core's word for what happened */

    if (ask->status == 0 && rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ask->status = rc;
    }

    /*
     * Always NGX_OK: an error code would send an error page through the
     * sink, or terminate the main request under this stack.
     */

    return NGX_OK;
}


static void
ngx_http_voice_ask_wake(ngx_http_request_t *r)
{
    ngx_http_voice_ask_t  *ask;

    ask = ngx_http_get_module_ctx(r, ngx_http_voice_sink_filter_module);

    if (r->postponed || ask->finished) {
        return;
    }

    ask->finished = 1;

    ngx_post_event(&ask->event, &ngx_posted_events);
}


static void
ngx_http_voice_ask_event(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_http_voice_ask_t  *ask;

    ask = ev->data;
    c = ask->main->connection;

    /* the next one is not to wait for what is done here */

    ngx_http_voice_ask_leave(ask);

    if (!ask->reported) {
        ask->reported = 1;
        ask->on_done(ask);
    }

    /* without a subrequest it was never sent */

    ngx_http_finalize_request(ask->main, ask->sr ? NGX_DONE : NGX_ERROR);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_voice_ask_cleanup(void *data)
{
    ngx_http_voice_ask_t *ask = data;

    if (ask->event.posted) {
        ngx_delete_posted_event(&ask->event);
    }

    if (ask->event.timer_set) {
        ngx_del_timer(&ask->event);
    }

    ngx_http_voice_ask_leave(ask);

    if (!ask->reported) {
        ask->reported = 1;

        if (ask->on_lost) {
            ask->on_lost(ask);
        }
    }
}


static void
ngx_http_voice_ask_read(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_http_voice_ask_t  *ask;

    c = rev->data;

    /* the worker leaves by force and will wait no longer */

    if (c->close) {
        ask = ngx_http_voice_ask_of(c->data);

        if (ask) {
            ngx_http_voice_ask_terminate(ask);
        }
    }
}


/*
 * The eventfd is never written to, and its events say nothing; but who delays
 * a request, as "limit_req" does, has it go on by a timer of this event, and
 * newer versions call it where a thread has ended after an abort.
 */

static void
ngx_http_voice_ask_write(ngx_event_t *wev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = wev->data;
    r = c->data;

    if (wev->delayed && wev->timedout) {
        wev->delayed = 0;
        wev->timedout = 0;

    } else if (!c->error || r->main->blocked) {
        return;
    }

    ngx_http_set_log_request(c->log, r);

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static u_char *
ngx_http_voice_ask_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                    *p;
    ngx_http_request_t        *r;
    ngx_http_voice_ask_log_t  *lctx;

    lctx = log->data;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    if (lctx->sid.len) {
        p = ngx_snprintf(buf, len, ", call: \"%V\"", &lctx->sid);
        len -= p - buf;
        buf = p;
    }

    r = lctx->ctx.current_request;

    if (lctx->ctx.request && r) {
        p = ngx_snprintf(buf, len, ", location: \"%V\"", &r->uri);
        len -= p - buf;
        buf = p;

        if (r->upstream && r->upstream->peer.name) {
            p = ngx_snprintf(buf, len, ", upstream: \"%V\"",
                             r->upstream->peer.name);
            buf = p;
        }
    }

    return buf;
}
