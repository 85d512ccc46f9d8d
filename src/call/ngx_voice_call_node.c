
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_call_node.h"


/* the call that is worked on: what makes room for a part of it spares it */
static ngx_voice_call_node_t  *ngx_voice_call_found;


ngx_voice_call_node_t *
ngx_voice_call_find(ngx_voice_zone_t *zone, ngx_str_t *sid)
{
    ngx_voice_call_found = (ngx_voice_call_node_t *)
               ngx_str_rbtree_lookup(&zone->sh->calls, sid,
                                   ngx_voice_wait_key(sid->data, sid->len));

    return ngx_voice_call_found;
}


ngx_uint_t
ngx_voice_call_is_found(ngx_voice_call_node_t *call)
{
    return call == ngx_voice_call_found;
}


void
ngx_voice_call_notify(ngx_voice_zone_t *zone, ngx_str_t *sid)
{
    ngx_voice_wait_notify(zone, ngx_voice_wait_key(sid->data, sid->len));
}


ngx_voice_said_node_t *
ngx_voice_said_find(ngx_voice_call_node_t *call, ngx_uint_t turn,
    ngx_voice_role_e role, ngx_uint_t number)
{
    ngx_queue_t            *q;
    ngx_voice_said_node_t  *node;

    for (q = ngx_queue_last(&call->said);
         q != ngx_queue_sentinel(&call->said);
         q = ngx_queue_prev(q))
    {
        node = ngx_queue_data(q, ngx_voice_said_node_t, queue);

        if (node->turn < turn) {

            if (node->role == NGX_VOICE_ROLE_TOOL) {

                /* it may have been done when its turn was over */
                continue;
            }

            break;
        }

        if (node->turn == turn && node->role == role
            && node->number == number)
        {
            return node;
        }
    }

    return NULL;
}


void
ngx_voice_said_forget(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call,
    ngx_voice_said_node_t *node)
{
    call->said_size -= node->text->total;

    ngx_queue_remove(&node->queue);
    ngx_voice_chunk_free(zone, node->text);
    ngx_voice_zone_free(zone, node);
}


ngx_int_t
ngx_voice_call_append(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call,
    ngx_uint_t turn, ngx_voice_role_e role, ngx_uint_t number, u_char *data,
    size_t len, size_t limit)
{
    ngx_voice_said_node_t  *node;

    /* a step that is taken over, or an answer, brings its words again */

    if (ngx_voice_said_find(call, turn, role, number)) {
        return NGX_OK;
    }

    while (!ngx_queue_empty(&call->said) && call->said_size + len > limit) {
        node = ngx_queue_data(ngx_queue_head(&call->said),
                              ngx_voice_said_node_t, queue);

        if (role == NGX_VOICE_ROLE_TOOL && node->turn == turn) {

            /* it is about to be answered */
            break;
        }

        ngx_voice_said_forget(zone, call, node);
    }

    node = ngx_voice_zone_alloc(zone, sizeof(ngx_voice_said_node_t));
    if (node == NULL) {
        return NGX_ERROR;
    }

    node->text = ngx_voice_chunk_store(zone, data, len);

    if (node->text == NULL) {
        ngx_voice_zone_free(zone, node);
        return NGX_ERROR;
    }

    node->turn = turn;
    node->role = role;
    node->number = number;
    node->estimated = 0;

    call->said_size += len;

    ngx_queue_insert_tail(&call->said, &node->queue);

    return NGX_OK;
}


void
ngx_voice_answer_free(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call)
{
    ngx_uint_t                i;
    ngx_voice_answer_node_t  *answer;

    answer = call->answer;

    if (answer == NULL) {
        return;
    }

    call->answer = NULL;

    for (i = 0; i < answer->n; i++) {
        ngx_voice_chunk_free(zone, answer->pieces[i].text);
    }

    ngx_voice_zone_free(zone, answer);
}


size_t
ngx_voice_call_field(u_char *dst, ngx_str_t *src, size_t size)
{
    size_t  len;

    len = ngx_min(src->len, size);

    if (len) {
        ngx_memcpy(dst, src->data, len);
    }

    return len;
}
