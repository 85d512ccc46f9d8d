
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cjson/cJSON.h>

#include "ngx_http_voice_resume.h"
#include "../brain/ngx_http_voice_context.h"
#include "../brain/ngx_http_voice_offer.h"
#include "../brain/ngx_http_voice_pieces.h"
#include "../call/ngx_voice_past.h"
#include "../wire/ngx_voice_json_text.h"
#include "../wire/ngx_voice_sentence.h"


/* what a past may have: the database keeps eight steps */
#define NGX_HTTP_VOICE_RESUME_STEPS  16
#define NGX_HTTP_VOICE_RESUME_SAID   128

/* actions, and bytes of one in the history */
#define NGX_HTTP_VOICE_RESUME_ACTIONS  32
#define NGX_HTTP_VOICE_RESUME_ACTION   2048

/*
 * ms: what was said a moment ago may still be on its way to the database, and
 * is asked for again and again, but not for long
 */
#define NGX_HTTP_VOICE_RESUME_BEHIND   1500
#define NGX_HTTP_VOICE_RESUME_AGAIN    50


static void ngx_http_voice_resume_answer(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static ngx_int_t ngx_http_voice_resume_again(ngx_http_voice_pace_t *pace);
static ngx_uint_t ngx_http_voice_resume_behind(ngx_http_voice_hook_t *hook,
    cJSON *steps);
static ngx_int_t ngx_http_voice_resume_past(ngx_http_voice_pace_t *pace,
    cJSON *root, ngx_str_t *value);
static ngx_int_t ngx_http_voice_resume_history(ngx_pool_t *pool,
    ngx_voice_past_t *past, cJSON *history, cJSON *actions);
static ngx_int_t ngx_http_voice_resume_actions(ngx_pool_t *pool,
    ngx_voice_past_t *past, cJSON *actions, ngx_uint_t *done,
    ngx_uint_t last);
static ngx_int_t ngx_http_voice_resume_action(ngx_pool_t *pool,
    ngx_voice_past_t *past, ngx_voice_said_t *said, cJSON *action);
static ngx_voice_after_e ngx_http_voice_resume_after(cJSON *action);
static ngx_uint_t ngx_http_voice_resume_action_turn(cJSON *action);
static ngx_int_t ngx_http_voice_resume_steps(ngx_pool_t *pool,
    ngx_voice_past_t *past, cJSON *steps);
static ngx_int_t ngx_http_voice_resume_rest(ngx_http_voice_hook_t *hook,
    ngx_voice_past_t *past, cJSON *steps);
static ngx_int_t ngx_http_voice_resume_spoken(ngx_pool_t *pool,
    ngx_voice_past_t *past, cJSON *steps, ngx_str_t *spoken,
    ngx_uint_t *over);
static ngx_int_t ngx_http_voice_resume_piece(void *data, ngx_str_t *text);
static ngx_uint_t ngx_http_voice_resume_number(cJSON *object,
    const char *name);


typedef struct {
    ngx_http_voice_hook_t  *hook;
    ngx_voice_past_t       *past;
} ngx_http_voice_resume_pieces_t;


ngx_int_t
ngx_http_voice_resume(ngx_http_voice_pace_t *pace,
    ngx_http_voice_resume_pt next)
{
    ngx_http_voice_hook_t  *hook;

    hook = pace->hook;

    pace->resumed = next;

    if (!pace->lagging) {
        pace->behind = ngx_current_msec
                       + ngx_min(NGX_HTTP_VOICE_RESUME_BEHIND,
                                 ngx_http_voice_pace_left(pace) / 2);
    }

    pace->lookup = ngx_voice_crm_resume(hook->conf->crm, &hook->call.sid, 0,
                                        ngx_http_voice_resume_answer, pace);
    if (pace->lookup == NULL) {
        return next(pace);
    }

    /* the lookup has a clock of its own; this one only holds the worker */

    ngx_http_voice_pace_wait(pace, next, ngx_http_voice_pace_left(pace));

    return NGX_DONE;
}


static void
ngx_http_voice_resume_answer(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value)
{
    ngx_http_voice_pace_t *pace = data;

    cJSON                     *root;
    ngx_int_t                  rv;
    ngx_log_t                 *log;
    ngx_http_voice_hook_t     *hook;
    ngx_http_voice_resume_pt   next;

    hook = pace->hook;
    log = hook->request->connection->log;

    next = pace->resumed;

    pace->lookup = NULL;
    pace->lagging = 0;

    if (rc != NGX_VOICE_CRM_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "voice call \"%V\" is not known here, and the database "
                      "could not be asked for it", &hook->call.sid);

    } else {
        root = cJSON_ParseWithLength((char *) value->data, value->len);

        rv = ngx_http_voice_resume_past(pace, root, value);

        switch (rv) {

        case NGX_AGAIN:
            pace->lagging = 1;
            ngx_http_voice_pace_wait(pace, ngx_http_voice_resume_again,
                                     NGX_HTTP_VOICE_RESUME_AGAIN);
            cJSON_Delete(root);
            return;

        case NGX_OK:
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "voice call \"%V\" is resumed from the database",
                          &hook->call.sid);
            break;

        case NGX_ERROR:
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "voice call \"%V\" could not be resumed: there is "
                          "no memory, or the database's answer makes no "
                          "sense", &hook->call.sid);
            break;

        default: /* NGX_DECLINED: nothing is known, or nothing new */
            break;
        }

        cJSON_Delete(root);
    }

    ngx_http_voice_pace_again(pace, next);
}


static ngx_int_t
ngx_http_voice_resume_again(ngx_http_voice_pace_t *pace)
{
    pace->late = 0;

    return ngx_http_voice_resume(pace, pace->resumed);
}


/*
 * Whether the database does not know yet what this webhook follows: the URL
 * says which turn that is, and of which document it is the next.
 */

static ngx_uint_t
ngx_http_voice_resume_behind(ngx_http_voice_hook_t *hook, cJSON *steps)
{
    cJSON             *item, *state;
    ngx_str_t          name;
    ngx_uint_t         rest, turn, route, n;
    ngx_voice_step_t  *step;

    step = &hook->step;
    rest = (step->kind == NGX_VOICE_STEP_REST);

    if (hook->origin.len == 0 || (!rest && step->turn < 2)) {
        return 0;
    }

    turn = rest ? step->turn : step->turn - 1;

    cJSON_ArrayForEach(item, steps) {

        name = ngx_voice_json_text(item, "route");
        route = ngx_http_voice_hook_route(&name);
        n = ngx_http_voice_resume_number(item, "step");

        if (ngx_http_voice_resume_number(item, "turn") == step->turn
            && route == hook->route && n == step->step)
        {
            return 0;
        }

        if (route == NGX_HTTP_VOICE_ROUTES
            || ngx_http_voice_resume_number(item, "turn") != turn)
        {
            continue;
        }

        if (!rest) {
            state = cJSON_GetObjectItemCaseSensitive(item, "state");

            if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(state,
                                                              "last")))
            {
                return 0;
            }

        } else if (step->step
                   == (route == NGX_HTTP_VOICE_CONTINUE ? n + 1 : 1))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_voice_resume_past(ngx_http_voice_pace_t *pace, cJSON *root,
    ngx_str_t *value)
{
    ngx_int_t                rc;
    ngx_uint_t               behind;
    cJSON                   *resume, *call;
    ngx_pool_t              *pool;
    ngx_voice_past_t         past;
    ngx_http_voice_hook_t   *hook;
    ngx_voice_call_known_t   known;

    hook = pace->hook;
    pool = hook->request->pool;

    resume = cJSON_GetObjectItemCaseSensitive(root, "resume");
    call = cJSON_GetObjectItemCaseSensitive(resume, "call");

    if (!cJSON_IsObject(resume)) {
        return NGX_ERROR;
    }

    behind = ngx_http_voice_resume_behind(hook,
                 cJSON_GetObjectItemCaseSensitive(resume, "steps"));

    if (behind) {

        /* a worker that has just left may have it in its file */

        ngx_voice_crm_look(hook->conf->crm);

        behind = (ngx_msec_int_t) (pace->behind - ngx_current_msec) > 0;
    }

    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(resume, "found"))) {
        return behind ? NGX_AGAIN : NGX_DECLINED;
    }

    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(resume, "over"))) {
        hook->over = 1;
        return NGX_DECLINED;
    }

    if (behind) {
        return NGX_AGAIN;
    }

    if (!cJSON_IsObject(call)
        || ngx_http_voice_context_known(value, hook->conf->flows, pool,
                                        &known)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&past, sizeof(ngx_voice_past_t));

    past.call = hook->call;

    if (known.flow.len) {
        past.call.flow = known.flow;
    }

    if (known.language.len) {
        past.call.language = known.language;
    }

    past.known = &known;
    past.started = ngx_time() - ngx_http_voice_resume_number(root, "age");
    past.turn = ngx_http_voice_resume_number(resume, "turn");
    past.failures = ngx_http_voice_resume_number(resume, "failures");

    /* the voice of the rest of an answer is that of the call's flow */

    hook->view.flow_len = ngx_min(past.call.flow.len, NGX_VOICE_FLOW_LEN);
    ngx_memcpy(hook->view.flow, past.call.flow.data, hook->view.flow_len);

    (void) ngx_http_voice_hook_speaker(hook);

    past.limit = hook->agent.flow->limits.history;

    rc = ngx_http_voice_resume_history(pool, &past,
                     cJSON_GetObjectItemCaseSensitive(resume, "history"),
                     cJSON_GetObjectItemCaseSensitive(resume, "actions"));

    if (rc == NGX_OK) {
        rc = ngx_http_voice_resume_steps(pool, &past,
                     cJSON_GetObjectItemCaseSensitive(resume, "steps"));
    }

    if (rc == NGX_OK) {
        rc = ngx_http_voice_resume_rest(hook, &past,
                     cJSON_GetObjectItemCaseSensitive(resume, "steps"));
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_voice_call_restore(hook->conf->zone, &past);
}


static ngx_int_t
ngx_http_voice_resume_history(ngx_pool_t *pool, ngx_voice_past_t *past,
    cJSON *history, cJSON *actions)
{
    cJSON             *item;
    ngx_int_t          skip;
    const char        *role;
    ngx_uint_t         turn, done, last;
    ngx_voice_said_t  *said;

    past->said = ngx_pcalloc(pool, (NGX_HTTP_VOICE_RESUME_SAID
                                    + NGX_HTTP_VOICE_RESUME_ACTIONS)
                                   * sizeof(ngx_voice_said_t));
    if (past->said == NULL) {
        return NGX_ERROR;
    }

    done = 0;

    skip = cJSON_GetArraySize(history) - NGX_HTTP_VOICE_RESUME_SAID;

    cJSON_ArrayForEach(item, history) {

        if (skip-- > 0) {
            continue;
        }

        role = ngx_voice_json_string(item, "role");

        if (role == NULL) {
            continue;
        }

        turn = ngx_http_voice_resume_number(item, "turn");

        /*
         * What was done in a turn stands before what was said of it, also
         * where nothing was.
         */

        last = (ngx_strcmp(role, "user") != 0) ? turn : ngx_max(turn, 1) - 1;

        if (ngx_http_voice_resume_actions(pool, past, actions, &done, last)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        said = &past->said[past->nsaid++];

        said->role = (ngx_strcmp(role, "user") == 0)
                     ? NGX_VOICE_ROLE_USER : NGX_VOICE_ROLE_ASSISTANT;
        said->turn = turn;
        said->text = ngx_voice_json_text(item, "text");
    }

    return ngx_http_voice_resume_actions(pool, past, actions, &done,
                                         past->turn);
}


/* those of the turns after "done", to the last one; the oldest first */

static ngx_int_t
ngx_http_voice_resume_actions(ngx_pool_t *pool, ngx_voice_past_t *past,
    cJSON *actions, ngx_uint_t *done, ngx_uint_t last)
{
    cJSON             *action;
    ngx_uint_t         n, turn;
    ngx_voice_said_t  *said;

    cJSON_ArrayForEach(action, actions) {

        turn = ngx_http_voice_resume_action_turn(action);

        if (turn <= *done || turn > last
            || past->nactions == NGX_HTTP_VOICE_RESUME_ACTIONS)
        {
            continue;
        }

        /* a call's actions are in the order of its turns */

        said = past->nsaid ? &past->said[past->nsaid - 1] : NULL;

        n = (said && said->role == NGX_VOICE_ROLE_TOOL && said->turn == turn)
            ? said->number : 0;

        said = &past->said[past->nsaid];

        said->role = NGX_VOICE_ROLE_TOOL;
        said->turn = turn;
        said->number = ++n;

        if (ngx_http_voice_resume_action(pool, past, said, action) != NGX_OK) {
            return NGX_ERROR;
        }

        past->nsaid++;
        past->nactions++;
    }

    *done = ngx_max(*done, last);

    return NGX_OK;
}


/* as brain/ngx_http_voice_round.c keeps it; each is taken for a round */

static ngx_int_t
ngx_http_voice_resume_action(ngx_pool_t *pool, ngx_voice_past_t *past,
    ngx_voice_said_t *said, cJSON *action)
{
    char               *text;
    cJSON              *entry;
    ngx_int_t           rc;
    ngx_str_t           name;
    ngx_voice_after_e   after;

    rc = NGX_ERROR;
    text = NULL;

    after = ngx_http_voice_resume_after(action);

    if (after != NGX_VOICE_AFTER_LISTEN && said->turn == past->turn) {
        past->after = after;
    }

    name = ngx_voice_json_text(action, "name");
    entry = cJSON_CreateObject();

    if (entry
        && ngx_voice_json_add(entry, "name", &name)
        && cJSON_AddNumberToObject(entry, "round", said->number)
        && (after == NGX_VOICE_AFTER_LISTEN
            || cJSON_AddNumberToObject(entry, "after", after))
        && cJSON_AddItemToObject(entry, "arguments",
                cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(action,
                                                     "arguments"), 1))
        && cJSON_AddItemToObject(entry, "result",
                cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(action,
                                                     "result"), 1)))
    {
        text = cJSON_PrintUnformatted(entry);
    }

    if (text && ngx_strlen(text) > NGX_HTTP_VOICE_RESUME_ACTION) {
        cJSON_free(text);

        /* that it was done is worth more than what came of it */

        (void) cJSON_ReplaceItemInObjectCaseSensitive(entry, "arguments",
                                                      cJSON_CreateObject());
        (void) cJSON_ReplaceItemInObjectCaseSensitive(entry, "result",
                                                      cJSON_CreateObject());
        text = cJSON_PrintUnformatted(entry);
    }

    if (text) {
        said->text.len = ngx_strlen(text);
        said->text.data = ngx_pnalloc(pool, said->text.len);

        if (said->text.data) {
            ngx_memcpy(said->text.data, text, said->text.len);
            rc = NGX_OK;
        }

        cJSON_free(text);
    }

    cJSON_Delete(entry);

    return rc;
}


/* what the edge does itself, once the answer was heard, also unaided */

static ngx_voice_after_e
ngx_http_voice_resume_after(cJSON *action)
{
    ngx_str_t  name;

    name = ngx_voice_json_text(action, "name");

    if (ngx_http_voice_offer_is(&name, &ngx_http_voice_offer_end)) {
        return NGX_VOICE_AFTER_HANGUP;
    }

    if (ngx_http_voice_offer_is(&name, &ngx_http_voice_offer_transfer)) {
        return NGX_VOICE_AFTER_DIAL;
    }

    return NGX_VOICE_AFTER_LISTEN;
}


/* an action's key is <CallSid>/<turn>/<name>/<number> */

static ngx_uint_t
ngx_http_voice_resume_action_turn(cJSON *action)
{
    u_char     *p, *last;
    ngx_int_t   turn;
    ngx_str_t   key;

    key = ngx_voice_json_text(action, "key");

    last = key.data + key.len;
    p = ngx_strlchr(key.data, last, '/');

    if (p == NULL) {
        return 0;
    }

    key.data = ++p;
    p = ngx_strlchr(p, last, '/');

    turn = p ? ngx_atoi(key.data, p - key.data) : NGX_ERROR;

    return (turn == NGX_ERROR) ? 0 : turn;
}


static ngx_int_t
ngx_http_voice_resume_steps(ngx_pool_t *pool, ngx_voice_past_t *past,
    cJSON *steps)
{
    cJSON                  *item;
    ngx_str_t               name;
    ngx_uint_t              route;
    ngx_voice_past_step_t  *step;

    past->steps = ngx_pcalloc(pool, NGX_HTTP_VOICE_RESUME_STEPS
                                    * sizeof(ngx_voice_past_step_t));
    if (past->steps == NULL) {
        return NGX_ERROR;
    }

    cJSON_ArrayForEach(item, steps) {

        name = ngx_voice_json_text(item, "route");
        route = ngx_http_voice_hook_route(&name);

        if (route == NGX_HTTP_VOICE_ROUTES
            || past->nsteps == NGX_HTTP_VOICE_RESUME_STEPS)
        {
            continue;
        }

        step = &past->steps[past->nsteps++];

        step->key.route = route;
        step->key.kind = ngx_http_voice_routes[route].kind;
        step->key.turn = ngx_http_voice_resume_number(item, "turn");
        step->key.step = ngx_http_voice_resume_number(item, "step");
        step->twiml = ngx_voice_json_text(item, "twiml");

        if (route == NGX_HTTP_VOICE_CONTINUE
            && step->key.turn == past->turn
            && step->key.step >= past->rest)
        {
            past->rest = step->key.step + 1;
        }
    }

    return NGX_OK;
}


/*
 * What is still to be heard of the last turn's answer: of a whole one what was
 * not given out, of one that broke off whatever the model goes on with.
 */

static ngx_int_t
ngx_http_voice_resume_rest(ngx_http_voice_hook_t *hook,
    ngx_voice_past_t *past, cJSON *steps)
{
    ngx_str_t                        spoken, *whole, rest;
    ngx_uint_t                       i, over, begun;
    ngx_pool_t                      *pool;
    ngx_voice_sentence_t             sentence;
    ngx_http_voice_resume_pieces_t   to;

    pool = hook->request->pool;

    if (past->turn == 0) {
        return NGX_OK;
    }

    if (ngx_http_voice_resume_spoken(pool, past, steps, &spoken, &over)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (over) {
        return NGX_OK;
    }

    whole = NULL;
    begun = 0;

    for (i = 0; i < past->nsaid; i++) {

        if (past->said[i].turn != past->turn) {
            continue;
        }

        if (past->said[i].role == NGX_VOICE_ROLE_USER) {
            begun = 1;

        } else if (past->said[i].role == NGX_VOICE_ROLE_ASSISTANT) {
            whole = &past->said[i].text;
        }
    }

    if (!begun) {
        return NGX_OK;
    }

    past->pieces = ngx_pcalloc(pool, NGX_VOICE_PIECES
                                     * sizeof(ngx_voice_piece_t));
    if (past->pieces == NULL) {
        return NGX_ERROR;
    }

    if (spoken.len) {
        past->pieces[0].text = spoken;
        past->npieces = 1;
        past->spoken = 1;
    }

    past->state = NGX_VOICE_ANSWER_ORPHANED;

    if (whole == NULL || whole->len < spoken.len
        || ngx_strncmp(whole->data, spoken.data, spoken.len) != 0)
    {
        return NGX_OK;
    }

    past->state = NGX_VOICE_ANSWER_DONE;

    rest.data = ngx_pnalloc(pool, NGX_HTTP_VOICE_PIECE_MAX * 2);
    if (rest.data == NULL) {
        return NGX_ERROR;
    }

    to.hook = hook;
    to.past = past;

    ngx_voice_sentence_init(&sentence, rest.data,
                            NGX_HTTP_VOICE_PIECE_MAX * 2,
                            NGX_HTTP_VOICE_PIECE_FIRST,
                            NGX_HTTP_VOICE_PIECE_MIN,
                            NGX_HTTP_VOICE_PIECE_MAX);

    (void) ngx_voice_sentence_feed(&sentence, whole->data + spoken.len,
                                   whole->len - spoken.len,
                                   ngx_http_voice_resume_piece, &to);
    (void) ngx_voice_sentence_end(&sentence, ngx_http_voice_resume_piece,
                                  &to);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_resume_piece(void *data, ngx_str_t *text)
{
    ngx_http_voice_resume_pieces_t *to = data;

    ngx_voice_piece_t  *piece;

    if (to->past->npieces == NGX_VOICE_PIECES) {
        return NGX_DONE;
    }

    piece = &to->past->pieces[to->past->npieces];

    piece->text.len = text->len;
    piece->text.data = ngx_pstrdup(to->hook->request->pool, text);

    if (piece->text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_voice_speech_digest(&to->hook->agent.profile, &piece->text,
                            piece->digest);

    to->past->npieces++;

    return NGX_OK;
}


/* what the steps of the last turn have given out, and whether that is all */

static ngx_int_t
ngx_http_voice_resume_spoken(ngx_pool_t *pool, ngx_voice_past_t *past,
    cJSON *steps, ngx_str_t *spoken, ngx_uint_t *over)
{
    cJSON      *item, *state;
    u_char     *p;
    size_t      size;
    ngx_str_t   said;

    *over = 0;
    size = 0;

    cJSON_ArrayForEach(item, steps) {
        state = cJSON_GetObjectItemCaseSensitive(item, "state");
        size += ngx_voice_json_text(state, "said").len + 1;
    }

    p = ngx_pnalloc(pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    spoken->data = p;

    cJSON_ArrayForEach(item, steps) {

        if (ngx_http_voice_resume_number(item, "turn") != past->turn) {
            continue;
        }

        state = cJSON_GetObjectItemCaseSensitive(item, "state");
        said = ngx_voice_json_text(state, "said");

        if (said.len) {

            if (p != spoken->data) {
                *p++ = ' ';
            }

            p = ngx_cpymem(p, said.data, said.len);
        }

        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(state, "last"))) {
            *over = 1;
        }
    }

    spoken->len = p - spoken->data;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_voice_resume_number(cJSON *object, const char *name)
{
    cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(object, name);

    return (cJSON_IsNumber(item) && item->valueint > 0) ? item->valueint : 0;
}
