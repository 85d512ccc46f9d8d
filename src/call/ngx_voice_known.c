
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_call_node.h"


ngx_int_t
ngx_voice_call_ask(ngx_voice_zone_t *zone, ngx_str_t *sid)
{
    ngx_int_t               rc;
    ngx_voice_call_node_t  *call;

    rc = NGX_DECLINED;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && !call->ended
        && call->view.known != NGX_VOICE_KNOWN_YES
        && (call->view.known != NGX_VOICE_KNOWN_ASKED
            || !ngx_voice_zone_alive(zone, call->asking)))
    {
        call->view.known = NGX_VOICE_KNOWN_ASKED;
        call->asking = ngx_voice_zone_self();
        rc = NGX_OK;
    }

    ngx_voice_zone_unlock(zone);

    return rc;
}


void
ngx_voice_call_know(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_call_known_t *known, ngx_log_t *log)
{
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && !call->ended) {

        if (known) {
            ngx_voice_call_learn(zone, call, known);

        } else if (call->view.known == NGX_VOICE_KNOWN_ASKED) {
            call->view.known = NGX_VOICE_KNOWN_FAILED;
        }

        ngx_voice_call_notify(zone, sid);
    }

    ngx_voice_zone_unlock(zone);

    ngx_voice_wait_ring(log);
}


void
ngx_voice_call_learn(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call,
    ngx_voice_call_known_t *known)
{
    ngx_voice_chunk_t      *about;
    ngx_voice_call_view_t  *view;

    view = &call->view;

    if (known->flow.len && !call->routed) {
        view->flow_len = ngx_voice_call_field(view->flow, &known->flow,
                                              NGX_VOICE_FLOW_LEN);
    }

    if (known->language.len) {
        view->language_len = ngx_voice_call_field(view->language,
                                                  &known->language,
                                                  NGX_VOICE_LANGUAGE_LEN);
    }

    view->timezone_len = ngx_voice_call_field(view->timezone,
                                              &known->timezone,
                                              NGX_VOICE_TIMEZONE_LEN);
    view->country_len = ngx_voice_call_field(view->country, &known->country,
                                             NGX_VOICE_COUNTRY_LEN);

    view->organization = known->organization;
    view->offset = known->offset;
    view->known = NGX_VOICE_KNOWN_YES;

    if (known->about.len == 0) {
        return;
    }

    /* without room for it the caller is nobody to the agent */

    about = ngx_voice_chunk_store(zone, known->about.data, known->about.len);

    if (about) {
        ngx_voice_chunk_free(zone, call->about);
        call->about = about;
    }
}


ngx_int_t
ngx_voice_call_about(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_pool_t *pool, ngx_str_t *about)
{
    u_char                 *p;
    ngx_voice_call_node_t  *call;

    p = ngx_voice_zone_scratch();

    about->len = 0;
    about->data = NULL;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && call->about) {
        about->len = call->about->total;
        (void) ngx_voice_chunk_copy(p, call->about);
    }

    ngx_voice_zone_unlock(zone);

    if (about->len == 0) {
        return NGX_OK;
    }

    about->data = ngx_pnalloc(pool, about->len);
    if (about->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(about->data, p, about->len);

    return NGX_OK;
}
