
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_OFFER_H_INCLUDED_
#define _NGX_HTTP_VOICE_OFFER_H_INCLUDED_


#include <cjson/cJSON.h>

#include "ngx_http_voice_agent.h"


/*
 * What the flow offers to the model now, as the model is told it; an empty
 * array where it offers nothing.  NULL without memory.  To be freed with
 * cJSON_Delete().
 */
cJSON *ngx_http_voice_offer(ngx_http_voice_agent_t *agent, ngx_pool_t *pool);

/* what is offered under a name: its "function", NULL if nothing is */
cJSON *ngx_http_voice_offer_find(cJSON *tools, ngx_str_t *name);

ngx_uint_t ngx_http_voice_offer_is(ngx_str_t *name, ngx_str_t *other);


/* the edge's own */

extern ngx_str_t  ngx_http_voice_offer_route;
extern ngx_str_t  ngx_http_voice_offer_transfer;
extern ngx_str_t  ngx_http_voice_offer_end;


#endif /* _NGX_HTTP_VOICE_OFFER_H_INCLUDED_ */
