
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_zone.h"


/* changes with every change of a structure that lies in the zone */
#define NGX_VOICE_LAYOUT         0x766f696365000015ULL

#define NGX_VOICE_CHUNK_SIZE     2048
#define NGX_VOICE_CHUNK_HEAD     offsetof(ngx_voice_chunk_t, data)

/* how many idle things one allocation may push out */
#define NGX_VOICE_EVICTIONS      64


static uint64_t                 ngx_voice_self;
static ngx_uint_t               ngx_voice_slot;   /* valid with a self */
static ngx_voice_zone_evict_pt  ngx_voice_evict[2];
static u_char                   ngx_voice_scratch[NGX_VOICE_SCRATCH];


ngx_int_t
ngx_voice_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_voice_zone_t  *ozone = data;

    ngx_voice_zone_t     *zone;
    ngx_voice_zone_sh_t  *sh;

    zone = shm_zone->data;
    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (ozone) {

        /* a reload may have loaded a module of another version by its path */

        if (ozone->sh->layout != NGX_VOICE_LAYOUT) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "voice zone \"%V\" was laid out by another version "
                          "of the module, restart instead of reloading",
                          &shm_zone->shm.name);
            return NGX_ERROR;
        }

        zone->sh = ozone->sh;
        return NGX_OK;
    }

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    sh = ngx_slab_calloc(zone->shpool, sizeof(ngx_voice_zone_sh_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    sh->layout = NGX_VOICE_LAYOUT;
    sh->id = ngx_time() ^ (uint32_t) ngx_random() ^ ngx_pid << 16;

    ngx_rbtree_init(&sh->calls, &sh->calls_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&sh->calls_lru);
    ngx_queue_init(&sh->traces_lru);

    ngx_rbtree_init(&sh->speeches, &sh->speeches_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&sh->speeches_lru);

    ngx_queue_init(&sh->profiles);
    ngx_queue_init(&sh->gates);

    zone->sh = sh;
    zone->shpool->data = sh;

    /* a full zone is an ordinary state here: something idle is evicted */
    zone->shpool->log_nomem = 0;

    return NGX_OK;
}


ngx_int_t
ngx_voice_zone_join(ngx_voice_zone_t *zone)
{
    ngx_uint_t           i;
    ngx_voice_worker_t  *w, *slot;

    slot = NULL;

    ngx_voice_zone_lock(zone);

    for (i = 0; i < NGX_VOICE_WORKERS; i++) {
        w = &zone->sh->workers[i];

        /* the number of a dead worker was given to us */

        if (w->pid == ngx_pid) {
            w->id = 0;
        }

        if (w->id != 0 && kill(w->pid, 0) == -1 && ngx_errno == ESRCH) {
            w->id = 0;
        }

        if (w->id == 0 && slot == NULL) {
            slot = w;
        }
    }

    if (slot) {
        slot->pid = ngx_pid;
        slot->id = ++zone->sh->worker_seq;
        slot->bytes = 0;
        slot->notes = 0;
        slot->failing = 0;
        ngx_voice_self = slot->id;
        ngx_voice_slot = slot - zone->sh->workers;
    }

    ngx_voice_zone_unlock(zone);

    return slot ? NGX_OK : NGX_ERROR;
}


void
ngx_voice_zone_leave(ngx_voice_zone_t *zone)
{
    ngx_uint_t  i;

    ngx_voice_zone_lock(zone);

    for (i = 0; i < NGX_VOICE_WORKERS; i++) {
        if (zone->sh->workers[i].id == ngx_voice_self) {
            zone->sh->workers[i].id = 0;
            break;
        }
    }

    ngx_voice_zone_unlock(zone);
}


uint64_t
ngx_voice_zone_self(void)
{
    return ngx_voice_self;
}


ngx_uint_t
ngx_voice_zone_alive(ngx_voice_zone_t *zone, uint64_t worker)
{
    ngx_uint_t           i;
    ngx_voice_worker_t  *w;

    if (worker == ngx_voice_self) {
        return 1;
    }

    if (worker == 0) {
        return 0;
    }

    for (i = 0; i < NGX_VOICE_WORKERS; i++) {
        w = &zone->sh->workers[i];

        if (w->id == worker) {
            if (kill(w->pid, 0) == 0 || ngx_errno != ESRCH) {
                return 1;
            }

            w->id = 0;
            return 0;
        }
    }

    return 0;
}


void *
ngx_voice_zone_alloc(ngx_voice_zone_t *zone, size_t size)
{
    void        *p;
    ngx_uint_t   i, n;

    p = ngx_slab_alloc_locked(zone->shpool, size);

    for (i = 0; p == NULL && i < 2; i++) {

        if (ngx_voice_evict[i] == NULL) {
            continue;
        }

        for (n = 0; p == NULL && n < NGX_VOICE_EVICTIONS; n++) {

            if (ngx_voice_evict[i](zone) != NGX_OK) {
                break;
            }

            p = ngx_slab_alloc_locked(zone->shpool, size);
        }
    }

    return p;
}


void *
ngx_voice_zone_calloc(ngx_voice_zone_t *zone, size_t size)
{
    void  *p;

    p = ngx_voice_zone_alloc(zone, size);

    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


void
ngx_voice_zone_free(ngx_voice_zone_t *zone, void *p)
{
    ngx_slab_free_locked(zone->shpool, p);
}


void
ngx_voice_zone_evict_by(ngx_voice_zone_evict_pt speeches,
    ngx_voice_zone_evict_pt calls)
{
    ngx_voice_evict[0] = speeches;
    ngx_voice_evict[1] = calls;
}


ngx_voice_chunk_t *
ngx_voice_chunk_store(ngx_voice_zone_t *zone, u_char *data, size_t len)
{
    size_t              n, total;
    ngx_voice_chunk_t  *chunk, *head, **next;

    head = NULL;
    next = &head;
    total = len;

    do {
        n = ngx_min(len, NGX_VOICE_CHUNK_SIZE - NGX_VOICE_CHUNK_HEAD);

        chunk = ngx_voice_zone_alloc(zone, NGX_VOICE_CHUNK_HEAD + n);

        if (chunk == NULL) {
            ngx_voice_chunk_free(zone, head);
            return NULL;
        }

        chunk->next = NULL;
        chunk->len = n;
        chunk->total = total;
        ngx_memcpy(chunk->data, data, n);

        *next = chunk;
        next = &chunk->next;

        data += n;
        len -= n;

    } while (len);

    return head;
}


void
ngx_voice_chunk_free(ngx_voice_zone_t *zone, ngx_voice_chunk_t *chunk)
{
    ngx_voice_chunk_t  *next;

    while (chunk) {
        next = chunk->next;
        ngx_voice_zone_free(zone, chunk);
        chunk = next;
    }
}


u_char *
ngx_voice_chunk_copy(u_char *dst, ngx_voice_chunk_t *chunk)
{
    while (chunk) {
        dst = ngx_cpymem(dst, chunk->data, chunk->len);
        chunk = chunk->next;
    }

    return dst;
}


u_char *
ngx_voice_zone_scratch(void)
{
    return ngx_voice_scratch;
}


void
ngx_voice_zone_waiting(ngx_voice_zone_t *zone, ngx_uint_t notes,
    uint64_t bytes, ngx_uint_t failing)
{
    ngx_voice_worker_t  *worker;

    ngx_voice_zone_lock(zone);

    worker = &zone->sh->workers[ngx_voice_slot];

    if (worker->id == ngx_voice_self && worker->id != 0) {
        worker->notes = notes;
        worker->bytes = bytes;
        worker->failing = failing;
    }

    ngx_voice_zone_unlock(zone);
}


void
ngx_voice_zone_provider(ngx_voice_zone_t *zone, ngx_uint_t provider,
    const char *cause)
{
    ngx_voice_provider_state_t  *p;

    ngx_voice_zone_lock(zone);

    p = &zone->sh->providers[provider];
    p->asked++;

    if (cause == NULL) {
        p->succeeded = ngx_time();
        p->failures = 0;

    } else {
        p->failed = ngx_time();
        p->failures++;
        p->errors++;

        (void) ngx_cpystrn(p->cause, (u_char *) cause, sizeof(p->cause));
    }

    ngx_voice_zone_unlock(zone);
}


void
ngx_voice_zone_spared(ngx_voice_zone_t *zone, ngx_uint_t provider)
{
    ngx_voice_provider_state_t  *p;

    ngx_voice_zone_lock(zone);

    p = &zone->sh->providers[provider];

    p->failed = ngx_time();
    p->failures++;

    ngx_voice_zone_unlock(zone);
}
