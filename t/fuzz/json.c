
/* What is accepted can be printed and read again; a refusal says where. */

#include "fuzz.h"
#include "ngx_voice_json.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char                    *text;
    cJSON                   *json, *again;
    u_char                  *copy;
    ngx_voice_json_error_t   err;

    copy = fuzz_copy(data, len);
    json = ngx_voice_json_parse(copy, len, &err);

    if (json == NULL) {
        CHECK(err.reason != NULL && err.line > 0 && err.column > 0);
        CHECK(strcmp(err.reason, "out of memory") != 0);
        CHECK(memchr(err.pointer, '\0', sizeof(err.pointer)) != NULL);
        CHECK(err.pointer[0] == '\0' || err.pointer[0] == '/');
        free(copy);
        return 0;
    }

    text = cJSON_PrintUnformatted(json);
    CHECK(text != NULL);

    again = ngx_voice_json_parse((u_char *) text, strlen(text), &err);
    CHECK(again != NULL);
    CHECK(cJSON_Compare(json, again, 1));

    cJSON_free(text);
    cJSON_Delete(again);
    cJSON_Delete(json);
    free(copy);

    return 0;
}
