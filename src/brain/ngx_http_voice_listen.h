
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_LISTEN_H_INCLUDED_
#define _NGX_HTTP_VOICE_LISTEN_H_INCLUDED_


#include "ngx_http_voice_agent.h"


/*
 * Finds out what the caller has said in a recording: fetches it, has it
 * transcribed, and then does what is done with words: they are masked, become
 * history, meet the rules, and go to the model.  It is the first part of a
 * turn, and as the turn it writes into the answer in the zone what became of
 * it, for whoever waits.
 *
 * The caller has claimed the answer with ngx_voice_answer_record(), or has
 * taken it over; the recording stands there.  account is the AccountSid.  A
 * failure is in the answer, too.
 */
void ngx_http_voice_listen_start(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *account, ngx_str_t *recording);

/*
 * A recording is not needed any more: it is deleted at Twilio if the flow says
 * so, by a job of the database's if there is one, else at once.
 */
void ngx_http_voice_listen_forget(ngx_http_voice_agent_t *agent,
    ngx_str_t *sid, ngx_str_t *account, ngx_str_t *recording);


#endif /* _NGX_HTTP_VOICE_LISTEN_H_INCLUDED_ */
