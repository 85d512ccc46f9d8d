
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_WEBHOOK_H_INCLUDED_
#define _NGX_HTTP_VOICE_WEBHOOK_H_INCLUDED_


#include "ngx_http_voice_hook.h"


/*
 * Twilio's webhooks: what comes in is read and checked, verified, claimed as a
 * step of a call, and answered with TwiML.
 */

/*
 * Content handler's work: reads and answers.  route is NGX_HTTP_VOICE_ROUTES
 * for "take the path's last segment".  The hook is the request's context of
 * the module, for variables.
 */
ngx_int_t ngx_http_voice_webhook(ngx_http_request_t *r,
    ngx_http_voice_webhook_conf_t *conf, ngx_uint_t route);


#endif /* _NGX_HTTP_VOICE_WEBHOOK_H_INCLUDED_ */
