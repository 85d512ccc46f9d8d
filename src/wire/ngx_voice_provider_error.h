
/*
 * What a provider says went wrong, out of the body of a refused request: the
 * error objects of OpenAI and its compatible servers, those of ElevenLabs
 * ("detail" in its four forms), or a body that is HTML, cut or empty.
 */


#ifndef _NGX_VOICE_PROVIDER_ERROR_H_INCLUDED_
#define _NGX_VOICE_PROVIDER_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>


/* Members of the parsed body; any may be NULL, code may be a number. */

typedef struct {
    cJSON  *message;
    cJSON  *code;
    cJSON  *type;
} ngx_voice_provider_fault_t;


/* NGX_OK if the tree is an error in a known shape, or NGX_DECLINED. */

ngx_int_t ngx_voice_provider_error_find(cJSON *json,
    ngx_voice_provider_fault_t *fault);

/*
 * What a log line may hold of a text: printable ASCII only, white space
 * collapsed, of HTML what is visible, anything that looks like a key masked.
 * out comes with data = the caller's buffer and len = its size, and leaves
 * with len = what was written; it is not the text itself.
 */

void ngx_voice_provider_clean(ngx_str_t *out, u_char *p, size_t len);

/*
 * Both code and message, cleaned, into the caller's buffers as above.
 *
 * NGX_OK if the body has an error in a known shape; NGX_DECLINED if not: code
 * is empty and message is the beginning of the body's visible text.
 */

ngx_int_t ngx_voice_provider_error(ngx_str_t *body, ngx_str_t *code,
    ngx_str_t *message);


#endif /* _NGX_VOICE_PROVIDER_ERROR_H_INCLUDED_ */
