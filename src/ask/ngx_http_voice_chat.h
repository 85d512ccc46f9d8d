
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_CHAT_H_INCLUDED_
#define _NGX_HTTP_VOICE_CHAT_H_INCLUDED_


#include "ngx_http_voice_ask.h"
#include "ngx_voice_chat_call.h"
#include "../call/ngx_voice_zone.h"


/*
 * One streamed chat completion (OpenAI, "Create chat completion", and servers
 * compatible with it).
 */

typedef struct ngx_http_voice_chat_s  ngx_http_voice_chat_t;

/*
 * Text as it comes, on the filter's stack: note it, post an event.  Anything
 * but NGX_OK says that no more is wanted.
 */
typedef ngx_int_t (*ngx_http_voice_chat_text_pt)(void *data, ngx_str_t *text);

/*
 * Runs once, as an event; cause is NULL when the answer is complete, else a
 * word such as "timeout", "unauthorized", "quota", "rate_limited", "cut".
 * What was heard before a failure was heard; calls are whole or there are
 * none.  The chat is gone afterwards.
 */
typedef void (*ngx_http_voice_chat_done_pt)(void *data,
    ngx_http_voice_chat_t *chat, const char *cause);

/* the worker leaves by force: free what is yours, nothing else */
typedef void (*ngx_http_voice_chat_lost_pt)(void *data);


typedef struct {
    ngx_str_t                    uri;         /* internal location */
    ngx_str_t                    model;
    ngx_str_t                    tokens_field; /* max_tokens or the newer */
    ngx_uint_t                   limit;       /* at the same time, 0: any */
} ngx_http_voice_model_t;


struct ngx_http_voice_chat_s {
    void                        *data;
    ngx_http_voice_chat_text_pt  on_text;
    ngx_http_voice_chat_done_pt  on_done;
    ngx_http_voice_chat_lost_pt  on_lost;

    ngx_http_voice_model_t      *model;
    ngx_http_conf_ctx_t         *ctx;
    ngx_voice_zone_t            *zone;
    ngx_str_t                    sid;

    ngx_msec_t                   first_token_timeout;
    ngx_msec_t                   token_timeout;
    ngx_uint_t                   patient;     /* flag: callers come first */

    /* results */

    ngx_uint_t                   busy;        /* flag: patient, no room now */

    ngx_msec_t                   started;
    ngx_msec_t                   first_token;  /* since started, 0: none */
    ngx_msec_t                   duration;
    ngx_int_t                    prompt_tokens;      /* -1: unknown */
    ngx_int_t                    completion_tokens;
    ngx_uint_t                   ncalls;
    ngx_uint_t                   calling;      /* a call had begun */
    ngx_voice_chat_call_t       *calls;        /* of tools */
};


/*
 * body: the JSON request, with "stream": true.  The chat is copied; the copy
 * is returned, NULL when the ask could not be made, or the provider is not to
 * be asked now.  body is copied, too.  Where too many are asking already it
 * waits for one of them to end, as long as for a first token; one that is
 * patient is not asked at all then, and *chat is marked as busy.
 */
ngx_http_voice_chat_t *ngx_http_voice_chat_start(ngx_http_voice_chat_t *chat,
    ngx_str_t *body);

/* from an event of ours; on_done will not run */
void ngx_http_voice_chat_abort(ngx_http_voice_chat_t *chat);


#endif /* _NGX_HTTP_VOICE_CHAT_H_INCLUDED_ */
