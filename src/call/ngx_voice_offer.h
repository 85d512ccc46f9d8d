
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_OFFER_H_INCLUDED_
#define _NGX_VOICE_OFFER_H_INCLUDED_


#include "ngx_voice_zone.h"


/*
 * What the model can be offered, as JSON text: one worker has fetched it,
 * all use it, and it is there while its source is not.
 */

/* NGX_ERROR: the zone is full, and keeps what it had */
ngx_int_t ngx_voice_offer_put(ngx_voice_zone_t *zone, ngx_str_t *text);

/* a copy in pool; NGX_DECLINED: there is none, NGX_ERROR: no memory */
ngx_int_t ngx_voice_offer_get(ngx_voice_zone_t *zone, ngx_pool_t *pool,
    ngx_str_t *text);


#endif /* _NGX_VOICE_OFFER_H_INCLUDED_ */
