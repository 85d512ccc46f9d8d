
#include "ngx_voice_chat_delta.h"
#include "ngx_voice_provider_error.h"


static void ngx_voice_chat_delta_choice(ngx_voice_chat_delta_t *d,
    cJSON *choice);
static void ngx_voice_chat_delta_part(ngx_voice_chat_delta_t *d, cJSON *call);
static void ngx_voice_chat_delta_usage(ngx_voice_chat_delta_t *d,
    cJSON *usage);
static ngx_int_t ngx_voice_chat_delta_count(cJSON *usage, const char *name);
static void ngx_voice_chat_delta_string(ngx_str_t *s, cJSON *item);


ngx_int_t
ngx_voice_chat_delta_parse(ngx_str_t *event, ngx_voice_chat_delta_t *d)
{
    int                          n;
    cJSON                       *choice, *index;
    ngx_str_t                    text;
    ngx_voice_provider_fault_t   fault;

    static const char  done[] = "[DONE]";

    ngx_memzero(d, sizeof(ngx_voice_chat_delta_t));

    d->prompt_tokens = -1;
    d->completion_tokens = -1;

    text = *event;

    while (text.len && text.data[0] <= ' ') {
        text.data++;
        text.len--;
    }

    if (text.len >= sizeof(done) - 1
        && ngx_memcmp(text.data, done, sizeof(done) - 1) == 0)
    {
        d->done = 1;
        return NGX_OK;
    }

    if (text.len == 0) {
        return NGX_DECLINED;
    }

    d->json = cJSON_ParseWithLength((char *) text.data, text.len);

    if (!cJSON_IsObject(d->json)) {
        ngx_voice_chat_delta_free(d);
        return NGX_DECLINED;
    }

    ngx_voice_chat_delta_string(&d->model,
                     cJSON_GetObjectItemCaseSensitive(d->json, "model"));

    if (ngx_voice_provider_error_find(d->json, &fault) == NGX_OK) {
        d->error = 1;

        ngx_voice_chat_delta_string(&d->error_message, fault.message);
        ngx_voice_chat_delta_string(&d->error_type, fault.type);
        ngx_voice_chat_delta_string(&d->error_code, fault.code);

        if (cJSON_IsNumber(fault.code)) {
            n = snprintf((char *) d->number, sizeof(d->number), "%.15g",
                         fault.code->valuedouble);
            d->error_code.data = d->number;
            d->error_code.len = n;
        }
    }

    /* other indices are other answers, which were not asked for */

    cJSON_ArrayForEach(choice,
                       cJSON_GetObjectItemCaseSensitive(d->json, "choices"))
    {
        index = cJSON_GetObjectItemCaseSensitive(choice, "index");

        if (!cJSON_IsNumber(index) || index->valuedouble == 0) {
            ngx_voice_chat_delta_choice(d, choice);
            break;
        }
    }

    ngx_voice_chat_delta_usage(d,
                     cJSON_GetObjectItemCaseSensitive(d->json, "usage"));

    return NGX_OK;
}


void
ngx_voice_chat_delta_free(ngx_voice_chat_delta_t *d)
{
    cJSON_Delete(d->json);
    d->json = NULL;
}


static void
ngx_voice_chat_delta_choice(ngx_voice_chat_delta_t *d, cJSON *choice)
{
    cJSON  *delta, *calls, *call;

    ngx_voice_chat_delta_string(&d->finish_reason,
                     cJSON_GetObjectItemCaseSensitive(choice,
                                                      "finish_reason"));

    delta = cJSON_GetObjectItemCaseSensitive(choice, "delta");

    if (!cJSON_IsObject(delta)) {

        /* a server that does not stream answers with the whole */

        delta = cJSON_GetObjectItemCaseSensitive(choice, "message");
    }

    ngx_voice_chat_delta_string(&d->content,
                     cJSON_GetObjectItemCaseSensitive(delta, "content"));

    calls = cJSON_GetObjectItemCaseSensitive(delta, "tool_calls");

    if (!cJSON_IsArray(calls)) {
        return;
    }

    cJSON_ArrayForEach(call, calls) {
        ngx_voice_chat_delta_part(d, call);
    }
}


static void
ngx_voice_chat_delta_part(ngx_voice_chat_delta_t *d, cJSON *call)
{
    char                   *text;
    cJSON                  *function, *arguments, *index;
    ngx_voice_chat_part_t  *part;

    function = cJSON_GetObjectItemCaseSensitive(call, "function");

    if (!cJSON_IsObject(function)) {
        return;
    }

    if (d->nparts == NGX_VOICE_CHAT_PARTS) {
        d->excess = 1;
        return;
    }

    part = &d->parts[d->nparts++];

    index = cJSON_GetObjectItemCaseSensitive(call, "index");

    part->index = (cJSON_IsNumber(index)
                   && index->valuedouble >= 0 && index->valuedouble <= 1e6)
                  ? (ngx_int_t) index->valuedouble : -1;

    ngx_voice_chat_delta_string(&part->id,
                     cJSON_GetObjectItemCaseSensitive(call, "id"));
    ngx_voice_chat_delta_string(&part->name,
                     cJSON_GetObjectItemCaseSensitive(function, "name"));

    arguments = cJSON_GetObjectItemCaseSensitive(function, "arguments");

    if (cJSON_IsObject(arguments)) {

        /* some servers do not wrap them in a string */

        text = cJSON_PrintUnformatted(arguments);
        arguments = text ? cJSON_CreateString(text) : NULL;
        cJSON_free(text);

        if (!cJSON_ReplaceItemInObjectCaseSensitive(function, "arguments",
                                                    arguments))
        {
            cJSON_Delete(arguments);
            d->excess = 1;
            return;
        }
    }

    ngx_voice_chat_delta_string(&part->arguments, arguments);
}


static void
ngx_voice_chat_delta_usage(ngx_voice_chat_delta_t *d, cJSON *usage)
{
    if (!cJSON_IsObject(usage)) {
        return;
    }

    d->prompt_tokens = ngx_voice_chat_delta_count(usage, "prompt_tokens");
    d->completion_tokens = ngx_voice_chat_delta_count(usage,
                                                      "completion_tokens");

    d->has_usage = (d->prompt_tokens >= 0 || d->completion_tokens >= 0);
}


/* numbers come as 60 and as 60.0 */

static ngx_int_t
ngx_voice_chat_delta_count(cJSON *usage, const char *name)
{
    cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(usage, name);

    if (!cJSON_IsNumber(item)
        || !(item->valuedouble >= 0 && item->valuedouble <= 1e9))
    {
        return -1;
    }

    return (ngx_int_t) item->valuedouble;
}


static void
ngx_voice_chat_delta_string(ngx_str_t *s, cJSON *item)
{
    if (!cJSON_IsString(item)) {
        ngx_str_null(s);
        return;
    }

    s->data = (u_char *) item->valuestring;
    s->len = ngx_strlen(item->valuestring);
}
