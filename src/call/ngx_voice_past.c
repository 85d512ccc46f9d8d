
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_past.h"
#include "ngx_voice_call_node.h"


static ngx_uint_t ngx_voice_call_newer(ngx_voice_call_node_t *call,
    ngx_voice_past_t *past);
static void ngx_voice_call_restore_said(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_voice_past_t *past);
static void ngx_voice_call_restore_steps(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_voice_past_t *past);
static void ngx_voice_call_restore_answer(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_voice_past_t *past);


ngx_int_t
ngx_voice_call_restore(ngx_voice_zone_t *zone, ngx_voice_past_t *past)
{
    ngx_int_t               rc;
    ngx_uint_t              new;
    ngx_voice_call_node_t  *call;
    ngx_voice_said_node_t  *said;

    rc = NGX_OK;
    new = 0;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, &past->call.sid);

    if (call == NULL) {
        call = ngx_voice_call_create(zone, &past->call);

        if (call == NULL) {
            rc = NGX_ERROR;
            goto done;
        }

        call->view.started = past->started;
        new = 1;
    }

    if (call->ended || (!new && !ngx_voice_call_newer(call, past))) {

        /* what happened here since is newer, or nobody listens any more */

        rc = NGX_DECLINED;
        goto done;
    }

    zone->sh->counters.resumed++;

    /* an answer of an earlier turn has nobody left to hear it */

    ngx_voice_answer_free(zone, call);
    ngx_voice_last_free(zone, call);

    /* of what is known here a part is missing, and some was said otherwise */

    while (!ngx_queue_empty(&call->said)) {
        said = ngx_queue_data(ngx_queue_head(&call->said),
                              ngx_voice_said_node_t, queue);

        ngx_voice_said_forget(zone, call, said);
    }

    call->view.turn = past->turn;
    call->view.failures = past->failures;

    if (past->known) {
        ngx_voice_call_learn(zone, call, past->known);
    }

    ngx_voice_call_restore_said(zone, call, past);
    ngx_voice_call_restore_steps(zone, call, past);

    if (past->state != NGX_VOICE_ANSWER_NONE) {
        ngx_voice_call_restore_answer(zone, call, past);
    }

    ngx_voice_call_notify(zone, &past->call.sid);

done:

    ngx_voice_zone_unlock(zone);

    return rc;
}


/* also of an answer that is begun here more may have been heard elsewhere */

static ngx_uint_t
ngx_voice_call_newer(ngx_voice_call_node_t *call, ngx_voice_past_t *past)
{
    if (call->view.turn != past->turn) {
        return call->view.turn < past->turn;
    }

    return call->answer && call->answer->turn == past->turn
           && call->answer->step < past->rest;
}


static void
ngx_voice_call_restore_said(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_voice_past_t *past)
{
    ngx_uint_t         i;
    ngx_voice_said_t  *said;

    for (i = 0; i < past->nsaid; i++) {
        said = &past->said[i];

        ngx_voice_call_append(zone, call, said->turn, said->role,
                              said->number, said->text.data, said->text.len,
                              past->limit);
    }
}


static void
ngx_voice_call_restore_steps(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_voice_past_t *past)
{
    ngx_uint_t              i;
    ngx_voice_step_node_t  *node;
    ngx_voice_past_step_t  *step;

    for (i = 0; i < past->nsteps; i++) {
        step = &past->steps[i];

        /* no document is longer, and there is no room to give it out again */

        if (step->twiml.len > NGX_VOICE_SCRATCH
            || ngx_voice_step_find(call, &step->key))
        {
            continue;
        }

        node = ngx_voice_zone_calloc(zone, sizeof(ngx_voice_step_node_t));
        if (node == NULL) {
            return;
        }

        node->key = step->key;
        node->done = 1;
        node->twiml = ngx_voice_chunk_store(zone, step->twiml.data,
                                            step->twiml.len);
        if (node->twiml == NULL) {
            ngx_voice_zone_free(zone, node);
            return;
        }

        ngx_queue_insert_head(&call->steps, &node->queue);
    }

    ngx_voice_steps_trim(zone, call);
}


static void
ngx_voice_call_restore_answer(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_voice_past_t *past)
{
    ngx_uint_t                i;
    ngx_voice_piece_node_t   *piece;
    ngx_voice_answer_node_t  *answer;

    answer = ngx_voice_zone_calloc(zone, sizeof(ngx_voice_answer_node_t));
    if (answer == NULL) {
        return;
    }

    call->answer = answer;

    answer->turn = past->turn;
    answer->step = past->rest;
    answer->after = past->after;

    /* nobody's: who wants it takes it over, as from a worker that died */

    answer->state = (past->state == NGX_VOICE_ANSWER_DONE)
                    ? NGX_VOICE_ANSWER_DONE : NGX_VOICE_ANSWER_RUNNING;

    for (i = 0; i < past->npieces && i < NGX_VOICE_PIECES; i++) {
        piece = &answer->pieces[i];

        piece->text = ngx_voice_chunk_store(zone, past->pieces[i].text.data,
                                            past->pieces[i].text.len);
        if (piece->text == NULL) {
            break;
        }

        ngx_memcpy(piece->digest, past->pieces[i].digest, NGX_VOICE_DIGEST);
        answer->n++;
    }

    answer->spoken = ngx_min(past->spoken, answer->n);
}
