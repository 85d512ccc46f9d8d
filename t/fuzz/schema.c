
/* A schema and a value, in one line each: a refusal has a reason. */

#include "fuzz.h"
#include "ngx_voice_schema.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    cJSON      *schema, *value, *before;
    u_char      reason[NGX_VOICE_SCHEMA_REASON];
    ngx_int_t   rc;
    const uint8_t  *p;

    p = memchr(data, '\n', len);

    if (p == NULL) {
        return 0;
    }

    schema = cJSON_ParseWithLength((const char *) data, p - data);
    value = cJSON_ParseWithLength((const char *) p + 1, data + len - p - 1);

    if (schema != NULL && value != NULL) {
        before = cJSON_Duplicate(value, 1);
        CHECK(before != NULL);

        rc = ngx_voice_schema_check(schema, value, reason);

        CHECK(rc == NGX_OK || rc == NGX_DECLINED);
        CHECK(memchr(reason, '\0', sizeof(reason)) != NULL);
        CHECK((rc == NGX_OK) == (reason[0] == '\0'));

        /* what was well is well, and is left alone the second time */

        if (rc == NGX_OK) {
            cJSON_Delete(before);
            before = cJSON_Duplicate(value, 1);
            CHECK(ngx_voice_schema_check(schema, value, reason) == NGX_OK);
            CHECK(before == NULL || cJSON_GetArraySize(before)
                                    == cJSON_GetArraySize(value));
        }

        cJSON_Delete(before);
    }

    cJSON_Delete(schema);
    cJSON_Delete(value);

    return 0;
}
