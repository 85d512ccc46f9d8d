
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_call_node.h"


void
ngx_voice_answer_retire(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call)
{
    u_char                   *p, *start;
    size_t                    size;
    ngx_uint_t                i;
    ngx_voice_piece_node_t   *piece;
    ngx_voice_last_node_t    *last;
    ngx_voice_answer_node_t  *answer;

    answer = call->answer;

    if (answer == NULL) {
        return;
    }

    ngx_voice_last_free(zone, call);

    size = 0;

    for (i = 0; i < answer->n; i++) {
        size += answer->pieces[i].text->total;
    }

    last = NULL;

    if (answer->n && size <= NGX_VOICE_SCRATCH) {
        last = ngx_voice_zone_alloc(zone,
                                    offsetof(ngx_voice_last_node_t, pieces)
                                    + answer->n
                                      * sizeof(ngx_voice_last_piece_t));
    }

    if (last == NULL) {

        /* the history stays as it is */

        ngx_voice_answer_free(zone, call);
        return;
    }

    start = ngx_voice_zone_scratch();
    p = start;

    for (i = 0; i < answer->n; i++) {
        piece = &answer->pieces[i];

        last->pieces[i].len = piece->text->total;
        last->pieces[i].length = ngx_voice_speech_length_locked(zone,
                                                              piece->digest);
        p = ngx_voice_chunk_copy(p, piece->text);
    }

    last->turn = answer->turn;
    last->n = answer->n;
    last->given = answer->spoken;
    last->before = answer->before;
    last->sent = answer->sent;
    last->whole = (answer->state == NGX_VOICE_ANSWER_DONE
                   || answer->state == NGX_VOICE_ANSWER_FAILED);

    ngx_voice_answer_free(zone, call);

    last->text = ngx_voice_chunk_store(zone, start, size);

    if (last->text == NULL) {
        ngx_voice_zone_free(zone, last);
        return;
    }

    call->last = last;
}


void
ngx_voice_last_free(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call)
{
    if (call->last) {
        ngx_voice_chunk_free(zone, call->last->text);
        ngx_voice_zone_free(zone, call->last);
        call->last = NULL;
    }
}


void
ngx_voice_call_leave(ngx_voice_zone_t *zone, ngx_str_t *sid)
{
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && !call->ended) {
        ngx_voice_answer_retire(zone, call);
    }

    ngx_voice_zone_unlock(zone);
}


ngx_int_t
ngx_voice_call_given(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_given_t *given)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_voice_call_node_t  *call;
    ngx_voice_last_node_t  *last;

    rc = NGX_DECLINED;
    p = ngx_voice_zone_scratch();

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && call->last) {
        last = call->last;

        (void) ngx_voice_chunk_copy(p, last->text);

        given->turn = last->turn;
        given->n = last->n;
        given->given = last->given;
        given->before = last->before;
        given->elapsed = ngx_current_msec - last->sent;
        given->whole = last->whole;

        for (i = 0; i < last->n; i++) {
            given->pieces[i].text.data = p;
            given->pieces[i].text.len = last->pieces[i].len;
            given->pieces[i].length = last->pieces[i].length;

            p += last->pieces[i].len;
        }

        rc = NGX_OK;
    }

    ngx_voice_zone_unlock(zone);

    return rc;
}


void
ngx_voice_call_heard(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    ngx_str_t *text, size_t limit)
{
    ngx_voice_call_node_t  *call;
    ngx_voice_said_node_t  *said;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call == NULL || call->last == NULL || call->last->turn != turn) {
        ngx_voice_zone_unlock(zone);
        return;
    }

    ngx_voice_last_free(zone, call);

    if (text) {
        said = ngx_voice_said_find(call, turn, NGX_VOICE_ROLE_ASSISTANT, 0);

        if (said) {
            ngx_voice_said_forget(zone, call, said);
        }

        ngx_voice_call_append(zone, call, turn, NGX_VOICE_ROLE_ASSISTANT, 0,
                              text->data, text->len, limit);

        said = ngx_voice_said_find(call, turn, NGX_VOICE_ROLE_ASSISTANT, 0);

        if (said) {
            said->estimated = 1;
        }
    }

    ngx_voice_zone_unlock(zone);
}
