
/*
 * The lines of a spool file: a checksum in eight hexadecimal digits, a blank,
 * a note, which is JSON text without a line end, and LF.  A line that was not
 * written to its end, or was changed, is told from one that was.
 */


#ifndef _NGX_VOICE_SPOOL_LINE_H_INCLUDED_
#define _NGX_VOICE_SPOOL_LINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the first line of a file; another format has another number */
#define NGX_VOICE_SPOOL_HEAD       "voice spool 1\n"
#define NGX_VOICE_SPOOL_HEAD_LEN   (sizeof(NGX_VOICE_SPOOL_HEAD) - 1)

#define NGX_VOICE_SPOOL_MARK_LEN   9         /* checksum and blank */

/* bytes that a line has more than its note */
#define NGX_VOICE_SPOOL_LINE_MORE  (NGX_VOICE_SPOOL_MARK_LEN + 1)


/* what stands before the note: NGX_VOICE_SPOOL_MARK_LEN bytes at dst */
void ngx_voice_spool_line_mark(u_char *dst, ngx_str_t *note);

/*
 * Reads the line at *p.  NGX_OK: the note, within the buffer, and *p is
 * behind the line.  NGX_DECLINED: the line is damaged, *p is behind it.
 * NGX_AGAIN: it has no end before last, and *p stays.
 */
ngx_int_t ngx_voice_spool_line_read(u_char **p, u_char *last,
    ngx_str_t *note);


#endif /* _NGX_VOICE_SPOOL_LINE_H_INCLUDED_ */
