
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cjson/cJSON.h>

#include "ngx_http_voice_note.h"
#include "../wire/ngx_voice_base64url.h"
#include "../wire/ngx_voice_json_text.h"


#define NGX_HTTP_VOICE_NOTE_KEY  200


/* the end of a call that may be one of ours */

typedef struct {
    ngx_voice_crm_t         *crm;
    cJSON                   *note;
    ngx_int_t                turn;      /* -1, or that of which it tells */
} ngx_http_voice_over_t;


static cJSON *ngx_http_voice_note_begin(const char *kind, ngx_str_t *sid,
    const char *fmt, ...);
static cJSON *ngx_http_voice_note_of(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, const char *kind, const char *fmt,
    ngx_uint_t number);
static ngx_int_t ngx_http_voice_note_who(cJSON *note,
    ngx_http_voice_agent_t *agent, ngx_voice_call_view_t *call);
static ngx_int_t ngx_http_voice_note_given(cJSON *note, ngx_str_t *given);
static ngx_int_t ngx_http_voice_note_at(cJSON *note, const char *name);
static ngx_int_t ngx_http_voice_note_confidence(cJSON *note,
    ngx_str_t *confidence);
static ngx_int_t ngx_http_voice_note_answer(cJSON *note,
    ngx_http_voice_note_answer_t *answer);
static cJSON *ngx_http_voice_note_spoken(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, ngx_str_t *words,
    ngx_http_voice_note_answer_t *answer);
static void ngx_http_voice_note_ask(ngx_voice_crm_t *crm, ngx_str_t *sid,
    cJSON *note, ngx_int_t turn);
static ngx_uint_t ngx_http_voice_note_last(cJSON *resume, ngx_int_t turn);
static ngx_int_t ngx_http_voice_note_number(cJSON *object, const char *name,
    ngx_int_t value);
static ngx_int_t ngx_http_voice_note_cost(cJSON *note, double cost);
static void ngx_http_voice_note_ended(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static ngx_uint_t ngx_http_voice_note_decided(cJSON *call);
static ngx_uint_t ngx_http_voice_note_unknown(cJSON *call, cJSON *lead);
static ngx_int_t ngx_http_voice_note_copy(cJSON *note, cJSON *from,
    const char *name);
static void ngx_http_voice_note_send(ngx_voice_crm_t *crm, cJSON *note,
    ngx_int_t rc);


void
ngx_http_voice_note_call(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *direction)
{
    cJSON      *note;
    ngx_int_t   rc;

    if (agent->crm == NULL) {
        return;
    }

    note = ngx_http_voice_note_of(agent, call, "call", "call", 0);

    rc = (note
          && ngx_http_voice_note_at(note, "started_at") == NGX_OK
          && ngx_voice_json_add(note, "direction", direction))
         ? NGX_OK : NGX_ERROR;

    ngx_http_voice_note_send(agent->crm, note, rc);
}


void
ngx_http_voice_note_refused(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *direction, ngx_uint_t ends)
{
    cJSON      *note;
    ngx_int_t   rc;

    if (agent->crm == NULL) {
        return;
    }

    note = ngx_http_voice_note_of(agent, call, ends ? "outcome" : "call",
                                  "refused", 0);

    rc = (note
          && ngx_http_voice_note_at(note, "started_at") == NGX_OK
          && ngx_voice_json_add(note, "direction", direction)
          && cJSON_AddStringToObject(note, "outcome", "refused")
          && (!ends
              || (cJSON_AddStringToObject(note, "status", "completed")
                  && cJSON_AddStringToObject(note, "disposition", "busy")
                  && ngx_http_voice_note_at(note, "ended_at") == NGX_OK)))
         ? NGX_OK : NGX_ERROR;

    ngx_http_voice_note_send(agent->crm, note, rc);
}


void
ngx_http_voice_note_heard(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, ngx_str_t *words,
    const char *input, ngx_str_t *confidence)
{
    cJSON      *note;
    ngx_int_t   rc;

    if (agent->crm == NULL) {
        return;
    }

    note = ngx_http_voice_note_of(agent, call, "turn", "turn/%ui/heard",
                                  turn);

    rc = (note
          && ngx_http_voice_note_number(note, "turn", turn) == NGX_OK
          && ngx_http_voice_note_at(note, "started_at") == NGX_OK
          && cJSON_AddStringToObject(note, "input", input)
          && ngx_voice_json_add(note, "heard", words)
          && ngx_http_voice_note_confidence(note, confidence) == NGX_OK)
         ? NGX_OK : NGX_ERROR;

    ngx_http_voice_note_send(agent->crm, note, rc);
}


/* decimal text, three digits of its fraction are plenty */

static ngx_int_t
ngx_http_voice_note_confidence(cJSON *note, ngx_str_t *confidence)
{
    ngx_int_t  n;

    n = ngx_atofp(confidence->data, ngx_min(confidence->len, 5), 3);

    if (n == NGX_ERROR) {
        return NGX_OK;
    }

    return cJSON_AddNumberToObject(note, "confidence", n / 1000.0) ? NGX_OK
                                                                   : NGX_ERROR;
}


void
ngx_http_voice_note_said(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, ngx_str_t *words,
    ngx_http_voice_note_answer_t *answer)
{
    cJSON  *note;

    if (agent->crm == NULL) {
        return;
    }

    note = ngx_http_voice_note_spoken(agent, call, turn, words, answer);

    ngx_http_voice_note_send(agent->crm, note, note ? NGX_OK : NGX_ERROR);
}


void
ngx_http_voice_note_left(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, ngx_str_t *words)
{
    cJSON                         *note;
    ngx_str_t                      sid;
    ngx_http_voice_note_answer_t   answer;

    ngx_memzero(&answer, sizeof(ngx_http_voice_note_answer_t));

    answer.estimated = 1;

    sid.data = call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    note = ngx_http_voice_note_spoken(agent, call, turn, words, &answer);

    if (note == NULL || cJSON_AddTrueToObject(note, "hung_up") == NULL) {
        ngx_http_voice_note_send(agent->crm, note, NGX_ERROR);
        return;
    }

    ngx_http_voice_note_ask(agent->crm, &sid, note, turn);
}


static cJSON *
ngx_http_voice_note_spoken(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, ngx_str_t *words,
    ngx_http_voice_note_answer_t *answer)
{
    cJSON  *note;

    note = ngx_http_voice_note_of(agent, call, "turn",
                                  answer ? (answer->estimated
                                            ? "turn/%ui/interrupted/%08xD"
                                            : "turn/%ui/answer/%08xD")
                                         : "turn/%ui/line",
                                  turn);

    if (note
        && (ngx_http_voice_note_number(note, "turn", turn) != NGX_OK
            || ((words->len || (answer && answer->estimated))
                && !ngx_voice_json_add(note, "said", words))
            || (answer
                && ngx_http_voice_note_answer(note, answer) != NGX_OK)
            || (answer && !answer->estimated && agent->price
                && ngx_http_voice_note_cost(note, answer->cost) != NGX_OK)))
    {
        cJSON_Delete(note);
        return NULL;
    }

    return note;
}


static ngx_int_t
ngx_http_voice_note_answer(cJSON *note, ngx_http_voice_note_answer_t *answer)
{
    cJSON  *timings, *usage;

    if (answer->estimated) {
        return cJSON_AddTrueToObject(note, "estimated") ? NGX_OK : NGX_ERROR;
    }

    if (cJSON_AddBoolToObject(note, "failed", answer->failed) == NULL) {
        return NGX_ERROR;
    }

    timings = cJSON_AddObjectToObject(note, "timings");
    usage = cJSON_AddObjectToObject(note, "usage");

    if (timings == NULL || usage == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_voice_note_number(timings, "first_token",
                                   answer->first_token)
        != NGX_OK
        || ngx_http_voice_note_number(timings, "last_token",
                                      answer->last_token)
           != NGX_OK
        || ngx_http_voice_note_number(timings, "tools", answer->tools)
           != NGX_OK
        || ngx_http_voice_note_number(usage, "prompt_tokens",
                                      answer->prompt_tokens)
           != NGX_OK
        || ngx_http_voice_note_number(usage, "completion_tokens",
                                      answer->completion_tokens)
           != NGX_OK
        || ngx_http_voice_note_number(usage, "pieces", answer->pieces)
           != NGX_OK
        || ngx_http_voice_note_number(usage, "characters",
                                      answer->characters)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (answer->model.len == 0
            || ngx_voice_json_add(usage, "model", &answer->model))
           ? NGX_OK : NGX_ERROR;
}


void
ngx_http_voice_note_transfer(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, const char *reason)
{
    cJSON      *note, *arguments;
    ngx_int_t   rc;

    if (agent->crm == NULL) {
        return;
    }

    note = ngx_http_voice_note_of(agent, call, "action",
                                  "%ui/transfer_to_human/line", turn);
    arguments = note ? cJSON_AddObjectToObject(note, "arguments") : NULL;

    rc = (arguments
          && cJSON_AddStringToObject(note, "name", "transfer_to_human")
          && (reason == NULL
              || cJSON_AddStringToObject(arguments, "reason", reason)))
         ? NGX_OK : NGX_ERROR;

    ngx_http_voice_note_send(agent->crm, note, rc);
}


void
ngx_http_voice_note_step(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *route, ngx_voice_step_t *step,
    ngx_str_t *twiml, ngx_str_t *said, ngx_uint_t last)
{
    cJSON      *note, *state;
    ngx_int_t   rc;
    ngx_str_t   sid;

    if (agent->crm == NULL) {
        return;
    }

    sid.data = call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    note = ngx_http_voice_note_begin("step", &sid, "%V/step/%V/%ui/%ui", &sid,
                                     route, step->turn, step->step);
    state = note ? cJSON_AddObjectToObject(note, "state") : NULL;

    rc = (state
          && ngx_http_voice_note_who(note, agent, call) == NGX_OK
          && ngx_voice_json_add(note, "route", route)
          && ngx_http_voice_note_number(note, "turn", step->turn) == NGX_OK
          && ngx_http_voice_note_number(note, "step", step->step) == NGX_OK
          && ngx_voice_json_add(note, "twiml", twiml)
          && ngx_voice_json_add(state, "said", said)
          && cJSON_AddBoolToObject(state, "last", last))
         ? NGX_OK : NGX_ERROR;

    ngx_http_voice_note_send(agent->crm, note, rc);
}


void
ngx_http_voice_note_utterance(ngx_http_voice_agent_t *agent, ngx_str_t *sid,
    u_char digest[NGX_VOICE_DIGEST], ngx_str_t *text)
{
    u_char                buf[ngx_voice_base64url_len(NGX_VOICE_DIGEST)];
    cJSON                *note, *utterance;
    ngx_int_t             rc;
    ngx_str_t             id;
    ngx_voice_profile_t  *profile;

    if (agent->crm == NULL || !ngx_http_voice_agent_speaks(agent)) {
        return;
    }

    (void) ngx_voice_base64url_encode(buf, digest, NGX_VOICE_DIGEST);

    id.data = buf;
    id.len = sizeof(buf);

    profile = &agent->profile;

    note = ngx_http_voice_note_begin("utterance", sid, "%V/utterance/%V",
                                     sid, &id);
    utterance = note ? cJSON_AddObjectToObject(note, "utterance") : NULL;

    rc = (utterance
          && ngx_voice_json_add(note, "id", &id)
          && ngx_voice_json_add(utterance, "text", text)
          && ngx_voice_json_add(utterance, "voice", &profile->voice)
          && ngx_voice_json_add(utterance, "model", &profile->model)
          && ngx_voice_json_add(utterance, "format", &profile->format)
          && ngx_voice_json_add(utterance, "settings", &profile->settings))
         ? NGX_OK : NGX_ERROR;

    ngx_http_voice_note_send(agent->crm, note, rc);
}


void
ngx_http_voice_note_end(ngx_voice_crm_t *crm, ngx_str_t *sid,
    ngx_str_t *status, ngx_str_t *duration, double cost, ngx_uint_t known)
{
    cJSON      *note;
    ngx_int_t   rc, seconds;

    if (crm == NULL) {
        return;
    }

    seconds = ngx_atoi(duration->data, duration->len);

    note = ngx_http_voice_note_begin("outcome", sid, "%V/end", sid);

    rc = (note
          && ngx_voice_json_add(note, "status", status)
          && ngx_http_voice_note_at(note, "ended_at") == NGX_OK
          && (seconds == NGX_ERROR
              || ngx_http_voice_note_number(note, "duration", seconds)
                 == NGX_OK)
          && (cost < 0
              || ngx_http_voice_note_cost(note, cost) == NGX_OK))
         ? NGX_OK : NGX_ERROR;

    if (known || rc != NGX_OK) {
        ngx_http_voice_note_send(crm, note, rc);
        return;
    }

    ngx_http_voice_note_ask(crm, sid, note, -1);
}


/*
 * Sends the note of a call's end if the database knows the call, and that of a
 * turn if it knows nothing newer; also where it cannot be asked.
 */

static void
ngx_http_voice_note_ask(ngx_voice_crm_t *crm, ngx_str_t *sid, cJSON *note,
    ngx_int_t turn)
{
    ngx_voice_crm_ask_t    *ask;
    ngx_http_voice_over_t  *over;

    over = ngx_alloc(sizeof(ngx_http_voice_over_t), ngx_cycle->log);
    if (over == NULL) {
        ngx_http_voice_note_send(crm, note, NGX_OK);
        return;
    }

    over->crm = crm;
    over->note = note;
    over->turn = turn;

    ask = ngx_voice_crm_resume(crm, sid, 0, ngx_http_voice_note_ended, over);

    if (ask == NULL) {
        ngx_http_voice_note_send(crm, note, NGX_OK);
        ngx_free(over);
        return;
    }

    ngx_voice_crm_outlives(ask);
}


static void
ngx_http_voice_note_ended(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value)
{
    ngx_http_voice_over_t *over = data;

    cJSON       *root, *resume;
    ngx_str_t    sid;
    ngx_uint_t   send;

    root = NULL;

    if (over->turn == -1) {

        /* it may have been resumed here since, for nobody */

        sid = ngx_voice_json_text(over->note, "call");

        (void) ngx_voice_call_end(over->crm->zone, &sid, ngx_cycle->log);
    }

    if (rc == NGX_VOICE_CRM_OK) {
        root = cJSON_ParseWithLength((char *) value->data, value->len);
    }

    resume = cJSON_GetObjectItemCaseSensitive(root, "resume");

    if (rc != NGX_VOICE_CRM_OK) {

        /* where it cannot be known it is rather noted than lost */

        send = 1;

    } else if (over->turn == -1) {
        send = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(resume,
                                                             "found"));
    } else {

        /* a call of ours, all of which may still be on its way there */

        send = ngx_http_voice_note_last(resume, over->turn);
    }

    if (send) {
        ngx_http_voice_note_send(over->crm, over->note, NGX_OK);

    } else {
        cJSON_Delete(over->note);
    }

    cJSON_Delete(root);
    ngx_free(over);
}


void
ngx_http_voice_note_summary(ngx_voice_crm_t *crm, ngx_str_t *sid,
    cJSON *call, cJSON *summary)
{
    cJSON      *note, *lead;
    ngx_int_t   rc;

    note = ngx_http_voice_note_begin("outcome", sid, "%V/summary", sid);
    lead = cJSON_GetObjectItemCaseSensitive(summary, "lead");

    rc = (note
          && ngx_http_voice_note_copy(note, summary, "summary") == NGX_OK
          && ngx_http_voice_note_copy(note, summary, "sentiment") == NGX_OK
          && ngx_http_voice_note_copy(note, summary, "next_step") == NGX_OK
          && (ngx_http_voice_note_decided(call)
              || ngx_http_voice_note_copy(note, summary, "outcome")
                 == NGX_OK))
         ? NGX_OK : NGX_ERROR;

    if (rc == NGX_OK && lead && ngx_http_voice_note_unknown(call, lead)
        && (ngx_http_voice_note_copy(note, summary, "lead") != NGX_OK
            || ngx_http_voice_note_copy(note, call, "caller") != NGX_OK
            || ngx_http_voice_note_copy(note, call, "called") != NGX_OK
            || ngx_http_voice_note_copy(note, call, "direction") != NGX_OK))
    {
        rc = NGX_ERROR;
    }

    ngx_http_voice_note_send(crm, note, rc);
}


/*
 * A tool knows what came of a call, and a summary only guesses.  "lost" is
 * what voice.close_stale_calls() writes when it knows nothing.
 */

static ngx_uint_t
ngx_http_voice_note_decided(cJSON *call)
{
    const char  *outcome;

    outcome = ngx_voice_json_string(call, "outcome");

    return outcome && outcome[0] && ngx_strcmp(outcome, "lost") != 0;
}


/* who calls is nobody yet, of a tenant; without a number a name is needed */

static ngx_uint_t
ngx_http_voice_note_unknown(cJSON *call, cJSON *lead)
{
    const char  *match;

    match = ngx_voice_json_string(call, "match");

    if (match == NULL
        || !cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(call,
                                                            "organization")))
    {
        return 0;
    }

    if (ngx_strcmp(match, "withheld") == 0) {
        return ngx_voice_json_string(lead, "name") != NULL;
    }

    return ngx_strcmp(match, "none") == 0 || ngx_strcmp(match, "created") == 0;
}


static ngx_int_t
ngx_http_voice_note_copy(cJSON *note, cJSON *from, const char *name)
{
    cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(from, name);

    if (item == NULL) {
        return NGX_OK;
    }

    item = cJSON_Duplicate(item, 1);

    if (item == NULL) {
        return NGX_ERROR;
    }

    if (!cJSON_AddItemToObject(note, name, item)) {
        cJSON_Delete(item);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* whether a turn is the last one, and its answer was given out nowhere else */

static ngx_uint_t
ngx_http_voice_note_last(cJSON *resume, ngx_int_t turn)
{
    cJSON  *step, *state, *item;

    item = cJSON_GetObjectItemCaseSensitive(resume, "turn");

    if (cJSON_IsNumber(item) && item->valueint > turn) {
        return 0;
    }

    cJSON_ArrayForEach(step, cJSON_GetObjectItemCaseSensitive(resume,
                                                              "steps"))
    {
        state = cJSON_GetObjectItemCaseSensitive(step, "state");
        item = cJSON_GetObjectItemCaseSensitive(step, "turn");

        if (cJSON_IsNumber(item) && item->valueint == turn
            && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(state, "last")))
        {
            return 0;
        }
    }

    return 1;
}


static cJSON *
ngx_http_voice_note_of(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, const char *kind, const char *fmt,
    ngx_uint_t number)
{
    cJSON      *note;
    u_char      buf[64];
    ngx_str_t   sid, what;

    sid.data = call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    /* an answer that another memory goes on with is told of by both of them */

    what.data = buf;
    what.len = ngx_snprintf(buf, sizeof(buf), fmt, number,
                            agent->zone->sh->id)
               - buf;

    note = ngx_http_voice_note_begin(kind, &sid, "%V/%V", &sid, &what);

    if (note && ngx_http_voice_note_who(note, agent, call) != NGX_OK) {
        cJSON_Delete(note);
        return NULL;
    }

    return note;
}


/* every note of a call says whose it is: any of them may be the first */

static ngx_int_t
ngx_http_voice_note_who(cJSON *note, ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call)
{
    ngx_str_t  caller, called, language;

    caller.data = call->from;
    caller.len = call->from_len;

    called.data = call->to;
    called.len = call->to_len;

    language.data = call->language;
    language.len = call->language_len;

    if (ngx_http_voice_note_given(note, &agent->given) != NGX_OK
        || ngx_voice_json_add(note, "caller", &caller) == NULL
        || ngx_voice_json_add(note, "called", &called) == NULL
        || (agent->crm->node.len
            && ngx_voice_json_add(note, "node", &agent->crm->node) == NULL))
    {
        return NGX_ERROR;
    }

    cJSON_DeleteItemFromObjectCaseSensitive(note, "flow");
    cJSON_DeleteItemFromObjectCaseSensitive(note, "language");

    return (ngx_voice_json_add(note, "flow", &agent->flow->name)
            && ngx_voice_json_add(note, "language", &language))
           ? NGX_OK : NGX_ERROR;
}


/* the members of the configuration's words become the note's */

static ngx_int_t
ngx_http_voice_note_given(cJSON *note, ngx_str_t *given)
{
    cJSON  *root, *item;

    root = cJSON_ParseWithLength((char *) given->data, given->len);

    while (root && root->child) {
        item = cJSON_DetachItemViaPointer(root, root->child);

        if (!cJSON_AddItemToObject(note, item->string, item)) {
            cJSON_Delete(item);
            break;
        }
    }

    cJSON_Delete(root);

    return NGX_OK;
}


static cJSON *
ngx_http_voice_note_begin(const char *kind, ngx_str_t *sid, const char *fmt,
    ...)
{
    u_char     *p, buf[NGX_HTTP_VOICE_NOTE_KEY];
    cJSON      *note;
    va_list     args;
    ngx_str_t   key;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    key.data = buf;
    key.len = p - buf;

    note = cJSON_CreateObject();

    if (note
        && (ngx_voice_json_add(note, "key", &key) == NULL
            || cJSON_AddStringToObject(note, "kind", kind) == NULL
            || ngx_voice_json_add(note, "call", sid) == NULL
            || ngx_http_voice_note_at(note, "at") != NGX_OK))
    {
        cJSON_Delete(note);
        return NULL;
    }

    return note;
}


/* the time as of now, RFC 3339 */

static ngx_int_t
ngx_http_voice_note_at(cJSON *note, const char *name)
{
    u_char       *p, buf[sizeof("2026-11-26T12:00:00.000Z")];
    ngx_tm_t      tm;
    ngx_time_t   *tp;

    tp = ngx_timeofday();

    ngx_gmtime(tp->sec, &tm);

    p = ngx_sprintf(buf, "%4d-%02d-%02dT%02d:%02d:%02d.%03uiZ",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec, tp->msec);
    *p = '\0';

    return cJSON_AddStringToObject(note, name, (char *) buf) ? NGX_OK
                                                             : NGX_ERROR;
}


static ngx_int_t
ngx_http_voice_note_number(cJSON *object, const char *name, ngx_int_t value)
{
    if (value < 0) {
        return NGX_OK;
    }

    return cJSON_AddNumberToObject(object, name, value) ? NGX_OK : NGX_ERROR;
}


/* without the digits of binary fractions */

static ngx_int_t
ngx_http_voice_note_cost(cJSON *note, double cost)
{
    uint64_t  billionths;

    billionths = cost * NGX_VOICE_BILLIONTHS + 0.5;

    return cJSON_AddNumberToObject(note, "cost",
                                   billionths / NGX_VOICE_BILLIONTHS)
           ? NGX_OK : NGX_ERROR;
}


/* frees the note, whole or not */

static void
ngx_http_voice_note_send(ngx_voice_crm_t *crm, cJSON *note, ngx_int_t rc)
{
    char       *text;
    ngx_str_t   json;

    text = (rc == NGX_OK) ? cJSON_PrintUnformatted(note) : NULL;

    cJSON_Delete(note);

    if (text == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "voice note is lost, there is no memory for it");
        return;
    }

    json.data = (u_char *) text;
    json.len = ngx_strlen(text);

    (void) ngx_voice_crm_note(crm, &json);

    cJSON_free(text);
}
