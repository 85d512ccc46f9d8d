
/*
 * Small questions about text: what of it can be spoken, is it a telephone
 * number, where may it be cut.
 */


#ifndef _NGX_VOICE_TEXT_H_INCLUDED_
#define _NGX_VOICE_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Makes text fit to be spoken, in place: removes Markdown, tags and brackets,
 * emoji, control characters and what is no UTF-8, keeps the words of a link
 * and drops its address, collapses white space.  Returns the new length, which
 * is never more than len.  It is idempotent.
 */

size_t ngx_voice_text_speakable(u_char *p, size_t len);

/* Nothing of it is a word or a number: dots, dashes, other marks. */

ngx_uint_t ngx_voice_text_is_wordless(ngx_str_t *text);

/* "+", then 7 to 15 digits, the first not 0 (ITU-T E.164). */

ngx_uint_t ngx_voice_text_is_e164(ngx_str_t *s);

/* up to 15 digits, perhaps with a "+": no address, no name */

ngx_uint_t ngx_voice_text_is_number(ngx_str_t *s);

/*
 * The caller hides the number: the words for it, their spelling on a keypad
 * ("+266696687"), or nothing at all (Twilio, "What From can be").
 */

ngx_uint_t ngx_voice_text_withheld(ngx_str_t *from);

/*
 * The largest length up to max that does not cut a UTF-8 sequence in two;
 * where the bytes are no UTF-8 it is max.
 */

size_t ngx_voice_text_utf8_cut(u_char *p, size_t len, size_t max);


#endif /* _NGX_VOICE_TEXT_H_INCLUDED_ */
