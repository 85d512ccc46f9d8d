
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_pieces.h"
#include "ngx_http_voice_note.h"
#include "../wire/ngx_voice_text.h"


struct ngx_http_voice_piece_s {
    ngx_str_t                text;
    ngx_http_voice_piece_t  *next;
};


static ngx_int_t ngx_http_voice_pieces_add(void *data, ngx_str_t *text);
static void ngx_http_voice_pieces_speak(ngx_http_voice_pieces_t *pieces,
    ngx_str_t *text, u_char digest[NGX_VOICE_DIGEST]);
static void ngx_http_voice_pieces_utterance(ngx_http_voice_pieces_t *pieces,
    u_char digest[NGX_VOICE_DIGEST], ngx_str_t *text);


ngx_int_t
ngx_http_voice_pieces_init(ngx_http_voice_pieces_t *pieces)
{
    pieces->sentence.buf = ngx_pnalloc(pieces->pool,
                                       2 * NGX_HTTP_VOICE_PIECE_MAX);

    return pieces->sentence.buf ? NGX_OK : NGX_ERROR;
}


void
ngx_http_voice_pieces_begin(ngx_http_voice_pieces_t *pieces, ngx_uint_t hurry)
{
    pieces->pieces = NULL;
    pieces->last = &pieces->pieces;
    pieces->fresh = 0;
    pieces->size = 0;
    pieces->full = 0;

    ngx_voice_sentence_init(&pieces->sentence, pieces->sentence.buf,
                            2 * NGX_HTTP_VOICE_PIECE_MAX,
                            hurry ? NGX_HTTP_VOICE_PIECE_FIRST
                                  : NGX_HTTP_VOICE_PIECE_MIN,
                            NGX_HTTP_VOICE_PIECE_MIN,
                            NGX_HTTP_VOICE_PIECE_MAX);
}


ngx_int_t
ngx_http_voice_pieces_feed(ngx_http_voice_pieces_t *pieces, ngx_str_t *text)
{
    if (pieces->full) {
        return NGX_DONE;
    }

    return ngx_voice_sentence_feed(&pieces->sentence, text->data, text->len,
                                   ngx_http_voice_pieces_add, pieces);
}


void
ngx_http_voice_pieces_end(ngx_http_voice_pieces_t *pieces, ngx_uint_t whole)
{
    if (whole) {
        (void) ngx_voice_sentence_end(&pieces->sentence,
                                      ngx_http_voice_pieces_add, pieces);

    } else {
        (void) ngx_voice_sentence_abort(&pieces->sentence,
                                        ngx_http_voice_pieces_add, pieces);
    }
}


static ngx_int_t
ngx_http_voice_pieces_add(void *data, ngx_str_t *text)
{
    ngx_http_voice_pieces_t *pieces = data;

    ngx_http_voice_piece_t  *piece;

    piece = ngx_palloc(pieces->pool, sizeof(ngx_http_voice_piece_t));
    if (piece == NULL) {
        return NGX_ERROR;
    }

    piece->text.data = ngx_pstrdup(pieces->pool, text);
    if (piece->text.data == NULL) {
        return NGX_ERROR;
    }

    piece->text.len = ngx_voice_text_speakable(piece->text.data, text->len);
    piece->next = NULL;

    /* speech of dots and dashes would be silence */

    if (!ngx_voice_text_is_wordless(&piece->text)) {
        *pieces->last = piece;
        pieces->last = &piece->next;

        pieces->size += piece->text.len;

        ngx_post_event(pieces->event, &ngx_posted_events);
    }

    if (pieces->size >= pieces->agent->flow->limits.answer) {
        pieces->full = 1;
        return NGX_DONE;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voice_pieces_publish(ngx_http_voice_pieces_t *pieces)
{
    u_char                   digest[NGX_VOICE_DIGEST];
    ngx_int_t                rc;
    ngx_http_voice_piece_t  *piece;

    while (pieces->pieces) {
        piece = pieces->pieces;
        pieces->pieces = piece->next;

        if (pieces->pieces == NULL) {
            pieces->last = &pieces->pieces;
        }

        /* first the sound, so that who reads the answer finds it under way */

        ngx_http_voice_pieces_speak(pieces, &piece->text, digest);

        rc = ngx_voice_answer_add(pieces->agent->zone, &pieces->sid,
                                  pieces->turn, digest, &piece->text,
                                  pieces->log);

        if (rc != NGX_OK) {
            return rc;
        }

        ngx_http_voice_pieces_utterance(pieces, digest, &piece->text);

        ngx_memcpy(pieces->digests[pieces->published++], digest,
                   NGX_VOICE_DIGEST);
        pieces->fresh++;
    }

    return NGX_OK;
}


/*
 * A few pieces are made at the same time.  For those behind them it is who
 * gives out the answer that goes on, ngx_http_voice_talk_take().
 */

static void
ngx_http_voice_pieces_speak(ngx_http_voice_pieces_t *pieces, ngx_str_t *text,
    u_char digest[NGX_VOICE_DIGEST])
{
    size_t                   n;
    double                   cost;
    ngx_uint_t               i, making;
    ngx_voice_speech_e       state;
    ngx_http_voice_agent_t  *agent;

    agent = pieces->agent;
    making = 0;

    for (i = 0; i < pieces->published; i++) {
        state = ngx_voice_speech_state(agent->zone, pieces->digests[i], 0);

        if (state == NGX_VOICE_SPEECH_FILLING) {
            making++;

        } else if (state == NGX_VOICE_SPEECH_NEW
                   && making < NGX_HTTP_VOICE_SPEECH_AHEAD)
        {
            state = ngx_http_voice_speech_want(&agent->speech,
                                               pieces->digests[i],
                                               &pieces->sid);

            making += (state == NGX_VOICE_SPEECH_FILLING);
        }
    }

    state = (making < NGX_HTTP_VOICE_SPEECH_AHEAD)
            ? ngx_http_voice_agent_speak(agent, text, digest, &pieces->sid)
            : ngx_http_voice_agent_word(agent, text, digest);

    if (state == NGX_VOICE_SPEECH_FILLING || state == NGX_VOICE_SPEECH_NEW) {
        n = ngx_utf8_length(text->data, text->len);

        pieces->characters += n;

        if (agent->price) {
            cost = agent->price->character * n;

            pieces->cost += cost;
            ngx_http_voice_agent_bill(agent, &pieces->sid, cost);
        }
    }
}


/* a sound cannot be masked: words that have to be are known here only */

static void
ngx_http_voice_pieces_utterance(ngx_http_voice_pieces_t *pieces,
    u_char digest[NGX_VOICE_DIGEST], ngx_str_t *text)
{
    ngx_str_t  masked;

    masked = *text;

    if (ngx_http_voice_agent_redact(pieces->agent, &masked, pieces->pool,
                                    pieces->log)
        != NGX_OK
        || masked.data != text->data)
    {
        return;
    }

    ngx_http_voice_note_utterance(pieces->agent, &pieces->sid, digest, text);
}
