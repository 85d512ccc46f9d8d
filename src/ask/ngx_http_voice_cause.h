
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_CAUSE_H_INCLUDED_
#define _NGX_HTTP_VOICE_CAUSE_H_INCLUDED_


#include "ngx_http_voice_ask.h"


/* the core has no name for it */
#define NGX_HTTP_VOICE_PAYMENT  402


/*
 * Why an ask has failed whose status is not the one that was hoped for, in a
 * word such as "timeout" or "quota".  body is the beginning of what came;
 * detail comes with a buffer and its size, and leaves with what may be logged
 * of it.
 */
const char *ngx_http_voice_cause(ngx_http_voice_ask_t *ask, ngx_str_t *body,
    ngx_str_t *detail);

/*
 * Whether a provider's message may be logged: with other statuses it can be
 * the request that is the matter, and is quoted, caller's words included.
 */
ngx_uint_t ngx_http_voice_cause_tells(ngx_uint_t status);


#endif /* _NGX_HTTP_VOICE_CAUSE_H_INCLUDED_ */
