
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_VERIFY_H_INCLUDED_
#define _NGX_HTTP_VOICE_VERIFY_H_INCLUDED_


#include "ngx_http_voice_hook.h"


/*
 * Whether Twilio sent this (Twilio, "Validating requests"), and for this
 * account.  NGX_OK, or NGX_HTTP_FORBIDDEN after a log line that names what
 * differed and the URL that was computed, never a token or a signature.
 * The signature of a form needs its parameters, that of JSON only the body;
 * the account is one of the parameters.
 */
ngx_int_t ngx_http_voice_verify_signature(ngx_http_voice_hook_t *hook);
ngx_int_t ngx_http_voice_verify_account(ngx_http_voice_hook_t *hook);


#endif /* _NGX_HTTP_VOICE_VERIFY_H_INCLUDED_ */
