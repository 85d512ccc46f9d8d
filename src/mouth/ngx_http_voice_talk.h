
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_TALK_H_INCLUDED_
#define _NGX_HTTP_VOICE_TALK_H_INCLUDED_


#include "ngx_http_voice_pace.h"


/*
 * The conversation as webhooks see it: greeting, opening, silence ladder,
 * turns and the rest of their answers, apology, human, goodbye.
 */

/* a claimed step from its beginning; returns as ngx_http_voice_resume_pt */
ngx_int_t ngx_http_voice_talk_begin(ngx_http_voice_pace_t *pace);

/*
 * Carries a call on from where it stands, for a webhook that comes too late to
 * be a step of its own, and for the fallback URL.
 */
ngx_int_t ngx_http_voice_talk_aside(ngx_http_voice_pace_t *pace);

/* there is no room: the flow's busy line, and a human or the end */
ngx_int_t ngx_http_voice_talk_busy(ngx_http_voice_pace_t *pace);


#endif /* _NGX_HTTP_VOICE_TALK_H_INCLUDED_ */
