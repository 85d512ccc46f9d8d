
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_call_node.h"


static ngx_int_t ngx_voice_answer_claim(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_str_t *recording, ngx_uint_t rung);
static ngx_voice_answer_node_t *ngx_voice_answer_own(ngx_voice_zone_t *zone,
    ngx_str_t *sid, ngx_uint_t turn, ngx_voice_call_node_t **call);


ngx_int_t
ngx_voice_answer_begin(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn)
{
    return ngx_voice_answer_claim(zone, sid, turn, NULL, 0);
}


ngx_int_t
ngx_voice_answer_record(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_str_t *recording, ngx_uint_t rung)
{
    return ngx_voice_answer_claim(zone, sid, turn, recording, rung);
}


static ngx_int_t
ngx_voice_answer_claim(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_str_t *recording, ngx_uint_t rung)
{
    ngx_int_t                 rc;
    ngx_voice_call_node_t    *call;
    ngx_voice_answer_node_t  *answer;

    rc = NGX_ERROR;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call == NULL || call->ended || call->view.turn != turn) {
        goto done;
    }

    answer = call->answer;

    if (answer) {

        if (answer->state != NGX_VOICE_ANSWER_RUNNING
            || ngx_voice_zone_alive(zone, answer->owner))
        {
            rc = NGX_DECLINED;
            goto done;
        }

        zone->sh->counters.taken_over++;

    } else {
        answer = ngx_voice_zone_calloc(zone, sizeof(ngx_voice_answer_node_t));
        if (answer == NULL) {
            goto done;
        }

        answer->turn = turn;
        answer->state = NGX_VOICE_ANSWER_RUNNING;

        if (recording) {
            answer->rung = rung;
            answer->recording_len = ngx_min(recording->len,
                                            NGX_VOICE_SID_LEN);
            ngx_memcpy(answer->recording, recording->data,
                       answer->recording_len);
        }

        call->answer = answer;
    }

    answer->owner = ngx_voice_zone_self();
    rc = NGX_OK;

done:

    ngx_voice_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_voice_answer_add(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    u_char digest[NGX_VOICE_DIGEST], ngx_str_t *text, ngx_log_t *log)
{
    ngx_int_t                 rc;
    ngx_voice_call_node_t    *call;
    ngx_voice_piece_node_t   *piece;
    ngx_voice_answer_node_t  *answer;

    ngx_voice_zone_lock(zone);

    answer = ngx_voice_answer_own(zone, sid, turn, &call);

    if (answer == NULL) {
        rc = NGX_DECLINED;

    } else if (answer->n == NGX_VOICE_PIECES) {
        rc = NGX_ERROR;

    } else {
        piece = &answer->pieces[answer->n];
        piece->text = ngx_voice_chunk_store(zone, text->data, text->len);

        if (piece->text) {
            ngx_memcpy(piece->digest, digest, NGX_VOICE_DIGEST);
            answer->n++;
            answer->busy = 0;
            ngx_voice_call_notify(zone, sid);
            rc = NGX_OK;

        } else {
            rc = NGX_ERROR;
        }
    }

    ngx_voice_zone_unlock(zone);

    if (rc == NGX_OK) {
        ngx_voice_wait_ring(log);
    }

    return rc;
}


ngx_int_t
ngx_voice_answer_end(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    ngx_uint_t ok, ngx_str_t *text, size_t limit, ngx_log_t *log)
{
    ngx_int_t                 rc;
    ngx_voice_call_node_t    *call;
    ngx_voice_answer_node_t  *answer;

    rc = NGX_DECLINED;

    ngx_voice_zone_lock(zone);

    answer = ngx_voice_answer_own(zone, sid, turn, &call);

    if (answer) {

        /* while it runs, what makes room for the words spares the call */

        if (text->len) {
            (void) ngx_voice_call_append(zone, call, answer->turn,
                                         NGX_VOICE_ROLE_ASSISTANT, 0,
                                         text->data, text->len, limit);
        }

        answer->owner = 0;
        answer->busy = 0;

        if (ok) {
            answer->state = NGX_VOICE_ANSWER_DONE;
            call->view.failures = 0;

        } else {
            answer->state = NGX_VOICE_ANSWER_FAILED;
            call->view.failures++;
            zone->sh->counters.failed_turns++;
        }

        ngx_voice_call_notify(zone, sid);
        rc = NGX_OK;
    }

    ngx_voice_zone_unlock(zone);

    if (rc == NGX_OK) {
        ngx_voice_wait_ring(log);
    }

    return rc;
}


ngx_int_t
ngx_voice_answer_heard(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_voice_answer_e state, ngx_uint_t rule,
    ngx_log_t *log)
{
    ngx_int_t                 rc;
    ngx_voice_call_node_t    *call;
    ngx_voice_answer_node_t  *answer;

    rc = NGX_DECLINED;

    ngx_voice_zone_lock(zone);

    answer = ngx_voice_answer_own(zone, sid, turn, &call);

    if (answer) {
        answer->recording_len = 0;
        answer->state = state;
        answer->rule = rule;

        if (state != NGX_VOICE_ANSWER_RUNNING) {
            answer->owner = 0;
            ngx_voice_call_notify(zone, sid);
        }

        rc = NGX_OK;
    }

    ngx_voice_zone_unlock(zone);

    if (rc == NGX_OK && state != NGX_VOICE_ANSWER_RUNNING) {
        ngx_voice_wait_ring(log);
    }

    return rc;
}


void
ngx_voice_answer_busy(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    ngx_log_t *log)
{
    ngx_voice_call_node_t    *call;
    ngx_voice_answer_node_t  *answer;

    ngx_voice_zone_lock(zone);

    answer = ngx_voice_answer_own(zone, sid, turn, &call);

    if (answer) {
        answer->busy = 1;
        ngx_voice_call_notify(zone, sid);
    }

    ngx_voice_zone_unlock(zone);

    if (answer) {
        ngx_voice_wait_ring(log);
    }
}


void
ngx_voice_answer_soothed(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn)
{
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && call->answer && call->answer->turn == turn) {
        call->answer->soothed = 1;
    }

    ngx_voice_zone_unlock(zone);
}


ngx_int_t
ngx_voice_answer_tool(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    ngx_uint_t number, ngx_str_t *text, ngx_voice_after_e after, size_t limit)
{
    ngx_int_t                 rc;
    ngx_voice_call_node_t    *call;
    ngx_voice_answer_node_t  *answer;

    rc = NGX_OK;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && !call->ended) {
        rc = ngx_voice_call_append(zone, call, turn, NGX_VOICE_ROLE_TOOL,
                                   number, text->data, text->len, limit);
    }

    answer = ngx_voice_answer_own(zone, sid, turn, &call);

    if (answer) {
        answer->acted = answer->n;
        answer->after = after;
    }

    ngx_voice_zone_unlock(zone);

    return rc;
}


ngx_uint_t
ngx_voice_answer_mine(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn)
{
    ngx_uint_t              mine;
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    mine = (ngx_voice_answer_own(zone, sid, turn, &call) != NULL);

    ngx_voice_zone_unlock(zone);

    return mine;
}


void
ngx_voice_answer_look(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    ngx_voice_answer_view_t *view)
{
    u_char                   *p, *last;
    ngx_uint_t                i;
    ngx_voice_piece_t        *piece;
    ngx_voice_call_node_t    *call;
    ngx_voice_answer_node_t  *answer;

    view->state = NGX_VOICE_ANSWER_NONE;
    view->after = NGX_VOICE_AFTER_LISTEN;
    view->spoken = 0;
    view->busy = 0;
    view->soothed = 0;
    view->flow_len = 0;
    view->rung = 0;
    view->rule = 0;
    view->n = 0;
    view->recording.data = view->recording_buf;
    view->recording.len = 0;

    p = ngx_voice_zone_scratch();
    last = p + NGX_VOICE_SCRATCH;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call == NULL || call->answer == NULL || call->answer->turn != turn) {
        ngx_voice_zone_unlock(zone);
        return;
    }

    answer = call->answer;

    view->state = answer->state;
    view->after = answer->after;
    view->spoken = answer->spoken;
    view->busy = answer->busy;
    view->soothed = answer->soothed;

    view->flow_len = call->view.flow_len;
    ngx_memcpy(view->flow, call->view.flow, NGX_VOICE_FLOW_LEN);
    view->rung = answer->rung;
    view->rule = answer->rule;

    view->recording.len = answer->recording_len;
    ngx_memcpy(view->recording_buf, answer->recording,
               answer->recording_len);

    if (answer->state == NGX_VOICE_ANSWER_RUNNING
        && !ngx_voice_zone_alive(zone, answer->owner))
    {
        view->state = NGX_VOICE_ANSWER_ORPHANED;
    }

    for (i = answer->spoken; i < answer->n; i++) {

        if (answer->pieces[i].text->total > (size_t) (last - p)) {
            break;
        }

        piece = &view->pieces[view->n++];

        ngx_memcpy(piece->digest, answer->pieces[i].digest, NGX_VOICE_DIGEST);

        piece->text.data = p;
        p = ngx_voice_chunk_copy(p, answer->pieces[i].text);
        piece->text.len = p - piece->text.data;

        piece->speech = ngx_voice_speech_state_locked(zone, piece->digest);
    }

    ngx_voice_zone_unlock(zone);
}


void
ngx_voice_answer_text(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    ngx_str_t *text, size_t *since)
{
    u_char                   *p, *last;
    ngx_uint_t                i;
    ngx_voice_call_node_t    *call;
    ngx_voice_answer_node_t  *answer;

    p = ngx_voice_zone_scratch();
    last = p + NGX_VOICE_SCRATCH;

    text->data = p;
    *since = 0;

    ngx_voice_zone_lock(zone);

    answer = ngx_voice_answer_own(zone, sid, turn, &call);

    for (i = 0; answer && i < answer->n; i++) {

        if (answer->pieces[i].text->total + 1 > (size_t) (last - p)) {
            break;
        }

        if (i) {
            *p++ = ' ';
        }

        p = ngx_voice_chunk_copy(p, answer->pieces[i].text);

        if (i + 1 == answer->acted) {
            *since = p - text->data;
        }
    }

    ngx_voice_zone_unlock(zone);

    text->len = p - text->data;
}


static ngx_voice_answer_node_t *
ngx_voice_answer_own(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_uint_t turn,
    ngx_voice_call_node_t **callp)
{
    ngx_voice_call_node_t    *call;
    ngx_voice_answer_node_t  *answer;

    call = ngx_voice_call_find(zone, sid);

    if (call == NULL || call->ended) {
        return NULL;
    }

    answer = call->answer;

    if (answer == NULL
        || answer->turn != turn
        || answer->state != NGX_VOICE_ANSWER_RUNNING
        || answer->owner != ngx_voice_zone_self())
    {
        return NULL;
    }

    *callp = call;

    return answer;
}
