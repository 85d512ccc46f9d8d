
/*
 * Text from outside as a member of a cJSON object.
 */


#ifndef _NGX_VOICE_JSON_TEXT_H_INCLUDED_
#define _NGX_VOICE_JSON_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>


/*
 * Adds a string of any bytes: what is no UTF-8 becomes U+FFFD, and zero bytes,
 * which neither a C string nor PostgreSQL's text can hold, are left out.  NULL
 * without memory.
 */
cJSON *ngx_voice_json_add(cJSON *object, const char *name, ngx_str_t *value);

/* the member if it is a string, else NULL or empty; it is the tree's */
const char *ngx_voice_json_string(cJSON *object, const char *name);
ngx_str_t ngx_voice_json_text(cJSON *object, const char *name);


#endif /* _NGX_VOICE_JSON_TEXT_H_INCLUDED_ */
