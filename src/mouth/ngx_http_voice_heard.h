
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_HEARD_H_INCLUDED_
#define _NGX_HTTP_VOICE_HEARD_H_INCLUDED_


#include "ngx_http_voice_hook.h"


/*
 * The caller's words have come: how much of the agent's answer before them was
 * heard.  Where there is reason to think that it was interrupted, the history
 * is cut to what was probably heard, and marked as an estimate.
 */
void ngx_http_voice_heard(ngx_http_voice_hook_t *hook, ngx_str_t *words);

/*
 * The caller has hung up: what was not given out any more of the agent's
 * answer was not said, and the database is told so.  To be called before the
 * call ends; hook has its view and its agent.
 */
void ngx_http_voice_heard_last(ngx_http_voice_hook_t *hook);


#endif /* _NGX_HTTP_VOICE_HEARD_H_INCLUDED_ */
