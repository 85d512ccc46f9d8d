
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_ASK_H_INCLUDED_
#define _NGX_HTTP_VOICE_ASK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../call/ngx_voice_gate.h"
#include "../call/ngx_voice_wait.h"


/*
 * Asking a provider: a main request of our own, on a connection that is an
 * eventfd, with one foreground subrequest to an ordinary internal location.
 * It belongs to no client: the webhook that caused it can be answered, reset
 * or gone, and all memory goes with the ask.
 */

typedef struct ngx_http_voice_ask_s  ngx_http_voice_ask_t;

/*
 * Runs on the stack of the subrequest's filter: takes the bytes, may post
 * events, must not finalize or abort anything.
 */
typedef void (*ngx_http_voice_ask_data_pt)(ngx_http_voice_ask_t *ask,
    u_char *p, size_t len);

/*
 * Runs once, as an event of its own, when the subrequest is over; the ask is
 * freed after it returns.
 */
typedef void (*ngx_http_voice_ask_done_pt)(ngx_http_voice_ask_t *ask);

/*
 * Runs in a pool cleanup when the ask is torn down without an end, by a forced
 * shutdown: drop the pointer, do nothing else.
 */
typedef void (*ngx_http_voice_ask_lost_pt)(ngx_http_voice_ask_t *ask);


struct ngx_http_voice_ask_s {
    void                        *data;
    ngx_http_voice_ask_data_pt   on_data;
    ngx_http_voice_ask_done_pt   on_done;
    ngx_http_voice_ask_lost_pt   on_lost;

    ngx_http_request_t          *main;
    ngx_http_request_t          *sr;
    ngx_pool_t                  *pool;      /* lives as long as the ask */
    ngx_log_t                   *log;

    ngx_event_t                  event;

    ngx_str_t                    args;      /* of the URI, may be empty */
    ngx_array_t                 *headers;   /* of ngx_table_elt_t, NULL */
    ngx_uint_t                   method;    /* 0: GET, POST with a body */

    ngx_uint_t                   status;    /* without header: the core's */
    ngx_int_t                    rc;        /* of the subrequest */
    ngx_str_t                    content_type;
    ngx_msec_t                   retry_after; /* that came with a 429 */
    ngx_str_t                    location;  /* of a redirect */

    /* what is asked for, while it waits before the location's gate */

    ngx_voice_zone_t            *zone;
    ngx_str_t                    gate;
    ngx_uint_t                   limit;
    ngx_voice_ticket_t          *ticket;
    ngx_voice_waiter_t           waiter;
    ngx_str_t                    uri;
    ngx_str_t                   *body_type;
    ngx_str_t                   *body;

    unsigned                     waiting:1;
    unsigned                     cacheable:1; /* else it need not be sent */
    unsigned                     guarded:1;  /* only from the cache */
    unsigned                     header:1;  /* a header came */
    unsigned                     complete:1; /* the last buffer was seen */
    unsigned                     finished:1;
    unsigned                     reported:1;
    unsigned                     cached:1;
    unsigned                     refused:1;  /* by a guard of ours */
};


/*
 * An ask in the configuration of a server ("cscf->ctx" of the request that
 * wants it).  sid is for log lines and may be empty.  NULL: no memory, no
 * descriptor or no connection, logged.
 */
ngx_http_voice_ask_t *ngx_http_voice_ask_create(ngx_http_conf_ctx_t *ctx,
    ngx_str_t *sid);

/*
 * Before it is sent: whether the way to the location is free.  gate is its
 * URI, of which limit requests may be under way at the same time (0: any
 * number); patient: stands aside for all others.  What is cacheable may be
 * sent while the provider is not to be asked: it is then guarded, and
 * ngx_http_voice_ask_guard() has it fail where the cache does not have it.
 *
 * NGX_OK: to be sent, which is done when its turn comes; until then it is
 * waiting.  NGX_BUSY: patient, and there is no room.  NGX_DECLINED: the
 * provider is not to be asked now.
 */
ngx_int_t ngx_http_voice_ask_admit(ngx_http_voice_ask_t *ask,
    ngx_voice_zone_t *zone, ngx_str_t *gate, ngx_uint_t limit,
    ngx_uint_t patient);

/* adds a header to what will be sent; the value is copied */
ngx_int_t ngx_http_voice_ask_header(ngx_http_voice_ask_t *ask,
    const char *name, const char *lowcase, ngx_str_t *value);

/*
 * Sends it.  body and content_type may be NULL; ask->args and ask->method are
 * looked at, the latter may be GET, POST or DELETE.  All strings live in
 * ask->pool.  NGX_ERROR: the ask is gone and neither handler was or will be
 * called.
 */
ngx_int_t ngx_http_voice_ask_send(ngx_http_voice_ask_t *ask, ngx_str_t *uri,
    ngx_str_t *content_type, ngx_str_t *body);

/* ends it unfinished, from an event of ours, never from a filter */
void ngx_http_voice_ask_abort(ngx_http_voice_ask_t *ask);

/* the ask whose subrequest this is, or NULL */
ngx_http_voice_ask_t *ngx_http_voice_ask_of(ngx_http_request_t *r);


#endif /* _NGX_HTTP_VOICE_ASK_H_INCLUDED_ */
