
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include "ngx_voice_json_text.h"
#include "ngx_voice_utf8.h"


cJSON *
ngx_voice_json_add(cJSON *object, const char *name, ngx_str_t *value)
{
    u_char    *text, *d, *p, *last;
    cJSON     *item;
    size_t     n, bad;
    uint32_t   ch;

    /* each byte may become the three of U+FFFD */

    text = cJSON_malloc(3 * value->len + 1);
    if (text == NULL) {
        return NULL;
    }

    d = text;
    last = value->data + value->len;

    for (p = value->data; p < last; p += n) {
        n = ngx_voice_utf8_len(p, last - p, &ch, &bad);

        if (n == 0) {
            d = ngx_cpymem(d, "\xef\xbf\xbd", 3);
            n = bad;
            continue;
        }

        if (ch != 0) {
            d = ngx_cpymem(d, p, n);
        }
    }

    *d = '\0';

    item = cJSON_AddStringToObject(object, name, (char *) text);

    cJSON_free(text);

    return item;
}


const char *
ngx_voice_json_string(cJSON *object, const char *name)
{
    cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}


ngx_str_t
ngx_voice_json_text(cJSON *object, const char *name)
{
    ngx_str_t    text;
    const char  *s;

    s = ngx_voice_json_string(object, name);

    text.data = (u_char *) s;
    text.len = s ? ngx_strlen(s) : 0;

    return text;
}
