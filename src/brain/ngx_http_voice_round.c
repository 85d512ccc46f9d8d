
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_round.h"
#include "../wire/ngx_voice_text.h"


/* bytes of a call that later requests to the model carry */
#define NGX_HTTP_VOICE_ROUND_ARGUMENTS  1024
#define NGX_HTTP_VOICE_ROUND_RESULT     2048

/* entries of history that are looked at: the turn's are the newest */
#define NGX_HTTP_VOICE_ROUND_SAID       64


static ngx_int_t ngx_http_voice_round_before(ngx_http_voice_round_t *round,
    ngx_str_t *text);
static ngx_int_t ngx_http_voice_round_next(ngx_http_voice_round_t *round);
static ngx_int_t ngx_http_voice_round_one(ngx_http_voice_round_t *round);
static ngx_int_t ngx_http_voice_round_name(ngx_http_voice_round_t *round,
    ngx_str_t *name, ngx_uint_t *nth);
static void ngx_http_voice_round_event(ngx_http_voice_tool_t *tool);
static ngx_int_t ngx_http_voice_round_note(ngx_http_voice_round_t *round);
static cJSON *ngx_http_voice_round_bounded(ngx_str_t *text, size_t max);
static void ngx_http_voice_round_cut(cJSON *item, size_t max);


ngx_int_t
ngx_http_voice_round_init(ngx_http_voice_round_t *round)
{
    ngx_str_t          sid;
    ngx_uint_t         i, n;
    ngx_voice_said_t  *said;

    said = ngx_palloc(round->pool, NGX_HTTP_VOICE_ROUND_SAID
                                   * sizeof(ngx_voice_said_t));

    if (said == NULL
        || ngx_array_init(&round->names, round->pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    sid.data = round->call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    n = ngx_voice_call_history(round->agent->zone, &sid, said,
                               NGX_HTTP_VOICE_ROUND_SAID);

    for (i = 0; i < n; i++) {

        if (said[i].role == NGX_VOICE_ROLE_TOOL
            && said[i].turn == round->call->turn
            && ngx_http_voice_round_before(round, &said[i].text) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_round_before(ngx_http_voice_round_t *round, ngx_str_t *text)
{
    cJSON       *json, *item;
    ngx_int_t    rc;
    ngx_str_t    name;
    ngx_uint_t   nth;

    json = cJSON_ParseWithLength((char *) text->data, text->len);
    if (json == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;
    item = cJSON_GetObjectItemCaseSensitive(json, "name");

    if (cJSON_IsString(item)) {
        name.data = (u_char *) item->valuestring;
        name.len = ngx_strlen(item->valuestring);

        rc = ngx_http_voice_round_name(round, &name, &nth);
    }

    item = cJSON_GetObjectItemCaseSensitive(json, "round");

    if (cJSON_IsNumber(item)) {
        round->number = ngx_max((int) round->number, item->valueint);
    }

    item = cJSON_GetObjectItemCaseSensitive(json, "after");

    if (cJSON_IsNumber(item)) {
        round->after = (item->valueint == NGX_VOICE_AFTER_DIAL)
                       ? NGX_VOICE_AFTER_DIAL : NGX_VOICE_AFTER_HANGUP;
    }

    cJSON_Delete(json);

    return rc;
}


ngx_int_t
ngx_http_voice_round_run(ngx_http_voice_round_t *round, cJSON *offered,
    ngx_voice_chat_call_t *calls, ngx_uint_t n)
{
    ngx_uint_t              i;
    ngx_voice_chat_call_t  *call;
    ngx_http_voice_tool_t  *tool;

    call = ngx_pcalloc(round->pool, n * sizeof(ngx_voice_chat_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        call[i].name.len = calls[i].name.len;
        call[i].name.data = ngx_pstrdup(round->pool, &calls[i].name);
        call[i].arguments.len = calls[i].arguments.len;
        call[i].arguments.data = ngx_pstrdup(round->pool,
                                             &calls[i].arguments);

        if (call[i].name.data == NULL || call[i].arguments.data == NULL) {
            return NGX_ERROR;
        }
    }

    round->calls = call;
    round->n = n;
    round->i = 0;
    round->number++;
    round->flow = NULL;
    round->over = 1;

    tool = &round->tool;

    tool->data = round;
    tool->done = ngx_http_voice_round_event;
    tool->agent = round->agent;
    tool->call = round->call;
    tool->pool = round->pool;
    tool->log = round->log;
    tool->offered = offered;

    return ngx_http_voice_round_next(round);
}


static ngx_int_t
ngx_http_voice_round_next(ngx_http_voice_round_t *round)
{
    ngx_int_t  rc;

    for ( /* void */ ; round->i < round->n && !round->stopped; round->i++) {

        rc = ngx_http_voice_round_one(round);

        if (rc == NGX_AGAIN) {
            round->busy = 1;
            return NGX_AGAIN;
        }

        if (rc != NGX_OK || ngx_http_voice_round_note(round) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_round_one(ngx_http_voice_round_t *round)
{
    ngx_http_voice_tool_t  *tool;

    tool = &round->tool;

    tool->name = round->calls[round->i].name;
    tool->arguments = round->calls[round->i].arguments;

    if (ngx_http_voice_round_name(round, &tool->name, &tool->nth) != NGX_OK) {
        return NGX_ERROR;
    }

    if (round->names.nelts > NGX_HTTP_VOICE_ROUND_CALLS) {
        ngx_str_set(&tool->arguments, "{}");
        ngx_str_set(&tool->result, "{\"error\":{\"code\":\"too_many\","
                    "\"message\":\"no more calls in this turn: answer the "
                    "caller\"}}");

        tool->after = NGX_VOICE_AFTER_LISTEN;
        tool->flow = NULL;

        return NGX_OK;
    }

    return ngx_http_voice_tool_run(tool);
}


/* one more call of that name; how many it is now */

static ngx_int_t
ngx_http_voice_round_name(ngx_http_voice_round_t *round, ngx_str_t *name,
    ngx_uint_t *nth)
{
    ngx_str_t   *one;
    ngx_uint_t   i;

    one = ngx_array_push(&round->names);
    if (one == NULL) {
        return NGX_ERROR;
    }

    one->len = name->len;
    one->data = ngx_pstrdup(round->pool, name);

    if (one->data == NULL) {
        return NGX_ERROR;
    }

    one = round->names.elts;
    *nth = 0;

    for (i = 0; i < round->names.nelts; i++) {
        if (one[i].len == name->len
            && ngx_memcmp(one[i].data, name->data, name->len) == 0)
        {
            (*nth)++;
        }
    }

    return NGX_OK;
}


static void
ngx_http_voice_round_event(ngx_http_voice_tool_t *tool)
{
    ngx_int_t                rc;
    ngx_http_voice_round_t  *round;

    round = tool->data;
    round->busy = 0;

    rc = ngx_http_voice_round_note(round);
    round->i++;

    if (rc == NGX_OK) {
        rc = ngx_http_voice_round_next(round);
    }

    if (rc == NGX_AGAIN) {
        return;
    }

    round->failed = (rc != NGX_OK);

    round->done(round->data);
}


/* from here on it has happened, whoever goes on with the turn */

static ngx_int_t
ngx_http_voice_round_note(ngx_http_voice_round_t *round)
{
    char                   *text;
    cJSON                  *json, *item;
    ngx_int_t               rc;
    ngx_str_t               sid, name, entry;
    ngx_http_voice_tool_t  *tool;

    tool = &round->tool;

    if (tool->after != NGX_VOICE_AFTER_LISTEN) {
        round->after = tool->after;

    } else {
        round->over = 0;
    }

    if (tool->flow) {
        round->flow = tool->flow;
    }

    rc = NGX_ERROR;

    json = cJSON_CreateObject();

    name.data = ngx_pnalloc(round->pool, tool->name.len + 1);

    if (json == NULL || name.data == NULL) {
        goto done;
    }

    (void) ngx_cpystrn(name.data, tool->name.data, tool->name.len + 1);

    if (cJSON_AddStringToObject(json, "name", (char *) name.data) == NULL
        || cJSON_AddNumberToObject(json, "round", round->number) == NULL
        || (tool->after != NGX_VOICE_AFTER_LISTEN
            && cJSON_AddNumberToObject(json, "after", tool->after) == NULL))
    {
        goto done;
    }

    item = ngx_http_voice_round_bounded(&tool->arguments,
                                        NGX_HTTP_VOICE_ROUND_ARGUMENTS);

    if (item == NULL || !cJSON_AddItemToObject(json, "arguments", item)) {
        cJSON_Delete(item);
        goto done;
    }

    item = ngx_http_voice_round_bounded(&tool->result,
                                        NGX_HTTP_VOICE_ROUND_RESULT);

    if (item == NULL || !cJSON_AddItemToObject(json, "result", item)) {
        cJSON_Delete(item);
        goto done;
    }

    text = cJSON_PrintUnformatted(json);
    if (text == NULL) {
        goto done;
    }

    sid.data = round->call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    entry.data = (u_char *) text;
    entry.len = ngx_strlen(text);

    /* what the model is not told it does again */

    rc = ngx_voice_answer_tool(round->agent->zone, &sid, round->call->turn,
                               round->names.nelts, &entry, round->after,
                               round->agent->flow->limits.history);
    cJSON_free(text);

done:

    cJSON_Delete(json);

    return rc;
}


/* the value of JSON text, its strings cut until it prints in max bytes */

static cJSON *
ngx_http_voice_round_bounded(ngx_str_t *text, size_t max)
{
    char    *printed;
    cJSON   *json;
    size_t   len, cut;

    json = cJSON_ParseWithLength((char *) text->data, text->len);

    for (cut = max / 4; json && cut; cut /= 4) {

        printed = cJSON_PrintUnformatted(json);
        if (printed == NULL) {
            break;
        }

        len = ngx_strlen(printed);
        cJSON_free(printed);

        if (len <= max) {
            return json;
        }

        ngx_http_voice_round_cut(json, cut);
    }

    cJSON_Delete(json);

    return cJSON_CreateObject();
}


static void
ngx_http_voice_round_cut(cJSON *item, size_t max)
{
    size_t  len;

    for ( /* void */ ; item; item = item->next) {

        if (item->child) {
            ngx_http_voice_round_cut(item->child, max);
        }

        if (!cJSON_IsString(item)) {
            continue;
        }

        len = ngx_strlen(item->valuestring);

        if (len > max) {
            len = ngx_voice_text_utf8_cut((u_char *) item->valuestring, len,
                                          max);
            item->valuestring[len] = '\0';
        }
    }
}
