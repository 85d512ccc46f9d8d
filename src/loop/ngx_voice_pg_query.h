
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_PG_QUERY_H_INCLUDED_
#define _NGX_VOICE_PG_QUERY_H_INCLUDED_


#include <libpq-fe.h>

#include "ngx_voice_pg.h"


/*
 * Statements of a connection; only the connection's own files include this.
 */

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


/* an event: what waits is sent */
void ngx_voice_pg_push(ngx_event_t *ev);

/* the connection may be lost by it */
void ngx_voice_pg_send(ngx_voice_pg_t *pg);

/* NGX_ERROR: nothing can be sent any more */
ngx_int_t ngx_voice_pg_flush(ngx_voice_pg_t *pg);

/* what has come; NGX_ERROR: the connection is gone */
ngx_int_t ngx_voice_pg_results(ngx_voice_pg_t *pg);

/* tells who asked, unless that was dropped, and frees it; only frees it */
void ngx_voice_pg_finish(ngx_voice_pg_query_t *query,
    ngx_voice_pg_rc_e rc);
void ngx_voice_pg_free(ngx_voice_pg_query_t *query);

/* closes the connection, and all that was under way with it */
void ngx_voice_pg_lost(ngx_voice_pg_t *pg, const char *message);

/*
 * Whether the message of an error or a notice may be logged above debug: it
 * quotes no value.
 */
ngx_uint_t ngx_voice_pg_tells(const PGresult *result);

/* libpq's words as a log line can have them, in a buffer of its own */
ngx_str_t ngx_voice_pg_reason(const char *message);


#endif /* _NGX_VOICE_PG_QUERY_H_INCLUDED_ */
