
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_wait.h"
#include "../loop/ngx_voice_bell.h"


#define NGX_VOICE_WAIT_BUCKETS   1024     /* a power of two */


static void ngx_voice_wait_rung(void *data);
static void ngx_voice_wait_wake(ngx_queue_t *bucket, uint32_t key,
    ngx_uint_t all);


static ngx_queue_t  ngx_voice_wait_buckets[NGX_VOICE_WAIT_BUCKETS];
static uint64_t     ngx_voice_wait_seen;


uint32_t
ngx_voice_wait_key(u_char *data, size_t len)
{
    return ngx_murmur_hash2(data, len);
}


void
ngx_voice_wait_add(ngx_voice_waiter_t *waiter, uint32_t key,
    ngx_event_handler_pt handler, void *data, ngx_log_t *log)
{
    ngx_uint_t  n;

    if (waiter->active) {
        return;
    }

    n = key & (NGX_VOICE_WAIT_BUCKETS - 1);

    waiter->key = key;
    waiter->active = 1;
    waiter->event.handler = handler;
    waiter->event.data = data;
    waiter->event.log = log;

    ngx_queue_insert_tail(&ngx_voice_wait_buckets[n], &waiter->queue);
}


void
ngx_voice_wait_del(ngx_voice_waiter_t *waiter)
{
    if (!waiter->active) {
        return;
    }

    waiter->active = 0;
    ngx_queue_remove(&waiter->queue);

    if (waiter->event.posted) {
        ngx_delete_posted_event(&waiter->event);
    }
}


void
ngx_voice_wait_notify(ngx_voice_zone_t *zone, uint32_t key)
{
    uint64_t  seq;

    seq = zone->sh->wake_seq++;
    zone->sh->wakes[seq & (NGX_VOICE_WAKES - 1)] = key;
}


void
ngx_voice_wait_ring(ngx_log_t *log)
{
    ngx_voice_bell_ring(log);
}


ngx_int_t
ngx_voice_wait_init_worker(ngx_cycle_t *cycle, ngx_voice_zone_t *zone)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_VOICE_WAIT_BUCKETS; i++) {
        ngx_queue_init(&ngx_voice_wait_buckets[i]);
    }

    ngx_voice_zone_lock(zone);
    ngx_voice_wait_seen = zone->sh->wake_seq;

    /*
     * A worker that replaces a dead one tells all to look again: what the
     * dead one had claimed can now be taken over.
     */
    zone->sh->wake_seq += NGX_VOICE_WAKES + 1;

    ngx_voice_zone_unlock(zone);

    if (ngx_voice_bell_listen(cycle, ngx_voice_wait_rung, zone) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_voice_wait_ring(cycle->log);

    return NGX_OK;
}


void
ngx_voice_wait_exit_worker(void)
{
    ngx_voice_bell_close();
}


static void
ngx_voice_wait_rung(void *data)
{
    ngx_voice_zone_t *zone = data;

    uint64_t          seq;
    uint32_t          keys[NGX_VOICE_WAKES];
    ngx_uint_t        i, n;

    n = 0;

    ngx_voice_zone_lock(zone);

    seq = zone->sh->wake_seq;

    if (seq - ngx_voice_wait_seen <= NGX_VOICE_WAKES) {
        while (ngx_voice_wait_seen != seq) {
            keys[n++] = zone->sh->wakes[ngx_voice_wait_seen++
                                        & (NGX_VOICE_WAKES - 1)];
        }
    }

    ngx_voice_zone_unlock(zone);

    if (ngx_voice_wait_seen == seq) {
        for (i = 0; i < n; i++) {
            ngx_voice_wait_wake(&ngx_voice_wait_buckets[keys[i]
                                           & (NGX_VOICE_WAIT_BUCKETS - 1)],
                                keys[i], 0);
        }

        return;
    }

    /* the ring was overrun: everybody looks */

    ngx_voice_wait_seen = seq;

    for (i = 0; i < NGX_VOICE_WAIT_BUCKETS; i++) {
        ngx_voice_wait_wake(&ngx_voice_wait_buckets[i], 0, 1);
    }
}


static void
ngx_voice_wait_wake(ngx_queue_t *bucket, uint32_t key, ngx_uint_t all)
{
    ngx_queue_t         *q;
    ngx_voice_waiter_t  *waiter;

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        waiter = ngx_queue_data(q, ngx_voice_waiter_t, queue);

        if (all || waiter->key == key) {
            ngx_post_event(&waiter->event, &ngx_posted_events);
        }
    }
}
