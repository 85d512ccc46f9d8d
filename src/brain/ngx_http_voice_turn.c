
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_turn.h"
#include "ngx_http_voice_note.h"
#include "ngx_http_voice_context.h"
#include "ngx_http_voice_pieces.h"
#include "ngx_http_voice_prompt.h"
#include "ngx_http_voice_round.h"
#include "ngx_http_voice_route.h"
#include "../call/ngx_voice_wait.h"


typedef struct {
    ngx_pool_t                   *pool;
    ngx_log_t                    *log;

    ngx_http_voice_agent_t        agent;
    ngx_voice_call_view_t         call;
    ngx_str_t                     sid;
    ngx_uint_t                    turn;
    ngx_str_t                     said;     /* before this request */
    size_t                        since;    /* of it after the last tool */

    ngx_http_voice_chat_t        *chat;
    ngx_uint_t                    model;    /* which one is asked */

    ngx_http_voice_pieces_t       pieces;
    ngx_event_t                   event;
    ngx_event_t                   timer;    /* of all of the answer */
    ngx_voice_waiter_t            waiter;

    cJSON                        *tools;    /* what is offered */
    ngx_http_voice_round_t        round;

    ngx_msec_t                    started;
    ngx_msec_t                    acting;   /* since then */
    ngx_http_voice_note_answer_t  note;     /* how it went */

    unsigned                      answered:1;  /* by who began the turn */
    unsigned                      late:1;   /* its time is over */
} ngx_http_voice_turn_t;


static ngx_int_t ngx_http_voice_turn_said(ngx_http_voice_turn_t *turn);
static ngx_int_t ngx_http_voice_turn_ask(ngx_http_voice_turn_t *turn);
static ngx_int_t ngx_http_voice_turn_offer(ngx_http_voice_turn_t *turn);
static ngx_int_t ngx_http_voice_turn_text(void *data, ngx_str_t *text);
static void ngx_http_voice_turn_event(ngx_event_t *ev);
static void ngx_http_voice_turn_news(ngx_event_t *ev);
static void ngx_http_voice_turn_stop(ngx_http_voice_turn_t *turn);
static void ngx_http_voice_turn_timeout(ngx_event_t *ev);
static void ngx_http_voice_turn_act(ngx_http_voice_turn_t *turn,
    ngx_http_voice_chat_t *chat);
static void ngx_http_voice_turn_acted(void *data);
static void ngx_http_voice_turn_done(void *data, ngx_http_voice_chat_t *chat,
    const char *cause);
static void ngx_http_voice_turn_note(ngx_http_voice_turn_t *turn,
    ngx_http_voice_chat_t *chat);
static void ngx_http_voice_turn_lost(void *data);
static void ngx_http_voice_turn_end(ngx_http_voice_turn_t *turn,
    ngx_uint_t ok);
static void ngx_http_voice_turn_free(ngx_http_voice_turn_t *turn);


ngx_int_t
ngx_http_voice_turn_start(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t begun)
{
    ngx_str_t               sid, none;
    ngx_pool_t             *pool;
    ngx_http_voice_turn_t  *turn;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        goto failed;
    }

    turn = ngx_pcalloc(pool, sizeof(ngx_http_voice_turn_t));
    if (turn == NULL) {
        ngx_destroy_pool(pool);
        goto failed;
    }

    turn->pool = pool;
    turn->log = ngx_cycle->log;
    turn->agent = *agent;
    turn->agent.context = NULL;
    turn->call = *call;
    turn->turn = call->turn;
    turn->sid.data = turn->call.sid;
    turn->sid.len = NGX_VOICE_SID_LEN;
    turn->started = ngx_current_msec;
    turn->note.first_token = -1;
    turn->note.last_token = -1;
    turn->note.tools = -1;

    turn->event.handler = ngx_http_voice_turn_event;
    turn->event.data = turn;
    turn->event.log = turn->log;

    turn->timer.handler = ngx_http_voice_turn_timeout;
    turn->timer.data = turn;
    turn->timer.log = turn->log;

    if (agent->crm) {

        /* the one of the agent is the webhook's, which may be over soon */

        turn->agent.context = ngx_http_voice_context_load(agent->zone,
                                                          &turn->sid, pool);
    }

    turn->round.data = turn;
    turn->round.done = ngx_http_voice_turn_acted;
    turn->round.agent = &turn->agent;
    turn->round.call = &turn->call;
    turn->round.pool = pool;
    turn->round.log = turn->log;

    turn->pieces.agent = &turn->agent;
    turn->pieces.sid = turn->sid;
    turn->pieces.turn = turn->turn;
    turn->pieces.pool = pool;
    turn->pieces.log = turn->log;
    turn->pieces.event = &turn->event;

    if (ngx_http_voice_pieces_init(&turn->pieces) != NGX_OK
        || ngx_http_voice_turn_said(turn) != NGX_OK
        || ngx_http_voice_round_init(&turn->round) != NGX_OK)
    {
        ngx_http_voice_turn_end(turn, 0);
        return NGX_ERROR;
    }

    turn->answered = begun && (turn->said.len > turn->since);

    /* where something was spoken already, nothing has to be hurried */

    ngx_http_voice_pieces_begin(&turn->pieces, turn->said.len == 0);

    if (ngx_http_voice_turn_ask(turn) != NGX_OK) {
        ngx_http_voice_turn_end(turn, 0);
        return NGX_ERROR;
    }

    ngx_voice_wait_add(&turn->waiter,
                       ngx_voice_wait_key(turn->sid.data, turn->sid.len),
                       ngx_http_voice_turn_news, turn, turn->log);

    ngx_add_timer(&turn->timer, agent->turn_timeout);

    return NGX_OK;

failed:

    sid.data = call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    ngx_str_null(&none);

    (void) ngx_voice_answer_end(agent->zone, &sid, call->turn, 0,
                                &none, agent->flow->limits.history,
                                ngx_cycle->log);

    return NGX_ERROR;
}


/* what has been spoken of the answer, as the model may see it */

static ngx_int_t
ngx_http_voice_turn_said(ngx_http_voice_turn_t *turn)
{
    size_t      since;
    ngx_str_t   text, before, after;

    ngx_voice_answer_text(turn->agent.zone, &turn->sid, turn->turn, &text,
                          &since);

    before.len = since;
    before.data = ngx_pnalloc(turn->pool, text.len + 1);

    if (before.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(before.data, text.data, text.len);

    after.data = before.data + since;
    after.len = text.len - since;

    if (ngx_http_voice_agent_redact(&turn->agent, &before, turn->pool,
                                    turn->log)
        != NGX_OK
        || ngx_http_voice_agent_redact(&turn->agent, &after, turn->pool,
                                       turn->log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    turn->since = before.len;
    turn->said.len = before.len + after.len;
    turn->said.data = ngx_pnalloc(turn->pool, turn->said.len + 1);

    if (turn->said.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_cpymem(turn->said.data, before.data, before.len),
               after.data, after.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_turn_ask(ngx_http_voice_turn_t *turn)
{
    ngx_str_t                body;
    ngx_http_voice_chat_t    chat;
    ngx_http_voice_model_t  *model;

    if (ngx_http_voice_turn_offer(turn) != NGX_OK) {
        return NGX_ERROR;
    }

    for ( /* void */ ; turn->model < turn->agent.models->nelts;
         turn->model++)
    {
        model = turn->agent.models->elts;
        model += turn->model;

        if (ngx_http_voice_prompt(&turn->agent, model, &turn->call,
                                  &turn->said, turn->since, turn->tools,
                                  turn->pool, &body)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_memzero(&chat, sizeof(ngx_http_voice_chat_t));

        chat.data = turn;
        chat.on_text = ngx_http_voice_turn_text;
        chat.on_done = ngx_http_voice_turn_done;
        chat.on_lost = ngx_http_voice_turn_lost;
        chat.model = model;
        chat.ctx = turn->agent.ctx;
        chat.zone = turn->agent.zone;
        chat.sid = turn->sid;
        chat.first_token_timeout = turn->agent.first_token_timeout;
        chat.token_timeout = turn->agent.token_timeout;

        turn->chat = ngx_http_voice_chat_start(&chat, &body);

        if (turn->chat) {
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* what may be called next: nothing once there were enough rounds, or calls */

static ngx_int_t
ngx_http_voice_turn_offer(ngx_http_voice_turn_t *turn)
{
    cJSON_Delete(turn->tools);
    turn->tools = NULL;

    if (turn->round.after != NGX_VOICE_AFTER_LISTEN
        || turn->round.number >= turn->agent.flow->limits.rounds
        || turn->round.names.nelts >= NGX_HTTP_VOICE_ROUND_CALLS)
    {
        return NGX_OK;
    }

    turn->tools = ngx_http_voice_offer(&turn->agent, turn->pool);

    return turn->tools ? NGX_OK : NGX_ERROR;
}


/* on the filter's stack: only notes */

static ngx_int_t
ngx_http_voice_turn_text(void *data, ngx_str_t *text)
{
    ngx_http_voice_turn_t *turn = data;

    return ngx_http_voice_pieces_feed(&turn->pieces, text);
}


static void
ngx_http_voice_turn_event(ngx_event_t *ev)
{
    ngx_http_voice_turn_t  *turn;

    turn = ev->data;

    switch (ngx_http_voice_pieces_publish(&turn->pieces)) {

    case NGX_OK:
        return;

    case NGX_DECLINED:
        ngx_http_voice_turn_stop(turn);
        return;

    default: /* NGX_ERROR: the answer has no room for more */

        if (turn->chat) {
            ngx_http_voice_chat_abort(turn->chat);
            ngx_http_voice_turn_end(turn, turn->pieces.published != 0);
        }
    }
}


/* a silent model would not find out that nobody listens any more */

static void
ngx_http_voice_turn_news(ngx_event_t *ev)
{
    ngx_http_voice_turn_t  *turn;

    turn = ev->data;

    if (!turn->round.stopped
        && !ngx_voice_answer_mine(turn->agent.zone, &turn->sid, turn->turn))
    {
        ngx_http_voice_turn_stop(turn);
    }
}


/* the call went on without this answer, or is over */

static void
ngx_http_voice_turn_stop(ngx_http_voice_turn_t *turn)
{
    ngx_log_error(NGX_LOG_INFO, turn->log, 0,
                  "voice call \"%V\" turn %ui is stopped, nobody waits for "
                  "its answer", &turn->sid, turn->turn);

    if (turn->chat) {
        ngx_http_voice_chat_abort(turn->chat);
    }

    if (turn->round.busy) {

        /* what happens now is still noted */

        turn->round.stopped = 1;
        return;
    }

    ngx_http_voice_turn_free(turn);
}


/* a model that trickles keeps all other clocks, and nobody waits for it */

static void
ngx_http_voice_turn_timeout(ngx_event_t *ev)
{
    ngx_http_voice_turn_t  *turn;

    turn = ev->data;

    if (turn->round.stopped) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, turn->log, 0,
                  "voice call \"%V\" turn %ui takes longer than %Mms, its "
                  "answer ends here", &turn->sid, turn->turn,
                  turn->agent.turn_timeout);

    turn->late = 1;

    if (turn->chat == NULL) {

        /* a tool has a clock of its own, and is the last one */
        return;
    }

    ngx_http_voice_chat_abort(turn->chat);
    turn->chat = NULL;

    ngx_voice_zone_provider(turn->agent.zone, NGX_VOICE_MODEL, "timeout");

    ngx_http_voice_pieces_end(&turn->pieces, 0);

    if (ngx_http_voice_pieces_publish(&turn->pieces) == NGX_DECLINED) {
        ngx_http_voice_turn_free(turn);
        return;
    }

    ngx_http_voice_turn_end(turn, turn->pieces.published != 0);
}


/* the model wants to know or to do something before it goes on */

static void
ngx_http_voice_turn_act(ngx_http_voice_turn_t *turn,
    ngx_http_voice_chat_t *chat)
{
    turn->acting = ngx_current_msec;

    ngx_voice_answer_busy(turn->agent.zone, &turn->sid, turn->turn,
                          turn->log);

    switch (ngx_http_voice_round_run(&turn->round, turn->tools, chat->calls,
                                     chat->ncalls))
    {

    case NGX_AGAIN:
        return;

    case NGX_OK:
        ngx_http_voice_turn_acted(turn);
        return;

    default: /* NGX_ERROR */
        ngx_http_voice_turn_end(turn, 0);
    }
}


static void
ngx_http_voice_turn_acted(void *data)
{
    ngx_http_voice_turn_t *turn = data;

    if (turn->round.stopped) {
        ngx_http_voice_turn_free(turn);
        return;
    }

    turn->note.tools = ngx_max(turn->note.tools, 0)
                       + (ngx_int_t) (ngx_current_msec - turn->acting);

    if (turn->round.failed) {
        ngx_http_voice_turn_end(turn, 0);
        return;
    }

    if (turn->round.flow) {
        ngx_http_voice_route_to(&turn->agent, &turn->call, turn->round.flow);
    }

    if (turn->late) {
        ngx_http_voice_turn_end(turn, turn->pieces.published != 0);
        return;
    }

    /* after a goodbye, or before a human, there is nothing to be added */

    if (turn->round.over && turn->round.after != NGX_VOICE_AFTER_LISTEN) {
        ngx_http_voice_turn_end(turn, 1);
        return;
    }

    ngx_http_voice_pieces_begin(&turn->pieces, 1);

    if (ngx_http_voice_turn_said(turn) != NGX_OK
        || ngx_http_voice_turn_ask(turn) != NGX_OK)
    {
        ngx_http_voice_turn_end(turn, 0);
    }
}


static void
ngx_http_voice_turn_done(void *data, ngx_http_voice_chat_t *chat,
    const char *cause)
{
    ngx_http_voice_turn_t *turn = data;

    ngx_int_t    rc;
    ngx_str_t   *model;
    ngx_uint_t   called;

    turn->chat = NULL;

    ngx_http_voice_turn_note(turn, chat);

    /* of a stream that was cut only what is whole is spoken */

    ngx_http_voice_pieces_end(&turn->pieces, cause == NULL);

    rc = ngx_http_voice_pieces_publish(&turn->pieces);

    if (rc == NGX_DECLINED) {
        ngx_http_voice_turn_free(turn);
        return;
    }

    called = (cause == NULL && chat->ncalls);

    if (called && turn->tools) {
        ngx_http_voice_turn_act(turn, chat);
        return;
    }

    if (rc == NGX_ERROR && turn->pieces.published) {

        /* the answer has no room for what any model could add */

        ngx_http_voice_turn_end(turn, 1);
        return;
    }

    if (called || (cause && chat->calling)) {

        /* words that led up to a call are no answer without it */

        turn->pieces.fresh = 0;
    }

    if (turn->pieces.fresh == 0
        && turn->round.after == NGX_VOICE_AFTER_LISTEN)
    {

        if (called) {

            /* who calls whatever it is offered would never come to an end */

            ngx_log_error(NGX_LOG_ERR, turn->log, 0,
                          "voice model \"%V\" called tools in call \"%V\" "
                          "when it was offered none", &chat->model->uri,
                          &turn->sid);

        } else if (cause == NULL) {
            ngx_log_error(NGX_LOG_ERR, turn->log, 0,
                          "voice model \"%V\" said nothing speakable in call "
                          "\"%V\"", &chat->model->uri, &turn->sid);
        }

        /* the next one in the order of preference, and nothing of this one */

        ngx_http_voice_pieces_begin(&turn->pieces,
                                    turn->pieces.published == 0);
        turn->model++;

        if (ngx_http_voice_turn_said(turn) == NGX_OK
            && ngx_http_voice_turn_ask(turn) == NGX_OK)
        {
            return;
        }
    }

    if (turn->pieces.fresh) {
        model = ngx_http_voice_prompt_model(&turn->agent, chat->model);

        ngx_log_error(NGX_LOG_INFO, turn->log, 0,
                      "voice call \"%V\" turn %ui answered by \"%V\" of "
                      "\"%V\": first token %Mms, last %Mms, %ui pieces, "
                      "%uz bytes, tokens %i+%i",
                      &turn->sid, turn->turn, model, &chat->model->uri,
                      chat->first_token, chat->duration,
                      turn->pieces.published, turn->pieces.size,
                      chat->prompt_tokens, chat->completion_tokens);
    }

    ngx_http_voice_turn_end(turn, turn->pieces.fresh != 0);
}


/* what a request has cost, in time from the turn's beginning and in tokens */

static void
ngx_http_voice_turn_note(ngx_http_voice_turn_t *turn,
    ngx_http_voice_chat_t *chat)
{
    double                         cost;
    ngx_http_voice_price_t        *price;
    ngx_http_voice_note_answer_t  *note;

    note = &turn->note;
    price = turn->agent.price;

    note->model = *ngx_http_voice_prompt_model(&turn->agent, chat->model);

    if (chat->first_token && note->first_token == -1) {
        note->first_token = chat->started - turn->started + chat->first_token;
    }

    note->last_token = chat->started - turn->started + chat->duration;

    if (chat->prompt_tokens > 0) {
        note->prompt_tokens += chat->prompt_tokens;
    }

    if (chat->completion_tokens > 0) {
        note->completion_tokens += chat->completion_tokens;
    }

    if (price) {
        cost = price->input_token * ngx_max(chat->prompt_tokens, 0)
               + price->output_token * ngx_max(chat->completion_tokens, 0);

        note->cost += cost;
        ngx_http_voice_agent_bill(&turn->agent, &turn->sid, cost);
    }
}


static void
ngx_http_voice_turn_lost(void *data)
{
    ngx_http_voice_turn_t *turn = data;

    ngx_http_voice_turn_free(turn);
}


static void
ngx_http_voice_turn_end(ngx_http_voice_turn_t *turn, ngx_uint_t ok)
{
    size_t     since;
    ngx_str_t  spoken, text;

    /* not piece by piece: a number may go on in the next one */

    ngx_voice_answer_text(turn->agent.zone, &turn->sid, turn->turn, &spoken,
                          &since);

    text.len = spoken.len;
    text.data = ngx_pstrdup(turn->pool, &spoken);

    if (text.data == NULL
        || ngx_http_voice_agent_redact(&turn->agent, &text, turn->pool,
                                       turn->log)
           != NGX_OK)
    {
        text.len = 0;
    }

    /* what another worker had spoken before it died is an answer, too */

    ok = ok || turn->answered || turn->round.after != NGX_VOICE_AFTER_LISTEN;

    if (ngx_voice_answer_end(turn->agent.zone, &turn->sid, turn->turn, ok,
                             &text, turn->agent.flow->limits.history,
                             turn->log)
        == NGX_OK)
    {
        turn->note.pieces = turn->pieces.published;
        turn->note.characters = turn->pieces.characters;
        turn->note.cost += turn->pieces.cost;
        turn->note.failed = !ok;

        ngx_http_voice_note_said(&turn->agent, &turn->call, turn->turn, &text,
                                 &turn->note);
    }

    ngx_http_voice_turn_free(turn);
}


static void
ngx_http_voice_turn_free(ngx_http_voice_turn_t *turn)
{
    ngx_voice_wait_del(&turn->waiter);

    if (turn->event.posted) {
        ngx_delete_posted_event(&turn->event);
    }

    if (turn->timer.timer_set) {
        ngx_del_timer(&turn->timer);
    }

    cJSON_Delete(turn->tools);

    ngx_destroy_pool(turn->pool);
}
