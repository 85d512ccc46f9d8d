
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cjson/cJSON.h>

#include "ngx_http_voice_step.h"
#include "ngx_http_voice_heard.h"
#include "ngx_http_voice_peer.h"
#include "ngx_http_voice_record.h"
#include "ngx_http_voice_resume.h"
#include "ngx_http_voice_talk.h"
#include "ngx_http_voice_url.h"
#include "../ask/ngx_http_voice_header.h"
#include "../brain/ngx_http_voice_note.h"
#include "../wire/ngx_voice_json_text.h"


static ngx_int_t ngx_http_voice_step_status(ngx_http_voice_hook_t *hook);
static void ngx_http_voice_step_owner(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static ngx_int_t ngx_http_voice_step_tell(ngx_http_voice_pace_t *pace);
static ngx_int_t ngx_http_voice_step_ended(ngx_http_voice_pace_t *pace);
static ngx_uint_t ngx_http_voice_step_final(ngx_http_voice_hook_t *hook);
static void ngx_http_voice_step_forget(ngx_http_voice_hook_t *hook);
static ngx_uint_t ngx_http_voice_step_hears(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_step_number(ngx_http_voice_hook_t *hook);
static uint64_t ngx_http_voice_step_token(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_step_empty(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_step_where(ngx_http_voice_pace_t *pace);
static ngx_int_t ngx_http_voice_step_here(ngx_http_voice_pace_t *pace);
static ngx_int_t ngx_http_voice_step_claim(ngx_http_voice_pace_t *pace);
static void ngx_http_voice_step_refused(ngx_http_voice_hook_t *hook);
static void ngx_http_voice_step_over(ngx_http_voice_hook_t *hook);
static double ngx_http_voice_step_cost(ngx_http_voice_hook_t *hook);


ngx_int_t
ngx_http_voice_step(ngx_http_voice_hook_t *hook)
{
    ngx_int_t               rc;
    ngx_http_voice_pace_t  *pace;

    if (hook->route == NGX_HTTP_VOICE_STATUS) {
        return ngx_http_voice_step_status(hook);
    }

    if (ngx_http_voice_step_final(hook)) {

        /* nobody hears what is answered now */

        ngx_http_voice_step_forget(hook);

        ngx_http_voice_step_over(hook);

        return ngx_http_voice_step_empty(hook);
    }

    if (ngx_http_voice_hook_param(hook, "ParentCallSid").len) {

        /* the leg of a human that we dialled, not a caller */

        return ngx_http_voice_step_empty(hook);
    }

    rc = ngx_http_voice_step_number(hook);

    if (rc != NGX_OK) {
        return rc;
    }

    pace = ngx_http_voice_pace_create(hook);
    if (pace == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_voice_step_where(pace);

    if (rc != NGX_DONE) {
        ngx_http_voice_pace_rest(pace);
    }

    return rc;
}


static ngx_int_t
ngx_http_voice_step_status(ngx_http_voice_hook_t *hook)
{
    ngx_http_voice_pace_t          *pace;
    ngx_http_voice_webhook_conf_t  *conf;

    hook->state = "status";

    if (!ngx_http_voice_step_final(hook)) {
        return NGX_HTTP_NO_CONTENT;
    }

    conf = hook->conf;

    if (conf->peer.len == 0
        || ngx_http_voice_peer_passed(hook->request)
        || ngx_http_voice_hook_param(hook, "ParentCallSid").len
        || ngx_voice_call_look(conf->zone, &hook->call.sid, &hook->view)
           == NGX_OK)
    {
        ngx_http_voice_step_over(hook);
        return NGX_HTTP_NO_CONTENT;
    }

    /* another node may have the call: it is to know, and the database where */

    pace = ngx_http_voice_pace_create(hook);
    if (pace == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pace->lookup = ngx_voice_crm_resume(conf->crm, &hook->call.sid, 0,
                                        ngx_http_voice_step_owner, pace);
    if (pace->lookup == NULL) {
        ngx_http_voice_step_over(hook);
        return NGX_HTTP_NO_CONTENT;
    }

    ngx_http_voice_pace_wait(pace, ngx_http_voice_step_ended,
                             ngx_http_voice_pace_left(pace));

    return NGX_DONE;
}


static void
ngx_http_voice_step_owner(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value)
{
    ngx_http_voice_pace_t *pace = data;

    cJSON                  *root, *call;
    ngx_str_t               node, *self;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;
    self = &hook->conf->crm->node;

    pace->lookup = NULL;

    root = (rc == NGX_VOICE_CRM_OK)
           ? cJSON_ParseWithLength((char *) value->data, value->len) : NULL;

    call = cJSON_GetObjectItemCaseSensitive(
               cJSON_GetObjectItemCaseSensitive(root, "resume"), "call");

    node = ngx_voice_json_text(call, "node");

    /* it becomes a part of a path */

    if (node.len && node.len <= NGX_VOICE_CRM_NODE
        && ngx_strlchr(node.data, node.data + node.len, '/') == NULL
        && (node.len != self->len
            || ngx_strncmp(node.data, self->data, node.len) != 0))
    {
        hook->origin.data = ngx_pstrdup(hook->request->pool, &node);
        hook->origin.len = hook->origin.data ? node.len : 0;
    }

    cJSON_Delete(root);

    ngx_http_voice_pace_again(pace, hook->origin.len
                                    ? ngx_http_voice_step_tell
                                    : ngx_http_voice_step_ended);
}


static ngx_int_t
ngx_http_voice_step_tell(ngx_http_voice_pace_t *pace)
{
    return ngx_http_voice_peer(pace, &pace->hook->origin,
                               ngx_http_voice_step_ended);
}


/* whether the other one was told or not, the database is */

static ngx_int_t
ngx_http_voice_step_ended(ngx_http_voice_pace_t *pace)
{
    ngx_http_voice_step_over(pace->hook);

    return NGX_HTTP_NO_CONTENT;
}


/* a call of ours that is over, or of whom only the database may know */

static void
ngx_http_voice_step_over(ngx_http_voice_hook_t *hook)
{
    double      cost;
    ngx_int_t   rc;
    ngx_log_t  *log;
    ngx_str_t   status, duration;

    log = hook->request->connection->log;

    if (hook->conf->crm
        && ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &hook->view)
           == NGX_OK)
    {
        if (ngx_http_voice_hook_speaker(hook) == NGX_OK) {
            ngx_http_voice_heard_last(hook);
        }
    }

    cost = ngx_http_voice_step_cost(hook);

    rc = ngx_voice_call_end(hook->conf->zone, &hook->call.sid, log);

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "voice call \"%V\" is over",
                      &hook->call.sid);
    }

    if (ngx_http_voice_hook_param(hook, "ParentCallSid").len) {
        return;
    }

    status = ngx_http_voice_hook_param(hook, "CallStatus");
    duration = ngx_http_voice_hook_param(hook, "CallDuration");

    ngx_http_voice_note_end(hook->conf->crm, &hook->call.sid, &status,
                            &duration, cost, rc == NGX_OK);
}


/* what the call has cost here, with its minutes; negative: it is not known */

static double
ngx_http_voice_step_cost(ngx_http_voice_hook_t *hook)
{
    time_t                   seconds;
    ngx_str_t                duration;
    ngx_voice_call_view_t    view;
    ngx_http_voice_price_t  *price;

    price = hook->conf->price;

    if (price == NULL
        || ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &view)
           != NGX_OK)
    {
        return -1;
    }

    duration = ngx_http_voice_hook_param(hook, "CallDuration");

    seconds = ngx_atotm(duration.data, duration.len);

    if (seconds == NGX_ERROR) {
        seconds = ngx_max(ngx_time() - view.started, 1);
    }

    return view.cost / NGX_VOICE_BILLIONTHS
           + (seconds + 59) / 60 * price->minute;
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

    /* who hung up while being recorded; the status says it, too, but later */

    if (hook->route == NGX_HTTP_VOICE_RECORDING) {
        status = ngx_http_voice_hook_param(hook, "Digits");

        if (status.len == 6 && ngx_strncmp(status.data, "hangup", 6) == 0) {
            return 1;
        }
    }

    status = ngx_http_voice_hook_param(hook, "CallStatus");

    for (i = 0; final[i].len; i++) {
        if (final[i].len == status.len
            && ngx_strncmp(final[i].data, status.data, status.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* the last words of a caller who is gone are not transcribed any more */

static void
ngx_http_voice_step_forget(ngx_http_voice_hook_t *hook)
{
    if (hook->route != NGX_HTTP_VOICE_RECORDING) {
        return;
    }

    /* the flow says whether it is to be deleted */

    (void) ngx_voice_call_look(hook->conf->zone, &hook->call.sid,
                               &hook->view);

    if (ngx_http_voice_hook_speaker(hook) == NGX_OK) {
        ngx_http_voice_record_forget(hook);
    }
}


/* whether a webhook that brings words, a key or a recording does so */

static ngx_uint_t
ngx_http_voice_step_hears(ngx_http_voice_hook_t *hook)
{
    ngx_str_t  duration;

    if (ngx_http_voice_hook_param(hook, "Digits").len) {
        return 1;
    }

    if (hook->route == NGX_HTTP_VOICE_SPEECH) {
        return ngx_http_voice_hook_param(hook, "SpeechResult").len != 0;
    }

    duration = ngx_http_voice_hook_param(hook, "RecordingDuration");

    if (duration.len == 1 && duration.data[0] == '0') {
        return 0;
    }

    return ngx_http_voice_hook_param(hook, "RecordingSid").len != 0
           || ngx_http_voice_hook_param(hook, "RecordingUrl").len != 0;
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
        hook->step.token = ngx_http_voice_step_token(hook);

        if (ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &view)
            == NGX_OK)
        {
            hook->step.turn = view.turn + 1;
        }
    }

    if (route->kind == NGX_VOICE_STEP_INPUT
        && !ngx_http_voice_step_hears(hook))
    {
        /* nothing was said: no turn begins */

        hook->step.kind = NGX_VOICE_STEP_PROMPT;
    }

    return NGX_OK;
}


/*
 * Twilio, "Webhooks: retries": a repeated request has the token of the first.
 * Without one a repetition cannot be told from the next words.
 */

static uint64_t
ngx_http_voice_step_token(ngx_http_voice_hook_t *hook)
{
    uint64_t   token;
    ngx_str_t  value;

    if (ngx_http_voice_header_find(&hook->request->headers_in.headers,
                                   "I-Twilio-Idempotency-Token", &value)
        != 1
        || value.len == 0)
    {
        return 0;
    }

    token = ngx_murmur_hash2(value.data, value.len);

    return token << 32 | ngx_crc32_long(value.data, value.len);
}


static ngx_int_t
ngx_http_voice_step_empty(ngx_http_voice_hook_t *hook)
{
    static ngx_str_t  twiml = ngx_string(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response></Response>");

    hook->state = "ignored";

    return ngx_http_voice_hook_send(hook->request, &twiml);
}


/*
 * Where the call is: the node that gave out this URL has it, as long as that
 * node is there.
 */

static ngx_int_t
ngx_http_voice_step_where(ngx_http_voice_pace_t *pace)
{
    ngx_str_t                       node;
    ngx_http_voice_hook_t          *hook;
    ngx_http_voice_webhook_conf_t  *conf;

    hook = pace->hook;
    conf = hook->conf;

    if (conf->crm == NULL) {
        return ngx_http_voice_step_claim(pace);
    }

    if (conf->peer.len == 0
        || ngx_http_voice_url_node(hook, &node) != NGX_OK
        || ngx_http_voice_peer_passed(hook->request))
    {
        return ngx_http_voice_step_here(pace);
    }

    return ngx_http_voice_peer(pace, &node, ngx_http_voice_step_here);
}


/* here, then: what this memory does not know the database may */

static ngx_int_t
ngx_http_voice_step_here(ngx_http_voice_pace_t *pace)
{
    ngx_int_t               rc;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    pace->late = 0;

    /* a call that comes in is new, and its greeting does not wait */

    if (hook->route == NGX_HTTP_VOICE_INBOUND) {
        return ngx_http_voice_step_claim(pace);
    }

    rc = ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &hook->view);

    if (rc == NGX_OK && !ngx_http_voice_url_foreign(hook)) {
        return ngx_http_voice_step_claim(pace);
    }

    return ngx_http_voice_resume(pace, ngx_http_voice_step_claim);
}


static ngx_int_t
ngx_http_voice_step_claim(ngx_http_voice_pace_t *pace)
{
    ngx_str_t               twiml, copy;
    ngx_uint_t              creates;
    ngx_voice_claim_e       claim;
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    if (pace->lookup) {

        /* its clock is longer than ours: it would answer somebody else */

        ngx_voice_crm_drop(pace->lookup);
        pace->lookup = NULL;
    }

    if (hook->over) {
        (void) ngx_http_voice_hook_speaker(hook);
        pace->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;
        return ngx_http_voice_pace_send(pace);
    }

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

        return ngx_http_voice_hook_send(hook->request, &copy);
    }

    if (claim == NGX_VOICE_CLAIM_WAIT && !pace->late) {

        if (!pace->call_waiter.active) {
            ngx_http_voice_pace_news(pace);

            /* what was done between the claim and here */

            ngx_post_event(&pace->call_waiter.event, &ngx_posted_events);
        }

        ngx_http_voice_pace_wait(pace, ngx_http_voice_step_claim,
                                 ngx_http_voice_pace_left(pace));
        return NGX_DONE;
    }

    pace->claimed = (claim == NGX_VOICE_CLAIM_RUN);

    (void) ngx_http_voice_hook_speaker(hook);

    pace->reply.turn = hook->step.turn;
    pace->reply.step = hook->step.step;

    switch (claim) {

    case NGX_VOICE_CLAIM_RUN:
        return ngx_http_voice_talk_begin(pace);

    case NGX_VOICE_CLAIM_ENDED:
        pace->reply.next = NGX_HTTP_VOICE_NEXT_HANGUP;
        return ngx_http_voice_pace_send(pace);

    case NGX_VOICE_CLAIM_FULL:
        ngx_log_error(NGX_LOG_ERR, hook->request->connection->log, 0,
                      "voice call \"%V\" is refused: the zone is full, or "
                      "\"voice_max_calls\" reached", &hook->call.sid);

        ngx_http_voice_step_refused(hook);

        return ngx_http_voice_talk_busy(pace);

    case NGX_VOICE_CLAIM_UNKNOWN:

        /* this memory is younger than the call: it goes on where it is */

        pace->reply.next = NGX_HTTP_VOICE_NEXT_START;
        pace->reply.turn = hook->step.turn + 1;
        pace->reply.step = 0;

        return ngx_http_voice_pace_send(pace);

    default: /* NGX_VOICE_CLAIM_STALE, NGX_VOICE_CLAIM_WAIT for too long */
        return ngx_http_voice_talk_aside(pace);
    }
}


/* a call for which there is no room is one of the tenant's all the same */

static void
ngx_http_voice_step_refused(ngx_http_voice_hook_t *hook)
{
    ngx_str_t   direction;
    ngx_uint_t  ends;

    if (ngx_voice_call_look(hook->conf->zone, &hook->call.sid, &hook->view)
        == NGX_OK)
    {
        /* it is here, and there is no room for more of it */
        return;
    }

    ngx_voice_call_introduce(&hook->call, &hook->view);

    direction = ngx_http_voice_hook_direction(hook);

    /* whoever is told so hears nothing else, and its end may come too early */

    ends = (hook->agent.flow->busy.action != NGX_VOICE_ACTION_HUMAN);

    ngx_http_voice_note_refused(&hook->agent, &hook->view, &direction, ends);
}
