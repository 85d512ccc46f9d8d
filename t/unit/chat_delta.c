
#include "tap.h"
#include "ngx_voice_chat_delta.h"
#include "ngx_voice_provider_error.h"


static ngx_voice_chat_delta_t  d;


static ngx_int_t
parse(ngx_str_t text)
{
    u_char     *copy;
    ngx_int_t   rc;
    ngx_str_t   event;

    copy = tap_copy(text.data, text.len);
    event.data = copy;
    event.len = text.len;

    rc = ngx_voice_chat_delta_parse(&event, &d);
    free(copy);

    return rc;
}


static void
content(ngx_str_t text, ngx_str_t want, const char *what)
{
    ok(parse(text) == NGX_OK && !d.error && !d.done, "%s: parsed", what);
    is_str(d.content, want, what);
    ngx_voice_chat_delta_free(&d);
}


static void
refused(ngx_str_t text, const char *what)
{
    is_int(parse(text), NGX_DECLINED, what);
    ok(d.json == NULL, "nothing to be freed");
}


static void
fails(ngx_str_t text, ngx_str_t code, ngx_str_t type, ngx_str_t message,
    const char *what)
{
    ok(parse(text) == NGX_OK && d.error, "%s: an error", what);
    is_str(d.error_code, code, what);
    is_str(d.error_type, type, what);
    is_str(d.error_message, message, what);
    ngx_voice_chat_delta_free(&d);
}


static void
deltas(void)
{
    content(S("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Yes, \"},"
              "\"finish_reason\":null}],\"usage\":null}"), S("Yes, "),
            "a chunk");
    content(S(" {\"choices\":[{\"delta\":{\"content\":\"a\"}}]} "), S("a"),
            "no index");
    content(S("{\"choices\":[{\"index\":0.0,\"delta\":{\"content\":\"a\"}}]}"),
            S("a"), "index as a float");
    content(S("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}"),
            S(""), "another index");
    content(S("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}},"
              "{\"index\":0,\"delta\":{\"content\":\"a\"}}]}"), S("a"),
            "two indices");
    content(S("{\"choices\":[]}"), S(""), "no choice");
    content(S("{\"id\":\"x\"}"), S(""), "no choices");
    content(S("{\"choices\":null}"), S(""), "choices are null");
    content(S("{\"choices\":[null]}"), S(""), "a choice is null");
    content(S("{\"choices\":[{}]}"), S(""), "an empty choice");
    content(S("{\"choices\":[{\"delta\":{\"content\":null}}]}"), S(""),
            "content is null");
    content(S("{\"choices\":[{\"delta\":{\"content\":5}}]}"), S(""),
            "content is a number");
    content(S("{\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}"), S(""),
            "only a role");
    content(S("{\"choices\":[{\"delta\":{\"reasoning_content\":\"a\","
              "\"reasoning\":\"b\",\"content\":\"\"}}]}"), S(""),
            "reasoning is not spoken");
    content(S("{\"choices\":[{\"message\":{\"content\":\"Yes.\"}}]}"),
            S("Yes."), "a whole message");
    content(S("{\"choices\":[{\"delta\":null,\"message\":{\"content\":\"Y\"}}"
              "]}"), S("Y"), "a whole message beside null");
    content(S("{\"error\":null,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}"),
            S("a"), "error is null");
    content(S("{\"error\":\"\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}"),
            S("a"), "error is empty");
    content(S("{\"choices\":[{\"delta\":{\"content\":\"\\u00e4\\n\"}}]}"),
            S("\xc3\xa4\n"), "escapes");

    is_int(parse(S("{\"model\":\"m-1\",\"choices\":[{\"delta\":{},"
                   "\"finish_reason\":\"stop\"}]}")), NGX_OK, "the last");
    is_str(d.model, S("m-1"), "model");
    is_str(d.finish_reason, S("stop"), "finish reason");
    ok(d.prompt_tokens == -1 && d.completion_tokens == -1 && !d.has_usage,
       "no usage");
    ngx_voice_chat_delta_free(&d);
    ngx_voice_chat_delta_free(&d);

    is_int(parse(S("{\"choices\":[],\"usage\":{\"prompt_tokens\":61.0,"
                   "\"completion_tokens\":9}}")), NGX_OK, "usage");
    ok(d.has_usage, "is there");
    is_int(d.prompt_tokens, 61, "prompt tokens, a float");
    is_int(d.completion_tokens, 9, "completion tokens");
    ngx_voice_chat_delta_free(&d);

    is_int(parse(S("{\"usage\":{\"prompt_tokens\":-1,"
                   "\"completion_tokens\":1e99}}")), NGX_OK, "odd usage");
    ok(d.prompt_tokens == -1 && d.completion_tokens == -1 && !d.has_usage,
       "is unknown");
    ngx_voice_chat_delta_free(&d);

    is_int(parse(S("[DONE]")), NGX_OK, "the end");
    ok(d.done && !d.error, "done");
    is_int(parse(S(" [DONE] x")), NGX_OK, "the end, and more");
    ok(d.done, "done");

    refused(S(""), "nothing");
    refused(S("{\"choices\":[{\"delta\":{\"cont"), "cut");
    refused(S("<html>"), "HTML");
    refused(S("[]"), "an array");
    refused(S("\"text\""), "a string");
    refused(S("null"), "null");

    fails(S("{\"error\":{\"message\":\"m\",\"type\":\"server_error\","
            "\"code\":null}}"), S(""), S("server_error"), S("m"),
          "in the stream");
    fails(S("{\"error\":\"m\"}"), S(""), S(""), S("m"), "a string");
    fails(S("{\"error\":{\"message\":\"m\",\"code\":503}}"), S("503"), S(""),
          S("m"), "a number");
    fails(S("{\"detail\":\"m\"}"), S(""), S(""), S("m"), "detail");
    fails(S("{\"object\":\"error\",\"message\":\"m\",\"type\":\"Bad\","
            "\"code\":400}"), S("400"), S("Bad"), S("m"), "object error");
    fails(S("{\"error\":{}}"), S(""), S(""), S(""), "an empty object");
}


static void
part(ngx_str_t call, ngx_int_t index, ngx_str_t id, ngx_str_t name,
    ngx_str_t arguments, const char *what)
{
    u_char     buf[512];
    ngx_str_t  text;

    static const char *const  forms[] = { "delta", "message" };

    for (size_t i = 0; i < 2; i++) {
        text.data = buf;
        text.len = snprintf((char *) buf, sizeof(buf), "{\"choices\":[{\"%s\""
                            ":{\"content\":null,\"tool_calls\":[%.*s]}}]}",
                            forms[i], (int) call.len, call.data);

        is_int(parse(text), NGX_OK, what);
        is_int(d.nparts, 1, what);
        is_int(d.parts[0].index, index, what);
        is_str(d.parts[0].id, id, what);
        is_str(d.parts[0].name, name, what);
        is_str(d.parts[0].arguments, arguments, what);
        ok(!d.excess, "%s: nothing is left out", what);
        ngx_voice_chat_delta_free(&d);
    }
}


static void
parts(void)
{
    size_t  i, n;
    char    buf[1024];

    part(S("{\"index\":0,\"id\":\"call_7\",\"type\":\"function\","
           "\"function\":{\"name\":\"hours\",\"arguments\":\"\"}}"),
         0, S("call_7"), S("hours"), S(""), "the head of a call");
    part(S("{\"index\":1.0,\"function\":{\"arguments\":\"{\\\"da\"}}"),
         1, S(""), S(""), S("{\"da"), "a fragment");
    part(S("{\"id\":\"a\",\"function\":{\"name\":\"b\",\"arguments\":"
           "{\"c\":[1]}}}"),
         -1, S("a"), S("b"), S("{\"c\":[1]}"), "arguments as an object");
    part(S("{\"index\":-3,\"id\":null,\"function\":{\"name\":null,"
           "\"arguments\":null}}"),
         -1, S(""), S(""), S(""), "nulls");
    part(S("{\"index\":\"1\",\"id\":5,\"function\":{\"name\":[],"
           "\"arguments\":5}}"),
         -1, S(""), S(""), S(""), "other types");

    is_int(parse(S("{\"choices\":[{\"delta\":{\"content\":\"One.\","
                   "\"tool_calls\":[{\"index\":0,\"function\":{\"name\":"
                   "\"a\"}},null,5,{\"index\":1},{\"index\":2,\"function\":"
                   "{\"name\":\"b\"}}]}}]}")), NGX_OK, "several");
    is_str(d.content, S("One."), "words beside them");
    is_int(d.nparts, 2, "what is no call is passed over");
    is_str(d.parts[1].name, S("b"), "the second");
    is_int(d.parts[1].index, 2, "its index");
    ngx_voice_chat_delta_free(&d);

    is_int(parse(S("{\"choices\":[{\"delta\":{\"tool_calls\":{}}}]}")),
           NGX_OK, "no array");
    is_int(d.nparts, 0, "no calls");
    ngx_voice_chat_delta_free(&d);

    n = snprintf(buf, sizeof(buf), "{\"choices\":[{\"delta\":{\"tool_calls\":"
                 "[{\"function\":{}}");

    for (i = 0; i < NGX_VOICE_CHAT_PARTS; i++) {
        n += snprintf(buf + n, sizeof(buf) - n, ",{\"function\":{}}");
    }

    n += snprintf(buf + n, sizeof(buf) - n, "]}}]}");

    is_int(parse((ngx_str_t) { n, (u_char *) buf }), NGX_OK, "too many");
    is_int(d.nparts, NGX_VOICE_CHAT_PARTS, "there is an end");
    ok(d.excess, "and it is told");
    ngx_voice_chat_delta_free(&d);
}


static void
provider(ngx_str_t body, ngx_int_t rc, ngx_str_t code, ngx_str_t message,
    const char *what)
{
    u_char     *copy, *one, *two;
    ngx_str_t   text, got_code, got_message;

    copy = tap_copy(body.data, body.len);
    text.data = copy;
    text.len = body.len;

    one = malloc(32);
    two = malloc(64);
    got_code.data = one;
    got_code.len = 32;
    got_message.data = two;
    got_message.len = 64;

    is_int(ngx_voice_provider_error(&text, &got_code, &got_message), rc, what);
    is_str(got_code, code, what);
    is_str(got_message, message, what);

    free(copy);
    free(one);
    free(two);
}


static void
providers(void)
{
    provider(S("{\"error\":{\"message\":\"Incorrect API key provided: "
               "sk-abcd\xe2\x80\xa6wxyz.\",\"code\":\"invalid_api_key\"}}"),
             NGX_OK, S("invalid_api_key"),
             S("Incorrect API key provided: ***."), "a key with its middle "
             "hidden");
    provider(S("{\"error\":{\"message\":\"bad 'sk_0123456789abcdef'\","
               "\"type\":\"t\",\"code\":null}}"), NGX_OK, S("t"),
             S("bad '***'"), "the type where there is no code");
    provider(S("{\"error\":{\"message\":\"Loading model\",\"code\":503,"
               "\"type\":\"unavailable_error\"}}"), NGX_OK,
             S("unavailable_error"), S("Loading model"),
             "a word rather than a number");
    provider(S("{\"error\":{\"message\":\"m\",\"code\":503}}"), NGX_OK,
             S("503"), S("m"), "a number rather than nothing");
    provider(S("[{\"error\":{\"message\":\"m\",\"code\":\"c\"}}]"), NGX_OK,
             S("c"), S("m"), "in an array");
    provider(S("{\"detail\":{\"type\":\"validation_error\",\"code\":"
               "\"invalid_parameters\",\"message\":\"m\",\"status\":\"s\"}}"),
             NGX_OK, S("invalid_parameters"), S("m"), "detail with code");
    provider(S("{\"detail\":{\"status\":\"quota_exceeded\",\"message\":"
               "\"m\"}}"), NGX_OK, S("quota_exceeded"), S("m"),
             "detail with status");
    provider(S("{\"detail\":[{\"loc\":[\"body\",0],\"msg\":\"field "
               "required\",\"type\":\"value_error.missing\"}]}"), NGX_OK,
             S("value_error.missing"), S("field required"), "detail list");
    provider(S("{\"detail\":\"Not Found\"}"), NGX_OK, S(""), S("Not Found"),
             "detail text");
    provider(S("{\"message\":\"m\"}"), NGX_OK, S(""), S("m"), "message only");
    provider(S(""), NGX_DECLINED, S(""), S(""), "empty body");
    provider(S("<html><head><style>x{}</style></head>\n<body><h1>502 Bad"
               "</h1>\r\n gateway</body>"), NGX_DECLINED, S(""),
             S("502 Bad gateway"), "HTML");
    provider(S("<"), NGX_DECLINED, S(""), S("<"), "a lone bracket");
    provider(S("upstream\tfailed\x01 \xc3\xa4!"), NGX_DECLINED, S(""),
             S("upstream failed ?!"), "text");
    provider(S("{\"a\":1}"), NGX_DECLINED, S(""), S("{\"a\":1}"),
             "another object");
    provider(S("Authorization: Bearer abc.def"), NGX_DECLINED, S(""),
             S("Authorization: Bearer ***"), "a bearer token");
    provider(S("no \xe2\x80\x9csk-abc\xe2\x80\x9d, key_sk-abc, desk-top"),
             NGX_DECLINED, S(""), S("no ***, ***, desk-top"),
             "a key behind a quote or a name");
    provider(S("key 0123456789abcdef0123456789abcdef"), NGX_DECLINED, S(""),
             S("key ***"), "hexadecimal digits");
    provider(S("1234567890 1234567890 1234567890 1234567890 1234567890 "
               "123 sk-0123456789abcdef"), NGX_DECLINED, S(""),
             S("1234567890 1234567890 1234567890 1234567890 1234567890 "
               "123 ***"), "a key at the edge of the room");
    provider(S("model gpt-4o-mini-2024-07-18, voice 21m00Tcm4TlvDq8ikWAM"),
             NGX_DECLINED, S(""),
             S("model gpt-4o-mini-2024-07-18, voice 21m00Tcm4TlvDq8ikWAM"),
             "names are not keys");
}


int
main(void)
{
    deltas();
    parts();
    providers();

    return done_testing();
}
