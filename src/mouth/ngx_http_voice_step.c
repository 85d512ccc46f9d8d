
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_step.h"
#include "ngx_http_voice_reply.h"
#include "ngx_http_voice_url.h"
#include "../brain/ngx_http_voice_turn.h"
#include "../call/ngx_voice_wait.h"


/* steps of this number and above are not in the order of the others */
#define NGX_HTTP_VOICE_STEP_ASIDE  1000


typedef enum {
    NGX_HTTP_VOICE_WAIT_CLAIM = 0,    /* another request answers the step */
    NGX_HTTP_VOICE_WAIT_LINES,        /* the lines' audio */
    NGX_HTTP_VOICE_WAIT_ANSWER        /* something of the turn's answer */
} ngx_http_voice_wait_e;


typedef struct {
    ngx_http_voice_hook_t   *hook;
    ngx_http_voice_reply_t   reply;
    ngx_http_voice_wait_e    wait;

    ngx_event_t              timer;
    ngx_msec_t               deadline;
    ngx_voice_waiter_t       call_waiter;
    ngx_voice_waiter_t       speech_waiter;

    ngx_uint_t               spoken;    /* pieces of the answer, with these */
    unsigned                 claimed:1;
    unsigned                 late:1;    /* the wait's time is over */
} ngx_http_voice_step_ctx_t;


static ngx_int_t ngx_http_voice_step_status(ngx_http_voice_hook_t *hook);
static ngx_uint_t ngx_http_voice_step_final(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_step_number(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_step_empty(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_step_claim(ngx_http_voice_step_ctx_t *ctx);
static ngx_int_t ngx_http_voice_step_agent(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_step_begin(ngx_http_voice_step_ctx_t *ctx);
static ngx_int_t ngx_http_voice_step_prompt(ngx_http_voice_step_ctx_t *ctx,
    ngx_uint_t step);
static ngx_int_t ngx_http_voice_step_input(ngx_http_voice_step_ctx_t *ctx);
static ngx_int_t ngx_http_voice_step_act(ngx_http_voice_step_ctx_t *ctx,
    ngx_voice_action_e action, ngx_voice_line_t *say);
static ngx_int_t ngx_http_voice_step_aside(ngx_http_voice_step_ctx_t *ctx);
static ngx_int_t ngx_http_voice_step_failed(ngx_http_voice_step_ctx_t *ctx);
static ngx_int_t ngx_http_voice_step_line(ngx_http_voice_step_ctx_t *ctx,
    ngx_voice_line_t *line);
static ngx_int_t ngx_http_voice_step_lines(ngx_http_voice_step_ctx_t *ctx);
static ngx_int_t ngx_http_voice_step_answer(ngx_http_voice_step_ctx_t *ctx);
static ngx_int_t ngx_http_voice_step_take(ngx_http_voice_step_ctx_t *ctx,
    ngx_voice_answer_view_t *view);
static ngx_int_t ngx_http_voice_step_filler(ngx_http_voice_step_ctx_t *ctx);
static ngx_int_t ngx_http_voice_step_send(ngx_http_voice_step_ctx_t *ctx);
static void ngx_http_voice_step_wait(ngx_http_voice_step_ctx_t *ctx,
    ngx_http_voice_wait_e wait, ngx_msec_t timeout);
static void ngx_http_voice_step_rest(ngx_http_voice_step_ctx_t *ctx);
static void ngx_http_voice_step_timeout(ngx_event_t *ev);
static void ngx_http_voice_step_event(ngx_event_t *ev);
static void ngx_http_voice_step_cleanup(void *data);


ngx_int_t
ngx_http_voice_step(ngx_http_voice_hook_t *hook)
{
    ngx_int_t                   rc;
    ngx_pool_cleanup_t         *cln;
    ngx_http_voice_step_ctx_t  *ctx;

    if (hook->route == NGX_HTTP_VOICE_STATUS) {
        return ngx_http_voice_step_status(hook);
    }

    if (ngx_http_voice_step_final(hook)) {

        /* nobody hears what is answered now */

        (void) ngx_voice_call_end(hook->conf->zone, &hook->call.sid,
                                  hook->request->connection->log);

        return ngx_http_voice_step_empty(hook);
    }

    if (ngx_http_voice_webhook_param(hook, "ParentCallSid").len) {

        /* the leg of a human that we dialled, not a caller */

        return ngx_http_voice_step_empty(hook);
    }

    rc = ngx_http_voice_step_number(hook);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_pcalloc(hook->request->pool, sizeof(ngx_http_voice_step_ctx_t));
    cln = ngx_pool_cleanup_add(hook->request->pool, 0);

    if (ctx == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->hook = hook;
    ctx->deadline = ngx_current_msec + hook->conf->answer_within;

    ctx->timer.handler = ngx_http_voice_step_timeout;
    ctx->timer.data = ctx;
    ctx->timer.log = hook->request->connection->log;

    cln->handler = ngx_http_voice_step_cleanup;
    cln->data = ctx;

    return ngx_http_voice_step_claim(ctx);
}


static ngx_int_t
ngx_http_voice_step_status(ngx_http_voice_hook_t *hook)
{
    ngx_log_t  *log;

    log = hook->request->connection->log;

    if (ngx_http_voice_step_final(hook)
        && ngx_voice_call_end(hook->conf->zone, &hook->call.sid, log)
           == NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, log, 0, "voice call \"%V\" is over",
                      &hook->call.sid);
    }

    hook->state = "status";

    return NGX_HTTP_NO_CONTENT;
}


static ngx_uint_t
ngx_http_voice_step_final(ngx_http_voice_hook_t *hook)
{
    ngx_str_t   status;
    ngx_uint_t  i;

    static ngx_str_t  final[] = {
        ngx_string("completed"),
        ngx_string("busy"),
        ngx_string("failed"),
        ngx_string("no-answer"),
        ngx_string("canceled"),
        ngx_null_string
    };

    status = ngx_http_voice_webhook_param(hook, "CallStatus");

    for (i = 0; final[i].len; i++) {
        if (final[i].len == status.len
            && ngx_strncmp(final[i].data, status.data, status.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* which step of the call this is */

static ngx_int_t
ngx_http_voice_step_number(ngx_http_voice_hook_t *hook)
{
    ngx_int_t                rc;
    ngx_voice_call_view_t    view;
    ngx_http_voice_route_t  *route;

    route = &ngx_http_voice_routes[hook->route];

    hook->step.route = hook->route;
    hook->step.kind = route->kind;

    if (!route->keyed) {
        return NGX_OK;
    }

    rc = ngx_http_voice_url_parse(hook);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_WARN, hook->request->connection->log, 0,
                      "voice webhook refused: the step in its URL is not one "
                      "that was given out for this call, is \"voice_key\" the "
                      "same on all nodes?");
        return NGX_HTTP_FORBIDDEN;
    }

    if (rc == NGX_DECLINED) {

        if (hook->route == NGX_HTTP_VOICE_CONTINUE) {
            ngx_log_error(NGX_LOG_INFO, hook->request->connection->log, 0,
                          "voice webhook \"continue\" has no step in its URL");
            return NGX_HTTP_BAD_REQUEST;
        }

        /* a URL of the operator's own making: whatever comes next */

        hook->step.turn = 1;

        if (ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &view)
            == NGX_OK)
        {
            hook->step.turn = view.turn + 1;
        }
    }

    if (hook->route == NGX_HTTP_VOICE_SPEECH
        && ngx_http_voice_webhook_param(hook, "SpeechResult").len == 0
        && ngx_http_voice_webhook_param(hook, "Digits").len == 0)
    {
        /* nothing was said: no turn begins */

        hook->step.kind = NGX_VOICE_STEP_PROMPT;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_step_empty(ngx_http_voice_hook_t *hook)
{
    static ngx_str_t  twiml = ngx_string(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response></Response>");

    hook->state = "ignored";

    return ngx_http_voice_webhook_send(hook->request, &twiml);
}


static ngx_int_t
ngx_http_voice_step_claim(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_str_t               twiml, copy;
    ngx_uint_t              creates;
    ngx_voice_claim_e       claim;
    ngx_http_voice_hook_t  *hook;

    hook = ctx->hook;
    creates = ngx_http_voice_routes[hook->route].creates;

    if (hook->route == NGX_HTTP_VOICE_FALLBACK) {
        claim = (ngx_voice_call_look(hook->conf->zone, &hook->call.sid,
                                     &hook->view)
                 == NGX_OK)
                ? NGX_VOICE_CLAIM_STALE : NGX_VOICE_CLAIM_UNKNOWN;

    } else {
        claim = ngx_voice_call_claim(hook->conf->zone, &hook->call,
                                     &hook->step, creates, &hook->view,
                                     &twiml);
    }

    if (claim == NGX_VOICE_CLAIM_REPLAY) {

        copy.len = twiml.len;
        copy.data = ngx_pstrdup(hook->request->pool, &twiml);

        if (copy.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        hook->state = "replayed";

        return ngx_http_voice_webhook_send(hook->request, &copy);
    }

    if (claim == NGX_VOICE_CLAIM_WAIT && !ctx->late) {

        ngx_http_voice_step_wait(ctx, NGX_HTTP_VOICE_WAIT_CLAIM,
                                 hook->conf->answer_within);
        return NGX_DONE;
    }

    ctx->claimed = (claim == NGX_VOICE_CLAIM_RUN);

    if (ngx_http_voice_step_agent(hook) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->reply.turn = hook->step.turn;
    ctx->reply.step = hook->step.step;

    switch (claim) {

    case NGX_VOICE_CLAIM_RUN:
        return ngx_http_voice_step_begin(ctx);

    case NGX_VOICE_CLAIM_ENDED:
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;
        return ngx_http_voice_step_send(ctx);

    case NGX_VOICE_CLAIM_FULL:
        ngx_log_error(NGX_LOG_ERR, hook->request->connection->log, 0,
                      "voice call \"%V\" is refused: the zone is full, or "
                      "\"voice_max_calls\" reached", &hook->call.sid);

        hook->state = "full";
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;

        if (ngx_http_voice_step_line(ctx, &hook->agent.flow->apology)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_voice_step_lines(ctx);

    case NGX_VOICE_CLAIM_UNKNOWN:

        /* this memory is younger than the call: it goes on where it is */

        ctx->reply.next = NGX_HTTP_VOICE_NEXT_START;
        ctx->reply.turn = hook->step.turn + 1;
        ctx->reply.step = 0;

        return ngx_http_voice_step_send(ctx);

    default: /* NGX_VOICE_CLAIM_STALE, NGX_VOICE_CLAIM_WAIT for too long */
        return ngx_http_voice_step_aside(ctx);
    }
}


static ngx_int_t
ngx_http_voice_step_agent(ngx_http_voice_hook_t *hook)
{
    ngx_str_t                       name, *key;
    ngx_uint_t                      i;
    ngx_voice_flow_t              **flow;
    ngx_http_core_srv_conf_t       *cscf;
    ngx_http_voice_agent_t         *agent;
    ngx_http_voice_number_t        *number;
    ngx_http_voice_webhook_conf_t  *conf;

    conf = hook->conf;
    agent = &hook->agent;

    number = ngx_http_voice_webhook_number(conf, &hook->call.to);

    /* the call's own flow; a reload may have taken it away */

    agent->flow = number->flow;

    name.data = hook->view.flow;
    name.len = hook->view.flow_len;

    flow = conf->flows->elts;

    for (i = 0; i < conf->flows->nelts; i++) {
        if (flow[i]->name.len == name.len
            && ngx_memcmp(flow[i]->name.data, name.data, name.len) == 0)
        {
            agent->flow = flow[i];
            break;
        }
    }

    if (hook->view.language_len == 0) {
        hook->view.language_len = ngx_min(hook->call.language.len,
                                          NGX_VOICE_LANGUAGE_LEN);
        ngx_memcpy(hook->view.language, hook->call.language.data,
                   hook->view.language_len);
    }

    cscf = ngx_http_get_module_srv_conf(hook->request, ngx_http_core_module);

    agent->zone = conf->zone;
    agent->ctx = cscf->ctx;
    agent->models = conf->models;
    agent->first_token_timeout = conf->first_token_timeout;
    agent->token_timeout = conf->token_timeout;

    key = conf->keys->elts;

    agent->speech.uri = conf->tts;
    agent->speech.key = *key;
    agent->speech.ctx = cscf->ctx;
    agent->speech.zone = conf->zone;
    agent->speech.timeout = conf->speech_timeout;

    agent->profile.voice = number->voice.len ? number->voice
                                             : agent->flow->voice.id;
    agent->profile.model = agent->flow->voice.model;
    agent->profile.format = agent->flow->voice.format;
    agent->profile.settings = agent->flow->voice.settings;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_step_begin(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_http_voice_hook_t  *hook;

    hook = ctx->hook;

    switch (hook->route) {

    case NGX_HTTP_VOICE_INBOUND:

        hook->state = "greeting";
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_START;
        ctx->reply.turn = 1;
        ctx->reply.step = 0;

        if (ngx_http_voice_step_line(ctx, &hook->agent.flow->greeting)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_voice_step_lines(ctx);

    case NGX_HTTP_VOICE_START:
        return ngx_http_voice_step_prompt(ctx, hook->step.step);

    case NGX_HTTP_VOICE_SPEECH:

        if (hook->step.kind == NGX_VOICE_STEP_PROMPT) {
            return ngx_http_voice_step_prompt(ctx, hook->step.step + 1);
        }

        return ngx_http_voice_step_input(ctx);

    default: /* NGX_HTTP_VOICE_CONTINUE */
        hook->state = "answering";
        return ngx_http_voice_step_answer(ctx);
    }
}


/* asks for words: first with the opening line, then up the silence ladder */

static ngx_int_t
ngx_http_voice_step_prompt(ngx_http_voice_step_ctx_t *ctx, ngx_uint_t step)
{
    ngx_voice_flow_t       *flow;
    ngx_voice_line_t       *line;
    ngx_http_voice_hook_t  *hook;

    hook = ctx->hook;
    flow = hook->agent.flow;

    ctx->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
    ctx->reply.step = step;

    if (step == 0) {
        hook->state = "opening";
        line = &flow->opening;

    } else if (step <= flow->silence.nelts) {
        hook->state = "silence";
        line = flow->silence.elts;
        line += step - 1;

        /* the last rung takes its leave itself */

        if (step == flow->silence.nelts) {
            ctx->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;
        }

    } else {
        hook->state = "goodbye";
        line = &flow->goodbye;
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;
    }

    if (ngx_http_voice_step_line(ctx, line) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (step == 0) {
        ngx_voice_call_said(hook->conf->zone, &hook->call.sid,
                            hook->step.turn - 1, NGX_VOICE_ROLE_ASSISTANT,
                            &ctx->reply.lines[0].text,
                            flow->limits.history);
    }

    return ngx_http_voice_step_lines(ctx);
}


static ngx_int_t
ngx_http_voice_step_input(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_str_t                       words, digits;
    ngx_uint_t                      limit;
    ngx_voice_flow_t               *flow;
    ngx_voice_rule_t               *rule;
    ngx_voice_action_e              action;
    ngx_http_voice_hook_t          *hook;
    ngx_http_voice_webhook_conf_t  *conf;

    hook = ctx->hook;
    conf = hook->conf;
    flow = hook->agent.flow;

    words = ngx_http_voice_webhook_param(hook, "SpeechResult");
    digits = ngx_http_voice_webhook_param(hook, "Digits");

    if (digits.len) {

        action = ngx_voice_flow_key(flow, digits.data[0]);

        if (action != NGX_VOICE_ACTION_NONE) {
            return ngx_http_voice_step_act(ctx, action, NULL);
        }

        if (words.len == 0) {
            words.data = ngx_pnalloc(hook->request->pool,
                                     sizeof("I pressed .") - 1 + digits.len);
            if (words.data == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            words.len = ngx_sprintf(words.data, "I pressed %V.", &digits)
                        - words.data;
        }
    }

    ngx_voice_call_said(conf->zone, &hook->call.sid, hook->step.turn,
                        NGX_VOICE_ROLE_USER, &words, flow->limits.history);

    limit = flow->limits.turns;

    if (conf->max_turns && conf->max_turns < limit) {
        limit = conf->max_turns;
    }

    if (hook->step.turn > limit) {
        ngx_log_error(NGX_LOG_INFO, hook->request->connection->log, 0,
                      "voice call \"%V\" has reached its %ui turns",
                      &hook->call.sid, limit);

        return ngx_http_voice_step_act(ctx, NGX_VOICE_ACTION_GOODBYE, NULL);
    }

    rule = ngx_voice_flow_match(flow, &words);

    if (rule) {
        return ngx_http_voice_step_act(ctx, rule->action, rule->say);
    }

    hook->state = "answering";

    rc = ngx_voice_answer_begin(conf->zone, &hook->call.sid, hook->step.turn);

    if (rc == NGX_ERROR) {
        return ngx_http_voice_step_failed(ctx);
    }

    if (rc == NGX_OK) {

        /* a failure is in the answer, too */

        (void) ngx_http_voice_turn_start(&hook->agent, &hook->view);
    }

    return ngx_http_voice_step_answer(ctx);
}


static ngx_int_t
ngx_http_voice_step_act(ngx_http_voice_step_ctx_t *ctx,
    ngx_voice_action_e action, ngx_voice_line_t *say)
{
    ngx_voice_flow_t  *flow;

    flow = ctx->hook->agent.flow;

    if (action == NGX_VOICE_ACTION_HUMAN && flow->fallback.number.len) {
        ctx->hook->state = "human";
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_DIAL;

        if (say == NULL) {
            say = &flow->fallback.say;
        }

    } else {
        ctx->hook->state = "goodbye";
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;

        if (say == NULL) {
            say = &flow->goodbye;
        }
    }

    if (ngx_http_voice_step_line(ctx, say) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voice_step_lines(ctx);
}


/*
 * Carries a call on from where it stands, for a webhook that comes too late to
 * be a step of its own, and for the fallback URL.
 */

static ngx_int_t
ngx_http_voice_step_aside(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_http_voice_hook_t  *hook;

    hook = ctx->hook;
    hook->state = "aside";

    if (hook->view.answering) {
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_CONTINUE;
        ctx->reply.turn = hook->view.turn;

        /* a step that nobody has claimed before */

        ctx->reply.step = NGX_HTTP_VOICE_STEP_ASIDE
                          + (ngx_current_msec & 0xffffff);

        return ngx_http_voice_step_send(ctx);
    }

    ctx->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
    ctx->reply.turn = hook->view.turn + 1;
    ctx->reply.step = 0;

    if (hook->route == NGX_HTTP_VOICE_FALLBACK
        && ngx_http_voice_step_line(ctx, &hook->agent.flow->apology)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voice_step_lines(ctx);
}


/* the turn has no answer: an apology, and after several the way out */

static ngx_int_t
ngx_http_voice_step_failed(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_voice_flow_t       *flow;
    ngx_voice_call_view_t   view;
    ngx_http_voice_hook_t  *hook;

    hook = ctx->hook;
    flow = hook->agent.flow;

    /* these lines have a wait of their own, within the same deadline */

    ctx->late = 0;

    if (ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &view)
        == NGX_OK
        && view.failures >= flow->fallback.after)
    {
        ngx_log_error(NGX_LOG_ERR, hook->request->connection->log, 0,
                      "voice call \"%V\" is given up after %ui failed turns, "
                      "%s", &hook->call.sid, view.failures,
                      flow->fallback.number.len ? "a human is dialled"
                                                : "it ends with a goodbye");

        return ngx_http_voice_step_act(ctx, NGX_VOICE_ACTION_HUMAN, NULL);
    }

    hook->state = "apology";

    ctx->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
    ctx->reply.turn = hook->step.turn + 1;
    ctx->reply.step = 0;

    if (ngx_http_voice_step_line(ctx, &flow->apology) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voice_step_lines(ctx);
}


static ngx_int_t
ngx_http_voice_step_line(ngx_http_voice_step_ctx_t *ctx,
    ngx_voice_line_t *line)
{
    ngx_voice_facts_t            facts;
    ngx_http_voice_hook_t       *hook;
    ngx_http_voice_spoken_t     *spoken;
    ngx_http_voice_facts_buf_t   buf;

    hook = ctx->hook;
    spoken = &ctx->reply.lines[ctx->reply.n];

    ngx_http_voice_agent_facts(&hook->view, &facts, &buf);

    if (ngx_voice_line_render(line, hook->request->pool, &facts,
                              &spoken->text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (spoken->text.len == 0) {
        return NGX_OK;
    }

    spoken->speech = ngx_http_voice_agent_speak(&hook->agent, &spoken->text,
                                                spoken->digest,
                                                &hook->call.sid);
    ctx->reply.n++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_step_lines(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_uint_t                i;
    ngx_msec_int_t            left;
    ngx_http_voice_hook_t    *hook;
    ngx_http_voice_spoken_t  *line;

    hook = ctx->hook;

    for (i = 0; i < ctx->reply.n && !ctx->late; i++) {
        line = &ctx->reply.lines[i];

        if (line->speech != NGX_VOICE_SPEECH_FILLING) {
            continue;
        }

        /* waits before it looks: no news are lost in between */

        ngx_voice_wait_del(&ctx->speech_waiter);
        ngx_voice_wait_add(&ctx->speech_waiter,
                           ngx_voice_wait_key(line->digest, NGX_VOICE_DIGEST),
                           ngx_http_voice_step_event, ctx,
                           hook->request->connection->log);

        line->speech = ngx_http_voice_speech_want(&hook->agent.speech,
                                                  line->digest,
                                                  &hook->call.sid);

        if (line->speech == NGX_VOICE_SPEECH_FILLING) {

            left = ctx->deadline - ngx_current_msec;
            left = ngx_max(left, 1);

            ngx_http_voice_step_wait(ctx, NGX_HTTP_VOICE_WAIT_LINES,
                                     ngx_min(hook->conf->speech_timeout,
                                             (ngx_msec_t) left));
            return NGX_DONE;
        }
    }

    return ngx_http_voice_step_send(ctx);
}


static ngx_int_t
ngx_http_voice_step_answer(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_msec_t                      timeout;
    ngx_http_voice_hook_t          *hook;
    ngx_voice_answer_view_t         view;
    ngx_http_voice_webhook_conf_t  *conf;

    hook = ctx->hook;
    conf = hook->conf;

    if (!ctx->call_waiter.active) {
        ngx_voice_wait_add(&ctx->call_waiter,
                           ngx_voice_wait_key(hook->call.sid.data,
                                              hook->call.sid.len),
                           ngx_http_voice_step_event, ctx,
                           hook->request->connection->log);
    }

    ngx_voice_answer_look(conf->zone, &hook->call.sid, hook->step.turn, &view);

    if (view.state == NGX_VOICE_ANSWER_ORPHANED
        && ngx_voice_answer_begin(conf->zone, &hook->call.sid,
                                  hook->step.turn)
           == NGX_OK)
    {
        ngx_log_error(NGX_LOG_NOTICE, hook->request->connection->log, 0,
                      "voice call \"%V\" turn %ui is taken over from a worker "
                      "that died", &hook->call.sid, hook->step.turn);

        (void) ngx_http_voice_turn_start(&hook->agent, &hook->view);

        ngx_voice_answer_look(conf->zone, &hook->call.sid, hook->step.turn,
                              &view);
    }

    if (ngx_http_voice_step_take(ctx, &view) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->reply.n == view.n && view.state == NGX_VOICE_ANSWER_FAILED) {
        return ngx_http_voice_step_failed(ctx);
    }

    if (ctx->reply.n == view.n
        && (view.state == NGX_VOICE_ANSWER_DONE
            || view.state == NGX_VOICE_ANSWER_NONE))
    {
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_LISTEN;
        ctx->reply.turn = hook->step.turn + 1;
        ctx->reply.step = 0;

        return ngx_http_voice_step_send(ctx);
    }

    if (ctx->reply.n) {
        ctx->reply.next = NGX_HTTP_VOICE_NEXT_CONTINUE;
        ctx->reply.step = hook->step.step + 1;

        return ngx_http_voice_step_send(ctx);
    }

    if (ctx->late) {
        return ngx_http_voice_step_filler(ctx);
    }

    timeout = ngx_min(conf->filler_after, conf->answer_within);

    ngx_http_voice_step_wait(ctx, NGX_HTTP_VOICE_WAIT_ANSWER, timeout);

    return NGX_DONE;
}


/* moves what can be heard now into the reply: the first pieces in a row */

static ngx_int_t
ngx_http_voice_step_take(ngx_http_voice_step_ctx_t *ctx,
    ngx_voice_answer_view_t *view)
{
    ngx_uint_t                i;
    ngx_voice_speech_e        state;
    ngx_voice_piece_t        *piece;
    ngx_http_voice_hook_t    *hook;
    ngx_http_voice_spoken_t  *line;

    hook = ctx->hook;

    ctx->reply.n = 0;
    ctx->spoken = view->spoken;

    /* the texts lie in a buffer that what follows may use */

    for (i = 0; i < view->n; i++) {
        line = &ctx->reply.lines[i];
        piece = &view->pieces[i];

        line->text.len = piece->text.len;
        line->text.data = ngx_pstrdup(hook->request->pool, &piece->text);

        if (line->text.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(line->digest, piece->digest, NGX_VOICE_DIGEST);
    }

    for (i = 0; i < view->n; i++) {
        line = &ctx->reply.lines[i];
        state = view->pieces[i].speech;

        if (state != NGX_VOICE_SPEECH_READY
            && state != NGX_VOICE_SPEECH_FAILED)
        {
            ngx_voice_wait_del(&ctx->speech_waiter);
            ngx_voice_wait_add(&ctx->speech_waiter,
                               ngx_voice_wait_key(line->digest,
                                                  NGX_VOICE_DIGEST),
                               ngx_http_voice_step_event, ctx,
                               hook->request->connection->log);

            state = ngx_http_voice_agent_speak(&hook->agent, &line->text,
                                               line->digest,
                                               &hook->call.sid);
        }

        if (state == NGX_VOICE_SPEECH_FILLING) {
            break;
        }

        line->speech = state;
        ctx->reply.n++;
    }

    ctx->spoken += ctx->reply.n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_step_filler(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_uint_t              n;
    ngx_voice_flow_t       *flow;
    ngx_voice_line_t       *line;
    ngx_http_voice_hook_t  *hook;

    hook = ctx->hook;
    flow = hook->agent.flow;

    hook->state = "filler";

    n = ngx_voice_call_filler(hook->conf->zone, &hook->call.sid);

    line = flow->fillers.elts;
    line += n % flow->fillers.nelts;

    ctx->reply.next = NGX_HTTP_VOICE_NEXT_CONTINUE;
    ctx->reply.step = hook->step.step + 1;

    if (ngx_http_voice_step_line(ctx, line) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* played if it is there, said if not: it is already late */

    return ngx_http_voice_step_send(ctx);
}


static ngx_int_t
ngx_http_voice_step_send(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_str_t               twiml;
    ngx_uint_t              last;
    ngx_http_voice_hook_t  *hook;

    hook = ctx->hook;

    ngx_http_voice_step_rest(ctx);

    if (ngx_http_voice_reply_twiml(hook, &ctx->reply, &twiml) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->claimed) {
        ctx->claimed = 0;

        last = (ctx->reply.next != NGX_HTTP_VOICE_NEXT_CONTINUE);

        ngx_voice_call_done(hook->conf->zone, &hook->call.sid, &hook->step,
                            &twiml, ctx->spoken, last,
                            hook->request->connection->log);
    }

    return ngx_http_voice_webhook_send(hook->request, &twiml);
}


static void
ngx_http_voice_step_wait(ngx_http_voice_step_ctx_t *ctx,
    ngx_http_voice_wait_e wait, ngx_msec_t timeout)
{
    ngx_http_voice_hook_t  *hook;

    hook = ctx->hook;

    if (ctx->timer.timer_set && ctx->wait == wait) {
        return;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ctx->wait = wait;

    if (wait == NGX_HTTP_VOICE_WAIT_CLAIM && !ctx->call_waiter.active) {
        ngx_voice_wait_add(&ctx->call_waiter,
                           ngx_voice_wait_key(hook->call.sid.data,
                                              hook->call.sid.len),
                           ngx_http_voice_step_event, ctx,
                           hook->request->connection->log);

        /* what was done between the claim and here */

        ngx_post_event(&ctx->call_waiter.event, &ngx_posted_events);
    }

    ngx_add_timer(&ctx->timer, timeout);

    hook->request->connection->log->action = "waiting for the call's next words";
}


static void
ngx_http_voice_step_rest(ngx_http_voice_step_ctx_t *ctx)
{
    ngx_voice_wait_del(&ctx->call_waiter);
    ngx_voice_wait_del(&ctx->speech_waiter);

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


static void
ngx_http_voice_step_timeout(ngx_event_t *ev)
{
    ngx_http_voice_step_ctx_t  *ctx;

    ctx = ev->data;
    ctx->late = 1;

    ngx_http_voice_step_event(ev);
}


static void
ngx_http_voice_step_event(ngx_event_t *ev)
{
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_voice_step_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->hook->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    switch (ctx->wait) {

    case NGX_HTTP_VOICE_WAIT_CLAIM:
        rc = ngx_http_voice_step_claim(ctx);
        break;

    case NGX_HTTP_VOICE_WAIT_LINES:
        rc = ngx_http_voice_step_lines(ctx);
        break;

    default: /* NGX_HTTP_VOICE_WAIT_ANSWER */
        rc = ngx_http_voice_step_answer(ctx);
        break;
    }

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_voice_step_cleanup(void *data)
{
    ngx_http_voice_step_ctx_t *ctx = data;

    ngx_http_voice_step_rest(ctx);

    if (ctx->claimed) {
        ngx_voice_call_release(ctx->hook->conf->zone, &ctx->hook->call.sid,
                               &ctx->hook->step, ngx_cycle->log);
    }
}
