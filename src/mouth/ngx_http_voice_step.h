
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_STEP_H_INCLUDED_
#define _NGX_HTTP_VOICE_STEP_H_INCLUDED_


#include "ngx_http_voice_hook.h"


/*
 * Takes a verified webhook as a step of its call: claims it, does what it
 * asks for, waits where it has to, answers.
 *
 * NGX_DONE: it waits, and finalizes the request itself later; everything else
 * is what the caller finalizes the request with.
 */
ngx_int_t ngx_http_voice_step(ngx_http_voice_hook_t *hook);


#endif /* _NGX_HTTP_VOICE_STEP_H_INCLUDED_ */
