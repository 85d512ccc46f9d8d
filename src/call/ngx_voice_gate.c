
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_gate.h"
#include "ngx_voice_wait.h"


struct ngx_voice_ticket_s {
    ngx_queue_t            queue;
    uint64_t               owner;
    unsigned               inside:1;
};


/* gates are never freed: there are as many as provider locations */

typedef struct {
    ngx_queue_t            queue;
    ngx_queue_t            inside;    /* of ngx_voice_ticket_t */
    ngx_queue_t            waiting;   /* the head came first */
    ngx_uint_t             n;         /* inside */

    ngx_uint_t             provider;
    ngx_msec_t             until;     /* closed */
    time_t                 failed;    /* when it was closed */
    u_char                 cause[32]; /* zero-terminated */
    unsigned               closed:1;
    unsigned               quota:1;   /* opens with a success only */

    size_t                 len;
    u_char                 uri[1];
} ngx_voice_gate_node_t;


static ngx_voice_gate_node_t *ngx_voice_gate_find(ngx_voice_zone_t *zone,
    ngx_str_t *uri, ngx_uint_t create);
static ngx_uint_t ngx_voice_gate_shut(ngx_voice_gate_node_t *gate);
static ngx_int_t ngx_voice_gate_pass(ngx_voice_zone_t *zone,
    ngx_voice_gate_node_t *gate, ngx_uint_t limit, ngx_uint_t patient,
    ngx_voice_ticket_t **ticket);
static void ngx_voice_gate_purge(ngx_voice_zone_t *zone,
    ngx_voice_gate_node_t *gate, ngx_queue_t *tickets);
static void ngx_voice_gate_drop(ngx_voice_zone_t *zone,
    ngx_voice_gate_node_t *gate, ngx_voice_ticket_t *ticket);


ngx_int_t
ngx_voice_gate_enter(ngx_voice_zone_t *zone, ngx_str_t *uri, ngx_uint_t limit,
    ngx_uint_t patient, ngx_voice_ticket_t **ticket, ngx_log_t *log)
{
    ngx_int_t               rc;
    ngx_uint_t              more;
    ngx_voice_gate_node_t  *gate;

    more = 0;

    ngx_voice_zone_lock(zone);

    gate = ngx_voice_gate_find(zone, uri, limit != 0);

    if (gate == NULL) {

        /* open and without a limit, or there is no room to count */

        rc = NGX_OK;

    } else if (ngx_voice_gate_shut(gate)) {

        if (*ticket) {
            ngx_voice_gate_drop(zone, gate, *ticket);
            *ticket = NULL;
        }

        rc = NGX_DECLINED;

    } else if (limit == 0) {
        rc = NGX_OK;

    } else {
        rc = ngx_voice_gate_pass(zone, gate, limit, patient, ticket);

        if (rc == NGX_OK
            && gate->n < limit
            && !ngx_queue_empty(&gate->waiting))
        {
            /* who comes next may have looked before us */

            ngx_voice_wait_notify(zone, ngx_voice_wait_key(uri->data,
                                                           uri->len));
            more = 1;
        }
    }

    if (rc == NGX_OK && gate && gate->quota) {

        /* one who tries; others follow when that went well */

        gate->until = ngx_current_msec + NGX_VOICE_GATE_QUOTA;
    }

    ngx_voice_zone_unlock(zone);

    if (more) {
        ngx_voice_wait_ring(log);
    }

    return rc;
}


static ngx_int_t
ngx_voice_gate_pass(ngx_voice_zone_t *zone, ngx_voice_gate_node_t *gate,
    ngx_uint_t limit, ngx_uint_t patient, ngx_voice_ticket_t **ticket)
{
    ngx_voice_ticket_t  *t;

    if (gate->n >= limit) {
        ngx_voice_gate_purge(zone, gate, &gate->inside);
    }

    ngx_voice_gate_purge(zone, gate, &gate->waiting);

    t = *ticket;

    if (t == NULL) {

        if (patient
            && (gate->n >= limit || !ngx_queue_empty(&gate->waiting)))
        {
            return NGX_BUSY;
        }

        t = ngx_voice_zone_calloc(zone, sizeof(ngx_voice_ticket_t));

        if (t == NULL) {

            /* no reason to let a caller wait */

            return NGX_OK;
        }

        t->owner = ngx_voice_zone_self();

        ngx_queue_insert_tail(&gate->waiting, &t->queue);

        *ticket = t;
    }

    if (gate->n >= limit || ngx_queue_head(&gate->waiting) != &t->queue) {
        return NGX_AGAIN;
    }

    ngx_queue_remove(&t->queue);
    ngx_queue_insert_tail(&gate->inside, &t->queue);

    t->inside = 1;
    gate->n++;

    return NGX_OK;
}


/*
 * Tickets of workers that died.  Of those who wait only the first one counts,
 * and asking whether a worker lives is a system call.
 */

static void
ngx_voice_gate_purge(ngx_voice_zone_t *zone, ngx_voice_gate_node_t *gate,
    ngx_queue_t *tickets)
{
    ngx_queue_t         *q, *next;
    ngx_voice_ticket_t  *t;

    for (q = ngx_queue_head(tickets);
         q != ngx_queue_sentinel(tickets);
         q = next)
    {
        next = ngx_queue_next(q);
        t = ngx_queue_data(q, ngx_voice_ticket_t, queue);

        if (!ngx_voice_zone_alive(zone, t->owner)) {
            ngx_voice_gate_drop(zone, gate, t);
            continue;
        }

        if (!t->inside) {
            break;
        }
    }
}


void
ngx_voice_gate_leave(ngx_voice_zone_t *zone, ngx_str_t *uri,
    ngx_voice_ticket_t *ticket, ngx_log_t *log)
{
    ngx_uint_t              wanted;
    ngx_voice_gate_node_t  *gate;

    wanted = 0;

    ngx_voice_zone_lock(zone);

    gate = ngx_voice_gate_find(zone, uri, 0);

    if (gate) {
        ngx_voice_gate_drop(zone, gate, ticket);

        if (!ngx_queue_empty(&gate->waiting)) {
            ngx_voice_wait_notify(zone, ngx_voice_wait_key(uri->data,
                                                           uri->len));
            wanted = 1;
        }
    }

    ngx_voice_zone_unlock(zone);

    if (wanted) {
        ngx_voice_wait_ring(log);
    }
}


void
ngx_voice_gate_result(ngx_voice_zone_t *zone, ngx_str_t *uri,
    ngx_uint_t provider, const char *cause, ngx_msec_t retry, ngx_log_t *log)
{
    ngx_uint_t              quota;
    ngx_msec_t              until;
    ngx_voice_gate_node_t  *gate;

    quota = (cause && ngx_strcmp(cause, "quota") == 0);

    ngx_voice_zone_lock(zone);

    gate = ngx_voice_gate_find(zone, uri, quota || retry);

    if (gate == NULL) {
        ngx_voice_zone_unlock(zone);
        return;
    }

    if (!quota && retry == 0) {

        /* what another one was asked for holds on, whatever this one got */

        if (gate->quota) {
            gate->quota = 0;
            gate->closed = 0;
        }

        ngx_voice_zone_unlock(zone);
        return;
    }

    until = ngx_current_msec + (quota ? NGX_VOICE_GATE_QUOTA
                                      : ngx_min(retry,
                                                NGX_VOICE_GATE_CLOSED));

    if (!gate->closed || (ngx_msec_int_t) (until - gate->until) > 0) {
        gate->until = until;
    }

    gate->closed = 1;
    gate->quota = quota;
    gate->provider = provider;
    gate->failed = ngx_time();

    (void) ngx_cpystrn(gate->cause, (u_char *) cause, sizeof(gate->cause));

    /* who waits before it need not wait any longer */

    ngx_voice_wait_notify(zone, ngx_voice_wait_key(uri->data, uri->len));

    ngx_voice_zone_unlock(zone);

    ngx_voice_wait_ring(log);
}


ngx_msec_t
ngx_voice_gate_closed(ngx_voice_zone_t *zone, ngx_str_t *uri)
{
    ngx_msec_t              left;
    ngx_voice_gate_node_t  *gate;

    ngx_voice_zone_lock(zone);

    gate = ngx_voice_gate_find(zone, uri, 0);

    left = (gate && ngx_voice_gate_shut(gate))
           ? gate->until - ngx_current_msec : 0;

    ngx_voice_zone_unlock(zone);

    return left;
}


ngx_uint_t
ngx_voice_gate_look(ngx_voice_zone_t *zone, ngx_voice_gate_view_t *views,
    ngx_uint_t n, time_t age)
{
    ngx_uint_t              count;
    ngx_queue_t            *q;
    ngx_voice_gate_view_t  *view;
    ngx_voice_gate_node_t  *gate;

    count = 0;

    ngx_voice_zone_lock(zone);

    for (q = ngx_queue_head(&zone->sh->gates);
         q != ngx_queue_sentinel(&zone->sh->gates) && count < n;
         q = ngx_queue_next(q))
    {
        gate = ngx_queue_data(q, ngx_voice_gate_node_t, queue);

        if (!ngx_voice_gate_shut(gate)
            && (!gate->quota || ngx_time() - gate->failed > age))
        {
            continue;
        }

        view = &views[count++];

        view->provider = gate->provider;
        view->left = ngx_voice_gate_shut(gate)
                     ? gate->until - ngx_current_msec : 0;

        ngx_memcpy(view->cause, gate->cause, sizeof(view->cause));
        (void) ngx_cpystrn(view->uri, gate->uri,
                           ngx_min(gate->len + 1, NGX_VOICE_GATE_URI));
    }

    ngx_voice_zone_unlock(zone);

    return count;
}


static ngx_voice_gate_node_t *
ngx_voice_gate_find(ngx_voice_zone_t *zone, ngx_str_t *uri, ngx_uint_t create)
{
    ngx_queue_t            *q;
    ngx_voice_gate_node_t  *gate;

    for (q = ngx_queue_head(&zone->sh->gates);
         q != ngx_queue_sentinel(&zone->sh->gates);
         q = ngx_queue_next(q))
    {
        gate = ngx_queue_data(q, ngx_voice_gate_node_t, queue);

        if (gate->len == uri->len
            && ngx_memcmp(gate->uri, uri->data, uri->len) == 0)
        {
            return gate;
        }
    }

    if (!create) {
        return NULL;
    }

    gate = ngx_voice_zone_calloc(zone, sizeof(ngx_voice_gate_node_t)
                                       + uri->len);
    if (gate == NULL) {
        return NULL;
    }

    ngx_queue_init(&gate->inside);
    ngx_queue_init(&gate->waiting);

    gate->len = uri->len;
    ngx_memcpy(gate->uri, uri->data, uri->len);

    ngx_queue_insert_tail(&zone->sh->gates, &gate->queue);

    return gate;
}


static ngx_uint_t
ngx_voice_gate_shut(ngx_voice_gate_node_t *gate)
{
    if (!gate->closed) {
        return 0;
    }

    if ((ngx_msec_int_t) (gate->until - ngx_current_msec) > 0) {
        return 1;
    }

    if (!gate->quota) {
        gate->closed = 0;
    }

    return 0;
}


static void
ngx_voice_gate_drop(ngx_voice_zone_t *zone, ngx_voice_gate_node_t *gate,
    ngx_voice_ticket_t *ticket)
{
    ngx_queue_remove(&ticket->queue);

    if (ticket->inside) {
        gate->n--;
    }

    ngx_voice_zone_free(zone, ticket);
}
