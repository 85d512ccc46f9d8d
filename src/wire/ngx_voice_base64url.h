
/*
 * Base64 for URLs (RFC 4648, 5) without padding, for values of a known size.
 * One value has one spelling: whatever is not canonical is refused.
 */


#ifndef _NGX_VOICE_BASE64URL_H_INCLUDED_
#define _NGX_VOICE_BASE64URL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define ngx_voice_base64url_len(len)  (((len) * 4 + 2) / 3)


/* Writes ngx_voice_base64url_len(len) characters; returns their end. */

u_char *ngx_voice_base64url_encode(u_char *dst, const u_char *src, size_t len);

/*
 * Decodes srclen characters into exactly len bytes.  NGX_OK or NGX_DECLINED:
 * other length, other character, unused bits set.  dst is undefined then.
 */

ngx_int_t ngx_voice_base64url_decode(u_char *dst, size_t len,
    const u_char *src, size_t srclen);


#endif /* _NGX_VOICE_BASE64URL_H_INCLUDED_ */
