
/*
 * What a model has written of a call that is over: one JSON object, as the
 * prompt of brain/ngx_http_voice_summary.c asks for it.
 */


#ifndef _NGX_VOICE_SUMMARY_H_INCLUDED_
#define _NGX_VOICE_SUMMARY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>

#include "ngx_voice_schema.h"


/*
 * The object, to be freed with cJSON_Delete(): "summary" (1 to 1200
 * characters), "sentiment" (positive, neutral or negative), "outcome" (a word
 * of a-z, 0-9 and "_"), "interest" (a boolean), and maybe "next_step" (up to
 * 300) and "lead" ("title", "name", "email", "company", up to 255 each), which
 * are never null.  Strings are one line.  What stands around the object, such
 * as the fence of a code block, is passed over.
 *
 * NULL and what is wrong, zero-terminated, when it is anything else.
 */

cJSON *ngx_voice_summary_parse(u_char *data, size_t len,
    u_char reason[NGX_VOICE_SCHEMA_REASON]);


#endif /* _NGX_VOICE_SUMMARY_H_INCLUDED_ */
