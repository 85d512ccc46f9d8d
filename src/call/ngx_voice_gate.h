
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_GATE_H_INCLUDED_
#define _NGX_VOICE_GATE_H_INCLUDED_


#include "ngx_voice_zone.h"


/*
 * The way to a provider's location, one for all workers: how many requests
 * are inside, who waits for one to end, and until when the provider does not
 * want to be asked.  A gate is known by the location's URI, in whichever
 * server it stands.
 *
 * News of a gate are waited for with ngx_voice_wait_key(uri).
 */

/* ms: a Retry-After counts for so long at most */
#define NGX_VOICE_GATE_CLOSED    60000

/* ms between two requests to a provider that wants to be paid first */
#define NGX_VOICE_GATE_QUOTA     60000

/* bytes of a URI that health tells */
#define NGX_VOICE_GATE_URI       64


/* a place inside, or in the queue before it; lies in the zone */
typedef struct ngx_voice_ticket_s  ngx_voice_ticket_t;


typedef struct {
    ngx_uint_t             provider;  /* ngx_voice_provider_e */
    ngx_msec_t             left;      /* until it may be asked, 0: now */
    u_char                 cause[32]; /* zero-terminated */
    u_char                 uri[NGX_VOICE_GATE_URI];   /* likewise */
} ngx_voice_gate_view_t;


/*
 * First come, first served; limit: requests inside at most, 0: any number.
 * patient: stands aside for all others, and does not queue.  *ticket is NULL
 * the first time, and stays NULL where nothing is counted.
 *
 * NGX_OK: the way is free.  NGX_AGAIN: to be called again with the same
 * ticket after news.  NGX_BUSY: no room for who is patient.  NGX_DECLINED:
 * the provider is not to be asked now.
 */
ngx_int_t ngx_voice_gate_enter(ngx_voice_zone_t *zone, ngx_str_t *uri,
    ngx_uint_t limit, ngx_uint_t patient, ngx_voice_ticket_t **ticket,
    ngx_log_t *log);

/* out again, or out of the queue; wakes who waits */
void ngx_voice_gate_leave(ngx_voice_zone_t *zone, ngx_str_t *uri,
    ngx_voice_ticket_t *ticket, ngx_log_t *log);

/*
 * How a request has ended.  cause: NULL for a success, else the word for the
 * failure, of which "quota" closes the gate; retry: ms of a Retry-After that
 * is to be respected, 0: none.
 */
void ngx_voice_gate_result(ngx_voice_zone_t *zone, ngx_str_t *uri,
    ngx_uint_t provider, const char *cause, ngx_msec_t retry, ngx_log_t *log);

/* ms until the provider may be asked, 0: now */
ngx_msec_t ngx_voice_gate_closed(ngx_voice_zone_t *zone, ngx_str_t *uri);

/*
 * What health has to tell: gates that are closed, and those that were for
 * quota and nobody has tried since, for age seconds.  Returns their number,
 * n at most.
 */
ngx_uint_t ngx_voice_gate_look(ngx_voice_zone_t *zone,
    ngx_voice_gate_view_t *views, ngx_uint_t n, time_t age);


#endif /* _NGX_VOICE_GATE_H_INCLUDED_ */
