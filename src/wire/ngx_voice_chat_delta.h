
/*
 * One chat.completion.chunk, or one whole chat.completion, of an
 * OpenAI-compatible server (OpenAI, "Chat completions", and what compatible
 * servers make of it: anything may be missing, null or of another type).
 */


#ifndef _NGX_VOICE_CHAT_DELTA_H_INCLUDED_
#define _NGX_VOICE_CHAT_DELTA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>


/* parts of calls that one event may bring */
#define NGX_VOICE_CHAT_PARTS  16


/*
 * A part of a tool call.  A stream spreads a call over many events: name and
 * id come with the first, arguments in fragments.  What is missing is empty.
 */

typedef struct {
    ngx_int_t   index;              /* -1: not told */
    ngx_str_t   id;
    ngx_str_t   name;
    ngx_str_t   arguments;          /* a fragment of JSON text */
} ngx_voice_chat_part_t;


typedef struct {
    ngx_str_t   content;            /* choice 0; may be empty */
    ngx_str_t   finish_reason;      /* empty while there is none */
    ngx_str_t   model;

    ngx_str_t   error_message;      /* clean it before it is logged */
    ngx_str_t   error_code;         /* a number is spelled in decimal */
    ngx_str_t   error_type;

    ngx_int_t   prompt_tokens;      /* -1: unknown */
    ngx_int_t   completion_tokens;

    unsigned    done:1;             /* [DONE] */
    unsigned    error:1;            /* an error inside a 200 stream */
    unsigned    has_usage:1;
    unsigned    excess:1;           /* there were more parts than these */

    ngx_uint_t              nparts;
    ngx_voice_chat_part_t   parts[NGX_VOICE_CHAT_PARTS];

    u_char      number[24];         /* spelling of a numeric code */
    cJSON      *json;
} ngx_voice_chat_delta_t;


/*
 * The strings point into the parsed tree and into d itself: do not copy d, and
 * free it when done with them, after NGX_OK only (freeing twice is harmless).
 *
 * NGX_OK, or NGX_DECLINED if the event is neither a JSON object nor [DONE].
 */

ngx_int_t ngx_voice_chat_delta_parse(ngx_str_t *event,
    ngx_voice_chat_delta_t *d);
void ngx_voice_chat_delta_free(ngx_voice_chat_delta_t *d);


#endif /* _NGX_VOICE_CHAT_DELTA_H_INCLUDED_ */
