
#include "tap.h"
#include "ngx_voice_sse.h"


static u_char     log_text[4096];
static size_t     log_len;
static ngx_int_t  answer;


static ngx_int_t
event(void *data, ngx_str_t *text)
{
    log_text[log_len++] = '<';
    memcpy(log_text + log_len, text->data, text->len);
    log_len += text->len;
    log_text[log_len++] = '>';

    return answer;
}


/* fed in chunks of that size */

static ngx_int_t
feed(ngx_str_t text, size_t chunk, size_t size)
{
    u_char           *buf, *part;
    size_t            n, i;
    ngx_int_t         rc;
    ngx_voice_sse_t   s;

    log_len = 0;
    buf = malloc(size);
    ngx_voice_sse_init(&s, buf, size, event, NULL);

    for (i = 0; i < text.len; i += n) {
        n = ngx_min(chunk, text.len - i);
        part = tap_copy(text.data + i, n);
        ngx_voice_sse_feed(&s, part, n);
        free(part);
    }

    rc = ngx_voice_sse_end(&s);
    ok(ngx_voice_sse_end(&s) == rc, "the end is the end");
    free(buf);

    return rc;
}


static void
events(ngx_str_t text, ngx_str_t want, const char *what)
{
    size_t     chunk;
    ngx_str_t  got;

    for (chunk = 1; chunk <= text.len; chunk++) {
        if (feed(text, chunk, 256) != NGX_OK || log_len != want.len
            || memcmp(log_text, want.data, log_len) != 0)
        {
            break;
        }
    }

    if (!ok(chunk > text.len, "%s, cut anywhere", what)) {
        got.data = log_text;
        got.len = log_len;
        is_str(got, want, what);
    }
}


int
main(void)
{
    events(S("data: a\n\ndata: b\n\n"), S("<a><b>"), "LF");
    events(S("data: a\r\n\r\ndata: b\r\n\r\n"), S("<a><b>"), "CRLF");
    events(S("data: a\r\rdata: b\r\r"), S("<a><b>"), "CR");
    events(S("data: a\r\n\ndata: b\n\r\n"), S("<a><b>"), "mixed");
    events(S("data:a\n\ndata:  b\n\n"), S("<a>< b>"), "one space is dropped");
    events(S("data: a\ndata: b\ndata:\ndata: c\n\n"), S("<a\nb\n\nc>"),
           "several lines");
    events(S("data\ndata: a\n\n"), S("<\na>"), "a field without colon");
    events(S(": ping\n\ndata: a\n: x\n\n:\n\n"), S("<a>"), "comments");
    events(S("event: x\nid: 1\nretry: 5\ndata: a\n\n"), S("<a>"),
           "other fields");
    events(S("event: x\n\ndata\n\ndata:\n\ndata: \n\ndata: a\n\n"), S("<a>"),
           "no data, no event");
    events(S("dat: x\ndatax: y\ndataa\n Data: z\nDATA: z\ndata: a\n\n"),
           S("<a>"), "names that look alike");
    events(S("\xef\xbb\xbf" "data: a\n\n"), S("<a>"), "byte order mark");
    events(S("\xef\xbb" "data: a\n\ndata: b\n\n"), S("<b>"),
           "half a byte order mark");
    events(S("data: a\n\n\xef\xbb\xbf" "data: b\n\ndata: c\n\n"), S("<a><c>"),
           "a byte order mark later");
    events(S("data: a: b\n\n"), S("<a: b>"), "colons");
    events(S("data: a\n\ndata: b\n"), S("<a><b>"), "the empty line lacks");
    events(S("data: a\n\ndata: b"), S("<a><b>"), "the line end lacks");
    events(S("data: a\n\ndat"), S("<a>"), "half a name at the end");
    events(S("data: \xc3\xa4\n\n"), S("<\xc3\xa4>"), "UTF-8");
    events(S("\n\n\n"), S(""), "only line ends");
    events(S("data: a\0b\n\n"), S("<a\0b>"), "NUL");

    is_int(feed(S("data: 12345678\n\n"), 3, 8), NGX_OK, "just fits");
    is_int(feed(S("data: 123456789\n\n"), 3, 8), NGX_ERROR, "too large");
    is_int(feed(S("data: 1234567\ndata: 9\n\n"), 3, 8), NGX_ERROR,
           "too large in two lines");
    is_int(feed(S(": 123456789 123456789\ndata: x\n\n"), 3, 8), NGX_OK,
           "a long comment does not count");

    answer = NGX_DONE;
    is_int(feed(S("data: a\n\ndata: b\n\n"), 1, 64), NGX_DONE,
           "the handler stops it");
    is_int(log_len, 3, "after the first event");

    return done_testing();
}
