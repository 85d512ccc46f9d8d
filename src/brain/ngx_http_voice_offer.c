
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_offer.h"


#define ngx_http_voice_offer_get(object, name)                                \
    cJSON_GetObjectItemCaseSensitive(object, name)


ngx_str_t  ngx_http_voice_offer_route = ngx_string("route");
ngx_str_t  ngx_http_voice_offer_transfer = ngx_string("transfer_to_human");
ngx_str_t  ngx_http_voice_offer_end = ngx_string("end_call");


static ngx_int_t ngx_http_voice_offer_add(cJSON *tools, const char *name,
    const char *description, const char *parameters);
static ngx_int_t ngx_http_voice_offer_own(ngx_http_voice_agent_t *agent,
    cJSON *tools);
static ngx_int_t ngx_http_voice_offer_routes(ngx_http_voice_agent_t *agent,
    cJSON *tools, ngx_pool_t *pool);
static ngx_int_t ngx_http_voice_offer_crm(ngx_http_voice_agent_t *agent,
    cJSON *tools, ngx_pool_t *pool);
static ngx_int_t ngx_http_voice_offer_known(ngx_http_voice_agent_t *agent,
    cJSON *tools, cJSON *known);


cJSON *
ngx_http_voice_offer(ngx_http_voice_agent_t *agent, ngx_pool_t *pool)
{
    cJSON  *tools;

    tools = cJSON_CreateArray();
    if (tools == NULL) {
        return NULL;
    }

    if (ngx_http_voice_offer_routes(agent, tools, pool) != NGX_OK
        || ngx_http_voice_offer_own(agent, tools) != NGX_OK
        || ngx_http_voice_offer_crm(agent, tools, pool) != NGX_OK)
    {
        cJSON_Delete(tools);
        return NULL;
    }

    return tools;
}


static ngx_int_t
ngx_http_voice_offer_add(cJSON *tools, const char *name,
    const char *description, const char *parameters)
{
    cJSON  *tool, *function, *schema;

    tool = cJSON_CreateObject();
    if (tool == NULL) {
        return NGX_ERROR;
    }

    if (!cJSON_AddItemToArray(tools, tool)) {
        cJSON_Delete(tool);
        return NGX_ERROR;
    }

    if (cJSON_AddStringToObject(tool, "type", "function") == NULL) {
        return NGX_ERROR;
    }

    function = cJSON_AddObjectToObject(tool, "function");

    if (function == NULL
        || cJSON_AddStringToObject(function, "name", name) == NULL
        || cJSON_AddStringToObject(function, "description", description)
           == NULL)
    {
        return NGX_ERROR;
    }

    schema = cJSON_Parse(parameters);

    if (schema == NULL
        || !cJSON_AddItemToObject(function, "parameters", schema))
    {
        cJSON_Delete(schema);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the database is told of these, but they work without it */

static ngx_int_t
ngx_http_voice_offer_own(ngx_http_voice_agent_t *agent, cJSON *tools)
{
    ngx_voice_flow_t  *flow;

    flow = agent->flow;

    if (ngx_voice_flow_has_tool(flow, &ngx_http_voice_offer_transfer)
        && ngx_voice_flow_escalate(flow)->len
        && ngx_http_voice_offer_add(tools, "transfer_to_human",
                "Connects the caller with a person. Say in the same answer "
                "that you do.",
                "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":"
                "\"string\",\"maxLength\":500}},\"required\":[],"
                "\"additionalProperties\":false}")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_voice_flow_has_tool(flow, &ngx_http_voice_offer_end)
        && ngx_http_voice_offer_add(tools, "end_call",
                "Ends the call. Say goodbye in the same answer.",
                "{\"type\":\"object\",\"properties\":{\"outcome\":{\"type\":"
                "\"string\",\"maxLength\":100,\"description\":\"What came of "
                "the call, in two or three words\"}},\"required\":[],"
                "\"additionalProperties\":false}")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_offer_routes(ngx_http_voice_agent_t *agent, cJSON *tools,
    ngx_pool_t *pool)
{
    u_char             *p, *q, *description, *parameters;
    size_t              len;
    ngx_str_t           to;
    ngx_uint_t          i, k;
    ngx_array_t        *routes;
    ngx_voice_route_t  *route;

    routes = &agent->flow->routes;

    if (routes->nelts == 0) {
        return NGX_OK;
    }

    len = sizeof("Hands the caller to a colleague of yours who can help "
                 "with:") + sizeof("{\"type\":\"object\",\"properties\":"
                 "{\"to\":{\"type\":\"string\",\"enum\":[]}},\"required\":"
                 "[\"to\"],\"additionalProperties\":false}");

    route = routes->elts;

    for (i = 0; i < routes->nelts; i++) {
        len += sizeof(" \"\", : .") + route[i].to.len
               + route[i].description.len;
    }

    description = ngx_pnalloc(pool, len);
    parameters = ngx_pnalloc(pool, len);

    if (description == NULL || parameters == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(description, "Hands the caller to a colleague of yours "
                    "who can help with:");
    q = ngx_sprintf(parameters, "{\"type\":\"object\",\"properties\":{\"to\":"
                    "{\"type\":\"string\",\"enum\":[");

    for (i = 0; i < routes->nelts; i++) {
        to = route[i].to;

        /* one flow may have several patterns */

        for (k = 0; k < i; k++) {
            if (ngx_http_voice_offer_is(&route[k].to, &to)) {
                break;
            }
        }

        if (k == i) {
            q = ngx_sprintf(q, "%s\"%V\"", i ? "," : "", &to);
        }

        if (route[i].description.len) {
            p = ngx_sprintf(p, " %V: %V.", &to, &route[i].description);

        } else if (k == i) {
            p = ngx_sprintf(p, " %V.", &to);
        }
    }

    *p = '\0';
    *ngx_sprintf(q, "]}},\"required\":[\"to\"],\"additionalProperties\":"
                 "false}") = '\0';

    return ngx_http_voice_offer_add(tools, "route", (char *) description,
                                   (char *) parameters);
}


static ngx_int_t
ngx_http_voice_offer_crm(ngx_http_voice_agent_t *agent, cJSON *tools,
    ngx_pool_t *pool)
{
    cJSON      *known;
    ngx_int_t   rc;
    ngx_str_t   text;

    if (agent->crm == NULL || agent->flow->tools.nelts == 0) {
        return NGX_OK;
    }

    rc = ngx_voice_crm_tools(agent->crm, pool, &text);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    known = cJSON_ParseWithLength((char *) text.data, text.len);

    rc = ngx_http_voice_offer_known(agent, tools, known);

    cJSON_Delete(known);

    return rc;
}


/* those of the database that the flow names, in the database's order */

static ngx_int_t
ngx_http_voice_offer_known(ngx_http_voice_agent_t *agent, cJSON *tools,
    cJSON *known)
{
    cJSON      *tool, *next, *name;
    ngx_str_t   text;

    if (!cJSON_IsArray(known)) {
        return NGX_OK;
    }

    for (tool = known->child; tool; tool = next) {
        next = tool->next;

        name = ngx_http_voice_offer_get(ngx_http_voice_offer_get(tool,
                                                               "function"),
                                       "name");
        if (!cJSON_IsString(name)) {
            continue;
        }

        text.data = (u_char *) name->valuestring;
        text.len = ngx_strlen(name->valuestring);

        if (ngx_http_voice_offer_is(&text, &ngx_http_voice_offer_transfer)
            || ngx_http_voice_offer_is(&text, &ngx_http_voice_offer_end)
            || !ngx_voice_flow_has_tool(agent->flow, &text))
        {
            continue;
        }

        (void) cJSON_DetachItemViaPointer(known, tool);

        if (!cJSON_AddItemToArray(tools, tool)) {
            cJSON_Delete(tool);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


cJSON *
ngx_http_voice_offer_find(cJSON *tools, ngx_str_t *name)
{
    cJSON      *tool, *function, *item;
    ngx_str_t   text;

    cJSON_ArrayForEach(tool, tools) {
        function = ngx_http_voice_offer_get(tool, "function");
        item = ngx_http_voice_offer_get(function, "name");

        if (cJSON_IsString(item)) {
            text.data = (u_char *) item->valuestring;
            text.len = ngx_strlen(item->valuestring);

            if (ngx_http_voice_offer_is(&text, name)) {
                return function;
            }
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_voice_offer_is(ngx_str_t *name, ngx_str_t *other)
{
    return name->len == other->len
           && ngx_memcmp(name->data, other->data, other->len) == 0;
}
