
#include "ngx_voice_audio_id.h"
#include "ngx_voice_base64url.h"
#include "ngx_voice_signature.h"

#include <openssl/crypto.h>


#define NGX_VOICE_AUDIO_MAC_LEN  16


static void ngx_voice_audio_mac(ngx_str_t *key, u_char *digest, u_char *mac);


void
ngx_voice_audio_digest(const ngx_str_t *parts, ngx_uint_t n,
    u_char digest[NGX_VOICE_AUDIO_DIGEST_LEN])
{
    u_char     mac[NGX_VOICE_MAC_LEN];
    ngx_str_t  key;

    /*
     * A public key makes the MAC a plain digest over parts with their lengths,
     * one primitive for both.
     */

    ngx_str_set(&key, "voice audio digest");
    ngx_voice_mac(&key, parts, n, mac);

    ngx_memcpy(digest, mac, NGX_VOICE_AUDIO_DIGEST_LEN);
}


void
ngx_voice_audio_id_make(ngx_str_t *key,
    u_char digest[NGX_VOICE_AUDIO_DIGEST_LEN],
    u_char out[NGX_VOICE_AUDIO_ID_LEN])
{
    u_char  id[NGX_VOICE_AUDIO_DIGEST_LEN + NGX_VOICE_AUDIO_MAC_LEN];

    ngx_memcpy(id, digest, NGX_VOICE_AUDIO_DIGEST_LEN);
    ngx_voice_audio_mac(key, id, id + NGX_VOICE_AUDIO_DIGEST_LEN);

    (void) ngx_voice_base64url_encode(out, id, sizeof(id));
}


ngx_int_t
ngx_voice_audio_id_parse(ngx_str_t *keys, ngx_uint_t nkeys, u_char *p,
    size_t len, u_char digest[NGX_VOICE_AUDIO_DIGEST_LEN])
{
    u_char      id[NGX_VOICE_AUDIO_DIGEST_LEN + NGX_VOICE_AUDIO_MAC_LEN];
    u_char      mac[NGX_VOICE_AUDIO_MAC_LEN];
    ngx_uint_t  i;

    if (len != NGX_VOICE_AUDIO_ID_LEN
        || ngx_voice_base64url_decode(id, sizeof(id), p, len) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < nkeys; i++) {
        ngx_voice_audio_mac(&keys[i], id, mac);

        if (CRYPTO_memcmp(mac, id + NGX_VOICE_AUDIO_DIGEST_LEN, sizeof(mac))
            == 0)
        {
            ngx_memcpy(digest, id, NGX_VOICE_AUDIO_DIGEST_LEN);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static void
ngx_voice_audio_mac(ngx_str_t *key, u_char *digest, u_char *mac)
{
    u_char     full[NGX_VOICE_MAC_LEN];
    ngx_str_t  parts[2];

    ngx_str_set(&parts[0], "audio id");
    parts[1].data = digest;
    parts[1].len = NGX_VOICE_AUDIO_DIGEST_LEN;

    ngx_voice_mac(key, parts, 2, full);
    ngx_memcpy(mac, full, NGX_VOICE_AUDIO_MAC_LEN);
}
