
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_ZONE_H_INCLUDED_
#define _NGX_VOICE_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * The shared memory of live calls.  One mutex guards all of it; what runs
 * under it neither logs, nor calls the system, nor allocates from a pool.
 * Functions marked "locked" are called between _lock() and _unlock().
 */


#define NGX_VOICE_WORKERS        1024     /* with those that drain */
#define NGX_VOICE_WAKES          1024     /* a power of two */


/* bytes of any length in slab memory, in pieces of at most half a page */

typedef struct ngx_voice_chunk_s  ngx_voice_chunk_t;

struct ngx_voice_chunk_s {
    ngx_voice_chunk_t     *next;
    uint32_t               len;       /* in this chunk */
    uint32_t               total;     /* in the first chunk: of the chain */
    u_char                 data[1];
};


typedef struct {
    ngx_pid_t              pid;
    uint64_t               id;        /* never used twice, 0 is nobody */
    uint64_t               bytes;     /* of notes for the database */
    uint32_t               notes;
    uint32_t               failing;   /* its spool cannot be written */
} ngx_voice_worker_t;


/* what a provider did last, for health and its reasons */

typedef enum {
    NGX_VOICE_MODEL = 0,
    NGX_VOICE_SPEECH,
    NGX_VOICE_TRANSCRIPTION,
    NGX_VOICE_RECORDING,
    NGX_VOICE_DATABASE,
    NGX_VOICE_PROVIDERS
} ngx_voice_provider_e;


typedef struct {
    time_t                 failed;    /* 0: never */
    time_t                 succeeded;
    uint32_t               failures;  /* in a row */
    uint32_t               asked;
    uint32_t               errors;
    u_char                 cause[64]; /* zero-terminated */
} ngx_voice_provider_state_t;


typedef struct {
    uint32_t               started;   /* calls ever */
    uint32_t               turns;
    uint32_t               failed_turns;
    uint32_t               refused;   /* webhooks not verified */
    uint32_t               replayed;  /* duplicates answered from memory */
    uint32_t               taken_over;
    uint32_t               resumed;   /* calls read from the database */
    uint32_t               full;      /* calls refused: no room */
} ngx_voice_counters_t;


typedef struct {
    uint64_t               layout;
    uint32_t               id;        /* of this memory, in URLs */

    ngx_rbtree_t           calls;     /* ngx_str_node_t by CallSid */
    ngx_rbtree_node_t      calls_sentinel;
    ngx_queue_t            calls_lru; /* the head was touched last */
    ngx_queue_t            traces_lru; /* of calls that ended */
    ngx_uint_t             ncalls;    /* not ended */

    ngx_rbtree_t           speeches;  /* ngx_str_node_t by digest */
    ngx_rbtree_node_t      speeches_sentinel;
    ngx_queue_t            speeches_lru;

    ngx_queue_t            profiles;
    ngx_queue_t            gates;     /* of provider locations */

    ngx_voice_chunk_t     *offer;     /* tools for the model, JSON */

    uint64_t               worker_seq;
    ngx_voice_worker_t     workers[NGX_VOICE_WORKERS];

    uint64_t               wake_seq;
    uint32_t               wakes[NGX_VOICE_WAKES];

    ngx_voice_provider_state_t  providers[NGX_VOICE_PROVIDERS];
    ngx_voice_counters_t   counters;
} ngx_voice_zone_sh_t;


typedef struct ngx_voice_zone_s  ngx_voice_zone_t;

/* frees something old and idle; NGX_DECLINED when there is nothing; locked */
typedef ngx_int_t (*ngx_voice_zone_evict_pt)(ngx_voice_zone_t *zone);

struct ngx_voice_zone_s {
    ngx_voice_zone_sh_t   *sh;
    ngx_slab_pool_t       *shpool;
    ngx_shm_zone_t        *shm_zone;
    ngx_uint_t             max_calls; /* 0: no bound but the memory */
};


/* ngx_shm_zone_init_pt; shm_zone->data is a ngx_voice_zone_t */
ngx_int_t ngx_voice_zone_init(ngx_shm_zone_t *shm_zone, void *data);

#define ngx_voice_zone_lock(zone)    ngx_shmtx_lock(&(zone)->shpool->mutex)
#define ngx_voice_zone_unlock(zone)  ngx_shmtx_unlock(&(zone)->shpool->mutex)


/*
 * A worker's name in claims.  _join() is called once at the start of a
 * worker, _leave() at its end; a killed worker does not leave, which
 * _alive() finds out.
 */
ngx_int_t ngx_voice_zone_join(ngx_voice_zone_t *zone);
void ngx_voice_zone_leave(ngx_voice_zone_t *zone);
uint64_t ngx_voice_zone_self(void);

/* locked; a signal of number 0 is the one system call, and it is rare */
ngx_uint_t ngx_voice_zone_alive(ngx_voice_zone_t *zone, uint64_t worker);


/*
 * locked; slab memory, older idle things make room; NULL when even that did
 * not help
 */
void *ngx_voice_zone_alloc(ngx_voice_zone_t *zone, size_t size);
void *ngx_voice_zone_calloc(ngx_voice_zone_t *zone, size_t size);
void ngx_voice_zone_free(ngx_voice_zone_t *zone, void *p);
void ngx_voice_zone_evict_by(ngx_voice_zone_evict_pt speeches,
    ngx_voice_zone_evict_pt calls);

/* locked; a copy of data in chunks, NULL when there is no room */
ngx_voice_chunk_t *ngx_voice_chunk_store(ngx_voice_zone_t *zone,
    u_char *data, size_t len);
void ngx_voice_chunk_free(ngx_voice_zone_t *zone, ngx_voice_chunk_t *chunk);
u_char *ngx_voice_chunk_copy(u_char *dst, ngx_voice_chunk_t *chunk);

/*
 * This worker's buffer for what is copied out under the lock, 64 kB; valid
 * until the next call that uses it.
 */
#define NGX_VOICE_SCRATCH        65536
u_char *ngx_voice_zone_scratch(void);


/* what waits for the database in this worker */
void ngx_voice_zone_waiting(ngx_voice_zone_t *zone, ngx_uint_t notes,
    uint64_t bytes, ngx_uint_t failing);

/*
 * Provider results.  cause is a short word such as "unauthorized" or
 * "timeout"; NULL is a success.
 */
void ngx_voice_zone_provider(ngx_voice_zone_t *zone, ngx_uint_t provider,
    const char *cause);

/* it was not asked, because it does not want to be: one more failure in a row */
void ngx_voice_zone_spared(ngx_voice_zone_t *zone, ngx_uint_t provider);


#endif /* _NGX_VOICE_ZONE_H_INCLUDED_ */
