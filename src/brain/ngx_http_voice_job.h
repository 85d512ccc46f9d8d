
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_JOB_H_INCLUDED_
#define _NGX_HTTP_VOICE_JOB_H_INCLUDED_


#include <cjson/cJSON.h>

#include "ngx_http_voice_agent.h"


/*
 * Work that no caller waits for (docs/crm.md, "voice.claim_jobs").  One worker
 * of a node claims jobs, a few at a time, and reports what became of them; a
 * worker that dies reports nothing, and after the lease another one claims
 * them again.  So whatever a job does may be done twice.
 */

typedef struct {
    ngx_flag_t                     enable;
    ngx_uint_t                     concurrency;  /* at the same time */
    ngx_msec_t                     interval;     /* between two looks */
} ngx_http_voice_job_conf_t;


typedef struct ngx_http_voice_jobs_s  ngx_http_voice_jobs_t;
typedef struct ngx_http_voice_job_s   ngx_http_voice_job_t;


/*
 * run begins, and sees to it that _done() or _failed() is called, at once or
 * later; late does so at once when it takes too long.  A kind without it has a
 * clock of its own.  At the end of the worker the pool is destroyed.
 */

typedef struct {
    ngx_str_t                      name;
    void                         (*run)(ngx_http_voice_job_t *job);
    void                         (*late)(ngx_http_voice_job_t *job);
} ngx_http_voice_job_kind_t;


struct ngx_http_voice_job_s {
    ngx_http_voice_agent_t        *agent;   /* settings, of no call */
    ngx_pool_t                    *pool;
    ngx_log_t                     *log;

    ngx_str_t                      id;
    ngx_str_t                      sid;     /* CallSid, may be empty */
    ngx_int_t                      attempt; /* from 1 */
    cJSON                         *payload;
    unsigned                       last:1;  /* there is no other attempt */

    void                          *ctx;     /* the kind's */
    ngx_voice_crm_ask_t           *ask;     /* likewise; dropped at the end */

    /* the runner's */

    ngx_queue_t                    queue;
    ngx_http_voice_jobs_t         *jobs;
    ngx_http_voice_job_kind_t     *kind;
    cJSON                         *root;
    ngx_event_t                    timer;
};


/*
 * Worker; agent has the settings that jobs use, its flow is the one of calls
 * whose own is gone.  Returns NULL without memory.  _stop() comes before the
 * connections to the database end.
 */
ngx_http_voice_jobs_t *ngx_http_voice_jobs_start(ngx_cycle_t *cycle,
    ngx_http_voice_job_conf_t *conf, ngx_http_voice_agent_t *agent);
void ngx_http_voice_jobs_stop(ngx_http_voice_jobs_t *jobs);

/* the end of a job, which is gone afterwards; result is taken, may be NULL */
void ngx_http_voice_job_done(ngx_http_voice_job_t *job, cJSON *result);

/*
 * The same.  error is for the log and the database; retry: seconds until the
 * next attempt, 0: as the database likes; final: there is none.
 */
void ngx_http_voice_job_failed(ngx_http_voice_job_t *job, const char *error,
    ngx_uint_t retry, ngx_uint_t final);


#endif /* _NGX_HTTP_VOICE_JOB_H_INCLUDED_ */
