
/*
 * Strict JSON (RFC 8259) for configuration files: the tree is cJSON's, what
 * cJSON lets pass is refused, and a mistake is found again in the editor.
 */


#ifndef _NGX_VOICE_JSON_H_INCLUDED_
#define _NGX_VOICE_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>


#define NGX_VOICE_JSON_DEPTH        32
#define NGX_VOICE_JSON_POINTER_LEN  256


typedef struct {
    ngx_uint_t   line;          /* from 1 */
    ngx_uint_t   column;        /* from 1, in characters */
    const char  *reason;        /* lower case, no full stop */
    u_char       pointer[NGX_VOICE_JSON_POINTER_LEN];
                                /* RFC 6901, NUL-terminated, "": the root */
} ngx_voice_json_error_t;


/*
 * Returns the tree, to be freed with cJSON_Delete(), or NULL and what is wrong
 * and where.  Refused besides syntax errors: bytes after the value, a name
 * twice in an object, a byte order mark, NUL bytes (also as \u0000: the tree
 * has C strings), invalid UTF-8, unpaired surrogates, numbers that are no
 * finite doubles, more than NGX_VOICE_JSON_DEPTH levels.
 */

cJSON *ngx_voice_json_parse(u_char *data, size_t len,
    ngx_voice_json_error_t *err);


#endif /* _NGX_VOICE_JSON_H_INCLUDED_ */
