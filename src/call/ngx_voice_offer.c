
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_offer.h"


ngx_int_t
ngx_voice_offer_put(ngx_voice_zone_t *zone, ngx_str_t *text)
{
    ngx_voice_chunk_t  *chunk, *old;

    if (text->len > NGX_VOICE_SCRATCH) {
        return NGX_ERROR;
    }

    ngx_voice_zone_lock(zone);

    chunk = ngx_voice_chunk_store(zone, text->data, text->len);

    if (chunk) {
        old = zone->sh->offer;
        zone->sh->offer = chunk;
        ngx_voice_chunk_free(zone, old);
    }

    ngx_voice_zone_unlock(zone);

    return chunk ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_voice_offer_get(ngx_voice_zone_t *zone, ngx_pool_t *pool,
    ngx_str_t *text)
{
    size_t   len;
    u_char  *p;

    p = ngx_voice_zone_scratch();
    len = 0;

    ngx_voice_zone_lock(zone);

    if (zone->sh->offer) {
        len = zone->sh->offer->total;
        (void) ngx_voice_chunk_copy(p, zone->sh->offer);
    }

    ngx_voice_zone_unlock(zone);

    if (len == 0) {
        return NGX_DECLINED;
    }

    text->len = len;
    text->data = ngx_pnalloc(pool, len);

    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, p, len);

    return NGX_OK;
}
