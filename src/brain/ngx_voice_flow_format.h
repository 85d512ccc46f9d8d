
/*
 * The audio formats that a flow may name.
 */


#ifndef _NGX_VOICE_FLOW_FORMAT_H_INCLUDED_
#define _NGX_VOICE_FLOW_FORMAT_H_INCLUDED_


#include "ngx_voice_flow_read.h"


/* for rows */
ngx_int_t ngx_voice_flow_read_format(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);


#endif /* _NGX_VOICE_FLOW_FORMAT_H_INCLUDED_ */
