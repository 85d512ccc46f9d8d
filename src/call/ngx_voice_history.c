
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_call_node.h"


void
ngx_voice_call_said(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    ngx_voice_role_e role, ngx_str_t *text, size_t limit)
{
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && !call->ended) {
        ngx_voice_call_append(zone, call, turn, role, 0, text->data,
                              text->len, limit);
    }

    ngx_voice_zone_unlock(zone);
}


ngx_uint_t
ngx_voice_call_history(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_said_t *said, ngx_uint_t n)
{
    u_char                 *p, *last;
    ngx_uint_t              count;
    ngx_queue_t            *q;
    ngx_voice_call_node_t  *call;
    ngx_voice_said_node_t  *node;

    count = 0;
    p = ngx_voice_zone_scratch();
    last = p + NGX_VOICE_SCRATCH;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call == NULL) {
        ngx_voice_zone_unlock(zone);
        return 0;
    }

    /* back to where the newest n begin */

    for (q = ngx_queue_last(&call->said);
         q != ngx_queue_sentinel(&call->said) && count < n;
         q = ngx_queue_prev(q))
    {
        count++;
    }

    count = 0;

    for (q = ngx_queue_next(q);
         q != ngx_queue_sentinel(&call->said);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_voice_said_node_t, queue);

        if (node->text->total > (size_t) (last - p)) {
            break;
        }

        said[count].role = node->role;
        said[count].turn = node->turn;
        said[count].estimated = node->estimated;
        said[count].number = node->number;
        said[count].text.data = p;
        p = ngx_voice_chunk_copy(p, node->text);
        said[count].text.len = p - said[count].text.data;

        count++;
    }

    ngx_voice_zone_unlock(zone);

    return count;
}
