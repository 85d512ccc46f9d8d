
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cjson/cJSON.h>

#include "ngx_http_voice_context.h"
#include "../wire/ngx_voice_text.h"


/* bytes: what a call keeps of its caller; less important things go first */
#define NGX_HTTP_VOICE_CONTEXT_MAX  6144


typedef struct {
    ngx_pool_t                    *pool;
    ngx_http_voice_context_ask_t   ask;
} ngx_http_voice_context_wait_t;


static void ngx_http_voice_context_answer(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static ngx_int_t ngx_http_voice_context_about(cJSON *caller,
    ngx_pool_t *pool, ngx_str_t *about);
static ngx_str_t ngx_http_voice_context_string(cJSON *object,
    const char *name, ngx_pool_t *pool);
static ngx_str_t ngx_http_voice_context_spoken(cJSON *object,
    const char *name, ngx_pool_t *pool);
static cJSON *ngx_http_voice_context_get(cJSON *object, const char *name);


void
ngx_http_voice_context_ask(ngx_http_voice_context_ask_t *ask)
{
    ngx_pool_t                     *pool;
    ngx_http_voice_context_wait_t  *wait;

    if (ngx_voice_call_ask(ask->zone, &ask->sid) != NGX_OK) {
        return;
    }

    pool = ngx_create_pool(512, ngx_cycle->log);
    if (pool == NULL) {
        goto failed;
    }

    wait = ngx_palloc(pool, sizeof(ngx_http_voice_context_wait_t));
    if (wait == NULL) {
        goto failed;
    }

    wait->pool = pool;
    wait->ask = *ask;

    wait->ask.sid.data = ngx_pstrdup(pool, &ask->sid);

    if (wait->ask.sid.data == NULL
        || ngx_voice_crm_who(ask->crm, &ask->called, &ask->given,
                             &ask->caller, 0, ngx_http_voice_context_answer,
                             wait)
           == NULL)
    {
        goto failed;
    }

    return;

failed:

    if (pool) {
        ngx_destroy_pool(pool);
    }

    ngx_voice_call_know(ask->zone, &ask->sid, NULL, ngx_cycle->log);
}


static void
ngx_http_voice_context_answer(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value)
{
    ngx_http_voice_context_wait_t *wait = data;

    ngx_voice_call_known_t         known;
    ngx_http_voice_context_ask_t  *ask;

    ask = &wait->ask;

    if (rc == NGX_VOICE_CRM_OK
        && ngx_http_voice_context_known(value, ask->flows, wait->pool,
                                        &known)
           == NGX_OK)
    {
        ngx_voice_call_know(ask->zone, &ask->sid, &known, ngx_cycle->log);

    } else {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "voice call \"%V\" goes on without the CRM: who calls "
                      "could not be looked up", &ask->sid);

        ngx_voice_call_know(ask->zone, &ask->sid, NULL, ngx_cycle->log);
    }

    ngx_destroy_pool(wait->pool);
}


ngx_int_t
ngx_http_voice_context_known(ngx_str_t *answer, ngx_array_t *flows,
    ngx_pool_t *pool, ngx_voice_call_known_t *known)
{
    cJSON              *root, *number, *item;
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_voice_flow_t  **flow;

    rc = NGX_ERROR;

    ngx_memzero(known, sizeof(ngx_voice_call_known_t));

    root = cJSON_ParseWithLength((char *) answer->data, answer->len);

    number = ngx_http_voice_context_get(root, "number");

    if (number == NULL) {
        number = ngx_http_voice_context_get(
                     ngx_http_voice_context_get(root, "resume"), "call");
    }

    if (!cJSON_IsObject(number)) {
        goto done;
    }

    item = ngx_http_voice_context_get(number, "error");

    if (item) {
        item = ngx_http_voice_context_get(item, "message");

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "voice number is not known to the CRM: %s",
                      cJSON_IsString(item) ? item->valuestring : "no reason");
        goto done;
    }

    known->flow = ngx_http_voice_context_string(number, "flow", pool);
    known->language = ngx_http_voice_context_string(number, "language", pool);
    known->timezone = ngx_http_voice_context_string(number, "timezone", pool);
    known->country = ngx_http_voice_context_string(number, "country", pool);

    item = ngx_http_voice_context_get(number, "organization");

    if (cJSON_IsNumber(item)) {
        known->organization = item->valueint;
    }

    item = ngx_http_voice_context_get(root, "offset");

    if (cJSON_IsNumber(item)) {
        known->offset = item->valueint;
    }

    /* a flow that is configured nowhere here is not taken */

    flow = flows->elts;

    for (i = 0; i < flows->nelts; i++) {
        if (flow[i]->name.len == known->flow.len
            && ngx_strncmp(flow[i]->name.data, known->flow.data,
                           known->flow.len)
               == 0)
        {
            break;
        }
    }

    if (i == flows->nelts && known->flow.len) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "voice database names flow \"%V\", which no "
                      "\"voice_flow\" has loaded", &known->flow);
        known->flow.len = 0;
    }

    rc = ngx_http_voice_context_about(ngx_http_voice_context_get(root,
                                                                 "caller"),
                                      pool, &known->about);

done:

    cJSON_Delete(root);

    return rc;
}


/* within its bound, whole things only */

static ngx_int_t
ngx_http_voice_context_about(cJSON *caller, ngx_pool_t *pool,
    ngx_str_t *about)
{
    char        *text;
    ngx_uint_t   i;

    static const char  *less[] = {
        "activities", "leads", "account", "calls", "deals", "tickets",
        "contact", NULL
    };

    if (!cJSON_IsObject(caller)) {
        return NGX_OK;
    }

    for (i = 0; /* void */ ; i++) {

        text = cJSON_PrintUnformatted(caller);
        if (text == NULL) {
            return NGX_ERROR;
        }

        about->len = ngx_strlen(text);

        if (about->len <= NGX_HTTP_VOICE_CONTEXT_MAX) {
            break;
        }

        cJSON_free(text);

        if (less[i] == NULL) {
            about->len = 0;
            return NGX_OK;
        }

        cJSON_DeleteItemFromObjectCaseSensitive(caller, less[i]);
    }

    about->data = ngx_pnalloc(pool, about->len);

    if (about->data) {
        ngx_memcpy(about->data, text, about->len);
    }

    cJSON_free(text);

    return about->data ? NGX_OK : NGX_ERROR;
}


ngx_http_voice_context_t *
ngx_http_voice_context_load(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_pool_t *pool)
{
    cJSON                     *root, *contact, *first;
    ngx_str_t                  about;
    ngx_http_voice_context_t  *context;

    if (ngx_voice_call_about(zone, sid, pool, &about) != NGX_OK
        || about.len == 0)
    {
        return NULL;
    }

    context = ngx_pcalloc(pool, sizeof(ngx_http_voice_context_t));
    if (context == NULL) {
        return NULL;
    }

    context->about = about;

    root = cJSON_ParseWithLength((char *) about.data, about.len);
    if (root == NULL) {
        return NULL;
    }

    contact = ngx_http_voice_context_get(root, "contact");

    context->name = ngx_http_voice_context_spoken(contact, "name", pool);
    context->first_name = ngx_http_voice_context_spoken(contact,
                                                        "first_name", pool);
    context->company = ngx_http_voice_context_spoken(contact, "company",
                                                     pool);

    first = cJSON_GetArrayItem(ngx_http_voice_context_get(root, "deals"), 0);

    context->deal = ngx_http_voice_context_spoken(first, "title", pool);

    first = cJSON_GetArrayItem(ngx_http_voice_context_get(root, "tickets"),
                               0);

    context->ticket = ngx_http_voice_context_spoken(first, "number", pool);
    context->ticket_title = ngx_http_voice_context_spoken(first, "title",
                                                          pool);

    first = cJSON_GetArrayItem(ngx_http_voice_context_get(root, "calls"), 0);

    context->last_call = ngx_http_voice_context_spoken(first, "summary",
                                                       pool);

    cJSON_Delete(root);

    return context;
}


static ngx_str_t
ngx_http_voice_context_string(cJSON *object, const char *name,
    ngx_pool_t *pool)
{
    cJSON      *item;
    ngx_str_t   value;

    ngx_str_null(&value);

    item = ngx_http_voice_context_get(object, name);

    if (!cJSON_IsString(item)) {
        return value;
    }

    value.len = ngx_strlen(item->valuestring);
    value.data = ngx_pnalloc(pool, value.len);

    if (value.data == NULL) {
        value.len = 0;
        return value;
    }

    ngx_memcpy(value.data, item->valuestring, value.len);

    return value;
}


/* anybody may have written what stands in a CRM */

static ngx_str_t
ngx_http_voice_context_spoken(cJSON *object, const char *name,
    ngx_pool_t *pool)
{
    ngx_str_t  value;

    value = ngx_http_voice_context_string(object, name, pool);
    value.len = ngx_voice_text_speakable(value.data, value.len);

    return value;
}


static cJSON *
ngx_http_voice_context_get(cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}
