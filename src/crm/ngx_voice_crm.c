
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <cjson/cJSON.h>

#include "ngx_voice_crm.h"
#include "ngx_voice_record.h"
#include "../call/ngx_voice_offer.h"


/* ms */
#define NGX_VOICE_CRM_CONNECT    3000
#define NGX_VOICE_CRM_ACTION     10000   /* of "actions", on the server */
#define NGX_VOICE_CRM_REST       30000
#define NGX_VOICE_CRM_SLACK      2000    /* after it the server is hung */

/* statements under way on one connection */
#define NGX_VOICE_CRM_QUEUE      1024


struct ngx_voice_crm_ask_s {
    ngx_voice_pg_query_t      *query;
    ngx_voice_crm_done_pt      done;
    void                      *data;
    unsigned                   outlives:1;
};


typedef enum {
    NGX_VOICE_CRM_STATEMENT_WHO = 0,
    NGX_VOICE_CRM_STATEMENT_RESUME,
    NGX_VOICE_CRM_STATEMENT_UTTERANCE,
    NGX_VOICE_CRM_STATEMENT_TOOLS,
    NGX_VOICE_CRM_STATEMENT_ACT,
    NGX_VOICE_CRM_STATEMENT_RECORD,
    NGX_VOICE_CRM_STATEMENT_CALL,
    NGX_VOICE_CRM_STATEMENT_CLAIM_JOBS,
    NGX_VOICE_CRM_STATEMENT_FINISH_JOB,
    NGX_VOICE_CRM_STATEMENT_CLOSE_STALE,
    NGX_VOICE_CRM_STATEMENT_PROBE
} ngx_voice_crm_statement_e;


static ngx_voice_crm_ask_t *ngx_voice_crm_ask(ngx_voice_pg_t *pg,
    ngx_uint_t statement, ngx_str_t *params, ngx_uint_t n,
    ngx_msec_t timeout, ngx_voice_crm_done_pt done, void *data);
static void ngx_voice_crm_answer(void *data, ngx_voice_pg_rc_e rc,
    ngx_str_t *value);
static ngx_int_t ngx_voice_crm_connection(ngx_voice_crm_t *crm,
    ngx_pool_t *pool, ngx_voice_pg_t *pg, const char *role,
    ngx_msec_t timeout);
static void ngx_voice_crm_left(void *data);
static void ngx_voice_crm_down(void *data);
static void ngx_voice_crm_up(void *data);
static void ngx_voice_crm_lookups_up(void *data);
static void ngx_voice_crm_tools_came(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static void ngx_voice_crm_rest_up(void *data);
static void ngx_voice_crm_probed(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);


/* the time zone's distance as of now, which is good for the length of a call */

#define NGX_VOICE_CRM_OFFSET(zone)                                            \
    "extract(epoch from (now() at time zone coalesce(" zone ", 'UTC')) "      \
    "- (now() at time zone 'UTC'))::integer"


static const ngx_voice_pg_statement_t  ngx_voice_crm_statements[] = {

    { NGX_VOICE_CRM_STATEMENT_WHO, "who",
      "select jsonb_build_object('number', n, 'caller', "
      "case when n ->> 'organization' is not null "
      "then voice.caller((n ->> 'organization')::integer, $3, "
      "n ->> 'country') end, "
      "'offset', " NGX_VOICE_CRM_OFFSET("n ->> 'timezone'") ") "
      "from voice.number($1, $2::jsonb) n" },

    { NGX_VOICE_CRM_STATEMENT_RESUME, "resume",
      "select jsonb_build_object('resume', r, 'caller', "
      "case when r #>> '{call,organization}' is not null "
      "then voice.caller((r #>> '{call,organization}')::integer, "
      "r #>> '{call,caller}', r #>> '{call,country}') end, "
      "'age', extract(epoch from now() "
      "- (r #>> '{call,started_at}')::timestamptz)::integer, "
      "'offset', " NGX_VOICE_CRM_OFFSET("r #>> '{call,timezone}'") ") "
      "from voice.resume($1) r" },

    { NGX_VOICE_CRM_STATEMENT_UTTERANCE, "utterance",
      "select voice.utterance_get($1)" },

    { NGX_VOICE_CRM_STATEMENT_TOOLS, "tools", "select voice.tools()" },

    { NGX_VOICE_CRM_STATEMENT_ACT, "act",
      "select voice.act($1, $2, $3, $4::jsonb, $5::jsonb)" },

    { NGX_VOICE_CRM_STATEMENT_RECORD, "record",
      "select voice.record($1::jsonb)" },

    { NGX_VOICE_CRM_STATEMENT_CALL, "call", "select voice.resume($1)" },

    { NGX_VOICE_CRM_STATEMENT_CLAIM_JOBS, "claim_jobs",
      "select voice.claim_jobs($1::integer, $2)" },

    { NGX_VOICE_CRM_STATEMENT_FINISH_JOB, "finish_job",
      "select voice.finish_job($1::bigint, $2::integer, $3::jsonb)" },

    { NGX_VOICE_CRM_STATEMENT_CLOSE_STALE, "close_stale_calls",
      "select voice.close_stale_calls()" },

    { NGX_VOICE_CRM_STATEMENT_PROBE, "crm_probe",
      "select voice.crm_probe()" }
};


ngx_int_t
ngx_voice_crm_init(ngx_voice_crm_t *crm, ngx_pool_t *pool)
{
    if (ngx_voice_crm_connection(crm, pool, &crm->lookups, "lookup",
                                 crm->timeout)
        != NGX_OK
        || ngx_voice_crm_connection(crm, pool, &crm->actions, "action",
                                    NGX_VOICE_CRM_ACTION)
           != NGX_OK
        || ngx_voice_crm_connection(crm, pool, &crm->rest, "record",
                                    NGX_VOICE_CRM_REST)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    crm->lookups.on_up = ngx_voice_crm_lookups_up;
    crm->actions.on_up = ngx_voice_crm_up;
    crm->rest.on_up = ngx_voice_crm_rest_up;

    /* what is not written is in the spool: it holds no worker back */

    crm->rest.cancelable = 1;

    return NGX_OK;
}


/* a lock may take half of the time: the rest is for what comes after it */

static ngx_int_t
ngx_voice_crm_connection(ngx_voice_crm_t *crm, ngx_pool_t *pool,
    ngx_voice_pg_t *pg, const char *role, ngx_msec_t timeout)
{
    u_char  *p;

    p = ngx_pnalloc(pool, sizeof("select set_config('statement_timeout', "
                                 "'', false), set_config('lock_timeout', '', "
                                 "false)") + 2 * NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pg->setup = (char *) p;

    p = ngx_sprintf(p, "select set_config('statement_timeout', '%M', false), "
                    "set_config('lock_timeout', '%M', false)", timeout,
                    timeout / 2 + 1);
    *p = '\0';

    pg->role = role;
    pg->conninfo = crm->conninfo;
    pg->connect_timeout = NGX_VOICE_CRM_CONNECT;
    pg->hung = timeout + NGX_VOICE_CRM_SLACK;
    pg->max = NGX_VOICE_CRM_QUEUE;
    pg->data = crm;
    pg->on_down = ngx_voice_crm_down;
    pg->on_stop = ngx_voice_crm_left;

    return NGX_OK;
}


ngx_int_t
ngx_voice_crm_start(ngx_voice_crm_t *crm, ngx_cycle_t *cycle)
{
    crm->record = ngx_voice_record_start(cycle, crm, crm->zone,
                                         &crm->spool->name);
    if (crm->record == NULL) {
        return NGX_ERROR;
    }

    ngx_voice_pg_start(&crm->lookups, cycle);
    ngx_voice_pg_start(&crm->actions, cycle);
    ngx_voice_pg_start(&crm->rest, cycle);

    return NGX_OK;
}


void
ngx_voice_crm_stop(ngx_voice_crm_t *crm)
{
    ngx_voice_pg_stop(&crm->lookups);
    ngx_voice_pg_stop(&crm->actions);

    /* who has waited for these may have had something to note */

    if (crm->record) {
        ngx_voice_record_stop(crm->record);
        crm->record = NULL;
    }

    ngx_voice_pg_stop(&crm->rest);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_who(ngx_voice_crm_t *crm, ngx_str_t *called, ngx_str_t *given,
    ngx_str_t *caller, ngx_msec_t timeout, ngx_voice_crm_done_pt done,
    void *data)
{
    ngx_str_t  params[3];

    params[0] = *called;
    params[1] = *given;
    params[2] = *caller;

    return ngx_voice_crm_ask(&crm->lookups, NGX_VOICE_CRM_STATEMENT_WHO,
                             params, 3, timeout ? timeout : crm->timeout,
                             done, data);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_resume(ngx_voice_crm_t *crm, ngx_str_t *sid,
    ngx_msec_t timeout, ngx_voice_crm_done_pt done, void *data)
{
    return ngx_voice_crm_ask(&crm->lookups, NGX_VOICE_CRM_STATEMENT_RESUME,
                             sid, 1, timeout ? timeout : crm->timeout, done,
                             data);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_utterance(ngx_voice_crm_t *crm, ngx_str_t *id,
    ngx_voice_crm_done_pt done, void *data)
{
    return ngx_voice_crm_ask(&crm->lookups, NGX_VOICE_CRM_STATEMENT_UTTERANCE,
                             id, 1, crm->timeout, done, data);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_act(ngx_voice_crm_t *crm, ngx_str_t *sid, ngx_str_t *key,
    ngx_str_t *name, ngx_str_t *arguments, ngx_str_t *call,
    ngx_msec_t timeout, ngx_voice_crm_done_pt done, void *data)
{
    ngx_str_t  params[5];

    params[0] = *sid;
    params[1] = *key;
    params[2] = *name;
    params[3] = *arguments;
    params[4] = *call;

    return ngx_voice_crm_ask(&crm->actions, NGX_VOICE_CRM_STATEMENT_ACT,
                             params, 5, timeout, done, data);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_record(ngx_voice_crm_t *crm, ngx_str_t *batch,
    ngx_voice_crm_done_pt done, void *data)
{
    return ngx_voice_crm_ask(&crm->rest, NGX_VOICE_CRM_STATEMENT_RECORD,
                             batch, 1, NGX_VOICE_CRM_REST, done, data);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_call(ngx_voice_crm_t *crm, ngx_str_t *sid,
    ngx_voice_crm_done_pt done, void *data)
{
    return ngx_voice_crm_ask(&crm->rest, NGX_VOICE_CRM_STATEMENT_CALL, sid, 1,
                             NGX_VOICE_CRM_REST, done, data);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_claim_jobs(ngx_voice_crm_t *crm, ngx_uint_t n,
    ngx_voice_crm_done_pt done, void *data)
{
    u_char     buf[NGX_INT_T_LEN];
    ngx_str_t  params[2];

    params[0].data = buf;
    params[0].len = ngx_sprintf(buf, "%ui", n) - buf;
    params[1] = crm->node;

    return ngx_voice_crm_ask(&crm->rest, NGX_VOICE_CRM_STATEMENT_CLAIM_JOBS,
                             params, 2, NGX_VOICE_CRM_REST, done, data);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_finish_job(ngx_voice_crm_t *crm, ngx_str_t *id,
    ngx_str_t *attempt, ngx_str_t *outcome, ngx_voice_crm_done_pt done,
    void *data)
{
    ngx_str_t  params[3];

    params[0] = *id;
    params[1] = *attempt;
    params[2] = *outcome;

    return ngx_voice_crm_ask(&crm->rest, NGX_VOICE_CRM_STATEMENT_FINISH_JOB,
                             params, 3, NGX_VOICE_CRM_REST, done, data);
}


ngx_voice_crm_ask_t *
ngx_voice_crm_close_stale(ngx_voice_crm_t *crm, ngx_voice_crm_done_pt done,
    void *data)
{
    return ngx_voice_crm_ask(&crm->rest, NGX_VOICE_CRM_STATEMENT_CLOSE_STALE,
                             NULL, 0, NGX_VOICE_CRM_REST, done, data);
}


static ngx_voice_crm_ask_t *
ngx_voice_crm_ask(ngx_voice_pg_t *pg, ngx_uint_t statement,
    ngx_str_t *params, ngx_uint_t n, ngx_msec_t timeout,
    ngx_voice_crm_done_pt done, void *data)
{
    ngx_voice_crm_ask_t   *ask;
    ngx_voice_pg_query_t  *query;

    ask = ngx_alloc(sizeof(ngx_voice_crm_ask_t), ngx_cycle->log);
    if (ask == NULL) {
        return NULL;
    }

    ask->done = done;
    ask->data = data;
    ask->outlives = 0;

    query = ngx_voice_pg_query(pg, &ngx_voice_crm_statements[statement],
                               params, n, timeout, ngx_voice_crm_answer, ask);
    if (query == NULL) {
        ngx_free(ask);
        return NULL;
    }

    ask->query = query;

    return ask;
}


static void
ngx_voice_crm_answer(void *data, ngx_voice_pg_rc_e rc, ngx_str_t *value)
{
    ngx_voice_crm_ask_t *ask = data;

    void                   *owner;
    ngx_voice_crm_done_pt   done;

    static const ngx_voice_crm_rc_e  results[] = {
        NGX_VOICE_CRM_OK,
        NGX_VOICE_CRM_DOWN,
        NGX_VOICE_CRM_REFUSED,
        NGX_VOICE_CRM_UNKNOWN
    };

    done = ask->done;
    owner = ask->data;

    ngx_free(ask);

    done(owner, results[rc], value);
}


void
ngx_voice_crm_outlives(ngx_voice_crm_ask_t *ask)
{
    ask->outlives = 1;
}


/* the worker ends, and those who asked do as well; some have an errand left */

static void
ngx_voice_crm_left(void *data)
{
    ngx_voice_crm_ask_t *ask = data;

    ngx_str_t  none;

    if (ask->outlives) {
        ngx_str_null(&none);
        ask->done(ask->data, NGX_VOICE_CRM_DOWN, &none);
    }

    ngx_free(ask);
}


void
ngx_voice_crm_drop(ngx_voice_crm_ask_t *ask)
{
    ngx_voice_pg_drop(ask->query);
    ngx_free(ask);
}


/* for health: attempts to connect go on, and so does the bad news */

static void
ngx_voice_crm_down(void *data)
{
    ngx_voice_crm_t *crm = data;

    ngx_voice_zone_provider(crm->zone, NGX_VOICE_DATABASE, "unreachable");
}


/* the last one to come back says that all is well: until then it was not */

static void
ngx_voice_crm_up(void *data)
{
    ngx_voice_crm_t *crm = data;

    if (crm->lookups.up && crm->actions.up && crm->rest.up) {
        ngx_voice_zone_provider(crm->zone, NGX_VOICE_DATABASE, NULL);
    }
}


/* what the model can be offered lies in the zone, for an outage as well */

static void
ngx_voice_crm_lookups_up(void *data)
{
    ngx_voice_crm_t *crm = data;

    ngx_voice_crm_up(crm);

    (void) ngx_voice_crm_ask(&crm->lookups, NGX_VOICE_CRM_STATEMENT_TOOLS,
                             NULL, 0, NGX_VOICE_CRM_REST,
                             ngx_voice_crm_tools_came, crm);
}


static void
ngx_voice_crm_tools_came(void *data, ngx_voice_crm_rc_e rc, ngx_str_t *value)
{
    ngx_voice_crm_t *crm = data;

    if (rc == NGX_VOICE_CRM_OK && value->len
        && ngx_voice_offer_put(crm->zone, value) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "voice zone has no room for the list of tools");
    }
}


ngx_int_t
ngx_voice_crm_note(ngx_voice_crm_t *crm, ngx_str_t *note)
{
    return ngx_voice_record_note(crm->record, note);
}


void
ngx_voice_crm_look(ngx_voice_crm_t *crm)
{
    ngx_voice_record_look(crm->record);
}


ngx_int_t
ngx_voice_crm_tools(ngx_voice_crm_t *crm, ngx_pool_t *pool, ngx_str_t *tools)
{
    return ngx_voice_offer_get(crm->zone, pool, tools);
}


/* one worker lets the database look at what the CRM is like */

static void
ngx_voice_crm_rest_up(void *data)
{
    ngx_voice_crm_t *crm = data;

    ngx_voice_crm_up(crm);
    ngx_voice_record_wake(crm->record);

    if (ngx_worker == 0) {
        (void) ngx_voice_crm_ask(&crm->rest, NGX_VOICE_CRM_STATEMENT_PROBE,
                                 NULL, 0, NGX_VOICE_CRM_REST,
                                 ngx_voice_crm_probed, crm);
    }
}


static void
ngx_voice_crm_probed(void *data, ngx_voice_crm_rc_e rc, ngx_str_t *value)
{
    cJSON  *root, *problem;

    if (rc != NGX_VOICE_CRM_OK || value->len == 0) {
        return;
    }

    root = cJSON_ParseWithLength((char *) value->data, value->len);

    cJSON_ArrayForEach(problem, cJSON_GetObjectItemCaseSensitive(root,
                                                                 "problems"))
    {
        if (cJSON_IsString(problem)) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "voice database: %s", problem->valuestring);
        }
    }

    cJSON_Delete(root);
}
