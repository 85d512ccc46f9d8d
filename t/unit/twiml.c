
#include "tap.h"
#include "ngx_voice_twiml.h"


#define HEAD  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"


static ngx_int_t
document(u_char *buf, size_t size, ngx_str_t *out)
{
    ngx_voice_twiml_t  w;

    ngx_voice_twiml_begin(&w, buf, size);
    ngx_voice_twiml_open(&w, "Gather");
    ngx_voice_twiml_attribute(&w, "input", &S("speech dtmf"));
    ngx_voice_twiml_integer(&w, "timeout", 5);
    ngx_voice_twiml_attribute(&w, "action", &S("p?k=1&s=2#ct=1"));
    ngx_voice_twiml_open(&w, "Play");
    ngx_voice_twiml_text(&w, &S("audio/x.mp3"));
    ngx_voice_twiml_close(&w, "Play");
    ngx_voice_twiml_close(&w, "Gather");
    ngx_voice_twiml_open(&w, "Hangup");
    ngx_voice_twiml_close(&w, "Hangup");

    return ngx_voice_twiml_end(&w, out);
}


static void
escaped(ngx_str_t text, ngx_str_t content, ngx_str_t attribute,
    const char *what)
{
    u_char              buf[1024], *p;
    ngx_str_t           out, got;
    ngx_voice_twiml_t   w;

    ngx_voice_twiml_begin(&w, buf, sizeof(buf));
    ngx_voice_twiml_open(&w, "Say");
    ngx_voice_twiml_attribute(&w, "v", &text);
    ngx_voice_twiml_text(&w, &S("|"));
    ngx_voice_twiml_text(&w, &text);
    ngx_voice_twiml_close(&w, "Say");

    if (ngx_voice_twiml_end(&w, &out) != NGX_OK) {
        ok(0, "%s: does not fit", what);
        return;
    }

    p = memchr(out.data, '|', out.len);

    got.data = out.data + sizeof(HEAD "<Response><Say v=\"") - 1;
    got.len = p - got.data - 2;
    is_str(got, attribute, what);

    got.data = p + 1;
    got.len = out.data + out.len - (sizeof("</Say></Response>\n") - 1)
              - got.data;
    is_str(got, content, what);
}


static void
misuse(void)
{
    u_char              buf[1024];
    ngx_str_t           out;
    ngx_uint_t          i;
    ngx_voice_twiml_t   w;

    ngx_voice_twiml_begin(&w, buf, sizeof(buf));
    ngx_voice_twiml_open(&w, "Say");
    is_int(ngx_voice_twiml_end(&w, &out), NGX_ERROR, "an open element");
    is_int(out.len, 0, "no document then");

    ngx_voice_twiml_begin(&w, buf, sizeof(buf));
    ngx_voice_twiml_open(&w, "Say");
    ngx_voice_twiml_close(&w, "Play");
    ngx_voice_twiml_close(&w, "Say");
    is_int(ngx_voice_twiml_end(&w, &out), NGX_ERROR, "another closed");

    ngx_voice_twiml_begin(&w, buf, sizeof(buf));
    ngx_voice_twiml_text(&w, &S("x"));
    ngx_voice_twiml_attribute(&w, "a", &S("x"));
    is_int(ngx_voice_twiml_end(&w, &out), NGX_ERROR, "attribute after text");

    ngx_voice_twiml_begin(&w, buf, sizeof(buf));
    ngx_voice_twiml_close(&w, "Response");
    ngx_voice_twiml_open(&w, "Response");
    is_int(ngx_voice_twiml_end(&w, &out), NGX_ERROR, "two roots");

    ngx_voice_twiml_begin(&w, buf, sizeof(buf));
    is_int(ngx_voice_twiml_end(&w, &out), NGX_OK, "an empty answer");
    is_str(out, S(HEAD "<Response/>\n"), "is one");
    is_int(ngx_voice_twiml_end(&w, &out), NGX_ERROR, "a second end");
    ngx_voice_twiml_text(&w, &S("x"));
    is_int(ngx_voice_twiml_end(&w, &out), NGX_ERROR, "text after the end");

    ngx_voice_twiml_begin(&w, buf, sizeof(buf));

    for (i = 0; i < 20; i++) {
        ngx_voice_twiml_open(&w, "a");
    }

    for (i = 0; i < 20; i++) {
        ngx_voice_twiml_close(&w, "a");
    }

    is_int(ngx_voice_twiml_end(&w, &out), NGX_ERROR, "too deep");
}


int
main(void)
{
    u_char      *buf;
    size_t       size, need, bad;
    ngx_str_t    out;

    static const char  want[] = HEAD "<Response>"
        "<Gather input=\"speech dtmf\" timeout=\"5\""
        " action=\"p?k=1&amp;s=2#ct=1\"><Play>audio/x.mp3</Play></Gather>"
        "<Hangup/></Response>\n";

    buf = malloc(1024);
    ok(document(buf, 1024, &out) == NGX_OK, "a document");
    is_str(out, S(want), "as it should be");
    need = out.len;
    free(buf);

    bad = 0;

    for (size = 0; size < need; size++) {
        buf = malloc(size ? size : 1);
        bad += document(buf, size, &out) != NGX_ERROR;
        free(buf);
    }

    ok(bad == 0, "less room gives no document");

    buf = malloc(need);
    ok(document(buf, need, &out) == NGX_OK, "the room it needs does");
    free(buf);

    escaped(S("R&D <b>\"x\"</b> it's"),
            S("R&amp;D &lt;b&gt;&quot;x&quot;&lt;/b&gt; it's"),
            S("R&amp;D &lt;b&gt;&quot;x&quot;&lt;/b&gt; it's"), "markup");
    escaped(S("a\tb\nc\rd"), S("a\tb\nc&#13;d"), S("a&#9;b&#10;c&#13;d"),
            "white space");
    escaped(S("a\0b\x01" "c\x1f" "d\x7f"), S("abcd\x7f"), S("abcd\x7f"),
            "control characters");
    escaped(S("S\xc3\xa3o \xf0\x9f\x98\x80"), S("S\xc3\xa3o \xf0\x9f\x98\x80"),
            S("S\xc3\xa3o \xf0\x9f\x98\x80"), "UTF-8");
    escaped(S("a\xff" "b\xc3"), S("a\xef\xbf\xbd" "b\xef\xbf\xbd"),
            S("a\xef\xbf\xbd" "b\xef\xbf\xbd"), "no UTF-8");
    escaped(S("\xf0\x9f\x98x\xe2\x82"), S("\xef\xbf\xbdx\xef\xbf\xbd"),
            S("\xef\xbf\xbdx\xef\xbf\xbd"), "cut sequences are one each");
    escaped(S("\xc0\xaf"), S("\xef\xbf\xbd\xef\xbf\xbd"),
            S("\xef\xbf\xbd\xef\xbf\xbd"), "overlong");
    escaped(S("\xed\xa0\x80"), S("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
            S("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"), "surrogate");
    escaped(S("\xef\xbf\xbe\xef\xbf\xbf"), S("\xef\xbf\xbd\xef\xbf\xbd"),
            S("\xef\xbf\xbd\xef\xbf\xbd"), "noncharacters");
    escaped(S("\xf4\x90\x80\x80"),
            S("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
            S("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
            "beyond Unicode");
    escaped(S(""), S(""), S(""), "nothing");

    misuse();

    return done_testing();
}
