
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_PROMPT_H_INCLUDED_
#define _NGX_HTTP_VOICE_PROMPT_H_INCLUDED_


#include <cjson/cJSON.h>

#include "ngx_http_voice_agent.h"


/*
 * The JSON request to the model: persona, facts about the call, history in
 * its bounds with what tools did, the caller's last words, what can be called.
 * said: what the agent has already spoken in this turn, empty at first; from
 * since on it was spoken after the last tool, and is to be gone on from.
 * tools: an array, NULL or empty when none are offered.
 *
 * NGX_OK and the body in pool, or NGX_ERROR without memory.
 */
ngx_int_t ngx_http_voice_prompt(ngx_http_voice_agent_t *agent,
    ngx_http_voice_model_t *model, ngx_voice_call_view_t *call,
    ngx_str_t *said, size_t since, cJSON *tools, ngx_pool_t *pool,
    ngx_str_t *body);

/*
 * The same of an object that has its "messages", and "tools" if there are any;
 * max_tokens 0: no bound.
 */
ngx_int_t ngx_http_voice_prompt_request(ngx_http_voice_agent_t *agent,
    ngx_http_voice_model_t *model, cJSON *root, ngx_uint_t max_tokens,
    ngx_pool_t *pool, ngx_str_t *body);

/* a message, at the end */
ngx_int_t ngx_http_voice_prompt_add(cJSON *messages, const char *role,
    ngx_str_t *text);

/* the model's name: the location's, else the flow's */
ngx_str_t *ngx_http_voice_prompt_model(ngx_http_voice_agent_t *agent,
    ngx_http_voice_model_t *model);


#endif /* _NGX_HTTP_VOICE_PROMPT_H_INCLUDED_ */
