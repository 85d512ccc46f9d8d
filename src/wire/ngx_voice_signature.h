
/*
 * X-Twilio-Signature (Twilio, "Validating requests") and the keyed MAC of our
 * own action URLs.  Secrets are compared in constant time.
 */


#ifndef _NGX_VOICE_SIGNATURE_H_INCLUDED_
#define _NGX_VOICE_SIGNATURE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_voice_form.h"


#define NGX_VOICE_SIGNATURE_LEN  28
#define NGX_VOICE_MAC_LEN        32


/*
 * Verifies base64(HMAC-SHA1(token, URL + sorted parameters)).
 *
 * The URL is scheme "://" authority target; the target is the request target
 * as it was received, query included, never a normalised or rewritten one.
 * For "wss" give that scheme: it is what is signed.  n is 0 if the body is
 * not a form.  Tried in turn: the URL as given; without its port, or, if it
 * has none, with the default port of the scheme; the same with "'" in the
 * query as "%27".  Userinfo in the authority is hashed as it is: leave it out.
 *
 * scratch is room for n pointers.  An empty token verifies nothing.
 *
 * NGX_OK if the signature is right, NGX_DECLINED for everything else.
 */

ngx_int_t ngx_voice_signature_check(ngx_str_t *scheme, ngx_str_t *authority,
    ngx_str_t *target, ngx_voice_param_t *params, ngx_uint_t n,
    ngx_voice_param_t **scratch, ngx_str_t *token, ngx_str_t *signature);

/*
 * A body that is not a form is signed by its SHA-256 in the query parameter
 * bodySHA256.  NGX_OK if it is the body's, NGX_DECLINED if it differs or is
 * given twice, NGX_ABORT if the target has no such parameter.
 */

ngx_int_t ngx_voice_signature_body_sha256(ngx_str_t *target, u_char *body,
    size_t len);

/*
 * HMAC-SHA256 over the parts, each preceded by its length as eight bytes, so
 * that moving a byte from one part to the next changes the result.  Let the
 * first part name the purpose where one key has several.
 */

void ngx_voice_mac(ngx_str_t *key, const ngx_str_t *parts, ngx_uint_t n,
    u_char out[NGX_VOICE_MAC_LEN]);


#endif /* _NGX_VOICE_SIGNATURE_H_INCLUDED_ */
