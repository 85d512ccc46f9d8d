
/*
 * What a flow does without the model: rules on the caller's words, and keys.
 */


#ifndef _NGX_VOICE_FLOW_RULE_H_INCLUDED_
#define _NGX_VOICE_FLOW_RULE_H_INCLUDED_


#include "ngx_voice_flow.h"
#include "ngx_voice_flow_read.h"


/*
 * For rows: rules with the rows in detail, and their keys; an action that ends
 * the call here; telephone keys.
 */
ngx_int_t ngx_voice_flow_read_rules(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_pattern(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_action(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_way_out(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_say(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_keys(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);

/* a caller who is promised a human must have a way to one */
ngx_int_t ngx_voice_flow_human(ngx_voice_flow_ctx_t *ctx,
    ngx_voice_flow_t *flow);

void ngx_voice_flow_free_rules(ngx_voice_flow_t *flow);


#endif /* _NGX_VOICE_FLOW_RULE_H_INCLUDED_ */
