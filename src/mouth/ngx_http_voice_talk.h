
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_TALK_H_INCLUDED_
#define _NGX_HTTP_VOICE_TALK_H_INCLUDED_


#include "ngx_http_voice_pace.h"


/*
 * The conversation as webhooks see it: silence ladder, turns and the rest of
 * their answers, apology, human, goodbye.
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


/*
 * What it is made of; all but _last() and _turns() return as
 * ngx_http_voice_resume_pt.  _prompt() asks for words on a rung of the silence
 * ladder, _input() takes those of the webhook, _act() does what a rule or a
 * key says, _misheard() asks again, _failed() apologizes, _answer() waits for
 * the turn's answer, _last() is whether turns or time are used up, _turns()
 * how many turns the call may have.
 */
ngx_int_t ngx_http_voice_talk_prompt(ngx_http_voice_pace_t *pace,
    ngx_uint_t step);
ngx_int_t ngx_http_voice_talk_input(ngx_http_voice_pace_t *pace);
ngx_int_t ngx_http_voice_talk_act(ngx_http_voice_pace_t *pace,
    ngx_voice_action_e action, ngx_voice_line_t *say);
ngx_int_t ngx_http_voice_talk_misheard(ngx_http_voice_pace_t *pace);
ngx_int_t ngx_http_voice_talk_failed(ngx_http_voice_pace_t *pace);
ngx_int_t ngx_http_voice_talk_answer(ngx_http_voice_pace_t *pace);
ngx_uint_t ngx_http_voice_talk_last(ngx_http_voice_pace_t *pace);
ngx_uint_t ngx_http_voice_talk_turns(ngx_http_voice_pace_t *pace);


#endif /* _NGX_HTTP_VOICE_TALK_H_INCLUDED_ */
