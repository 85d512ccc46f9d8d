
/*
 * What the agent says and what the model is told: the lines of a flow.
 */


#ifndef _NGX_VOICE_FLOW_LINES_H_INCLUDED_
#define _NGX_VOICE_FLOW_LINES_H_INCLUDED_


#include "ngx_voice_flow_read.h"


/* for rows: a spoken line, min to max of them, and the prompt */
ngx_int_t ngx_voice_flow_read_line(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_lines(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_prompt(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);


#endif /* _NGX_VOICE_FLOW_LINES_H_INCLUDED_ */
