
/*
 * Server-sent events, read as they arrive, cut at any byte (WHATWG HTML, 9.2,
 * with the tolerance that model servers need).  Only "data" fields count.
 */


#ifndef _NGX_VOICE_SSE_H_INCLUDED_
#define _NGX_VOICE_SSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Gets the data lines of one event, joined by LF.  It may change the bytes;
 * they are valid during the call.  Whatever it returns other than NGX_OK
 * stops the reader for good.
 */

typedef ngx_int_t (*ngx_voice_sse_event_pt)(void *data, ngx_str_t *event);


typedef struct {
    u_char                  *buf;       /* data of the event in the making */
    size_t                   size;
    size_t                   len;

    ngx_voice_sse_event_pt   handler;
    void                    *data;
    ngx_int_t                rc;        /* what stopped the reader */

    u_char                   name[4];   /* field name: "data" is enough */
    ngx_uint_t               name_len;
    ngx_uint_t               bom;       /* bytes of the BOM seen, 3: over */

    unsigned                 state:2;
    unsigned                 cr:1;      /* an LF may follow and belongs here */
    unsigned                 lines:1;   /* the event has a data line */
} ngx_voice_sse_t;


void ngx_voice_sse_init(ngx_voice_sse_t *s, u_char *buf, size_t size,
    ngx_voice_sse_event_pt handler, void *data);

/*
 * NGX_OK, NGX_ERROR if an event does not fit into the buffer, or what the
 * handler returned; afterwards the same code again and again.  An event whose
 * data is empty is a keep-alive and is not reported.
 */

ngx_int_t ngx_voice_sse_feed(ngx_voice_sse_t *s, u_char *p, size_t len);

/*
 * The stream is over: reports an event whose last line end or empty line is
 * missing.  Some servers end that way; others were cut: the event's JSON
 * tells.  Same codes.
 */

ngx_int_t ngx_voice_sse_end(ngx_voice_sse_t *s);


#endif /* _NGX_VOICE_SSE_H_INCLUDED_ */
