
/*
 * A TwiML writer into the caller's memory.  What it returns is well-formed XML
 * in UTF-8, or nothing: once something did not fit, or calls came in an order
 * that makes no document, overflow is set and stays.
 *
 *     ngx_voice_twiml_begin(&w, buf, size);
 *     ngx_voice_twiml_open(&w, "Gather");
 *     ngx_voice_twiml_attribute(&w, "action", &url);
 *     ngx_voice_twiml_open(&w, "Say");
 *     ngx_voice_twiml_text(&w, &words);
 *     ngx_voice_twiml_close(&w, "Say");
 *     ngx_voice_twiml_close(&w, "Gather");
 *     rc = ngx_voice_twiml_end(&w, &document);
 */


#ifndef _NGX_VOICE_TWIML_H_INCLUDED_
#define _NGX_VOICE_TWIML_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_VOICE_TWIML_DEPTH  8

/* What Twilio reads at most of an answer (error 11750). */
#define NGX_VOICE_TWIML_MAX    65536


typedef struct {
    u_char      *pos;
    u_char      *last;      /* end of room */
    u_char      *start;
    const char  *tags[NGX_VOICE_TWIML_DEPTH];
    ngx_uint_t   depth;
    unsigned     opened:1;  /* a start tag that may still get attributes */
    unsigned     overflow:1;
} ngx_voice_twiml_t;


/*
 * Tag and attribute names are literals of the code: they are written as they
 * are and must stay valid until the end.  A name is given once per element.
 * Values are escaped; a character that XML 1.0 forbids is dropped (control
 * characters) or replaced by U+FFFD (each maximal run of bytes that is no
 * UTF-8, U+FFFE, U+FFFF).
 */

void ngx_voice_twiml_begin(ngx_voice_twiml_t *w, u_char *buf, size_t size);
void ngx_voice_twiml_open(ngx_voice_twiml_t *w, const char *tag);
void ngx_voice_twiml_attribute(ngx_voice_twiml_t *w, const char *name,
    const ngx_str_t *value);
void ngx_voice_twiml_integer(ngx_voice_twiml_t *w, const char *name,
    ngx_int_t value);
void ngx_voice_twiml_text(ngx_voice_twiml_t *w, const ngx_str_t *text);
void ngx_voice_twiml_close(ngx_voice_twiml_t *w, const char *tag);

/*
 * Ends the document.  NGX_OK and where it is, or NGX_ERROR: overflow, or an
 * element still open.
 */

ngx_int_t ngx_voice_twiml_end(ngx_voice_twiml_t *w, ngx_str_t *document);


#endif /* _NGX_VOICE_TWIML_H_INCLUDED_ */
