
#include "ngx_voice_flow_tool.h"
#include "ngx_voice_flow.h"


static const ngx_voice_flow_form_t  ngx_voice_flow_form_tool = {
    "^[a-z][a-z0-9_]{0,63}$",
    "must be the name of a tool such as \"create_lead\""
};


static const char  *ngx_voice_flow_days[] = {
    "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL
};


static ngx_uint_t ngx_voice_flow_same(ngx_str_t *a, ngx_str_t *b);


ngx_int_t
ngx_voice_flow_read_tools(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    cJSON                 *element;
    size_t                 len;
    ngx_int_t              rc;
    ngx_str_t             *name, *other;
    ngx_uint_t             i;
    ngx_array_t           *tools;
    ngx_voice_flow_row_t   each;

    tools = (ngx_array_t *) ((char *) conf + row->offset);

    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) > row->max) {
        return ngx_voice_flow_fail(ctx, "must be an array of up to %g names "
                                   "of tools", row->max);
    }

    if (item->child == NULL) {
        return NGX_OK;
    }

    if (ngx_array_init(tools, ctx->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return ngx_voice_flow_no_memory(ctx);
    }

    each = *row;
    each.offset = 0;
    each.detail = &ngx_voice_flow_form_tool;

    cJSON_ArrayForEach(element, item) {
        len = ngx_voice_flow_enter_index(ctx, tools->nelts);

        name = ngx_array_push(tools);
        if (name == NULL) {
            return ngx_voice_flow_no_memory(ctx);
        }

        rc = ngx_voice_flow_read_form(ctx, &each, element, name);
        if (rc != NGX_OK) {
            return rc;
        }

        if (strcmp(element->valuestring, "route") == 0) {
            return ngx_voice_flow_fail(ctx, "is \"route\", which is there "
                                       "when the flow has /routes");
        }

        other = tools->elts;

        for (i = 0; i < tools->nelts - 1; i++) {
            if (ngx_voice_flow_same(&other[i], name)) {
                return ngx_voice_flow_fail(ctx, "is there twice");
            }
        }

        ngx_voice_flow_leave(ctx, len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_to(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_int_t          rc;
    ngx_voice_flow_t  *flow;

    rc = ngx_voice_flow_read_form(ctx, row, item, conf);
    if (rc != NGX_OK) {
        return rc;
    }

    flow = ctx->flow;

    if (ngx_voice_flow_same((ngx_str_t *) ((char *) conf + row->offset),
                            &flow->name))
    {
        return ngx_voice_flow_fail(ctx, "is the flow itself");
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_days(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    cJSON       *element;
    ngx_uint_t   i, *days;

    days = (ngx_uint_t *) ((char *) conf + row->offset);

    cJSON_ArrayForEach(element, item) {

        for (i = 0; ngx_voice_flow_days[i]; i++) {
            if (cJSON_IsString(element)
                && strcmp(element->valuestring, ngx_voice_flow_days[i]) == 0)
            {
                break;
            }
        }

        if (ngx_voice_flow_days[i] == NULL) {
            *days = 0;
            break;
        }

        *days |= (ngx_uint_t) 1 << i;
    }

    if (!cJSON_IsArray(item) || *days == 0) {
        return ngx_voice_flow_fail(ctx, "must be an array of some of \"mon\", "
                                   "\"tue\", \"wed\", \"thu\", \"fri\", "
                                   "\"sat\", \"sun\"");
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_time(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    const char  *p;
    ngx_uint_t   hours, minutes;

    if (cJSON_IsString(item)
        && strspn(item->valuestring, "0123456789:") == 5
        && item->valuestring[5] == '\0')
    {
        p = item->valuestring;

        hours = (p[0] - '0') * 10 + (p[1] - '0');
        minutes = (p[3] - '0') * 10 + (p[4] - '0');

        if (p[2] == ':' && p[0] != ':' && p[1] != ':' && p[3] != ':'
            && p[4] != ':' && minutes < 60
            && (hours < 24 || (hours == 24 && minutes == 0)))
        {
            *(ngx_uint_t *) ((char *) conf + row->offset) = hours * 60
                                                            + minutes;
            return NGX_OK;
        }
    }

    return ngx_voice_flow_fail(ctx, "must be a time such as \"09:00\"");
}


ngx_int_t
ngx_voice_flow_read_until(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_int_t                rc;
    ngx_voice_flow_hours_t  *hours = conf;

    rc = ngx_voice_flow_read_time(ctx, row, item, conf);
    if (rc != NGX_OK) {
        return rc;
    }

    if (hours->to <= hours->from) {
        return ngx_voice_flow_fail(ctx, "must be later than from, on the "
                                   "same day");
    }

    return NGX_OK;
}


ngx_voice_flow_t *
ngx_voice_flow_find(ngx_array_t *flows, ngx_str_t *name)
{
    ngx_uint_t          i;
    ngx_voice_flow_t  **flow;

    flow = flows->elts;

    for (i = 0; i < flows->nelts; i++) {
        if (ngx_voice_flow_same(&flow[i]->name, name)) {
            return flow[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_voice_flow_has_tool(ngx_voice_flow_t *flow, ngx_str_t *name)
{
    ngx_str_t   *tool;
    ngx_uint_t   i;

    tool = flow->tools.elts;

    for (i = 0; i < flow->tools.nelts; i++) {
        if (ngx_voice_flow_same(&tool[i], name)) {
            return 1;
        }
    }

    return 0;
}


ngx_str_t *
ngx_voice_flow_escalate(ngx_voice_flow_t *flow)
{
    return flow->escalation.number.len ? &flow->escalation.number
                                       : &flow->fallback.number;
}


ngx_uint_t
ngx_voice_flow_open(ngx_voice_flow_t *flow, ngx_uint_t weekday,
    ngx_uint_t minutes)
{
    ngx_voice_flow_hours_t  *hours;

    hours = &flow->escalation.hours;

    return hours->days == 0
           || ((hours->days & (ngx_uint_t) 1 << weekday)
               && minutes >= hours->from && minutes < hours->to);
}


static ngx_uint_t
ngx_voice_flow_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}
