
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_CHAT_CALL_H_INCLUDED_
#define _NGX_VOICE_CHAT_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "../wire/ngx_voice_chat_delta.h"


/*
 * The tool calls of one answer, put together from the parts that its events
 * bring (OpenAI, "Function calling"; compatible servers leave out the index,
 * or the id, or give the same index to all).
 */

#define NGX_VOICE_CHAT_CALLS      8       /* of one answer */
#define NGX_VOICE_CHAT_ARGUMENTS  16384   /* bytes of one call's */


typedef struct {
    ngx_str_t             id;             /* may be empty */
    ngx_str_t             name;
    ngx_str_t             arguments;      /* JSON, if all is well */
} ngx_voice_chat_call_t;


typedef struct {
    ngx_pool_t           *pool;
    ngx_uint_t            n;
    ngx_voice_chat_call_t calls[NGX_VOICE_CHAT_CALLS];
    ngx_int_t             index[NGX_VOICE_CHAT_CALLS];
    size_t                room[NGX_VOICE_CHAT_CALLS];
} ngx_voice_chat_calls_t;


/* all of an event; NULL, or the cause why these calls cannot be taken */
const char *ngx_voice_chat_calls_add(ngx_voice_chat_calls_t *calls,
    ngx_voice_chat_delta_t *d);

/* the same at the end: each call has a name that can be sent back */
const char *ngx_voice_chat_calls_end(ngx_voice_chat_calls_t *calls);


#endif /* _NGX_VOICE_CHAT_CALL_H_INCLUDED_ */
