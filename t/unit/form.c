
#include "tap.h"
#include "ngx_voice_form.h"


#define MAX  8


static ngx_voice_param_t  params[MAX];
static ngx_uint_t         n;
static u_char            *body;


static ngx_int_t
decode(ngx_str_t text)
{
    free(body);
    body = tap_copy(text.data, text.len);

    return ngx_voice_form_decode(body, text.len, params, MAX, &n);
}


static void
one(ngx_str_t text, ngx_str_t name, ngx_str_t value, const char *what)
{
    ok(decode(text) == NGX_OK && n == 1, "%s: one parameter", what);
    is_str(params[0].name, name, what);
    is_str(params[0].value, value, what);
}


int
main(void)
{
    ngx_str_t  *value;

    ok(ngx_voice_form_decode(NULL, 0, params, MAX, &n) == NGX_OK && n == 0,
       "an empty body");

    one(S("a=b"), S("a"), S("b"), "plain");
    one(S("a"), S("a"), S(""), "a name alone");
    one(S("a="), S("a"), S(""), "a name without value");
    one(S("=b"), S(""), S("b"), "a value without name");
    one(S("&&a=b&&"), S("a"), S("b"), "empty pairs");
    one(S("a=b=c"), S("a"), S("b=c"), "equal sign in a value");
    one(S("a+b=c+d"), S("a b"), S("c d"), "plus");
    one(S("%41%3d=%26%2B"), S("A="), S("&+"), "escaped separators");
    one(S("a=%7B%2522"), S("a"), S("{%22"), "decoded once only");
    one(S("a=%"), S("a"), S("%"), "a lone percent sign");
    one(S("a=%4"), S("a"), S("%4"), "half an escape at the end");
    one(S("a=%zz%4g"), S("a"), S("%zz%4g"), "no hexadecimal digits");
    one(S("a=%00%ff"), S("a"), S("\0\xff"), "bytes");
    one(S("S=S%C3%A3o+Paulo"), S("S"), S("S\xc3\xa3o Paulo"), "UTF-8");

    ok(decode(S("a=1&b=2&a=3&A=4")) == NGX_OK && n == 4, "four");

    value = ngx_voice_form_value(params, n, "a", 1);
    ok(value != NULL, "found");
    is_str(*value, S("1"), "the first of its name");
    is_str(*ngx_voice_form_value(params, n, "A", 1), S("4"), "case matters");
    ok(ngx_voice_form_value(params, n, "c", 1) == NULL, "none of that name");
    ok(ngx_voice_form_value(params, n, "ab", 2) == NULL, "no prefix");

    ok(decode(S("a&b&c&d&e&f&g&h")) == NGX_OK && n == MAX, "as many as fit");
    ok(decode(S("a&b&c&d&e&f&g&h&")) == NGX_OK && n == MAX, "and a separator");
    ok(decode(S("a&b&c&d&e&f&g&h&i")) == NGX_DECLINED && n == MAX, "too many");

    free(body);

    return done_testing();
}
