
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_PG_H_INCLUDED_
#define _NGX_VOICE_PG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * One connection to PostgreSQL on the event loop (libpq in its non-blocking
 * and pipeline modes): statements go out as they come, each in a transaction
 * of its own, and results come back in that order.  It connects, reconnects
 * with a growing pause, and never waits.
 */

typedef struct ngx_voice_pg_s        ngx_voice_pg_t;
typedef struct ngx_voice_pg_query_s  ngx_voice_pg_query_t;

typedef enum {
    NGX_VOICE_PG_OK = 0,
    NGX_VOICE_PG_DOWN,                /* not sent: nothing happened */
    NGX_VOICE_PG_REFUSED,             /* an error: nothing happened */
    NGX_VOICE_PG_UNKNOWN              /* sent, no answer in time */
} ngx_voice_pg_rc_e;

/* prepared once a connection; id is a bit, below 32 */

typedef struct {
    ngx_uint_t                 id;
    const char                *name;
    const char                *text;
} ngx_voice_pg_statement_t;

/*
 * The first column of the first row, empty for null or no row, valid during
 * the call.  Runs once, in an event of the connection's or the query's own.
 */
typedef void (*ngx_voice_pg_done_pt)(void *data, ngx_voice_pg_rc_e rc,
    ngx_str_t *value);

/* the connection is up; it is lost, or could not be made */
typedef void (*ngx_voice_pg_up_pt)(void *data);


struct ngx_voice_pg_s {

    /* set by the owner, who keeps it in zeroed memory of the cycle */

    const char                *role;      /* for log lines: "lookup" */
    char                      *conninfo;  /* no name in it to be resolved */
    char                      *setup;     /* run first, may be NULL */
    ngx_msec_t                 connect_timeout;
    ngx_msec_t                 hung;      /* no answer for so long: closed */
    ngx_uint_t                 max;       /* statements under way at most */
    ngx_voice_pg_up_pt         on_up;
    ngx_voice_pg_up_pt         on_down;
    ngx_voice_pg_up_pt         on_stop;   /* see ngx_voice_pg_stop() */
    void                      *data;
    unsigned                   cancelable:1; /* nothing of it holds a worker */

    /* its own */

    void                      *conn;      /* PGconn */
    ngx_connection_t          *c;
    ngx_event_t                timer;     /* connecting, pausing, or hung */
    ngx_event_t                push;      /* something is to be sent */
    ngx_queue_t                waiting;
    ngx_queue_t                sent;
    ngx_uint_t                 n;
    ngx_uint_t                 failures;  /* to connect, in a row */
    ngx_msec_t                 heard;
    uint32_t                   prepared;
    unsigned                   started:1;
    unsigned                   connecting:1;
    unsigned                   up:1;
    unsigned                   setting:1; /* setup has no answer yet */
    unsigned                   broken:1;  /* to be closed and made anew */
    unsigned                   senseless:1; /* so are its answers, at once */
};


void ngx_voice_pg_start(ngx_voice_pg_t *pg, ngx_cycle_t *cycle);

/*
 * The worker ends: no done runs any more.  on_stop does, with its data, for
 * each statement that is under way and was not dropped.
 */
void ngx_voice_pg_stop(ngx_voice_pg_t *pg);

/*
 * Parameters are text, data NULL is null; everything is copied, and what is
 * no UTF-8 becomes "?".  timeout bounds what the asker waits, in ms: a
 * statement that was sent goes on.  NULL without memory.
 */
ngx_voice_pg_query_t *ngx_voice_pg_query(ngx_voice_pg_t *pg,
    const ngx_voice_pg_statement_t *statement, ngx_str_t *params,
    ngx_uint_t n, ngx_msec_t timeout, ngx_voice_pg_done_pt done, void *data);

/* done will not run; before it has only */
void ngx_voice_pg_drop(ngx_voice_pg_query_t *query);


/*
 * Configuration time: checks a connection string (libpq, "Connection
 * Strings") and has the names of its hosts resolved, adding what defaults
 * this use needs.  Returns it in the pool, or NULL and the reason.
 */
char *ngx_voice_pg_conninfo(ngx_pool_t *pool, ngx_str_t *conninfo,
    ngx_str_t *password, const char **reason);


#endif /* _NGX_VOICE_PG_H_INCLUDED_ */
