
#include "tap.h"
#include "ngx_voice_json_text.h"


static void
add(ngx_str_t in, ngx_str_t out, const char *what)
{
    cJSON       *root;
    u_char      *copy;
    ngx_str_t    value;
    const char  *text;

    copy = tap_copy(in.data, in.len);

    value.data = copy;
    value.len = in.len;

    root = cJSON_CreateObject();

    ok(ngx_voice_json_add(root, "x", &value) != NULL, "%s: added", what);

    text = ngx_voice_json_string(root, "x");

    value.data = (u_char *) text;
    value.len = text ? strlen(text) : 0;

    is_str(value, out, what);

    cJSON_Delete(root);
    free(copy);
}


int
main(void)
{
    cJSON  *root;

    add((ngx_str_t) ngx_string("plain"), (ngx_str_t) ngx_string("plain"),
        "plain");
    add((ngx_str_t) ngx_string(""), (ngx_str_t) ngx_string(""), "nothing");
    add((ngx_str_t) ngx_string("S\xc3\xa3o"),
        (ngx_str_t) ngx_string("S\xc3\xa3o"), "UTF-8");
    add((ngx_str_t) ngx_string("a\0b"), (ngx_str_t) ngx_string("ab"),
        "a zero byte");
    add((ngx_str_t) ngx_string("\xff"), (ngx_str_t) ngx_string("\xef\xbf\xbd"),
        "no UTF-8");
    add((ngx_str_t) ngx_string("x\xe2\x82"),
        (ngx_str_t) ngx_string("x\xef\xbf\xbd"), "cut UTF-8");
    add((ngx_str_t) ngx_string("\xed\xa0\x80"),
        (ngx_str_t) ngx_string("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
        "a surrogate");
    add((ngx_str_t) ngx_string("\"\\\n"), (ngx_str_t) ngx_string("\"\\\n"),
        "what JSON escapes");

    root = cJSON_Parse("{\"n\":1}");

    ok(ngx_voice_json_string(root, "n") == NULL, "a number is no string");
    ok(ngx_voice_json_string(root, "m") == NULL, "nor is what is missing");
    ok(ngx_voice_json_string(NULL, "m") == NULL, "nor is no object");

    cJSON_Delete(root);

    return done_testing();
}
