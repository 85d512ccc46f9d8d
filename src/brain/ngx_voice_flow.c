
#include "ngx_voice_flow.h"
#include "ngx_voice_flow_read.h"
#include "ngx_voice_flow_rule.h"
#include "ngx_voice_flow_table.h"
#include "../wire/ngx_voice_json.h"

#include <stdio.h>


static ngx_int_t ngx_voice_flow_load(ngx_voice_flow_ctx_t *ctx,
    ngx_str_t *text, ngx_voice_flow_error_t *err);


ngx_int_t
ngx_voice_flow_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_voice_flow_t **flow, ngx_voice_flow_error_t *err)
{
    ngx_int_t              rc;
    ngx_voice_flow_ctx_t   ctx;

    ngx_memzero(err, sizeof(ngx_voice_flow_error_t));
    ngx_memzero(&ctx, sizeof(ngx_voice_flow_ctx_t));

    ctx.pool = pool;

    rc = ngx_voice_flow_load(&ctx, text, err);

    if (rc != NGX_OK) {
        ngx_memcpy(err->pointer, ctx.pointer, sizeof(err->pointer));
        ngx_memcpy(err->reason, ctx.reason, sizeof(err->reason));
        return rc;
    }

    *flow = ctx.flow;

    return NGX_OK;
}


void
ngx_voice_flow_free(ngx_voice_flow_t *flow)
{
    ngx_voice_flow_free_rules(flow);
}


static ngx_int_t
ngx_voice_flow_load(ngx_voice_flow_ctx_t *ctx, ngx_str_t *text,
    ngx_voice_flow_error_t *err)
{
    cJSON                   *json;
    ngx_int_t                rc;
    ngx_voice_flow_t        *flow;
    ngx_voice_json_error_t   jerr;

    if (text->len > NGX_VOICE_FLOW_MAX) {
        return ngx_voice_flow_fail(ctx, "is larger than %d bytes",
                                   NGX_VOICE_FLOW_MAX);
    }

    flow = ngx_pcalloc(ctx->pool, sizeof(ngx_voice_flow_t));
    if (flow == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    if (ngx_array_init(&flow->stock, ctx->pool, 16, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return ngx_voice_flow_no_memory(ctx);
    }

    ctx->flow = flow;

    json = ngx_voice_json_parse(text->data, text->len, &jerr);
    if (json == NULL) {
        err->line = jerr.line;
        err->column = jerr.column;
        snprintf(ctx->pointer, sizeof(ctx->pointer), "%s",
                 (char *) jerr.pointer);

        return ngx_voice_flow_fail(ctx, "%s", jerr.reason);
    }

    rc = ngx_voice_flow_walk(ctx, ngx_voice_flow_rows, json, flow);

    cJSON_Delete(json);

    if (rc == NGX_OK) {
        rc = ngx_voice_flow_human(ctx, flow);
    }

    if (rc != NGX_OK) {
        ngx_voice_flow_free(flow);
    }

    return rc;
}
