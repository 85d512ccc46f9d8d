
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_GREET_H_INCLUDED_
#define _NGX_HTTP_VOICE_GREET_H_INCLUDED_


#include "ngx_http_voice_pace.h"


/* how a call begins; both return as ngx_http_voice_resume_pt */

/* the greeting, while it is found out who calls */
ngx_int_t ngx_http_voice_greet_ring(ngx_http_voice_pace_t *pace);

/* the opening line: by name where it is known for sure who calls */
ngx_int_t ngx_http_voice_greet_open(ngx_http_voice_pace_t *pace);


#endif /* _NGX_HTTP_VOICE_GREET_H_INCLUDED_ */
