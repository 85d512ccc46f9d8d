
/*
 * The name of a piece of speech in URLs: what it is (a digest of everything
 * that shapes the sound) and a proof that we named it (a keyed MAC), so that
 * an invented id costs no look-up.  43 characters of base64url.
 */


#ifndef _NGX_VOICE_AUDIO_ID_H_INCLUDED_
#define _NGX_VOICE_AUDIO_ID_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_VOICE_AUDIO_DIGEST_LEN  16
#define NGX_VOICE_AUDIO_ID_LEN      43


/*
 * A digest of the parts: half of an HMAC-SHA256 with a public key, each part
 * preceded by its length.
 */

void ngx_voice_audio_digest(const ngx_str_t *parts, ngx_uint_t n,
    u_char digest[NGX_VOICE_AUDIO_DIGEST_LEN]);

/* Writes NGX_VOICE_AUDIO_ID_LEN characters, no final NUL. */

void ngx_voice_audio_id_make(ngx_str_t *key,
    u_char digest[NGX_VOICE_AUDIO_DIGEST_LEN],
    u_char out[NGX_VOICE_AUDIO_ID_LEN]);

/*
 * NGX_OK and the digest if any of the keys has made the id, or NGX_DECLINED.
 * The time does not depend on how much of a MAC was right.
 */

ngx_int_t ngx_voice_audio_id_parse(ngx_str_t *keys, ngx_uint_t nkeys,
    u_char *p, size_t len, u_char digest[NGX_VOICE_AUDIO_DIGEST_LEN]);


#endif /* _NGX_VOICE_AUDIO_ID_H_INCLUDED_ */
