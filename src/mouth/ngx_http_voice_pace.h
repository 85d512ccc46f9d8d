
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_PACE_H_INCLUDED_
#define _NGX_HTTP_VOICE_PACE_H_INCLUDED_


#include "ngx_http_voice_reply.h"
#include "../call/ngx_voice_wait.h"


/*
 * A webhook that may have to wait: its clock, what it waits for, and the reply
 * in the making.  It ends with one of the sending functions, or with the
 * request's pool, and then gives an unanswered claim back.
 */

typedef struct ngx_http_voice_pace_s  ngx_http_voice_pace_t;

/*
 * Looks again after news or when the time is over ("late").  NGX_DONE: it
 * waits on; everything else finalizes the request.
 */
typedef ngx_int_t (*ngx_http_voice_resume_pt)(ngx_http_voice_pace_t *pace);


struct ngx_http_voice_pace_s {
    ngx_http_voice_hook_t     *hook;
    ngx_http_voice_reply_t     reply;
    ngx_http_voice_resume_pt   resume;

    ngx_event_t                timer;
    ngx_msec_t                 deadline;
    ngx_voice_waiter_t         call_waiter;
    ngx_voice_waiter_t         speech_waiters[NGX_HTTP_VOICE_SPEECH_AHEAD];

    ngx_voice_crm_ask_t       *lookup;    /* what is asked of the database */
    ngx_http_voice_resume_pt   resumed;   /* what comes after that */
    ngx_msec_t                 behind;    /* until when it is asked again */
    ngx_str_t                  passed;    /* another node's answer */
    const char                *reason;    /* why the agent gives up, or NULL */

    ngx_uint_t                 spoken;    /* pieces given out, with these */
    ngx_uint_t                 given;     /* lines of the reply that are such */
    unsigned                   claimed:1;
    unsigned                   late:1;    /* the wait's time is over */
    unsigned                   lagging:1; /* the database knows too little */
};


/* its deadline begins now; NULL without memory */
ngx_http_voice_pace_t *ngx_http_voice_pace_create(
    ngx_http_voice_hook_t *hook);

/*
 * Asks to be resumed on news of the call, or of a piece of speech: the n-th
 * of those that are being made, from 0.  To be called before looking, so that
 * no news are lost in between.
 */
void ngx_http_voice_pace_news(ngx_http_voice_pace_t *pace);
void ngx_http_voice_pace_listen(ngx_http_voice_pace_t *pace, ngx_uint_t n,
    u_char digest[NGX_VOICE_DIGEST]);

/* the clock of this wait runs on if it is already the one that is waited */
void ngx_http_voice_pace_wait(ngx_http_voice_pace_t *pace,
    ngx_http_voice_resume_pt resume, ngx_msec_t timeout);

/* milliseconds until the deadline, at least one; and since the webhook came */
ngx_msec_t ngx_http_voice_pace_left(ngx_http_voice_pace_t *pace);
ngx_msec_t ngx_http_voice_pace_gone(ngx_http_voice_pace_t *pace);

/* adds a line to the reply and asks for its audio; NGX_ERROR: no memory */
ngx_int_t ngx_http_voice_pace_line(ngx_http_voice_pace_t *pace,
    ngx_voice_line_t *line);

/* waits for the audio of the reply's lines, then sends */
ngx_int_t ngx_http_voice_pace_lines(ngx_http_voice_pace_t *pace);

/* the words of the reply's first n lines, masked, in the request's pool */
ngx_int_t ngx_http_voice_pace_text(ngx_http_voice_pace_t *pace, ngx_uint_t n,
    ngx_str_t *text);

/* sends the reply as it is and keeps it for who repeats the webhook */
ngx_int_t ngx_http_voice_pace_send(ngx_http_voice_pace_t *pace);

/* ends all waiting */
void ngx_http_voice_pace_rest(ngx_http_voice_pace_t *pace);

/* looks again at once, as after news */
void ngx_http_voice_pace_event(ngx_event_t *ev);

/* goes on by another way, from an event of its own */
void ngx_http_voice_pace_again(ngx_http_voice_pace_t *pace,
    ngx_http_voice_resume_pt resume);


#endif /* _NGX_HTTP_VOICE_PACE_H_INCLUDED_ */
