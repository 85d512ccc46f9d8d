
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_HEALTH_H_INCLUDED_
#define _NGX_HTTP_VOICE_HEALTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../call/ngx_voice_zone.h"


/*
 * GET health: {"status","reasons":[{"code","message"}],...}.  200 for "ready"
 * and "degraded", which still answers calls; 503 for "failing": a load
 * balancer should send calls elsewhere.
 */
ngx_int_t ngx_http_voice_health(ngx_http_request_t *r, ngx_voice_zone_t *zone,
    ngx_uint_t unsigned_webhooks);


#endif /* _NGX_HTTP_VOICE_HEALTH_H_INCLUDED_ */
