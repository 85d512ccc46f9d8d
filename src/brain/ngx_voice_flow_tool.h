
/*
 * What a flow lets the model do: its tools, other flows, a human at hours.
 */


#ifndef _NGX_VOICE_FLOW_TOOL_H_INCLUDED_
#define _NGX_VOICE_FLOW_TOOL_H_INCLUDED_


#include "ngx_voice_flow_read.h"


/*
 * For rows, in parentheses what they fill: names of tools (ngx_array_t), the
 * name of another flow (ngx_str_t), days of the week (ngx_uint_t), a time of
 * day, and one that is later (ngx_uint_t).
 */
ngx_int_t ngx_voice_flow_read_tools(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_to(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_days(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_time(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_until(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);


#endif /* _NGX_VOICE_FLOW_TOOL_H_INCLUDED_ */
