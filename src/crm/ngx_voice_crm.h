
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_CRM_H_INCLUDED_
#define _NGX_VOICE_CRM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "../call/ngx_voice_zone.h"
#include "../loop/ngx_voice_pg.h"


/*
 * The contract with the CRM's database (docs/crm.md) as calls with callbacks:
 * each asks one function of schema "voice" over one of this worker's three
 * connections, and none ever waits.  Values are JSON text.
 */

#define NGX_VOICE_CRM_NODE  32         /* of a node's name, the longest */


typedef struct ngx_voice_crm_s      ngx_voice_crm_t;
typedef struct ngx_voice_crm_ask_s  ngx_voice_crm_ask_t;
typedef struct ngx_voice_record_s   ngx_voice_record_t;

typedef enum {
    NGX_VOICE_CRM_OK = 0,
    NGX_VOICE_CRM_DOWN,               /* not sent: nothing happened */
    NGX_VOICE_CRM_REFUSED,            /* an exception: nothing happened */
    NGX_VOICE_CRM_UNKNOWN             /* sent, no answer: it may have */
} ngx_voice_crm_rc_e;

/*
 * Runs once, as an event of its own, never on the stack of who asks.  value
 * is valid during the call and empty unless NGX_VOICE_CRM_OK, or where the
 * function returned null.
 */
typedef void (*ngx_voice_crm_done_pt)(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);


/* one in a configuration; what the connections hold is the worker's */

struct ngx_voice_crm_s {
    char                      *conninfo;
    ngx_msec_t                 timeout;   /* of a lookup, ms */
    ngx_str_t                  node;      /* this node's name, may be empty */
    ngx_voice_zone_t          *zone;
    ngx_path_t                *spool;
    ngx_voice_record_t        *record;    /* notes on their way */

    ngx_voice_pg_t             lookups;   /* a caller waits for them */
    ngx_voice_pg_t             actions;
    ngx_voice_pg_t             rest;      /* batches, jobs */
};


/* when conninfo and timeout are set; NGX_ERROR: no memory */
ngx_int_t ngx_voice_crm_init(ngx_voice_crm_t *crm, ngx_pool_t *pool);

/*
 * Worker: begins to connect, NGX_ERROR: no memory.  _stop() drops what is
 * under way; notes stay in the spool.
 */
ngx_int_t ngx_voice_crm_start(ngx_voice_crm_t *crm, ngx_cycle_t *cycle);
void ngx_voice_crm_stop(ngx_voice_crm_t *crm);

/*
 * Each of these copies its strings, and returns NULL without memory only: then
 * done will not run.  Who does not want to hear any more drops the ask, which
 * must happen before done has run; a statement that was sent is not undone.
 */

/*
 * Whose a called number is and who calls, in one round trip:
 * {"number": voice.number(), "caller": voice.caller() or null,
 * "offset": seconds east of UTC}.  given is the JSON object of the
 * configuration's own words; timeout 0 is that of "voice_database".
 */
ngx_voice_crm_ask_t *ngx_voice_crm_who(ngx_voice_crm_t *crm,
    ngx_str_t *called, ngx_str_t *given, ngx_str_t *caller,
    ngx_msec_t timeout, ngx_voice_crm_done_pt done, void *data);

/*
 * {"resume": voice.resume(), "caller": voice.caller() or null,
 * "offset": seconds east of UTC}
 */
ngx_voice_crm_ask_t *ngx_voice_crm_resume(ngx_voice_crm_t *crm,
    ngx_str_t *sid, ngx_msec_t timeout, ngx_voice_crm_done_pt done,
    void *data);

/* voice.utterance_get(); these three are lookups */
ngx_voice_crm_ask_t *ngx_voice_crm_utterance(ngx_voice_crm_t *crm,
    ngx_str_t *id, ngx_voice_crm_done_pt done, void *data);

/* voice.act(): arguments and call are JSON objects */
ngx_voice_crm_ask_t *ngx_voice_crm_act(ngx_voice_crm_t *crm, ngx_str_t *sid,
    ngx_str_t *key, ngx_str_t *name, ngx_str_t *arguments, ngx_str_t *call,
    ngx_msec_t timeout, ngx_voice_crm_done_pt done, void *data);

/* voice.record(): batch is a JSON array of notes */
ngx_voice_crm_ask_t *ngx_voice_crm_record(ngx_voice_crm_t *crm,
    ngx_str_t *batch, ngx_voice_crm_done_pt done, void *data);

/* voice.resume(), for who has time */
ngx_voice_crm_ask_t *ngx_voice_crm_call(ngx_voice_crm_t *crm, ngx_str_t *sid,
    ngx_voice_crm_done_pt done, void *data);

/* voice.claim_jobs(), finish_job(), close_stale_calls() */
ngx_voice_crm_ask_t *ngx_voice_crm_claim_jobs(ngx_voice_crm_t *crm,
    ngx_uint_t n, ngx_voice_crm_done_pt done, void *data);
ngx_voice_crm_ask_t *ngx_voice_crm_finish_job(ngx_voice_crm_t *crm,
    ngx_str_t *id, ngx_str_t *attempt, ngx_str_t *outcome,
    ngx_voice_crm_done_pt done, void *data);
ngx_voice_crm_ask_t *ngx_voice_crm_close_stale(ngx_voice_crm_t *crm,
    ngx_voice_crm_done_pt done, void *data);

void ngx_voice_crm_drop(ngx_voice_crm_ask_t *ask);

/* done runs with NGX_VOICE_CRM_DOWN if the worker ends first, and may note */
void ngx_voice_crm_outlives(ngx_voice_crm_ask_t *ask);


/*
 * Notes something for voice.record(): a JSON object with a "key".  It goes to
 * the spool first and to the database when that can take it.  NGX_ERROR, and
 * a log line, when there was room for it nowhere.
 */
ngx_int_t ngx_voice_crm_note(ngx_voice_crm_t *crm, ngx_str_t *note);

/*
 * Somebody waits for what has been noted: what a worker has left behind is
 * looked for now, not within seconds.
 */
void ngx_voice_crm_look(ngx_voice_crm_t *crm);

/*
 * What the model can be offered (voice.tools()), a JSON array, as the last
 * worker that reached the database has left it in the zone; NGX_DECLINED
 * when none ever has, NGX_ERROR without memory.
 */
ngx_int_t ngx_voice_crm_tools(ngx_voice_crm_t *crm, ngx_pool_t *pool,
    ngx_str_t *tools);


#endif /* _NGX_VOICE_CRM_H_INCLUDED_ */
