
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_TURN_H_INCLUDED_
#define _NGX_HTTP_VOICE_TURN_H_INCLUDED_


#include "ngx_http_voice_agent.h"


/*
 * Answers what the caller said last: asks the model, cuts its text into
 * pieces, and has them spoken, while nobody or anybody waits.  It writes into
 * the call in the zone, and whoever waits for the answer, in any worker, reads
 * it there.
 *
 * The caller has claimed the answer with ngx_voice_answer_begin().  begun:
 * another worker had begun it, so that what is spoken of it is an answer as
 * far as it goes, not a line before it.  Returns
 * NGX_OK when the turn is under way; NGX_ERROR: it failed at once, and the
 * answer says so.
 */
ngx_int_t ngx_http_voice_turn_start(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t begun);


#endif /* _NGX_HTTP_VOICE_TURN_H_INCLUDED_ */
