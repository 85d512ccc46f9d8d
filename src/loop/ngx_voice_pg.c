
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_pg_query.h"
#include "../wire/ngx_voice_provider_error.h"
#include "../wire/ngx_voice_sqlstate.h"


/* ms between two attempts to connect: doubled each time, and jitter */
#define NGX_VOICE_PG_PAUSE_MIN   100
#define NGX_VOICE_PG_PAUSE_MAX   10000


static void ngx_voice_pg_connect(ngx_voice_pg_t *pg);
static void ngx_voice_pg_connecting(ngx_voice_pg_t *pg);
static ngx_int_t ngx_voice_pg_listen(ngx_voice_pg_t *pg, ngx_uint_t write);
static void ngx_voice_pg_unlisten(ngx_voice_pg_t *pg);
static void ngx_voice_pg_is_up(ngx_voice_pg_t *pg);
static void ngx_voice_pg_leave(ngx_voice_pg_t *pg, ngx_queue_t *queries);
static void ngx_voice_pg_close(ngx_voice_pg_t *pg);
static void ngx_voice_pg_pause(ngx_voice_pg_t *pg);
static void ngx_voice_pg_timer(ngx_event_t *ev);
static void ngx_voice_pg_read(ngx_event_t *rev);
static void ngx_voice_pg_write(ngx_event_t *wev);
static void ngx_voice_pg_notice(void *data, const PGresult *result);


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
    if (!pg->started) {
        return;
    }

    pg->started = 0;

    ngx_voice_pg_close(pg);

    ngx_voice_pg_leave(pg, &pg->sent);
    ngx_voice_pg_leave(pg, &pg->waiting);
}


static void
ngx_voice_pg_leave(ngx_voice_pg_t *pg, ngx_queue_t *queries)
{
    void                  *data;
    ngx_queue_t           *q;
    ngx_voice_pg_query_t  *query;

    while (!ngx_queue_empty(queries)) {
        q = ngx_queue_head(queries);
        query = ngx_queue_data(q, ngx_voice_pg_query_t, queue);

        data = query->done ? query->data : NULL;

        ngx_voice_pg_free(query);

        if (data && pg->on_stop) {
            pg->on_stop(data);
        }
    }
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

    (void) PQsetNoticeReceiver(conn, ngx_voice_pg_notice, pg);

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

    /* what a statement has failed with may quote a value: its code only */

    (void) PQsetErrorVerbosity(pg->conn, PQERRORS_SQLSTATE);

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


void
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


static void
ngx_voice_pg_notice(void *data, const PGresult *result)
{
    ngx_str_t  text;

    text = ngx_voice_pg_reason(PQresultErrorField(result,
                                                  PG_DIAG_MESSAGE_PRIMARY));

    /* the server's own news, but not what triggers have to say */

    if (!ngx_voice_pg_tells(result)) {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, ngx_cycle->log, 0,
                       "voice database has a notice: %V", &text);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "voice database says: %V", &text);
}


ngx_uint_t
ngx_voice_pg_tells(const PGresult *result)
{
    const char  *state, *function;

    state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    /* without a code it is libpq's own */

    if (state == NULL) {
        return 1;
    }

    /* what PL/pgSQL raises has any code, and any words */

    if (function && ngx_strcmp(function, "exec_stmt_raise") == 0) {
        return 0;
    }

    return ngx_voice_sqlstate_tells(state);
}


/* libpq's texts have lines and end with one; a log line has none */

ngx_str_t
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
