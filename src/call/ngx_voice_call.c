
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_call_node.h"


/*
 * Answered steps that a call remembers: a webhook is repeated before the next
 * one comes, or races with it.  Each costs about a kilobyte.
 */
#define NGX_VOICE_STEPS          2

/* seconds: a call without webhooks is idle, then forgotten */
#define NGX_VOICE_CALL_IDLE      300
#define NGX_VOICE_CALL_EXPIRES   7200
#define NGX_VOICE_CALL_TRACE     120

/*
 * Bytes of the zone for each call.  One that just began takes 3 kB, but goes
 * on to an answer, kept steps and a history: a new call is refused while there
 * is still room for it, rather than a live one starved later.
 */
#define NGX_VOICE_CALL_ROOM      24576


static ngx_int_t ngx_voice_call_evict_idle(ngx_voice_zone_t *zone);
static void ngx_voice_call_show(ngx_voice_call_node_t *call,
    ngx_voice_call_view_t *view);
static ngx_uint_t ngx_voice_call_room(ngx_voice_zone_t *zone);
static void ngx_voice_call_destroy(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call);
static void ngx_voice_call_expire(ngx_voice_zone_t *zone);
static void ngx_voice_call_expire_last(ngx_voice_zone_t *zone,
    ngx_queue_t *lru, time_t age);
static void ngx_voice_call_touch(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call);
static ngx_uint_t ngx_voice_call_busy(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call);
static ngx_uint_t ngx_voice_step_stale(ngx_voice_call_node_t *call,
    ngx_voice_step_t *step);
static void ngx_voice_step_free(ngx_voice_zone_t *zone,
    ngx_voice_step_node_t *node);


ngx_voice_claim_e
ngx_voice_call_claim(ngx_voice_zone_t *zone, ngx_voice_call_new_t *new,
    ngx_voice_step_t *step, ngx_uint_t create, ngx_voice_call_view_t *view,
    ngx_str_t *twiml)
{
    ngx_voice_claim_e       claim;
    ngx_voice_call_node_t  *call;
    ngx_voice_step_node_t  *node;

    ngx_voice_zone_lock(zone);

    ngx_voice_call_expire(zone);

    call = ngx_voice_call_find(zone, &new->sid);

    if (call == NULL) {

        if (!create) {
            claim = NGX_VOICE_CLAIM_UNKNOWN;
            goto done;
        }

        call = ngx_voice_call_create(zone, new);

        if (call == NULL) {
            zone->sh->counters.full++;
            claim = NGX_VOICE_CLAIM_FULL;
            goto done;
        }

    } else {

        if (call->ended) {
            claim = NGX_VOICE_CLAIM_ENDED;
            goto done;
        }

        ngx_voice_call_touch(zone, call);
    }

    node = ngx_voice_step_find(call, step);

    if (node) {

        if (node->done) {
            twiml->data = ngx_voice_zone_scratch();
            twiml->len = node->twiml->total;
            (void) ngx_voice_chunk_copy(twiml->data, node->twiml);

            zone->sh->counters.replayed++;
            claim = NGX_VOICE_CLAIM_REPLAY;

        } else if (ngx_voice_zone_alive(zone, node->owner)) {
            claim = NGX_VOICE_CLAIM_WAIT;

        } else {
            node->owner = ngx_voice_zone_self();
            zone->sh->counters.taken_over++;
            claim = NGX_VOICE_CLAIM_RUN;
        }

        ngx_voice_call_show(call, view);
        goto done;
    }

    if (ngx_voice_step_stale(call, step)) {
        ngx_voice_call_show(call, view);
        claim = NGX_VOICE_CLAIM_STALE;
        goto done;
    }

    node = ngx_voice_zone_calloc(zone, sizeof(ngx_voice_step_node_t));

    if (node == NULL) {
        zone->sh->counters.full++;
        claim = NGX_VOICE_CLAIM_FULL;
        goto done;
    }

    node->owner = ngx_voice_zone_self();
    node->key = *step;

    ngx_queue_insert_head(&call->steps, &node->queue);

    if (step->kind == NGX_VOICE_STEP_INPUT) {
        call->view.turn = step->turn;
        zone->sh->counters.turns++;
        ngx_voice_answer_retire(zone, call);
    }

    if (step->kind == NGX_VOICE_STEP_PROMPT) {

        /* who was silent has heard all of it */

        ngx_voice_last_free(zone, call);
    }

    if (step->kind == NGX_VOICE_STEP_REST) {
        call->answer->step = step->step + 1;
    }

    *view = call->view;
    claim = NGX_VOICE_CLAIM_RUN;

done:

    ngx_voice_zone_unlock(zone);

    return claim;
}


void
ngx_voice_call_done(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_step_t *step, ngx_str_t *twiml, ngx_uint_t spoken,
    ngx_uint_t last, ngx_log_t *log)
{
    ngx_voice_call_node_t    *call;
    ngx_voice_step_node_t    *node;
    ngx_voice_answer_node_t  *answer;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call == NULL || call->ended) {
        ngx_voice_zone_unlock(zone);
        return;
    }

    node = ngx_voice_step_find(call, step);

    if (node && !node->done) {

        node->twiml = ngx_voice_chunk_store(zone, twiml->data, twiml->len);

        if (node->twiml) {
            node->done = 1;
            node->owner = 0;
            ngx_voice_steps_trim(zone, call);

        } else {
            ngx_voice_step_free(zone, node);
        }
    }

    answer = call->answer;

    if (answer && answer->turn == step->turn) {

        /* it was asked for when the one before had been heard */

        answer->before = answer->spoken;
        answer->sent = ngx_current_msec;

        if (spoken > answer->spoken) {
            answer->spoken = spoken;
            call->view.filler = 0;
        }

        if (last) {
            ngx_voice_answer_retire(zone, call);
        }
    }

    ngx_voice_call_notify(zone, sid);

    ngx_voice_zone_unlock(zone);

    ngx_voice_wait_ring(log);
}


void
ngx_voice_call_release(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_step_t *step, ngx_log_t *log)
{
    ngx_voice_call_node_t  *call;
    ngx_voice_step_node_t  *node;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call) {
        node = ngx_voice_step_find(call, step);

        if (node && !node->done && node->owner == ngx_voice_zone_self()) {

            /* kept, so that its turn is not taken for a stale one */
            node->owner = 0;
        }

        ngx_voice_call_notify(zone, sid);
    }

    ngx_voice_zone_unlock(zone);

    ngx_voice_wait_ring(log);
}


ngx_int_t
ngx_voice_call_look(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_call_view_t *view)
{
    ngx_int_t               rc;
    ngx_voice_call_node_t  *call;

    rc = NGX_DECLINED;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && !call->ended) {
        ngx_voice_call_show(call, view);
        rc = NGX_OK;
    }

    ngx_voice_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_voice_call_end(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_log_t *log)
{
    ngx_int_t               rc;
    ngx_queue_t            *q;
    ngx_voice_call_node_t  *call;

    rc = NGX_DECLINED;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && !call->ended) {
        call->ended = 1;
        zone->sh->ncalls--;

        ngx_voice_answer_free(zone, call);
        ngx_voice_last_free(zone, call);

        while (!ngx_queue_empty(&call->said)) {
            q = ngx_queue_head(&call->said);
            ngx_voice_said_forget(zone, call,
                                  ngx_queue_data(q, ngx_voice_said_node_t,
                                                 queue));
        }

        ngx_voice_chunk_free(zone, call->about);
        call->about = NULL;

        while (!ngx_queue_empty(&call->steps)) {
            q = ngx_queue_head(&call->steps);
            ngx_voice_step_free(zone, ngx_queue_data(q,
                                             ngx_voice_step_node_t, queue));
        }

        call->touched = ngx_time();

        ngx_queue_remove(&call->lru);
        ngx_queue_insert_head(&zone->sh->traces_lru, &call->lru);

        ngx_voice_call_notify(zone, sid);

        rc = NGX_OK;
    }

    ngx_voice_zone_unlock(zone);

    if (rc == NGX_OK) {
        ngx_voice_wait_ring(log);
    }

    return rc;
}


static void
ngx_voice_call_show(ngx_voice_call_node_t *call, ngx_voice_call_view_t *view)
{
    *view = call->view;

    if (call->answer) {
        view->answering = 1;

        /* the first one after the webhook that began the turn is 1 */
        view->rest = ngx_max(call->answer->step, 1);
    }
}


ngx_uint_t
ngx_voice_call_misheard(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t understood)
{
    ngx_uint_t              n;
    ngx_voice_call_node_t  *call;

    n = 0;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call) {
        call->view.misheard = understood ? 0 : call->view.misheard + 1;
        n = call->view.misheard;
    }

    ngx_voice_zone_unlock(zone);

    return n;
}


void
ngx_voice_call_route(ngx_voice_zone_t *zone, ngx_str_t *sid, ngx_str_t *flow)
{
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call && !call->ended) {
        call->view.flow_len = ngx_voice_call_field(call->view.flow, flow,
                                                   NGX_VOICE_FLOW_LEN);
        call->routed = 1;
    }

    ngx_voice_zone_unlock(zone);
}


void
ngx_voice_call_filler(ngx_voice_zone_t *zone, ngx_str_t *sid, uint32_t words)
{
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call) {
        call->view.fillers++;
        call->view.filler = words;
    }

    ngx_voice_zone_unlock(zone);
}


void
ngx_voice_call_consent(ngx_voice_zone_t *zone, ngx_str_t *sid)
{
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call) {
        call->view.consent = 1;
    }

    ngx_voice_zone_unlock(zone);
}


void
ngx_voice_call_cost(ngx_voice_zone_t *zone, ngx_str_t *sid, uint64_t cost)
{
    ngx_voice_call_node_t  *call;

    ngx_voice_zone_lock(zone);

    call = ngx_voice_call_find(zone, sid);

    if (call) {
        call->view.cost += cost;
    }

    ngx_voice_zone_unlock(zone);
}


ngx_int_t
ngx_voice_call_evict(ngx_voice_zone_t *zone)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&zone->sh->traces_lru)) {
        return ngx_voice_call_evict_idle(zone);
    }

    q = ngx_queue_last(&zone->sh->traces_lru);

    ngx_voice_call_destroy(zone, ngx_queue_data(q, ngx_voice_call_node_t,
                                                lru));
    return NGX_OK;
}


static ngx_int_t
ngx_voice_call_evict_idle(ngx_voice_zone_t *zone)
{
    ngx_uint_t              n;
    ngx_queue_t            *q;
    ngx_voice_call_node_t  *call;

    n = 0;

    for (q = ngx_queue_last(&zone->sh->calls_lru);
         q != ngx_queue_sentinel(&zone->sh->calls_lru) && n < 16;
         q = ngx_queue_prev(q), n++)
    {
        call = ngx_queue_data(q, ngx_voice_call_node_t, lru);

        if (ngx_time() - call->touched <= NGX_VOICE_CALL_IDLE) {
            break;
        }

        if (!ngx_voice_call_is_found(call)
            && !ngx_voice_call_busy(zone, call))
        {
            ngx_voice_call_destroy(zone, call);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* room for one more, made of calls that are idle if need be */

static ngx_uint_t
ngx_voice_call_room(ngx_voice_zone_t *zone)
{
    ngx_uint_t  max;

    max = zone->shm_zone->shm.size / NGX_VOICE_CALL_ROOM;

    if (zone->max_calls && zone->max_calls < max) {
        max = zone->max_calls;
    }

    while (zone->sh->ncalls >= max) {
        if (ngx_voice_call_evict_idle(zone) != NGX_OK) {
            return 0;
        }
    }

    return 1;
}


void
ngx_voice_call_introduce(ngx_voice_call_new_t *new,
    ngx_voice_call_view_t *view)
{
    (void) ngx_voice_call_field(view->sid, &new->sid, NGX_VOICE_SID_LEN);

    view->from_len = ngx_voice_call_field(view->from, &new->from,
                                          NGX_VOICE_PARTY_LEN);
    view->to_len = ngx_voice_call_field(view->to, &new->to,
                                        NGX_VOICE_PARTY_LEN);
    view->flow_len = ngx_voice_call_field(view->flow, &new->flow,
                                          NGX_VOICE_FLOW_LEN);
    view->language_len = ngx_voice_call_field(view->language, &new->language,
                                              NGX_VOICE_LANGUAGE_LEN);

    view->started = ngx_time();
}


ngx_voice_call_node_t *
ngx_voice_call_create(ngx_voice_zone_t *zone, ngx_voice_call_new_t *new)
{
    ngx_voice_call_node_t  *call;
    ngx_voice_call_view_t  *view;

    if (!ngx_voice_call_room(zone)) {
        return NULL;
    }

    call = ngx_voice_zone_calloc(zone, sizeof(ngx_voice_call_node_t));
    if (call == NULL) {
        return NULL;
    }

    view = &call->view;

    ngx_voice_call_introduce(new, view);

    call->touched = ngx_time();

    ngx_queue_init(&call->steps);
    ngx_queue_init(&call->said);

    call->sn.str.len = new->sid.len;
    call->sn.str.data = view->sid;
    call->sn.node.key = ngx_voice_wait_key(view->sid, new->sid.len);

    ngx_queue_insert_head(&zone->sh->calls_lru, &call->lru);
    zone->sh->ncalls++;
    zone->sh->counters.started++;

    /* last: a worker that dies here leaves no half a call in the tree */

    ngx_rbtree_insert(&zone->sh->calls, &call->sn.node);

    return call;
}


static void
ngx_voice_call_destroy(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call)
{
    ngx_queue_t  *q;

    ngx_rbtree_delete(&zone->sh->calls, &call->sn.node);
    ngx_queue_remove(&call->lru);

    if (!call->ended) {
        zone->sh->ncalls--;
    }

    ngx_voice_answer_free(zone, call);
    ngx_voice_last_free(zone, call);
    ngx_voice_chunk_free(zone, call->about);

    while (!ngx_queue_empty(&call->steps)) {
        q = ngx_queue_head(&call->steps);
        ngx_voice_step_free(zone, ngx_queue_data(q, ngx_voice_step_node_t,
                                                 queue));
    }

    while (!ngx_queue_empty(&call->said)) {
        q = ngx_queue_head(&call->said);
        ngx_voice_said_forget(zone, call,
                              ngx_queue_data(q, ngx_voice_said_node_t,
                                             queue));
    }

    ngx_voice_zone_free(zone, call);
}


static void
ngx_voice_call_expire(ngx_voice_zone_t *zone)
{
    /* one of each: a claim pays its share, as others of the core do */

    ngx_voice_call_expire_last(zone, &zone->sh->calls_lru,
                               NGX_VOICE_CALL_EXPIRES);
    ngx_voice_call_expire_last(zone, &zone->sh->traces_lru,
                               NGX_VOICE_CALL_TRACE);
}


static void
ngx_voice_call_expire_last(ngx_voice_zone_t *zone, ngx_queue_t *lru,
    time_t age)
{
    ngx_queue_t            *q;
    ngx_voice_call_node_t  *call;

    if (ngx_queue_empty(lru)) {
        return;
    }

    q = ngx_queue_last(lru);
    call = ngx_queue_data(q, ngx_voice_call_node_t, lru);

    if (ngx_time() - call->touched >= age) {
        ngx_voice_call_destroy(zone, call);
    }
}


static void
ngx_voice_call_touch(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call)
{
    call->touched = ngx_time();

    ngx_queue_remove(&call->lru);
    ngx_queue_insert_head(&zone->sh->calls_lru, &call->lru);
}


static ngx_uint_t
ngx_voice_call_busy(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call)
{
    ngx_queue_t            *q;
    ngx_voice_step_node_t  *node;

    if (call->answer
        && call->answer->state == NGX_VOICE_ANSWER_RUNNING
        && ngx_voice_zone_alive(zone, call->answer->owner))
    {
        return 1;
    }

    for (q = ngx_queue_head(&call->steps);
         q != ngx_queue_sentinel(&call->steps);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_voice_step_node_t, queue);

        if (!node->done && ngx_voice_zone_alive(zone, node->owner)) {
            return 1;
        }
    }

    return 0;
}


ngx_voice_step_node_t *
ngx_voice_step_find(ngx_voice_call_node_t *call, ngx_voice_step_t *step)
{
    ngx_queue_t            *q;
    ngx_voice_step_node_t  *node;

    for (q = ngx_queue_head(&call->steps);
         q != ngx_queue_sentinel(&call->steps);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_voice_step_node_t, queue);

        if (step->token
            && node->key.token == step->token
            && node->key.route == step->route)
        {
            *step = node->key;
            return node;
        }

        if (node->key.route == step->route
            && node->key.turn == step->turn
            && node->key.step == step->step)
        {
            return node;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_voice_step_stale(ngx_voice_call_node_t *call, ngx_voice_step_t *step)
{
    switch (step->kind) {

    case NGX_VOICE_STEP_PROMPT:
    case NGX_VOICE_STEP_INPUT:

        /* beyond the next turn: this memory is younger than the call */
        return step->turn <= call->view.turn;

    case NGX_VOICE_STEP_REST:
        return call->answer == NULL
               || call->answer->turn != step->turn
               || step->step < call->answer->step;

    default: /* NGX_VOICE_STEP_OPEN */
        return call->view.turn != 0;
    }
}


static void
ngx_voice_step_free(ngx_voice_zone_t *zone, ngx_voice_step_node_t *node)
{
    ngx_queue_remove(&node->queue);
    ngx_voice_chunk_free(zone, node->twiml);
    ngx_voice_zone_free(zone, node);
}


void
ngx_voice_steps_trim(ngx_voice_zone_t *zone, ngx_voice_call_node_t *call)
{
    ngx_uint_t              n;
    ngx_queue_t            *q, *next;
    ngx_voice_step_node_t  *node;

    n = 0;

    for (q = ngx_queue_head(&call->steps);
         q != ngx_queue_sentinel(&call->steps);
         q = next)
    {
        next = ngx_queue_next(q);
        node = ngx_queue_data(q, ngx_voice_step_node_t, queue);

        if (node->done && n++ >= NGX_VOICE_STEPS) {
            ngx_voice_step_free(zone, node);
        }
    }
}
