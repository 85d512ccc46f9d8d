
/*
 * What a flow does without the model: rules on the caller's words, and keys.
 */


#ifndef _NGX_VOICE_FLOW_RULE_H_INCLUDED_
#define _NGX_VOICE_FLOW_RULE_H_INCLUDED_


#include "ngx_voice_flow.h"
#include "ngx_voice_flow_read.h"


/*
 * For rows, in parentheses what they fill: a pattern (ngx_voice_pattern_t); an
 * action, and one that ends the call here (ngx_voice_action_e); a line
 * (ngx_voice_line_t *); telephone keys.
 */
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
