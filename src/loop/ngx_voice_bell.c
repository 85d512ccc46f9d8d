
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <sys/eventfd.h>

#include "ngx_voice_bell.h"


static void ngx_voice_bell_handler(ngx_event_t *ev);


/* kept by the master over reloads, inherited by each worker */
static int                 ngx_voice_bell_fd = -1;

static ngx_connection_t   *ngx_voice_bell_connection;
static ngx_voice_bell_pt   ngx_voice_bell_callback;
static void               *ngx_voice_bell_data;


ngx_int_t
ngx_voice_bell_init(ngx_cycle_t *cycle)
{
    if (ngx_voice_bell_fd != -1) {
        return NGX_OK;
    }

    ngx_voice_bell_fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (ngx_voice_bell_fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "voice doorbell eventfd() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_bell_listen(ngx_cycle_t *cycle, ngx_voice_bell_pt handler,
    void *data)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(ngx_voice_bell_fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->read->handler = ngx_voice_bell_handler;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    /* edge-triggered: the counter is never read, each write is an edge */

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        ngx_free_connection(c);
        return NGX_ERROR;
    }

    ngx_voice_bell_connection = c;
    ngx_voice_bell_callback = handler;
    ngx_voice_bell_data = data;

    return NGX_OK;
}


void
ngx_voice_bell_close(void)
{
    ngx_connection_t  *c;

    c = ngx_voice_bell_connection;

    if (c == NULL) {
        return;
    }

    ngx_voice_bell_connection = NULL;

    /* the descriptor is the master's, only the event is ours */

    if (c->read->active) {
        ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
}


void
ngx_voice_bell_ring(ngx_log_t *log)
{
    uint64_t  one;

    one = 1;

    /*
     * EAGAIN: the counter stands just below its maximum.  No edge follows
     * from a write that fails, so it is emptied and rung once more.
     */

    if (write(ngx_voice_bell_fd, &one, sizeof(one)) == sizeof(one)) {
        return;
    }

    if (ngx_errno == NGX_EAGAIN) {
        if (read(ngx_voice_bell_fd, &one, sizeof(one)) == sizeof(one)) {
            one = 1;

            if (write(ngx_voice_bell_fd, &one, sizeof(one)) == sizeof(one)) {
                return;
            }
        }
    }

    ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                  "voice doorbell write() failed");
}


static void
ngx_voice_bell_handler(ngx_event_t *ev)
{
    ngx_voice_bell_callback(ngx_voice_bell_data);
}
