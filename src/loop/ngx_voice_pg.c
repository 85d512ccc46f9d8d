
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <libpq-fe.h>

#include "ngx_voice_pg.h"
#include "../wire/ngx_voice_provider_error.h"
#include "../wire/ngx_voice_utf8.h"


/* ms between two attempts to connect: doubled each time, and jitter */
#define NGX_VOICE_PG_PAUSE_MIN   100
#define NGX_VOICE_PG_PAUSE_MAX   10000

#define NGX_VOICE_PG_PARAMS      8


struct ngx_voice_pg_query_s {
    ngx_queue_t                      queue;
    ngx_pool_t                      *pool;
    ngx_voice_pg_t                  *pg;
    const ngx_voice_pg_statement_t  *statement;
    const char                      *params[NGX_VOICE_PG_PARAMS];
    int                              n;
    ngx_event_t                      timer;
    ngx_voice_pg_done_pt             done;
    void                            *data;

    ngx_str_t                        value;
    unsigned                         counted:1;
    unsigned                         sent:1;
    unsigned                         prepares:1;
    unsigned                         row:1;
    unsigned                         failed:1;
};


static u_char *ngx_voice_pg_text(u_char *dst, ngx_str_t *text);
static void ngx_voice_pg_connect(ngx_voice_pg_t *pg);
static void ngx_voice_pg_connecting(ngx_voice_pg_t *pg);
static ngx_int_t ngx_voice_pg_listen(ngx_voice_pg_t *pg, ngx_uint_t write);
static void ngx_voice_pg_unlisten(ngx_voice_pg_t *pg);
static void ngx_voice_pg_is_up(ngx_voice_pg_t *pg);
static void ngx_voice_pg_lost(ngx_voice_pg_t *pg, const char *message);
static void ngx_voice_pg_close(ngx_voice_pg_t *pg);
static void ngx_voice_pg_pause(ngx_voice_pg_t *pg);
static void ngx_voice_pg_timer(ngx_event_t *ev);
static void ngx_voice_pg_read(ngx_event_t *rev);
static void ngx_voice_pg_write(ngx_event_t *wev);
static ngx_int_t ngx_voice_pg_results(ngx_voice_pg_t *pg);
static void ngx_voice_pg_result(ngx_voice_pg_t *pg, PGresult *result);
static void ngx_voice_pg_error(ngx_voice_pg_t *pg,
    ngx_voice_pg_query_t *query, PGresult *result);
static void ngx_voice_pg_push(ngx_event_t *ev);
static void ngx_voice_pg_send(ngx_voice_pg_t *pg);
static ngx_int_t ngx_voice_pg_send_one(ngx_voice_pg_t *pg,
    ngx_voice_pg_query_t *query);
static ngx_int_t ngx_voice_pg_flush(ngx_voice_pg_t *pg);
static void ngx_voice_pg_late(ngx_event_t *ev);
static void ngx_voice_pg_finish(ngx_voice_pg_query_t *query,
    ngx_voice_pg_rc_e rc);
static void ngx_voice_pg_free(ngx_voice_pg_query_t *query);
static void ngx_voice_pg_notices(void *data, const char *message);
static ngx_str_t ngx_voice_pg_reason(const char *message);


void
ngx_voice_pg_start(ngx_voice_pg_t *pg, ngx_cycle_t *cycle)
{
    ngx_queue_init(&pg->waiting);
    ngx_queue_init(&pg->sent);

    pg->timer.handler = ngx_voice_pg_timer;
    pg->timer.data = pg;
    pg->timer.log = cycle->log;
    pg->timer.cancelable = 1;

    pg->push.handler = ngx_voice_pg_push;
    pg->push.data = pg;
    pg->push.log = cycle->log;

    pg->started = 1;

    ngx_voice_pg_connect(pg);
}


void
ngx_voice_pg_stop(ngx_voice_pg_t *pg)
{
    ngx_queue_t  *q;

    if (!pg->started) {
        return;
    }

    pg->started = 0;

    ngx_voice_pg_close(pg);

    while (!ngx_queue_empty(&pg->sent)) {
        q = ngx_queue_head(&pg->sent);
        ngx_voice_pg_free(ngx_queue_data(q, ngx_voice_pg_query_t, queue));
    }

    while (!ngx_queue_empty(&pg->waiting)) {
        q = ngx_queue_head(&pg->waiting);
        ngx_voice_pg_free(ngx_queue_data(q, ngx_voice_pg_query_t, queue));
    }
}


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


ngx_pool_t *
ngx_voice_pg_pool(ngx_voice_pg_query_t *query)
{
    return query->pool;
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


static void
ngx_voice_pg_connect(ngx_voice_pg_t *pg)
{
    PGconn  *conn;

    conn = PQconnectStart(pg->conninfo);

    if (conn == NULL) {
        ngx_voice_pg_lost(pg, "no memory");
        return;
    }

    pg->conn = conn;

    (void) PQsetNoticeProcessor(conn, ngx_voice_pg_notices, pg);

    if (PQstatus(conn) == CONNECTION_BAD) {
        ngx_voice_pg_lost(pg, PQerrorMessage(conn));
        return;
    }

    pg->connecting = 1;

    ngx_add_timer(&pg->timer, pg->connect_timeout);

    if (ngx_voice_pg_listen(pg, 1) != NGX_OK) {
        ngx_voice_pg_lost(pg, "no connection or descriptor is left");
    }
}


/*
 * While connecting libpq may close its socket and get the same number again,
 * which epoll would not know any more: it is registered anew for each step.
 */

static void
ngx_voice_pg_connecting(ngx_voice_pg_t *pg)
{
    ngx_uint_t  write;

    ngx_voice_pg_unlisten(pg);

    switch (PQconnectPoll(pg->conn)) {

    case PGRES_POLLING_READING:
        write = 0;
        break;

    case PGRES_POLLING_WRITING:
        write = 1;
        break;

    case PGRES_POLLING_OK:
        ngx_voice_pg_is_up(pg);
        return;

    default:
        ngx_voice_pg_lost(pg, PQerrorMessage(pg->conn));
        return;
    }

    if (ngx_voice_pg_listen(pg, write) != NGX_OK) {
        ngx_voice_pg_lost(pg, "no connection or descriptor is left");
    }
}


static ngx_int_t
ngx_voice_pg_listen(ngx_voice_pg_t *pg, ngx_uint_t write)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = ngx_get_connection(PQsocket(pg->conn), ngx_cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = pg;
    c->log = ngx_cycle->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_voice_pg_read;
    c->write->handler = ngx_voice_pg_write;

    pg->c = c;

    /* level-triggered: libpq does not read until there is nothing left */

    if (write) {
        rc = ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    } else {
        rc = ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }

    if (rc != NGX_OK) {
        ngx_voice_pg_unlisten(pg);
    }

    return rc;
}


/* the socket is libpq's, only the events are ours */

static void
ngx_voice_pg_unlisten(ngx_voice_pg_t *pg)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = pg->c;

    if (c == NULL) {
        return;
    }

    pg->c = NULL;

    /* libpq may have closed it already, and epoll forgotten it with it */

    flags = (pg->conn && PQsocket(pg->conn) == c->fd) ? 0 : NGX_CLOSE_EVENT;

    if (c->read->active) {
        ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
}


static void
ngx_voice_pg_is_up(ngx_voice_pg_t *pg)
{
    if (ngx_voice_pg_listen(pg, 0) != NGX_OK) {
        ngx_voice_pg_lost(pg, "no connection or descriptor is left");
        return;
    }

    if (PQsetnonblocking(pg->conn, 1) != 0
        || PQenterPipelineMode(pg->conn) != 1
        || (pg->setup
            && (PQsendQueryParams(pg->conn, pg->setup, 0, NULL, NULL, NULL,
                                  NULL, 0) != 1
                || PQpipelineSync(pg->conn) != 1)))
    {
        ngx_voice_pg_lost(pg, PQerrorMessage(pg->conn));
        return;
    }

    if (pg->timer.timer_set) {
        ngx_del_timer(&pg->timer);
    }

    pg->connecting = 0;
    pg->up = 1;
    pg->prepared = 0;
    pg->heard = ngx_current_msec;

    if (pg->setup) {

        /* its answer comes first, and is nobody's */

        pg->setting = 1;
        ngx_add_timer(&pg->timer, pg->hung);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "voice database connection for %ss is up", pg->role);

    if (pg->on_up) {
        pg->on_up(pg->data);
    }

    ngx_voice_pg_send(pg);
}


static void
ngx_voice_pg_lost(ngx_voice_pg_t *pg, const char *message)
{
    ngx_str_t              reason;
    ngx_uint_t             up, level;
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    up = pg->up;
    reason = ngx_voice_pg_reason(message);

    /* one loud line for each outage, the attempts after it are expected */

    level = (up || pg->failures == 0) ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, ngx_cycle->log, 0,
                  "voice database connection for %ss %s: %V", pg->role,
                  up ? "is lost" : "failed", &reason);

    ngx_voice_pg_close(pg);

    pg->failures++;

    if (pg->on_down) {
        pg->on_down(pg->data);
    }

    ngx_voice_pg_pause(pg);

    while (!ngx_queue_empty(&pg->sent)) {
        q = ngx_queue_head(&pg->sent);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);
        ngx_voice_pg_finish(query, NGX_VOICE_PG_UNKNOWN);
    }

    while (!ngx_queue_empty(&pg->waiting)) {
        q = ngx_queue_head(&pg->waiting);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);
        ngx_voice_pg_finish(query, NGX_VOICE_PG_DOWN);
    }
}


static void
ngx_voice_pg_close(ngx_voice_pg_t *pg)
{
    ngx_voice_pg_unlisten(pg);

    if (pg->conn) {
        PQfinish(pg->conn);
        pg->conn = NULL;
    }

    if (pg->timer.timer_set) {
        ngx_del_timer(&pg->timer);
    }

    if (pg->push.posted) {
        ngx_delete_posted_event(&pg->push);
    }

    pg->connecting = 0;
    pg->setting = 0;
    pg->up = 0;
    pg->broken = 0;
    pg->senseless = 0;
}


static void
ngx_voice_pg_pause(ngx_voice_pg_t *pg)
{
    ngx_msec_t  pause;

    pause = NGX_VOICE_PG_PAUSE_MIN << ngx_min(pg->failures - 1, 7);
    pause = ngx_min(pause, NGX_VOICE_PG_PAUSE_MAX);

    /* not all workers at once */

    pause += ngx_random() % (pause / 2);

    ngx_add_timer(&pg->timer, pause);
}


static void
ngx_voice_pg_timer(ngx_event_t *ev)
{
    ngx_msec_t       quiet;
    ngx_voice_pg_t  *pg;

    pg = ev->data;

    if (pg->connecting) {
        ngx_voice_pg_lost(pg, "timed out");
        return;
    }

    if (!pg->up) {
        ngx_voice_pg_connect(pg);
        return;
    }

    if (ngx_queue_empty(&pg->sent) && !pg->setting) {
        return;
    }

    quiet = ngx_current_msec - pg->heard;

    if (quiet >= pg->hung) {
        ngx_voice_pg_lost(pg, "the server does not answer");
        return;
    }

    ngx_add_timer(ev, pg->hung - quiet);
}


static void
ngx_voice_pg_read(ngx_event_t *rev)
{
    ngx_connection_t  *c;
    ngx_voice_pg_t    *pg;

    c = rev->data;
    pg = c->data;

    if (pg->connecting) {
        ngx_voice_pg_connecting(pg);
        return;
    }

    pg->heard = ngx_current_msec;

    if (PQconsumeInput(pg->conn) != 1) {

        /* what came before it is known: statements may have been answered */

        if (ngx_voice_pg_results(pg) == NGX_OK) {
            ngx_voice_pg_lost(pg, PQerrorMessage(pg->conn));
        }

        return;
    }

    if (ngx_voice_pg_results(pg) != NGX_OK) {
        return;
    }

    ngx_voice_pg_send(pg);
}


static void
ngx_voice_pg_write(ngx_event_t *wev)
{
    ngx_connection_t  *c;
    ngx_voice_pg_t    *pg;

    c = wev->data;
    pg = c->data;

    if (pg->connecting) {
        ngx_voice_pg_connecting(pg);
        return;
    }

    if (ngx_voice_pg_flush(pg) != NGX_OK) {
        ngx_voice_pg_lost(pg, PQerrorMessage(pg->conn));
    }
}


/* NGX_ERROR: the connection is gone */

static ngx_int_t
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
    char       *state;
    ngx_str_t   reason;

    state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    reason = ngx_voice_pg_reason(PQresultErrorField(result,
                                                 PG_DIAG_MESSAGE_PRIMARY));

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "voice database refused \"%s\": %V (%s)",
                  query ? query->statement->name : "setup", &reason,
                  state ? state : "no code");

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


static void
ngx_voice_pg_push(ngx_event_t *ev)
{
    ngx_voice_pg_send(ev->data);
}


static void
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


static ngx_int_t
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


static void
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


static void
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


static void
ngx_voice_pg_notices(void *data, const char *message)
{
    ngx_str_t  text;

    text = ngx_voice_pg_reason(message);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "voice database says: %V", &text);
}


/* libpq's texts have lines and end with one; a log line has none */

static ngx_str_t
ngx_voice_pg_reason(const char *message)
{
    ngx_str_t  text;

    static u_char  buf[256];

    text.data = buf;
    text.len = sizeof(buf);

    if (message == NULL || *message == '\0') {
        message = "unknown reason";
    }

    ngx_voice_provider_clean(&text, (u_char *) message, ngx_strlen(message));

    return text;
}
