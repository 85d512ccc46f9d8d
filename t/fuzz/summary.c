
/* What a model writes of a call: an object as it was asked for, or a reason. */

#include "fuzz.h"
#include "ngx_voice_summary.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char    *text;
    cJSON   *root, *again, *item;
    u_char  *copy, reason[NGX_VOICE_SCHEMA_REASON];

    copy = fuzz_copy(data, len);
    reason[0] = '\0';

    root = ngx_voice_summary_parse(copy, len, reason);

    free(copy);

    if (root == NULL) {
        CHECK(reason[0] != '\0');
        CHECK(memchr(reason, '\0', sizeof(reason)) != NULL);
        return 0;
    }

    item = cJSON_GetObjectItemCaseSensitive(root, "summary");
    CHECK(cJSON_IsString(item) && (u_char) item->valuestring[0] > ' ');

    item = cJSON_GetObjectItemCaseSensitive(root, "interest");
    CHECK(cJSON_IsBool(item));

    /* what was well is well, and is left alone the second time */

    text = cJSON_PrintUnformatted(root);
    CHECK(text != NULL);

    again = ngx_voice_summary_parse((u_char *) text, strlen(text), reason);
    CHECK(again != NULL && cJSON_Compare(root, again, 1));

    cJSON_free(text);
    cJSON_Delete(again);
    cJSON_Delete(root);

    return 0;
}
