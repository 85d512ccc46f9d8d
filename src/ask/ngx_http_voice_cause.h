
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_CAUSE_H_INCLUDED_
#define _NGX_HTTP_VOICE_CAUSE_H_INCLUDED_


#include "ngx_http_voice_ask.h"


/*
 * Why an ask has failed whose status is not the one that was hoped for, in a
 * word such as "timeout" or "quota".  body is the beginning of what came;
 * detail comes with a buffer and its size, and leaves with what may be logged
 * of it.
 */
const char *ngx_http_voice_cause(ngx_http_voice_ask_t *ask, ngx_str_t *body,
    ngx_str_t *detail);


#endif /* _NGX_HTTP_VOICE_CAUSE_H_INCLUDED_ */
