
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_RECORD_H_INCLUDED_
#define _NGX_HTTP_VOICE_RECORD_H_INCLUDED_


#include "ngx_http_voice_pace.h"


/*
 * The conversation with a caller who is recorded: the words come later than
 * the webhook that tells of them.  Until then it waits as for an answer, and
 * so fillers, repeated webhooks and dead workers are nothing new.
 */

/* a claimed step that brings a recording, or the key that ended it */
ngx_int_t ngx_http_voice_record_begin(ngx_http_voice_pace_t *pace);

/*
 * The turn's answer is this worker's to make, from where it stands: the
 * recording's words, or the model's.  A failure is in the answer, too.
 */
void ngx_http_voice_record_start(ngx_http_voice_pace_t *pace);

/* what a recording came to where that is no answer */
ngx_int_t ngx_http_voice_record_heard(ngx_http_voice_pace_t *pace,
    ngx_voice_answer_view_t *view);

/* the recording that the webhook tells of is not going to be transcribed */
void ngx_http_voice_record_forget(ngx_http_voice_hook_t *hook);


#endif /* _NGX_HTTP_VOICE_RECORD_H_INCLUDED_ */
