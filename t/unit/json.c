
#include "tap.h"
#include "ngx_voice_json.h"


static void
good(ngx_str_t text)
{
    cJSON                   *json;
    u_char                  *p;
    ngx_voice_json_error_t   err;

    p = tap_copy(text.data, text.len);
    json = ngx_voice_json_parse(p, text.len, &err);

    if (!ok(json != NULL, "%s", (char *) text.data)) {
        printf("# %zu:%zu %s\n", (size_t) err.line, (size_t) err.column,
               err.reason);
    }

    cJSON_Delete(json);
    free(p);
}


static void
bad(ngx_str_t text, ngx_uint_t line, ngx_uint_t column, const char *pointer,
    const char *reason)
{
    cJSON                   *json;
    u_char                  *p;
    ngx_voice_json_error_t   err;

    p = tap_copy(text.data, text.len);
    json = ngx_voice_json_parse(p, text.len, &err);

    if (!ok(json == NULL && err.line == line && err.column == column
            && strcmp(err.reason, reason) == 0
            && strcmp((char *) err.pointer, pointer) == 0, "%s", reason))
    {
        tap_show("text", text.data, text.len);
        printf("# %s, %zu:%zu \"%s\" %s\n", json ? "parsed" : "refused",
               (size_t) err.line, (size_t) err.column, err.pointer,
               err.reason ? err.reason : "-");
    }

    cJSON_Delete(json);
    free(p);
}


int
main(void)
{
    cJSON                   *json;
    size_t                   i;
    u_char                   text[4096];
    ngx_str_t                deep;
    ngx_voice_json_error_t   err;

    good(S("{}"));
    good(S("[]"));
    good(S(" \t\r\n{ \"a\" : [ 1 , true , false , null , \"x\" ] } \n"));
    good(S("\"text\""));
    good(S("0"));
    good(S("[0, -0, 1.5, -1e5, 1E+5, 1e-5, 10, 1e308, 1e-400]"));
    good(S("[\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00e4 \\ud83d\\ude00\"]"));
    good(S("{\"a\":{\"a\":1},\"b\":{\"a\":1},\"A\":2}"));
    good(S("[\"\xc3\xa4 \xf0\x9f\x98\x80\"]"));

    bad(S(""), 1, 1, "", "unexpected end");
    bad(S("  \n "), 2, 2, "", "unexpected end");
    bad(S("{"), 1, 2, "", "unexpected end");
    bad(S("{\"a\""), 1, 5, "/a", "unexpected end");
    bad(S("{\"a\":"), 1, 6, "/a", "unexpected end");
    bad(S("{\"a\":1"), 1, 7, "", "unexpected end");
    bad(S("[1"), 1, 3, "", "unexpected end");
    bad(S("[\"a"), 1, 4, "/0", "unexpected end");
    bad(S("[\"\\"), 1, 4, "/0", "unexpected end");
    bad(S("{a:1}"), 1, 2, "", "name expected");
    bad(S("{\"a\":1,}"), 1, 8, "", "name expected");
    bad(S("{\"a\" 1}"), 1, 6, "/a", "\":\" expected");
    bad(S("{\"a\":1 \"b\":2}"), 1, 8, "", "\",\" or \"}\" expected");
    bad(S("{\n  \"a\": [\n    1,\n    x\n  ]\n}"), 4, 5, "/a/1",
        "value expected");
    bad(S("[1,]"), 1, 4, "/1", "value expected");
    bad(S("[1 2]"), 1, 4, "", "\",\" or \"]\" expected");
    bad(S("{} x"), 1, 4, "", "bytes after the value");
    bad(S("{}{}"), 1, 3, "", "bytes after the value");
    bad(S("{}\0"), 1, 3, "", "bytes after the value");
    bad(S("\0{}"), 1, 1, "", "NUL byte");
    bad(S("[\"a\0b\"]"), 1, 4, "/0", "NUL byte");
    bad(S("[\"\\u0000\"]"), 1, 3, "/0", "NUL byte");
    bad(S("\xef\xbb\xbf{}"), 1, 1, "", "byte order mark");
    bad(S("[\"\xff\"]"), 1, 3, "/0", "invalid UTF-8");
    bad(S("[\"\xc3\xa4\xc3\"]"), 1, 4, "/0", "invalid UTF-8");
    bad(S("[\"a\nb\"]"), 1, 4, "/0", "control character in a string");
    bad(S("\x01{}"), 1, 1, "", "value expected");
    bad(S("[\"\\x\"]"), 1, 3, "/0", "invalid escape");
    bad(S("[\"\\u12g4\"]"), 1, 3, "/0", "invalid escape");
    bad(S("[\"\\ud83d\"]"), 1, 3, "/0", "unpaired surrogate");
    bad(S("[\"\\ud83d\\u0041\"]"), 1, 3, "/0", "unpaired surrogate");
    bad(S("[\"\\ude00\"]"), 1, 3, "/0", "unpaired surrogate");
    bad(S("[01]"), 1, 2, "/0", "invalid number");
    bad(S("[1.]"), 1, 2, "/0", "invalid number");
    bad(S("[.5]"), 1, 2, "/0", "value expected");
    bad(S("[+1]"), 1, 2, "/0", "value expected");
    bad(S("[-]"), 1, 2, "/0", "invalid number");
    bad(S("[1e]"), 1, 2, "/0", "invalid number");
    bad(S("[1.2.3]"), 1, 2, "/0", "invalid number");
    bad(S("[0x10]"), 1, 3, "", "\",\" or \"]\" expected");
    bad(S("[NaN]"), 1, 2, "/0", "value expected");
    bad(S("[1e999]"), 1, 2, "/0", "number out of range");
    bad(S("[1234567890123456789012345678901234567890123456789012345678901]"),
        1, 2, "/0", "number too long");
    bad(S("[tru]"), 1, 2, "/0", "value expected");
    bad(S("[truex]"), 1, 6, "", "\",\" or \"]\" expected");
    bad(S("'a'"), 1, 1, "", "value expected");
    bad(S("{} // x"), 1, 4, "", "bytes after the value");

    bad(S("{\"a\":1,\"a\":2}"), 1, 8, "/a", "duplicate name");
    bad(S("{\"a\":1,\n \"b\":[{\"c\":1},{\"\xc3\xa4\":1, \"\\u00e4\":2}]}"),
        2, 23, "/b/1/\xc3\xa4", "duplicate name");
    bad(S("{\"a/b~c\":{\"x\":{\"y\":1}, \"x\":2}}"), 1, 24, "/a~1b~0c/x",
        "duplicate name");

    deep.data = text;

    for (i = 0; i < 32; i++) {
        text[i] = '[';
        text[63 - i] = ']';
    }

    deep.len = 64;
    ok(ngx_voice_json_parse(text, 0, &err) == NULL, "nothing");

    json = ngx_voice_json_parse(deep.data, deep.len, &err);
    ok(json != NULL, "as deep as allowed");
    cJSON_Delete(json);

    memset(text, '[', sizeof(text));
    deep.len = sizeof(text);
    ok(ngx_voice_json_parse(deep.data, deep.len, &err) == NULL
       && strcmp(err.reason, "nested too deeply") == 0 && err.column == 33,
       "deeper");

    /* a long name does not spoil the pointer's room */

    memset(text, 'n', sizeof(text));
    text[0] = '{';
    text[1] = '"';
    text[4000] = '"';
    text[4001] = ':';
    text[4002] = 'x';
    ok(ngx_voice_json_parse(text, 4003, &err) == NULL
       && strlen((char *) err.pointer) == NGX_VOICE_JSON_POINTER_LEN - 1
       && err.column == 4003, "a long pointer is cut");

    return done_testing();
}
