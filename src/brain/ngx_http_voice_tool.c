
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_tool.h"
#include "../wire/ngx_voice_json.h"
#include "../wire/ngx_voice_json_text.h"
#include "../wire/ngx_voice_schema.h"


#define ngx_http_voice_tool_get(object, name)                                 \
    cJSON_GetObjectItemCaseSensitive(object, name)


static ngx_int_t ngx_http_voice_tool_check(ngx_http_voice_tool_t *tool,
    cJSON *function, cJSON **arguments);
static ngx_int_t ngx_http_voice_tool_redact(ngx_http_voice_tool_t *tool,
    cJSON *item);
static ngx_int_t ngx_http_voice_tool_mask(ngx_http_voice_tool_t *tool,
    char **value);
static ngx_int_t ngx_http_voice_tool_route(ngx_http_voice_tool_t *tool,
    cJSON *arguments);
static ngx_int_t ngx_http_voice_tool_own(ngx_http_voice_tool_t *tool);
static ngx_int_t ngx_http_voice_tool_act(ngx_http_voice_tool_t *tool);
static void ngx_http_voice_tool_done(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static ngx_int_t ngx_http_voice_tool_put_off(ngx_http_voice_tool_t *tool);
static ngx_uint_t ngx_http_voice_tool_reads(ngx_http_voice_tool_t *tool,
    cJSON *arguments);
static ngx_int_t ngx_http_voice_tool_key(ngx_http_voice_tool_t *tool,
    ngx_str_t *key);
static cJSON *ngx_http_voice_tool_call(ngx_http_voice_tool_t *tool);
static ngx_int_t ngx_http_voice_tool_string(cJSON *object, const char *name,
    u_char *data, size_t len);
static ngx_int_t ngx_http_voice_tool_print(ngx_pool_t *pool, cJSON *json,
    ngx_str_t *text);
static ngx_int_t ngx_http_voice_tool_error(ngx_http_voice_tool_t *tool,
    const char *code, const char *message);
static ngx_int_t ngx_http_voice_tool_copy(ngx_http_voice_tool_t *tool,
    ngx_str_t *value);


ngx_int_t
ngx_http_voice_tool_run(ngx_http_voice_tool_t *tool)
{
    cJSON      *function, *arguments;
    ngx_int_t   rc;

    tool->started = ngx_current_msec;
    tool->after = NGX_VOICE_AFTER_LISTEN;
    tool->flow = NULL;
    tool->ask = NULL;
    tool->own = 0;

    function = ngx_http_voice_offer_find(tool->offered, &tool->name);

    if (function == NULL) {

        /* what is kept of the conversation must be JSON */
        ngx_str_set(&tool->arguments, "{}");

        return ngx_http_voice_tool_error(tool, "unknown_tool",
                                         "there is no such tool");
    }

    rc = ngx_http_voice_tool_check(tool, function, &arguments);

    if (rc != NGX_DONE) {
        return rc;
    }

    if (ngx_http_voice_offer_is(&tool->name, &ngx_http_voice_offer_route)) {
        rc = ngx_http_voice_tool_route(tool, arguments);

    } else if (ngx_http_voice_offer_is(&tool->name,
                                       &ngx_http_voice_offer_transfer)
               || ngx_http_voice_offer_is(&tool->name,
                                          &ngx_http_voice_offer_end))
    {
        rc = ngx_http_voice_tool_own(tool);

    } else {
        rc = ngx_http_voice_tool_act(tool);
    }

    cJSON_Delete(arguments);

    return rc;
}


/* NGX_DONE and the arguments, or what a result returns */

static ngx_int_t
ngx_http_voice_tool_check(ngx_http_voice_tool_t *tool, cJSON *function,
    cJSON **arguments)
{
    cJSON                   *json;
    u_char                   reason[NGX_VOICE_SCHEMA_REASON];
    ngx_int_t                rc;
    ngx_str_t                text;
    ngx_voice_json_error_t   err;

    text = tool->arguments;

    /* a tool without parameters is called with nothing at all */

    if (text.len == 0) {
        ngx_str_set(&text, "{}");
    }

    ngx_str_set(&tool->arguments, "{}");

    json = ngx_voice_json_parse(text.data, text.len, &err);

    if (json == NULL) {
        (void) ngx_snprintf(reason, sizeof(reason),
                            "the arguments are no JSON: %s%Z", err.reason);
        reason[sizeof(reason) - 1] = '\0';

        return ngx_http_voice_tool_error(tool, "invalid_argument",
                                         (char *) reason);
    }

    if (ngx_http_voice_tool_redact(tool, json) != NGX_OK) {
        cJSON_Delete(json);
        return NGX_ERROR;
    }

    rc = ngx_voice_schema_check(ngx_http_voice_tool_get(function,
                                                        "parameters"),
                                json, reason);

    if (rc == NGX_OK && !cJSON_IsObject(json)) {
        ngx_memcpy(reason, "the arguments must be an object",
                   sizeof("the arguments must be an object"));
        rc = NGX_DECLINED;
    }

    if (cJSON_IsObject(json)
        && ngx_http_voice_tool_print(tool->pool, json, &tool->arguments)
           != NGX_OK)
    {
        cJSON_Delete(json);
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        cJSON_Delete(json);
        return ngx_http_voice_tool_error(tool, "invalid_argument",
                                         (char *) reason);
    }

    *arguments = json;

    return NGX_DONE;
}


/* a model can put together what a caller has said in several turns */

static ngx_int_t
ngx_http_voice_tool_redact(ngx_http_voice_tool_t *tool, cJSON *item)
{
    char   *text, *number;
    cJSON  *child;

    if (tool->agent->redact == NULL) {
        return NGX_OK;
    }

    if (item->string
        && ngx_http_voice_tool_mask(tool, &item->string) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (cJSON_IsString(item)) {
        return ngx_http_voice_tool_mask(tool, &item->valuestring);
    }

    if (cJSON_IsNumber(item)) {
        number = cJSON_PrintUnformatted(item);
        text = number;

        if (number == NULL
            || ngx_http_voice_tool_mask(tool, &text) != NGX_OK)
        {
            cJSON_free(number);
            return NGX_ERROR;
        }

        if (text == number) {
            cJSON_free(number);
            return NGX_OK;
        }

        item->type = cJSON_String;
        item->valuestring = text;

        return NGX_OK;
    }

    cJSON_ArrayForEach(child, item) {
        if (ngx_http_voice_tool_redact(tool, child) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* value becomes another string of cJSON's where something is masked in it */

static ngx_int_t
ngx_http_voice_tool_mask(ngx_http_voice_tool_t *tool, char **value)
{
    char       *p;
    ngx_str_t   text;

    text.data = (u_char *) *value;
    text.len = ngx_strlen(*value);

    if (ngx_http_voice_agent_redact(tool->agent, &text, tool->pool, tool->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (text.data == (u_char *) *value) {
        return NGX_OK;
    }

    p = cJSON_malloc(text.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn((u_char *) p, text.data, text.len + 1);

    cJSON_free(*value);
    *value = p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_tool_route(ngx_http_voice_tool_t *tool, cJSON *arguments)
{
    cJSON      *to;
    ngx_str_t   sid, name, result;

    to = ngx_http_voice_tool_get(arguments, "to");

    if (!cJSON_IsString(to)) {
        return NGX_ERROR;
    }

    name.data = (u_char *) to->valuestring;
    name.len = ngx_strlen(to->valuestring);

    tool->flow = ngx_voice_flow_find(tool->agent->flows, &name);

    if (tool->flow == NULL) {
        return NGX_ERROR;
    }

    sid.data = tool->call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    ngx_voice_call_route(tool->agent->zone, &sid, &tool->flow->name);

    ngx_log_error(NGX_LOG_INFO, tool->log, 0,
                  "voice call \"%V\" goes from \"%V\" to \"%V\"", &sid,
                  &tool->agent->flow->name, &tool->flow->name);

    ngx_str_set(&result, "{\"routed\":true,\"message\":\"you are the "
                "colleague now: go on without a greeting, and do not ask what "
                "the caller has already said\"}");

    return ngx_http_voice_tool_copy(tool, &result);
}


/* what the edge does itself; the database may have something to add */

static ngx_int_t
ngx_http_voice_tool_own(ngx_http_voice_tool_t *tool)
{
    ngx_tm_t  tm;

    if (ngx_http_voice_offer_is(&tool->name, &ngx_http_voice_offer_end)) {
        tool->after = NGX_VOICE_AFTER_HANGUP;
        ngx_str_set(&tool->result, "{\"end\":true}");

    } else {
        ngx_http_voice_agent_clock(tool->call, &tm);

        if (!ngx_voice_flow_open(tool->agent->flow, tm.ngx_tm_wday,
                                 tm.ngx_tm_hour * 60 + tm.ngx_tm_min))
        {
            return ngx_http_voice_tool_error(tool, "nobody_there",
                    "at this hour nobody can take the call: say so, and offer "
                    "to take a note of it or to have somebody call back, if "
                    "you can");
        }

        tool->after = NGX_VOICE_AFTER_DIAL;
        ngx_str_set(&tool->result, "{\"transfer\":true}");
    }

    tool->own = 1;

    return ngx_http_voice_tool_act(tool);
}


static ngx_int_t
ngx_http_voice_tool_act(ngx_http_voice_tool_t *tool)
{
    cJSON      *json;
    ngx_int_t   rc;
    ngx_str_t   sid, key, call;

    if (tool->agent->crm == NULL) {
        return tool->own ? NGX_OK : NGX_ERROR;
    }

    if (ngx_http_voice_tool_key(tool, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    json = ngx_http_voice_tool_call(tool);
    rc = json ? ngx_http_voice_tool_print(tool->pool, json, &call)
              : NGX_ERROR;
    cJSON_Delete(json);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    sid.data = tool->call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    tool->ask = ngx_voice_crm_act(tool->agent->crm, &sid, &key, &tool->name,
                                  &tool->arguments, &call,
                                  tool->agent->tool_timeout,
                                  ngx_http_voice_tool_done, tool);

    return tool->ask ? NGX_AGAIN : NGX_ERROR;
}


static void
ngx_http_voice_tool_done(void *data, ngx_voice_crm_rc_e rc, ngx_str_t *value)
{
    ngx_http_voice_tool_t *tool = data;

    ngx_int_t    result;
    ngx_str_t    sid;
    ngx_uint_t   level;

    static const char  *outcome[] = {
        "done", "not reachable", "refused", "no answer"
    };

    tool->ask = NULL;

    sid.data = tool->call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    level = (rc == NGX_VOICE_CRM_OK) ? NGX_LOG_INFO : NGX_LOG_WARN;

    ngx_log_error(level, tool->log, 0,
                  "voice call \"%V\" turn %ui tool \"%V\": %s after %Mms",
                  &sid, tool->call->turn, &tool->name, outcome[rc],
                  ngx_current_msec - tool->started);

    if (rc != NGX_VOICE_CRM_OK || value->len == 0) {
        result = ngx_http_voice_tool_put_off(tool);

    } else if (tool->own
               && value->len >= 9
               && ngx_strncmp(value->data, "{\"error\":", 9) == 0)
    {
        result = NGX_OK;

    } else {
        result = ngx_http_voice_tool_copy(tool, value);
    }

    if (result != NGX_OK) {

        /* nothing is claimed of what may have happened */

        ngx_str_set(&tool->result, "{\"error\":{\"code\":\"failed\","
                    "\"message\":\"this did not work: say so\"}}");
    }

    tool->done(tool);
}


/* it is done later, under the same key, and at most once in all */

static ngx_int_t
ngx_http_voice_tool_put_off(ngx_http_voice_tool_t *tool)
{
    cJSON      *note, *arguments;
    u_char      at[sizeof("1970-01-01T00:00:00Z")];
    ngx_tm_t    tm;
    ngx_int_t   rc;
    ngx_str_t   key, text, queued;

    arguments = cJSON_ParseWithLength((char *) tool->arguments.data,
                                      tool->arguments.len);

    if (ngx_http_voice_tool_reads(tool, arguments)) {
        cJSON_Delete(arguments);

        return ngx_http_voice_tool_error(tool, "unavailable",
                   "this cannot be looked up now: say so, and go on without "
                   "it");
    }

    note = NULL;
    rc = NGX_ERROR;

    if (arguments == NULL
        || ngx_http_voice_tool_key(tool, &key) != NGX_OK)
    {
        goto done;
    }

    ngx_gmtime(ngx_time(), &tm);
    (void) ngx_sprintf(at, "%4d-%02d-%02dT%02d:%02d:%02dZ%Z", tm.ngx_tm_year,
                       tm.ngx_tm_mon, tm.ngx_tm_mday, tm.ngx_tm_hour,
                       tm.ngx_tm_min, tm.ngx_tm_sec);

    /* whose call it is stands in the note itself: it may come first */

    note = ngx_http_voice_tool_call(tool);

    if (note == NULL
        || ngx_http_voice_tool_string(note, "key", key.data, key.len)
           != NGX_OK
        || cJSON_AddStringToObject(note, "kind", "action") == NULL
        || ngx_http_voice_tool_string(note, "call", tool->call->sid,
                                      NGX_VOICE_SID_LEN)
           != NGX_OK
        || cJSON_AddStringToObject(note, "at", (char *) at) == NULL
        || ngx_http_voice_tool_string(note, "name", tool->name.data,
                                      tool->name.len)
           != NGX_OK)
    {
        goto done;
    }

    if (!cJSON_AddItemToObject(note, "arguments", arguments)) {
        goto done;
    }

    arguments = NULL;

    if (ngx_http_voice_tool_print(tool->pool, note, &text) != NGX_OK
        || ngx_voice_crm_note(tool->agent->crm, &text) != NGX_OK)
    {
        goto done;
    }

    rc = NGX_OK;

    if (!tool->own) {
        ngx_str_set(&queued, "{\"queued\":true,\"message\":\"the system is "
                    "not reachable; this has been noted and will be done "
                    "later: say that it is noted, not that it is done\"}");
        tool->result = queued;
    }

done:

    cJSON_Delete(note);
    cJSON_Delete(arguments);

    /* what the edge does itself does not depend on it */

    return tool->own ? NGX_OK : rc;
}


/* nothing is lost with these, and later nobody wants to know */

static ngx_uint_t
ngx_http_voice_tool_reads(ngx_http_voice_tool_t *tool, cJSON *arguments)
{
    static ngx_str_t  lookup = ngx_string("lookup_knowledge");
    static ngx_str_t  meeting = ngx_string("schedule_meeting");

    if (ngx_http_voice_offer_is(&tool->name, &lookup)) {
        return 1;
    }

    /* without a time it asks for free ones */

    return ngx_http_voice_offer_is(&tool->name, &meeting)
           && ngx_http_voice_tool_get(arguments, "start") == NULL;
}


/* the same when a turn is repeated, or taken over by another worker */

static ngx_int_t
ngx_http_voice_tool_key(ngx_http_voice_tool_t *tool, ngx_str_t *key)
{
    key->data = ngx_pnalloc(tool->pool, NGX_VOICE_SID_LEN
                                        + 2 * NGX_INT_T_LEN
                                        + sizeof("///") + tool->name.len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    key->len = ngx_sprintf(key->data, "%*s/%ui/%V/%ui",
                           (size_t) NGX_VOICE_SID_LEN, tool->call->sid,
                           tool->call->turn, &tool->name, tool->nth)
               - key->data;

    return NGX_OK;
}


/* who calls whom, as voice.act() and notes want it */

static cJSON *
ngx_http_voice_tool_call(ngx_http_voice_tool_t *tool)
{
    cJSON                  *json;
    ngx_str_t              *given;
    ngx_voice_call_view_t  *call;

    call = tool->call;

    /* what is configured of the number: organization, time zone, country */

    given = &tool->agent->given;

    json = given->len ? cJSON_ParseWithLength((char *) given->data,
                                              given->len)
                      : cJSON_CreateObject();

    cJSON_DeleteItemFromObjectCaseSensitive(json, "flow");
    cJSON_DeleteItemFromObjectCaseSensitive(json, "language");

    if (json == NULL
        || (call->organization
            && ngx_http_voice_tool_get(json, "organization") == NULL
            && cJSON_AddNumberToObject(json, "organization",
                                       call->organization)
               == NULL)
        || ngx_http_voice_tool_string(json, "caller", call->from,
                                      call->from_len)
           != NGX_OK
        || ngx_http_voice_tool_string(json, "called", call->to, call->to_len)
           != NGX_OK
        || cJSON_AddStringToObject(json, "direction", "inbound") == NULL
        || ngx_http_voice_tool_string(json, "flow",
                                      tool->agent->flow->name.data,
                                      tool->agent->flow->name.len)
           != NGX_OK
        || ngx_http_voice_tool_string(json, "language", call->language,
                                      call->language_len)
           != NGX_OK)
    {
        cJSON_Delete(json);
        return NULL;
    }

    return json;
}


static ngx_int_t
ngx_http_voice_tool_string(cJSON *object, const char *name, u_char *data,
    size_t len)
{
    ngx_str_t  text;

    text.data = data;
    text.len = len;

    return ngx_voice_json_add(object, name, &text) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_voice_tool_print(ngx_pool_t *pool, cJSON *json, ngx_str_t *text)
{
    char  *p;

    p = cJSON_PrintUnformatted(json);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_strlen(p);
    text->data = ngx_pnalloc(pool, text->len);

    if (text->data) {
        ngx_memcpy(text->data, p, text->len);
    }

    cJSON_free(p);

    return text->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_voice_tool_error(ngx_http_voice_tool_t *tool, const char *code,
    const char *message)
{
    cJSON      *json, *error;
    ngx_int_t   rc;
    ngx_str_t   sid;

    sid.data = tool->call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    ngx_log_error(NGX_LOG_INFO, tool->log, 0,
                  "voice call \"%V\" turn %ui tool \"%V\": %s", &sid,
                  tool->call->turn, &tool->name, code);

    rc = NGX_ERROR;

    json = cJSON_CreateObject();
    error = json ? cJSON_AddObjectToObject(json, "error") : NULL;

    if (error
        && cJSON_AddStringToObject(error, "code", code)
        && cJSON_AddStringToObject(error, "message", message))
    {
        rc = ngx_http_voice_tool_print(tool->pool, json, &tool->result);
    }

    cJSON_Delete(json);

    return rc;
}


static ngx_int_t
ngx_http_voice_tool_copy(ngx_http_voice_tool_t *tool, ngx_str_t *value)
{
    u_char  *p;

    p = ngx_pstrdup(tool->pool, value);
    if (p == NULL) {
        return NGX_ERROR;
    }

    tool->result.data = p;
    tool->result.len = value->len;

    return NGX_OK;
}
