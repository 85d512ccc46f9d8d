
/*
 * Whether a value is what a JSON Schema (2020-12) asks for: the part of it
 * that tools are described with.  Known are type (a name, or several), enum,
 * properties, required, additionalProperties (true or false), items,
 * minItems, maxItems, minLength, maxLength (characters), minimum and maximum;
 * other keywords say nothing here.
 */


#ifndef _NGX_VOICE_SCHEMA_H_INCLUDED_
#define _NGX_VOICE_SCHEMA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>


#define NGX_VOICE_SCHEMA_REASON  200


/*
 * NGX_OK, or NGX_DECLINED and what is wrong: zero-terminated UTF-8 for who
 * wrote the value, with the names of properties.  A property that is null, may
 * be left out, and has a type that is not null, is left out: removed.
 */

ngx_int_t ngx_voice_schema_check(cJSON *schema, cJSON *value,
    u_char reason[NGX_VOICE_SCHEMA_REASON]);


#endif /* _NGX_VOICE_SCHEMA_H_INCLUDED_ */
