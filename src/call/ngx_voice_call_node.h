
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_CALL_NODE_H_INCLUDED_
#define _NGX_VOICE_CALL_NODE_H_INCLUDED_


#include "ngx_voice_call.h"
#include "ngx_voice_wait.h"


/*
 * How a call lies in the zone; only the call's own files include this.
 * Everything here is locked.
 */

typedef struct {
    ngx_queue_t            queue;
    uint64_t               owner;     /* while not done */
    ngx_voice_step_t       key;
    ngx_voice_chunk_t     *twiml;     /* once done */
    unsigned               done:1;
} ngx_voice_step_node_t;


typedef struct {
    ngx_queue_t            queue;
    ngx_voice_chunk_t     *text;
    uint32_t               turn;
    uint16_t               role;
    uint16_t               number;    /* of a tool's in the turn */
    unsigned               estimated:1;
} ngx_voice_said_node_t;


typedef struct {
    ngx_voice_chunk_t     *text;
    u_char                 digest[NGX_VOICE_DIGEST];
} ngx_voice_piece_node_t;


typedef struct {
    uint64_t               owner;
    ngx_uint_t             turn;
    ngx_uint_t             spoken;    /* pieces given out */
    ngx_uint_t             before;    /* the last document */
    ngx_msec_t             sent;      /* when that was given out */
    ngx_uint_t             step;      /* the next that may fetch the rest */
    ngx_uint_t             n;
    ngx_uint_t             rung;
    ngx_uint_t             rule;
    u_char                 recording[NGX_VOICE_SID_LEN];
    size_t                 recording_len;
    ngx_uint_t             acted;     /* pieces before the last tool */
    ngx_voice_answer_e     state;
    ngx_voice_after_e      after;
    unsigned               busy:1;
    unsigned               soothed:1;
    ngx_voice_piece_node_t pieces[NGX_VOICE_PIECES];
} ngx_voice_answer_node_t;


/* an answer that was given out, as small as can be: parked calls have one */

typedef struct {
    uint32_t               len;       /* of its text */
    uint32_t               length;    /* of its audio, in ms */
} ngx_voice_last_piece_t;


typedef struct {
    ngx_voice_chunk_t     *text;      /* of all pieces, without a gap */
    ngx_msec_t             sent;      /* as in the answer */
    uint32_t               turn;
    uint16_t               given;
    uint16_t               before;
    uint16_t               n;
    unsigned               whole:1;
    ngx_voice_last_piece_t pieces[1];
} ngx_voice_last_node_t;


typedef struct {
    ngx_str_node_t         sn;
    ngx_queue_t            lru;

    ngx_queue_t            steps;     /* the head is the newest */
    ngx_queue_t            said;      /* the head is the oldest */
    size_t                 said_size;
    ngx_voice_answer_node_t  *answer;
    ngx_voice_last_node_t    *last;   /* given out, the caller's turn */
    ngx_voice_chunk_t     *about;     /* the caller, JSON */
    uint64_t               asking;    /* the worker that finds out */

    time_t                 touched;

    unsigned               ended:1;
    unsigned               routed:1;  /* no answer changes the flow now */

    ngx_voice_call_view_t  view;
} ngx_voice_call_node_t;


/*
 * A call that was found is not evicted before the next one is looked for: an
 * allocation for it may evict others that are as idle.
 */
ngx_voice_call_node_t *ngx_voice_call_find(ngx_voice_zone_t *zone,
    ngx_str_t *sid);
ngx_uint_t ngx_voice_call_is_found(ngx_voice_call_node_t *call);
ngx_voice_call_node_t *ngx_voice_call_create(ngx_voice_zone_t *zone,
    ngx_voice_call_new_t *new);
void ngx_voice_call_learn(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_voice_call_known_t *known);
ngx_voice_step_node_t *ngx_voice_step_find(ngx_voice_call_node_t *call,
    ngx_voice_step_t *step);
void ngx_voice_steps_trim(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call);
void ngx_voice_call_notify(ngx_voice_zone_t *zone, ngx_str_t *sid);
size_t ngx_voice_call_field(u_char *dst, ngx_str_t *src, size_t size);
/* an entry of the history, or NULL; and out of it */
ngx_voice_said_node_t *ngx_voice_said_find(ngx_voice_call_node_t *call,
    ngx_uint_t turn, ngx_voice_role_e role, ngx_uint_t number);
void ngx_voice_said_forget(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_voice_said_node_t *node);
ngx_int_t ngx_voice_call_append(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call, ngx_uint_t turn, ngx_voice_role_e role,
    ngx_uint_t number, u_char *data, size_t len, size_t limit);
void ngx_voice_answer_free(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call);

/*
 * No more of the answer is to come: it is the last one now, until the caller
 * has said something, or nothing.  Uses the scratch buffer.
 */
void ngx_voice_answer_retire(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call);
void ngx_voice_last_free(ngx_voice_zone_t *zone,
    ngx_voice_call_node_t *call);


#endif /* _NGX_VOICE_CALL_NODE_H_INCLUDED_ */
