
/*
 * Cuts a model's text into pieces that can be spoken one after the other,
 * while it arrives.  No text is lost or made up: the pieces, joined, are the
 * text, but for white space.
 */


#ifndef _NGX_VOICE_SENTENCE_H_INCLUDED_
#define _NGX_VOICE_SENTENCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Gets one piece, trimmed, not empty; valid during the call.  Whatever it
 * returns other than NGX_OK stops the splitter for good.
 */

typedef ngx_int_t (*ngx_voice_sentence_pt)(void *data, ngx_str_t *piece);


typedef struct {
    u_char                 *buf;
    size_t                  size;
    size_t                  len;
    size_t                  scan;       /* looked at: no piece ends before */
    size_t                  cut;        /* a sentence end, too short alone */
    size_t                  first_min;
    size_t                  min;
    size_t                  max;
    ngx_int_t               rc;
    unsigned                first:1;
    unsigned                line:1;     /* the buffer begins a line */
} ngx_voice_sentence_t;


/*
 * Sizes are bytes.  A piece ends at a sentence end once it has min bytes (the
 * first piece: at any sentence end, or at a comma, semicolon, colon or dash
 * once it has first_min bytes), at a line end, or, where there is nothing to
 * end at, before it would exceed max.  size is the room at buf: max + 8 at
 * least is of use, max is lowered to it otherwise; size is 32 at least.
 */

void ngx_voice_sentence_init(ngx_voice_sentence_t *s, u_char *buf, size_t size,
    size_t first_min, size_t min, size_t max);

/* NGX_OK, or what the handler returned, afterwards again and again. */

ngx_int_t ngx_voice_sentence_feed(ngx_voice_sentence_t *s, u_char *p,
    size_t len, ngx_voice_sentence_pt handler, void *data);
ngx_int_t ngx_voice_sentence_end(ngx_voice_sentence_t *s,
    ngx_voice_sentence_pt handler, void *data);

/*
 * The text broke off: reports the sentences and lines of the rest that are
 * whole, forgets what is not.
 */
ngx_int_t ngx_voice_sentence_abort(ngx_voice_sentence_t *s,
    ngx_voice_sentence_pt handler, void *data);


#endif /* _NGX_VOICE_SENTENCE_H_INCLUDED_ */
