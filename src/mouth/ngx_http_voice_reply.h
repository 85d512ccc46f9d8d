
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_REPLY_H_INCLUDED_
#define _NGX_HTTP_VOICE_REPLY_H_INCLUDED_


#include "ngx_http_voice_hook.h"


/*
 * What a webhook is answered with: lines to be heard, and what comes then.
 * Here it becomes TwiML (Twilio, "TwiML for Programmable Voice").
 */

/* an answer, and two lines of the flow */
#define NGX_HTTP_VOICE_LINES     (NGX_VOICE_PIECES + 2)


typedef enum {
    NGX_HTTP_VOICE_NEXT_NOTHING = 0,  /* an empty document */
    NGX_HTTP_VOICE_NEXT_LISTEN,       /* to the caller, in turn and step */
    NGX_HTTP_VOICE_NEXT_START,        /* conversation-start of turn, step */
    NGX_HTTP_VOICE_NEXT_CONTINUE,     /* the rest of turn's answer at step */
    NGX_HTTP_VOICE_NEXT_HANGUP,
    NGX_HTTP_VOICE_NEXT_DIAL          /* the flow's human */
} ngx_http_voice_next_e;


typedef struct {
    ngx_str_t                text;
    u_char                   digest[NGX_VOICE_DIGEST];
    ngx_voice_speech_e       speech;  /* READY: played, else said */
} ngx_http_voice_spoken_t;


typedef struct {
    ngx_http_voice_spoken_t  lines[NGX_HTTP_VOICE_LINES];
    ngx_uint_t               n;
    ngx_http_voice_next_e    next;
    ngx_uint_t               turn;
    ngx_uint_t               step;
    unsigned                 escalate:1; /* dials whom the model may call */
    unsigned                 patient:1;  /* the caller asked for time */
} ngx_http_voice_reply_t;


/* NGX_OK and the document in the request's pool, or NGX_ERROR */
ngx_int_t ngx_http_voice_reply_twiml(ngx_http_voice_hook_t *hook,
    ngx_http_voice_reply_t *reply, ngx_str_t *twiml);


#endif /* _NGX_HTTP_VOICE_REPLY_H_INCLUDED_ */
