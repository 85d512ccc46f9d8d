
/* An event, or the body of an error: no key gets into what is logged. */

#include "fuzz.h"
#include "ngx_voice_chat_delta.h"
#include "ngx_voice_provider_error.h"


static size_t
touch(ngx_str_t *s)
{
    size_t  i, sum;

    for (i = 0, sum = 0; i < s->len; i++) {
        sum += s->data[i];
    }

    return sum;
}


static ngx_uint_t
is_alnum(u_char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
           || (ch >= 'A' && ch <= 'Z');
}


static void
printable(ngx_str_t *s, size_t size)
{
    size_t  i;

    CHECK(s->len <= size);

    for (i = 0; i < s->len; i++) {
        CHECK(s->data[i] >= ' ' && s->data[i] < 0x7f);
        CHECK(i + 3 >= s->len || memcmp(s->data + i, "sk-", 3) != 0
              || (i > 0 && is_alnum(s->data[i - 1]))
              || !is_alnum(s->data[i + 3]));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char                  *copy, *one, *two;
    size_t                   size, i;
    ngx_str_t                event, code, message;
    volatile size_t          sum;
    ngx_voice_chat_delta_t   d;

    if (len == 0) {
        return 0;
    }

    size = 1 + data[0];
    len--;
    copy = fuzz_copy(data + 1, len);
    event.data = copy;
    event.len = len;

    if (ngx_voice_chat_delta_parse(&event, &d) == NGX_OK) {
        sum = touch(&d.content) + touch(&d.finish_reason) + touch(&d.model)
              + touch(&d.error_message) + touch(&d.error_code)
              + touch(&d.error_type);

        CHECK(d.nparts <= NGX_VOICE_CHAT_PARTS);

        for (i = 0; i < d.nparts; i++) {
            CHECK(d.parts[i].index >= -1);
            sum += touch(&d.parts[i].id) + touch(&d.parts[i].name)
                   + touch(&d.parts[i].arguments);
        }

        (void) sum;

        CHECK(d.prompt_tokens >= -1 && d.completion_tokens >= -1);
        CHECK(d.done ? d.json == NULL : d.json != NULL);
        CHECK(d.has_usage
              == (d.prompt_tokens >= 0 || d.completion_tokens >= 0));
        ngx_voice_chat_delta_free(&d);
    }

    CHECK(d.json == NULL);

    one = malloc(size);
    two = malloc(size);
    CHECK(one != NULL && two != NULL);
    code.data = one;
    code.len = size;
    message.data = two;
    message.len = size;

    ngx_voice_provider_error(&event, &code, &message);
    printable(&code, size);
    printable(&message, size);

    free(one);
    free(two);
    free(copy);

    return 0;
}
