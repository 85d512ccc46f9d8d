
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_BELL_H_INCLUDED_
#define _NGX_VOICE_BELL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * One eventfd for all workers.  It is created in the master and never read,
 * so every write wakes every worker, also the old ones that are still
 * draining after a reload.  What the ring means is written elsewhere: the
 * bell carries no data.
 */

typedef void (*ngx_voice_bell_pt)(void *data);


/* master, at each configuration; NGX_ERROR when there is no descriptor */
ngx_int_t ngx_voice_bell_init(ngx_cycle_t *cycle);

/* worker; handler(data) runs on the event loop after each ring */
ngx_int_t ngx_voice_bell_listen(ngx_cycle_t *cycle, ngx_voice_bell_pt handler,
    void *data);
void ngx_voice_bell_close(void);

/* any worker, at any time but under a lock: it is a system call */
void ngx_voice_bell_ring(ngx_log_t *log);


#endif /* _NGX_VOICE_BELL_H_INCLUDED_ */
