
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_WAIT_H_INCLUDED_
#define _NGX_VOICE_WAIT_H_INCLUDED_


#include "ngx_voice_zone.h"


/*
 * Waiting for news of one call or one piece of speech, from whichever
 * worker they come.  A waiter's handler is a hint to look again: it may run
 * without news, it always runs after them.  It runs as a posted event, never
 * on the stack of who rang.
 */

typedef struct {
    ngx_queue_t            queue;
    ngx_event_t            event;     /* handler and data are the owner's */
    uint32_t               key;
    unsigned               active:1;
} ngx_voice_waiter_t;


/* the key of a CallSid or a digest */
uint32_t ngx_voice_wait_key(u_char *data, size_t len);

/* event.data has to be at least a connection's size of memory, see below */
void ngx_voice_wait_add(ngx_voice_waiter_t *waiter, uint32_t key,
    ngx_event_handler_pt handler, void *data, ngx_log_t *log);
void ngx_voice_wait_del(ngx_voice_waiter_t *waiter);

/* locked: notes the news; _ring() tells the workers, after the lock */
void ngx_voice_wait_notify(ngx_voice_zone_t *zone, uint32_t key);
void ngx_voice_wait_ring(ngx_log_t *log);

ngx_int_t ngx_voice_wait_init_worker(ngx_cycle_t *cycle,
    ngx_voice_zone_t *zone);
void ngx_voice_wait_exit_worker(void);


#endif /* _NGX_VOICE_WAIT_H_INCLUDED_ */
