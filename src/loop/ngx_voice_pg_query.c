
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_pg_query.h"
#include "../wire/ngx_voice_utf8.h"


static u_char *ngx_voice_pg_text(u_char *dst, ngx_str_t *text);
static void ngx_voice_pg_result(ngx_voice_pg_t *pg, PGresult *result);
static void ngx_voice_pg_error(ngx_voice_pg_t *pg,
    ngx_voice_pg_query_t *query, PGresult *result);
static ngx_int_t ngx_voice_pg_send_one(ngx_voice_pg_t *pg,
    ngx_voice_pg_query_t *query);
static void ngx_voice_pg_late(ngx_event_t *ev);


ngx_voice_pg_query_t *
ngx_voice_pg_query(ngx_voice_pg_t *pg,
    const ngx_voice_pg_statement_t *statement, ngx_str_t *params,
    ngx_uint_t n, ngx_msec_t timeout, ngx_voice_pg_done_pt done, void *data)
{
    u_char                *p;
    size_t                 size;
    ngx_uint_t             i;
    ngx_pool_t            *pool;
    ngx_voice_pg_query_t  *query;

    size = sizeof(ngx_voice_pg_query_t) + sizeof(ngx_pool_t) + 256;

    for (i = 0; i < n; i++) {
        size += params[i].len + 1;
    }

    pool = ngx_create_pool(ngx_align(size, NGX_POOL_ALIGNMENT),
                           ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    query = ngx_pcalloc(pool, sizeof(ngx_voice_pg_query_t));
    if (query == NULL) {
        goto failed;
    }

    for (i = 0; i < n; i++) {

        if (params[i].data == NULL) {
            continue;
        }

        p = ngx_pnalloc(pool, params[i].len + 1);
        if (p == NULL) {
            goto failed;
        }

        query->params[i] = (char *) p;

        /* text ends at a zero byte: nothing that follows is meant */

        *ngx_voice_pg_text(p, &params[i]) = '\0';
    }

    query->pool = pool;
    query->pg = pg;
    query->statement = statement;
    query->n = n;
    query->done = done;
    query->data = data;

    query->timer.handler = ngx_voice_pg_late;
    query->timer.data = query;
    query->timer.log = ngx_cycle->log;
    query->timer.cancelable = pg->cancelable;

    if (!pg->started || !(pg->up || pg->connecting) || pg->broken
        || pg->n >= pg->max)
    {
        /* told soon, but not on this stack */

        ngx_queue_init(&query->queue);
        ngx_post_event(&query->timer, &ngx_posted_events);

        return query;
    }

    pg->n++;
    query->counted = 1;

    ngx_queue_insert_tail(&pg->waiting, &query->queue);
    ngx_add_timer(&query->timer, timeout);

    /* what fails while it is sent is told on another stack, too */

    ngx_post_event(&pg->push, &ngx_posted_events);

    return query;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


void
ngx_voice_pg_drop(ngx_voice_pg_query_t *query)
{
    query->done = NULL;

    if (query->timer.timer_set) {
        ngx_del_timer(&query->timer);
    }

    if (query->timer.posted) {
        ngx_delete_posted_event(&query->timer);
    }

    /* a result that is to come is read and forgotten */

    if (!query->sent) {
        ngx_voice_pg_free(query);
    }
}


/* what is no UTF-8 would be an error of the whole statement */

static u_char *
ngx_voice_pg_text(u_char *dst, ngx_str_t *text)
{
    u_char    *p, *last;
    size_t     n, bad;
    uint32_t   ch;

    last = text->data + text->len;

    for (p = text->data; p < last; p += n) {
        n = ngx_voice_utf8_len(p, last - p, &ch, &bad);

        if (n == 0) {
            *dst++ = '?';
            n = bad;
            continue;
        }

        dst = ngx_cpymem(dst, p, n);
    }

    return dst;
}


/* NGX_ERROR: the connection is gone */

ngx_int_t
ngx_voice_pg_results(ngx_voice_pg_t *pg)
{
    PGresult  *result;

    for ( ;; ) {

        if (PQstatus(pg->conn) != CONNECTION_OK || PQisBusy(pg->conn)) {
            break;
        }

        result = PQgetResult(pg->conn);

        if (result == NULL) {

            /* the end of a statement's results, or there is none left */

            if (PQisBusy(pg->conn)
                || (result = PQgetResult(pg->conn)) == NULL)
            {
                break;
            }
        }

        ngx_voice_pg_result(pg, result);
        PQclear(result);

        if (pg->senseless) {
            ngx_voice_pg_lost(pg, "its answers make no sense");
            return NGX_ERROR;
        }
    }

    if (PQstatus(pg->conn) != CONNECTION_OK) {
        ngx_voice_pg_lost(pg, PQerrorMessage(pg->conn));
        return NGX_ERROR;
    }

    if (pg->broken) {
        ngx_voice_pg_lost(pg, "statements have to be prepared anew");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_voice_pg_result(ngx_voice_pg_t *pg, PGresult *result)
{
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    if (pg->setting || ngx_queue_empty(&pg->sent)) {
        query = NULL;

    } else {
        q = ngx_queue_head(&pg->sent);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);
    }

    switch (PQresultStatus(result)) {

    case PGRES_PIPELINE_SYNC:

        if (query) {
            ngx_voice_pg_finish(query, query->failed ? NGX_VOICE_PG_REFUSED
                                                     : NGX_VOICE_PG_OK);
        }

        pg->setting = 0;
        break;

    case PGRES_TUPLES_OK:

        if (query && !query->row && PQntuples(result) > 0
            && PQnfields(result) > 0 && !PQgetisnull(result, 0, 0))
        {
            query->row = 1;
            query->value.len = PQgetlength(result, 0, 0);
            query->value.data = ngx_pnalloc(query->pool,
                                            query->value.len + 1);

            if (query->value.data == NULL) {
                query->value.len = 0;
                query->failed = 1;
                break;
            }

            ngx_memcpy(query->value.data, PQgetvalue(result, 0, 0),
                       query->value.len + 1);
        }

        break;

    case PGRES_COMMAND_OK:

        /* it stays prepared, whatever becomes of what comes after it */

        if (query) {
            query->prepares = 0;
        }

        break;

    case PGRES_PIPELINE_ABORTED:
        break;

    case PGRES_FATAL_ERROR:
        ngx_voice_pg_error(pg, query, result);
        break;

    default:

        /* no statement of ours has such an answer, and a COPY has no end */

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "voice database gave \"%s\" an answer that makes no "
                      "sense: %s",
                      query ? query->statement->name : "setup",
                      PQresStatus(PQresultStatus(result)));

        pg->senseless = 1;
    }
}


static void
ngx_voice_pg_error(ngx_voice_pg_t *pg, ngx_voice_pg_query_t *query,
    PGresult *result)
{
    ngx_str_t    reason;
    const char  *name, *state;

    name = query ? query->statement->name : "setup";
    state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    reason = ngx_voice_pg_reason(PQresultErrorField(result,
                                                 PG_DIAG_MESSAGE_PRIMARY));

    if (ngx_voice_pg_tells(result)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "voice database refused \"%s\": %V (%s)",
                      name, &reason, state ? state : "no code");

    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "voice database refused \"%s\": error %s, its own log "
                      "has the reason", name, state);

        ngx_log_debug2(NGX_LOG_DEBUG_EVENT, ngx_cycle->log, 0,
                       "voice database refused \"%s\": %V", name, &reason);
    }

    if (query) {
        query->failed = 1;
    }

    /*
     * The prepared statement is not there or not what it was, after a
     * migration or behind a pooler: a new connection prepares it anew.
     */

    if (state
        && (ngx_strcmp(state, "26000") == 0
            || ngx_strcmp(state, "0A000") == 0
            || ngx_strcmp(state, "42P05") == 0
            || ngx_strcmp(state, "42883") == 0))
    {
        pg->broken = 1;
    }

    if (query && query->prepares) {
        pg->prepared &= ~(1U << query->statement->id);
    }
}


void
ngx_voice_pg_push(ngx_event_t *ev)
{
    ngx_voice_pg_send(ev->data);
}


void
ngx_voice_pg_send(ngx_voice_pg_t *pg)
{
    ngx_uint_t             sent;
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    sent = 0;

    while (pg->up && !ngx_queue_empty(&pg->waiting)) {
        q = ngx_queue_head(&pg->waiting);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);

        if (ngx_queue_empty(&pg->sent)) {
            pg->heard = ngx_current_msec;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&pg->sent, q);

        query->sent = 1;
        sent = 1;

        if (ngx_voice_pg_send_one(pg, query) != NGX_OK) {
            ngx_voice_pg_lost(pg, PQerrorMessage(pg->conn));
            return;
        }
    }

    if (!sent) {
        return;
    }

    if (!pg->timer.timer_set) {
        ngx_add_timer(&pg->timer, pg->hung);
    }

    if (ngx_voice_pg_flush(pg) != NGX_OK) {
        ngx_voice_pg_lost(pg, PQerrorMessage(pg->conn));
    }
}


static ngx_int_t
ngx_voice_pg_send_one(ngx_voice_pg_t *pg, ngx_voice_pg_query_t *query)
{
    const ngx_voice_pg_statement_t  *statement;

    statement = query->statement;

    if (!(pg->prepared & (1U << statement->id))) {

        if (PQsendPrepare(pg->conn, statement->name, statement->text, 0, NULL)
            != 1)
        {
            return NGX_ERROR;
        }

        pg->prepared |= 1U << statement->id;
        query->prepares = 1;
    }

    if (PQsendQueryPrepared(pg->conn, statement->name, query->n,
                            query->params, NULL, NULL, 0)
        != 1)
    {
        return NGX_ERROR;
    }

    /* a sync after each keeps the errors of one from the next */

    return PQpipelineSync(pg->conn) == 1 ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_voice_pg_flush(ngx_voice_pg_t *pg)
{
    int           rc;
    ngx_event_t  *wev;

    rc = PQflush(pg->conn);

    if (rc == -1) {
        return NGX_ERROR;
    }

    wev = pg->c->write;

    if (rc == 1 && !wev->active) {
        return ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }

    if (rc == 0 && wev->active) {
        return ngx_del_event(wev, NGX_WRITE_EVENT, 0);
    }

    return NGX_OK;
}


/* nobody waits any longer; also runs posted, for what was not taken at all */

static void
ngx_voice_pg_late(ngx_event_t *ev)
{
    void                  *data;
    ngx_str_t              none;
    ngx_voice_pg_query_t  *query;
    ngx_voice_pg_done_pt   done;

    query = ev->data;

    if (!query->sent) {
        ngx_voice_pg_finish(query, NGX_VOICE_PG_DOWN);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "voice database did not answer \"%s\" in time",
                  query->statement->name);

    done = query->done;
    data = query->data;

    query->done = NULL;

    ngx_str_null(&none);

    if (done) {
        done(data, NGX_VOICE_PG_UNKNOWN, &none);
    }
}


void
ngx_voice_pg_finish(ngx_voice_pg_query_t *query, ngx_voice_pg_rc_e rc)
{
    ngx_queue_remove(&query->queue);
    ngx_queue_init(&query->queue);

    if (query->timer.timer_set) {
        ngx_del_timer(&query->timer);
    }

    if (query->timer.posted) {
        ngx_delete_posted_event(&query->timer);
    }

    if (rc == NGX_VOICE_PG_OK) {
        query->pg->failures = 0;

    } else {
        ngx_str_null(&query->value);
    }

    if (query->done) {
        query->done(query->data, rc, &query->value);
    }

    query->done = NULL;

    ngx_voice_pg_free(query);
}


void
ngx_voice_pg_free(ngx_voice_pg_query_t *query)
{
    /* those that were never taken are in no queue but their own */

    if (query->counted) {
        query->pg->n--;
    }

    ngx_queue_remove(&query->queue);

    if (query->timer.timer_set) {
        ngx_del_timer(&query->timer);
    }

    if (query->timer.posted) {
        ngx_delete_posted_event(&query->timer);
    }

    ngx_destroy_pool(query->pool);
}
