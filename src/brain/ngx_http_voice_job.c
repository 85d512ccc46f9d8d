
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_job.h"
#include "ngx_http_voice_summary.h"
#include "../wire/ngx_voice_json_text.h"


/* ms; a claim is good for two minutes, and the report has to be in it */
#define NGX_HTTP_VOICE_JOB_TIMEOUT  100000

/* ms that a report may hold back a worker that leaves */
#define NGX_HTTP_VOICE_JOB_REPORT   5000

/* ms between two looks for calls that nobody ended */
#define NGX_HTTP_VOICE_JOB_STALE    60000


struct ngx_http_voice_jobs_s {
    ngx_event_t                  timer;
    ngx_http_voice_job_conf_t   *conf;
    ngx_http_voice_agent_t       agent;
    ngx_log_t                   *log;

    ngx_queue_t                  running;   /* of ngx_http_voice_job_t */
    ngx_uint_t                   nrunning;
    ngx_uint_t                   asked;     /* for how many */
    ngx_voice_crm_ask_t         *claim;
    ngx_voice_crm_ask_t         *close;
    ngx_msec_t                   stale;     /* when to look next */

    unsigned                     more:1;    /* there may be */
};


static void ngx_http_voice_jobs_event(ngx_event_t *ev);
static void ngx_http_voice_jobs_claim(ngx_http_voice_jobs_t *jobs);
static void ngx_http_voice_jobs_claimed(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static void ngx_http_voice_jobs_closed(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static void ngx_http_voice_job_start(ngx_http_voice_jobs_t *jobs,
    cJSON *root);
static ngx_int_t ngx_http_voice_job_read(ngx_http_voice_job_t *job);
static ngx_http_voice_job_kind_t *ngx_http_voice_job_find(const char *name);
static void ngx_http_voice_job_timeout(ngx_event_t *ev);
static void ngx_http_voice_job_end(ngx_http_voice_job_t *job,
    cJSON *outcome);
static void ngx_http_voice_job_ended(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static void ngx_http_voice_job_free(ngx_http_voice_job_t *job);
static void ngx_http_voice_job_recording(ngx_http_voice_job_t *job);
static void ngx_http_voice_job_deleted(void *data, const char *cause);


static ngx_http_voice_job_kind_t  ngx_http_voice_job_kinds[] = {

    { ngx_string("summary"),
      ngx_http_voice_summary_run,
      ngx_http_voice_summary_late },

    { ngx_string("delete_recording"),
      ngx_http_voice_job_recording,
      NULL },

    { ngx_null_string, NULL, NULL }
};


ngx_http_voice_jobs_t *
ngx_http_voice_jobs_start(ngx_cycle_t *cycle, ngx_http_voice_job_conf_t *conf,
    ngx_http_voice_agent_t *agent)
{
    ngx_http_voice_jobs_t  *jobs;

    jobs = ngx_pcalloc(cycle->pool, sizeof(ngx_http_voice_jobs_t));
    if (jobs == NULL) {
        return NULL;
    }

    jobs->conf = conf;
    jobs->agent = *agent;
    jobs->log = cycle->log;
    jobs->stale = ngx_current_msec;

    ngx_queue_init(&jobs->running);

    jobs->timer.handler = ngx_http_voice_jobs_event;
    jobs->timer.data = jobs;
    jobs->timer.log = cycle->log;

    /* the next worker goes on */
    jobs->timer.cancelable = 1;

    ngx_add_timer(&jobs->timer, conf->interval);

    return jobs;
}


void
ngx_http_voice_jobs_stop(ngx_http_voice_jobs_t *jobs)
{
    ngx_queue_t           *q;
    ngx_http_voice_job_t  *job;

    if (jobs->timer.timer_set) {
        ngx_del_timer(&jobs->timer);
    }

    if (jobs->claim) {
        ngx_voice_crm_drop(jobs->claim);
        jobs->claim = NULL;
    }

    if (jobs->close) {
        ngx_voice_crm_drop(jobs->close);
        jobs->close = NULL;
    }

    /* no event comes any more, from what they have asked either */

    while (!ngx_queue_empty(&jobs->running)) {
        q = ngx_queue_head(&jobs->running);
        job = ngx_queue_data(q, ngx_http_voice_job_t, queue);

        jobs->more = 0;
        ngx_http_voice_job_free(job);
    }
}


static void
ngx_http_voice_jobs_event(ngx_event_t *ev)
{
    ngx_http_voice_jobs_t  *jobs;

    jobs = ev->data;

    if (ngx_exiting) {
        return;
    }

    ngx_add_timer(ev, jobs->conf->interval);

    if (jobs->close == NULL
        && (ngx_msec_int_t) (ngx_current_msec - jobs->stale) >= 0)
    {
        jobs->stale = ngx_current_msec + NGX_HTTP_VOICE_JOB_STALE;
        jobs->close = ngx_voice_crm_close_stale(jobs->agent.crm,
                                                ngx_http_voice_jobs_closed,
                                                jobs);
    }

    ngx_http_voice_jobs_claim(jobs);
}


static void
ngx_http_voice_jobs_claim(ngx_http_voice_jobs_t *jobs)
{
    if (jobs->claim || jobs->nrunning >= jobs->conf->concurrency) {
        return;
    }

    jobs->more = 0;
    jobs->asked = jobs->conf->concurrency - jobs->nrunning;
    jobs->claim = ngx_voice_crm_claim_jobs(jobs->agent.crm, jobs->asked,
                                           ngx_http_voice_jobs_claimed, jobs);
}


static void
ngx_http_voice_jobs_claimed(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value)
{
    ngx_http_voice_jobs_t *jobs = data;

    cJSON       *root, *item;
    ngx_uint_t   n;

    jobs->claim = NULL;

    if (rc == NGX_VOICE_CRM_DOWN) {

        /* the connection has its own line in the log */
        return;
    }

    root = (rc == NGX_VOICE_CRM_OK)
           ? cJSON_ParseWithLength((char *) value->data, value->len) : NULL;

    if (!cJSON_IsArray(root)) {
        ngx_log_error(NGX_LOG_ERR, jobs->log, 0,
                      "voice jobs could not be claimed");
        cJSON_Delete(root);
        return;
    }

    n = 0;

    while (root->child) {
        item = cJSON_DetachItemViaPointer(root, root->child);
        ngx_http_voice_job_start(jobs, item);
        n++;
    }

    cJSON_Delete(root);

    if (n >= jobs->asked) {
        jobs->more = 1;
    }
}


static void
ngx_http_voice_jobs_closed(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value)
{
    ngx_http_voice_jobs_t *jobs = data;

    cJSON  *root, *retried;
    int     closed;

    jobs->close = NULL;

    if (rc == NGX_VOICE_CRM_DOWN) {
        jobs->stale = ngx_current_msec;
        return;
    }

    if (rc != NGX_VOICE_CRM_OK) {
        ngx_log_error(NGX_LOG_ERR, jobs->log, 0,
                      "voice calls that nobody ended could not be closed");
        return;
    }

    root = cJSON_ParseWithLength((char *) value->data, value->len);

    closed = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(root,
                                                                 "closed"));
    retried = cJSON_GetObjectItemCaseSensitive(root, "retried");

    if (closed) {
        ngx_log_error(NGX_LOG_NOTICE, jobs->log, 0,
                      "voice calls that nobody ended are closed: %d", closed);
    }

    if (cJSON_IsNumber(retried) && retried->valueint > 0) {
        ngx_log_error(NGX_LOG_NOTICE, jobs->log, 0,
                      "voice calls that were not in the CRM are written "
                      "again: %d", retried->valueint);
    }

    cJSON_Delete(root);
}


/* takes root */

static void
ngx_http_voice_job_start(ngx_http_voice_jobs_t *jobs, cJSON *root)
{
    ngx_pool_t            *pool;
    const char            *name;
    ngx_http_voice_job_t  *job;

    pool = ngx_create_pool(4096, jobs->log);
    job = pool ? ngx_pcalloc(pool, sizeof(ngx_http_voice_job_t)) : NULL;

    if (job == NULL) {

        /* the claim runs out */

        if (pool) {
            ngx_destroy_pool(pool);
        }

        cJSON_Delete(root);
        return;
    }

    job->jobs = jobs;
    job->agent = &jobs->agent;
    job->pool = pool;
    job->log = jobs->log;
    job->root = root;

    job->timer.handler = ngx_http_voice_job_timeout;
    job->timer.data = job;
    job->timer.log = job->log;
    job->timer.cancelable = 1;

    ngx_queue_insert_tail(&jobs->running, &job->queue);
    jobs->nrunning++;

    if (ngx_http_voice_job_read(job) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, job->log, 0,
                      "voice job makes no sense, or there is no memory");
        ngx_http_voice_job_free(job);
        return;
    }

    name = ngx_voice_json_string(root, "kind");

    job->kind = name ? ngx_http_voice_job_find(name) : NULL;

    if (job->kind == NULL) {
        ngx_http_voice_job_failed(job, "nobody here knows this kind of job",
                                  0, 1);
        return;
    }

    if (job->kind->late) {
        ngx_add_timer(&job->timer, NGX_HTTP_VOICE_JOB_TIMEOUT);
    }

    job->kind->run(job);
}


static ngx_int_t
ngx_http_voice_job_read(ngx_http_voice_job_t *job)
{
    cJSON   *id, *attempt;
    u_char  *p;

    id = cJSON_GetObjectItemCaseSensitive(job->root, "id");
    attempt = cJSON_GetObjectItemCaseSensitive(job->root, "attempt");

    if (!cJSON_IsNumber(id) || !cJSON_IsNumber(attempt)) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(job->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    job->id.data = p;
    job->id.len = ngx_sprintf(p, "%L", (int64_t) id->valuedouble) - p;

    job->attempt = attempt->valueint;
    job->last = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(job->root,
                                                              "last"));
    job->payload = cJSON_GetObjectItemCaseSensitive(job->root, "payload");

    job->sid = ngx_voice_json_text(job->root, "call");

    /* it goes into log lines and to providers */

    if (!ngx_http_voice_twilio_sid(&job->sid, "CA")) {
        ngx_str_null(&job->sid);
    }

    return NGX_OK;
}


static ngx_http_voice_job_kind_t *
ngx_http_voice_job_find(const char *name)
{
    ngx_http_voice_job_kind_t  *kind;

    for (kind = ngx_http_voice_job_kinds; kind->name.len; kind++) {

        if (ngx_strcmp(kind->name.data, name) == 0) {
            return kind;
        }
    }

    return NULL;
}


static void
ngx_http_voice_job_timeout(ngx_event_t *ev)
{
    ngx_http_voice_job_t  *job;

    job = ev->data;

    if (job->kind) {
        job->kind->late(job);
        return;
    }

    ngx_voice_crm_drop(job->ask);

    ngx_http_voice_job_ended(job, NGX_VOICE_CRM_UNKNOWN, NULL);
}


void
ngx_http_voice_job_done(ngx_http_voice_job_t *job, cJSON *result)
{
    cJSON  *outcome;

    ngx_log_error(NGX_LOG_INFO, job->log, 0,
                  "voice job %V \"%V\" is done%s%V%s", &job->id,
                  &job->kind->name, job->sid.len ? ", call: \"" : "",
                  &job->sid, job->sid.len ? "\"" : "");

    outcome = cJSON_CreateObject();

    if (outcome && cJSON_AddTrueToObject(outcome, "ok")) {

        if (result == NULL) {
            ngx_http_voice_job_end(job, outcome);
            return;
        }

        if (cJSON_AddItemToObject(outcome, "result", result)) {
            ngx_http_voice_job_end(job, outcome);
            return;
        }
    }

    cJSON_Delete(result);
    cJSON_Delete(outcome);

    ngx_http_voice_job_end(job, NULL);
}


void
ngx_http_voice_job_failed(ngx_http_voice_job_t *job, const char *error,
    ngx_uint_t retry, ngx_uint_t final)
{
    cJSON      *outcome;
    ngx_str_t   none, *name;

    ngx_str_set(&none, "?");

    name = job->kind ? &job->kind->name : &none;
    final = final || job->last;

    ngx_log_error(NGX_LOG_ERR, job->log, 0,
                  "voice job %V \"%V\" failed: %s, %s%s%V%s", &job->id, name,
                  error, final ? "it is given up" : "it is tried again",
                  job->sid.len ? ", call: \"" : "", &job->sid,
                  job->sid.len ? "\"" : "");

    outcome = cJSON_CreateObject();

    if (outcome
        && cJSON_AddFalseToObject(outcome, "ok")
        && cJSON_AddStringToObject(outcome, "error", error)
        && cJSON_AddBoolToObject(outcome, "final", final)
        && (retry == 0
            || cJSON_AddNumberToObject(outcome, "retry_in", retry)))
    {
        ngx_http_voice_job_end(job, outcome);
        return;
    }

    cJSON_Delete(outcome);

    ngx_http_voice_job_end(job, NULL);
}


/* takes outcome; without one, or without a report, the claim runs out */

static void
ngx_http_voice_job_end(ngx_http_voice_job_t *job, cJSON *outcome)
{
    char       *text;
    u_char      buf[NGX_INT_T_LEN];
    ngx_str_t   json, attempt;

    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    /* it has ended, and only its report can be late */

    job->kind = NULL;

    text = outcome ? cJSON_PrintUnformatted(outcome) : NULL;

    cJSON_Delete(outcome);

    if (text) {
        json.data = (u_char *) text;
        json.len = ngx_strlen(text);

        attempt.data = buf;
        attempt.len = ngx_sprintf(buf, "%i", job->attempt) - buf;

        job->ask = ngx_voice_crm_finish_job(job->agent->crm, &job->id,
                                            &attempt, &json,
                                            ngx_http_voice_job_ended, job);
        cJSON_free(text);
    }

    if (job->ask == NULL) {
        ngx_http_voice_job_free(job);
        return;
    }

    job->timer.cancelable = 0;

    ngx_add_timer(&job->timer, NGX_HTTP_VOICE_JOB_REPORT);
}


static void
ngx_http_voice_job_ended(void *data, ngx_voice_crm_rc_e rc, ngx_str_t *value)
{
    ngx_http_voice_job_t *job = data;

    job->ask = NULL;

    if (rc != NGX_VOICE_CRM_OK) {
        ngx_log_error(NGX_LOG_WARN, job->log, 0,
                      "voice job %V could not be reported, it is done again "
                      "when its claim has run out", &job->id);
    }

    ngx_http_voice_job_free(job);
}


static void
ngx_http_voice_job_free(ngx_http_voice_job_t *job)
{
    ngx_http_voice_jobs_t  *jobs;

    jobs = job->jobs;

    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    if (job->ask) {
        ngx_voice_crm_drop(job->ask);
    }

    ngx_queue_remove(&job->queue);
    jobs->nrunning--;

    cJSON_Delete(job->root);
    ngx_destroy_pool(job->pool);

    if (jobs->more && !ngx_exiting) {

        if (jobs->timer.timer_set) {
            ngx_del_timer(&jobs->timer);
        }

        ngx_add_timer(&jobs->timer, 1);
    }
}


/* brain/ngx_http_voice_listen.c has queued it */

static void
ngx_http_voice_job_recording(ngx_http_voice_job_t *job)
{
    ngx_str_t                account, recording;
    ngx_http_voice_agent_t  *agent;

    agent = job->agent;

    account = ngx_voice_json_text(job->payload, "account");
    recording = ngx_voice_json_text(job->payload, "recording");

    if (!ngx_http_voice_twilio_sid(&account, "AC")
        || !ngx_http_voice_twilio_sid(&recording, "RE"))
    {
        ngx_http_voice_job_failed(job, "it names no recording", 0, 1);
        return;
    }

    if (agent->twilio->uri.len == 0) {
        ngx_http_voice_job_failed(job, "there is no \"voice_twilio\"", 0, 0);
        return;
    }

    if (ngx_http_voice_twilio_delete(agent->twilio, agent->ctx, &job->sid,
                                     &account, &recording,
                                     ngx_http_voice_job_deleted, job)
        != NGX_OK)
    {
        ngx_http_voice_job_failed(job, "Twilio could not be asked", 0, 0);
    }
}


static void
ngx_http_voice_job_deleted(void *data, const char *cause)
{
    ngx_http_voice_job_t *job = data;

    if (cause) {
        ngx_http_voice_job_failed(job, cause, 0, 0);
        return;
    }

    ngx_http_voice_job_done(job, NULL);
}
