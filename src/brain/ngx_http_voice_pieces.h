
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_PIECES_H_INCLUDED_
#define _NGX_HTTP_VOICE_PIECES_H_INCLUDED_


#include "ngx_http_voice_agent.h"
#include "../wire/ngx_voice_sentence.h"


/*
 * Bytes of a piece of speech.  The first may be short, so that the caller
 * hears something early; the others are long enough to sound like sentences
 * and short enough to be interrupted soon.
 */
#define NGX_HTTP_VOICE_PIECE_FIRST  24
#define NGX_HTTP_VOICE_PIECE_MIN    48
#define NGX_HTTP_VOICE_PIECE_MAX    280


/*
 * The text of a turn's answer: cut where it can be spoken while it arrives,
 * asked for as speech, written into the call in the zone.  All of it lives in
 * the turn.
 */

typedef struct ngx_http_voice_piece_s  ngx_http_voice_piece_t;


typedef struct {
    ngx_http_voice_agent_t    *agent;
    ngx_str_t                  sid;
    ngx_uint_t                 turn;
    ngx_pool_t                *pool;
    ngx_log_t                 *log;
    ngx_event_t               *event;     /* posted: there is one to publish */

    ngx_voice_sentence_t       sentence;
    ngx_http_voice_piece_t    *pieces;    /* cut, not yet published */
    ngx_http_voice_piece_t   **last;

    u_char                     digests[NGX_VOICE_PIECES][NGX_VOICE_DIGEST];
    ngx_uint_t                 published;
    ngx_uint_t                 fresh;     /* of this request */
    size_t                     size;      /* bytes of this request's text */
    size_t                     characters;  /* to be made into speech */
    double                     cost;      /* of these, where they have one */

    unsigned                   full:1;    /* no more is wanted */
} ngx_http_voice_pieces_t;


/* the head is set; NGX_ERROR without memory */
ngx_int_t ngx_http_voice_pieces_init(ngx_http_voice_pieces_t *pieces);

/*
 * Another request begins, which does not go on with the text so far; hurry:
 * its first piece may be short.
 */
void ngx_http_voice_pieces_begin(ngx_http_voice_pieces_t *pieces,
    ngx_uint_t hurry);

/*
 * Text as it comes; only notes, so it may be called on a filter's stack.
 * NGX_DONE: no more is wanted.
 */
ngx_int_t ngx_http_voice_pieces_feed(ngx_http_voice_pieces_t *pieces,
    ngx_str_t *text);

/* that was all of it; whole 0: it broke off, what is not whole is dropped */
void ngx_http_voice_pieces_end(ngx_http_voice_pieces_t *pieces,
    ngx_uint_t whole);

/*
 * Has what was cut spoken, and rings the bell.  NGX_DECLINED: nobody waits
 * for this answer any more; NGX_ERROR: it has no room for more.
 */
ngx_int_t ngx_http_voice_pieces_publish(ngx_http_voice_pieces_t *pieces);


#endif /* _NGX_HTTP_VOICE_PIECES_H_INCLUDED_ */
