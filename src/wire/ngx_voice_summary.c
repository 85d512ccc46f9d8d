
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include "ngx_voice_summary.h"
#include "ngx_voice_json.h"


static void ngx_voice_summary_tidy(cJSON *object);
static ngx_int_t ngx_voice_summary_outcome(cJSON *item);
static void ngx_voice_summary_reason(u_char *reason, const char *text);


static const char  ngx_voice_summary_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"summary\",\"sentiment\",\"outcome\",\"interest\"],"
    "\"properties\":{"
        "\"summary\":{\"type\":\"string\",\"minLength\":1,"
            "\"maxLength\":1200},"
        "\"sentiment\":{\"type\":\"string\","
            "\"enum\":[\"positive\",\"neutral\",\"negative\"]},"
        "\"outcome\":{\"type\":\"string\",\"minLength\":1,"
            "\"maxLength\":40},"
        "\"next_step\":{\"type\":\"string\",\"maxLength\":300},"
        "\"interest\":{\"type\":\"boolean\"},"
        "\"lead\":{\"type\":\"object\",\"additionalProperties\":false,"
            "\"properties\":{"
                "\"title\":{\"type\":\"string\",\"maxLength\":255},"
                "\"name\":{\"type\":\"string\",\"maxLength\":255},"
                "\"email\":{\"type\":\"string\",\"maxLength\":255},"
                "\"company\":{\"type\":\"string\",\"maxLength\":255}}}}}";


cJSON *
ngx_voice_summary_parse(u_char *data, size_t len,
    u_char reason[NGX_VOICE_SCHEMA_REASON])
{
    u_char                  *p, *last;
    cJSON                   *root, *schema;
    ngx_int_t                rc;
    ngx_voice_json_error_t   err;

    p = data;
    last = data + len;

    while (p < last && *p != '{') {
        p++;
    }

    while (last > p && last[-1] != '}') {
        last--;
    }

    if (p == last) {
        ngx_voice_summary_reason(reason, "there is no JSON object");
        return NULL;
    }

    root = ngx_voice_json_parse(p, last - p, &err);

    if (root == NULL) {
        ngx_voice_summary_reason(reason, err.reason);
        return NULL;
    }

    schema = cJSON_Parse(ngx_voice_summary_schema);

    if (schema == NULL) {
        cJSON_Delete(root);
        ngx_voice_summary_reason(reason, "there is no memory");
        return NULL;
    }

    ngx_voice_summary_tidy(root);

    rc = ngx_voice_schema_check(schema, root, reason);

    cJSON_Delete(schema);

    if (rc == NGX_OK
        && ngx_voice_summary_outcome(cJSON_GetObjectItemCaseSensitive(root,
                                                                  "outcome"))
           != NGX_OK)
    {
        ngx_voice_summary_reason(reason, "\"outcome\" is no word");
        rc = NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        cJSON_Delete(root);
        return NULL;
    }

    return root;
}


/* strings become one line, and those that are empty are left out */

static void
ngx_voice_summary_tidy(cJSON *object)
{
    u_char  *p, *d;
    cJSON   *item, *next;

    for (item = cJSON_IsObject(object) ? object->child : NULL;
         item;
         item = next)
    {
        next = item->next;

        if (cJSON_IsObject(item)) {
            ngx_voice_summary_tidy(item);
            continue;
        }

        if (!cJSON_IsString(item)) {
            continue;
        }

        d = (u_char *) item->valuestring;

        for (p = d; *p; p++) {

            if (*p > ' ' && *p != 0x7f) {
                *d++ = *p;

            } else if (d > (u_char *) item->valuestring && d[-1] != ' ') {
                *d++ = ' ';
            }
        }

        if (d > (u_char *) item->valuestring && d[-1] == ' ') {
            d--;
        }

        *d = '\0';

        if (d == (u_char *) item->valuestring) {
            cJSON_Delete(cJSON_DetachItemViaPointer(object, item));
        }
    }
}


static ngx_int_t
ngx_voice_summary_outcome(cJSON *item)
{
    u_char  *p;

    for (p = (u_char *) item->valuestring; *p; p++) {

        if (*p >= 'A' && *p <= 'Z') {
            *p |= 0x20;

        } else if (*p == ' ' || *p == '-') {
            *p = '_';

        } else if ((*p < 'a' || *p > 'z') && (*p < '0' || *p > '9')
                   && *p != '_')
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static void
ngx_voice_summary_reason(u_char *reason, const char *text)
{
    size_t  len;

    len = ngx_min(ngx_strlen(text), NGX_VOICE_SCHEMA_REASON - 1);

    *ngx_cpymem(reason, text, len) = '\0';
}
