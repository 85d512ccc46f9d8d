
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_PAST_H_INCLUDED_
#define _NGX_VOICE_PAST_H_INCLUDED_


#include "ngx_voice_call.h"


/*
 * A call that another zone had, another node's or that of an earlier run, as
 * it is remembered elsewhere.  All of it is the caller's memory.
 */

typedef struct {
    ngx_voice_step_t         key;
    ngx_str_t                twiml;
} ngx_voice_past_step_t;


typedef struct {
    ngx_voice_call_new_t     call;
    ngx_voice_call_known_t  *known;     /* NULL: nothing */
    time_t                   started;
    ngx_uint_t               turn;      /* the last that began */
    ngx_uint_t               failures;

    ngx_voice_said_t        *said;      /* the oldest first */
    ngx_uint_t               nsaid;
    ngx_uint_t               nactions;  /* of them are tools */
    size_t                   limit;     /* bytes of it to be kept */

    ngx_voice_past_step_t   *steps;     /* the oldest first */
    ngx_uint_t               nsteps;

    /* the answer of the last turn, unless all of it was given out */

    ngx_voice_answer_e       state;     /* _NONE, _DONE, or _ORPHANED */
    ngx_voice_after_e        after;     /* what it ends with */
    ngx_voice_piece_t       *pieces;
    ngx_uint_t               npieces;
    ngx_uint_t               spoken;    /* of them were given out */
    ngx_uint_t               rest;      /* the step that fetches the next */
} ngx_voice_past_t;


/*
 * Makes the call known here, or brings it up to date where it is known and
 * has not come as far.  NGX_DECLINED: there is nothing newer in it, or the
 * call is over; NGX_ERROR: no room.
 */
ngx_int_t ngx_voice_call_restore(ngx_voice_zone_t *zone,
    ngx_voice_past_t *past);


#endif /* _NGX_VOICE_PAST_H_INCLUDED_ */
