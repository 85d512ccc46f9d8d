
#include "ngx_voice_twiml.h"
#include "ngx_voice_utf8.h"


static void ngx_voice_twiml_write(ngx_voice_twiml_t *w, const void *data,
    size_t len);
static void ngx_voice_twiml_string(ngx_voice_twiml_t *w, const char *s);
static void ngx_voice_twiml_start_tag_end(ngx_voice_twiml_t *w);
static void ngx_voice_twiml_end_tag(ngx_voice_twiml_t *w);
static void ngx_voice_twiml_escape(ngx_voice_twiml_t *w, const ngx_str_t *s,
    ngx_uint_t attribute);


void
ngx_voice_twiml_begin(ngx_voice_twiml_t *w, u_char *buf, size_t size)
{
    ngx_memzero(w, sizeof(ngx_voice_twiml_t));

    w->start = buf;
    w->pos = buf;
    w->last = buf + size;

    ngx_voice_twiml_string(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    ngx_voice_twiml_open(w, "Response");
}


void
ngx_voice_twiml_open(ngx_voice_twiml_t *w, const char *tag)
{
    if (w->depth == NGX_VOICE_TWIML_DEPTH) {
        w->overflow = 1;
        return;
    }

    ngx_voice_twiml_start_tag_end(w);

    ngx_voice_twiml_string(w, "<");
    ngx_voice_twiml_string(w, tag);

    w->tags[w->depth++] = tag;
    w->opened = 1;
}


void
ngx_voice_twiml_attribute(ngx_voice_twiml_t *w, const char *name,
    const ngx_str_t *value)
{
    if (!w->opened) {
        w->overflow = 1;
        return;
    }

    ngx_voice_twiml_string(w, " ");
    ngx_voice_twiml_string(w, name);
    ngx_voice_twiml_string(w, "=\"");
    ngx_voice_twiml_escape(w, value, 1);
    ngx_voice_twiml_string(w, "\"");
}


void
ngx_voice_twiml_integer(ngx_voice_twiml_t *w, const char *name,
    ngx_int_t value)
{
    u_char      digits[NGX_INT_T_LEN + 1], *p;
    ngx_str_t   text;
    ngx_uint_t  n;

    p = digits + sizeof(digits);
    n = (value < 0) ? 0 - (ngx_uint_t) value : (ngx_uint_t) value;

    do {
        *--p = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    if (value < 0) {
        *--p = '-';
    }

    text.data = p;
    text.len = digits + sizeof(digits) - p;

    ngx_voice_twiml_attribute(w, name, &text);
}


void
ngx_voice_twiml_text(ngx_voice_twiml_t *w, const ngx_str_t *text)
{
    if (w->depth == 0) {
        w->overflow = 1;
        return;
    }

    if (text->len == 0) {
        return;
    }

    ngx_voice_twiml_start_tag_end(w);
    ngx_voice_twiml_escape(w, text, 0);
}


void
ngx_voice_twiml_close(ngx_voice_twiml_t *w, const char *tag)
{
    /* the root is closed by the end only, or there could be two */

    if (w->depth < 2
        || (w->tags[w->depth - 1] != tag
            && ngx_strcmp(w->tags[w->depth - 1], tag) != 0))
    {
        w->overflow = 1;
        return;
    }

    ngx_voice_twiml_end_tag(w);
}


ngx_int_t
ngx_voice_twiml_end(ngx_voice_twiml_t *w, ngx_str_t *document)
{
    if (w->depth != 1) {
        w->overflow = 1;
    }

    ngx_voice_twiml_end_tag(w);
    ngx_voice_twiml_string(w, "\n");

    if (w->overflow) {
        ngx_str_null(document);
        return NGX_ERROR;
    }

    document->data = w->start;
    document->len = w->pos - w->start;

    return NGX_OK;
}


static void
ngx_voice_twiml_write(ngx_voice_twiml_t *w, const void *data, size_t len)
{
    if (w->overflow) {
        return;
    }

    if ((size_t) (w->last - w->pos) < len) {
        w->overflow = 1;
        return;
    }

    w->pos = ngx_cpymem(w->pos, data, len);
}


static void
ngx_voice_twiml_string(ngx_voice_twiml_t *w, const char *s)
{
    ngx_voice_twiml_write(w, s, ngx_strlen(s));
}


static void
ngx_voice_twiml_start_tag_end(ngx_voice_twiml_t *w)
{
    if (w->opened) {
        w->opened = 0;
        ngx_voice_twiml_string(w, ">");
    }
}


static void
ngx_voice_twiml_end_tag(ngx_voice_twiml_t *w)
{
    if (w->depth == 0) {
        return;
    }

    w->depth--;

    if (w->opened) {
        w->opened = 0;
        ngx_voice_twiml_string(w, "/>");
        return;
    }

    ngx_voice_twiml_string(w, "</");
    ngx_voice_twiml_string(w, w->tags[w->depth]);
    ngx_voice_twiml_string(w, ">");
}


static void
ngx_voice_twiml_escape(ngx_voice_twiml_t *w, const ngx_str_t *s,
    ngx_uint_t attribute)
{
    u_char      *p, *last, *plain;
    size_t       len, bad;
    uint32_t     ch;
    const char  *replacement;

    if (s->len == 0) {
        return;
    }

    p = s->data;
    last = p + s->len;
    plain = p;

    while (p < last) {

        len = 1;
        replacement = NULL;

        switch (*p) {

        case '&':
            replacement = "&amp;";
            break;

        case '<':
            replacement = "&lt;";
            break;

        case '>':
            replacement = "&gt;";
            break;

        case '"':
            replacement = "&quot;";
            break;

        /* what a parser would normalise away must be a reference */

        case '\r':
            replacement = "&#13;";
            break;

        case '\n':
            replacement = attribute ? "&#10;" : NULL;
            break;

        case '\t':
            replacement = attribute ? "&#9;" : NULL;
            break;

        default:

            if (*p < 0x20) {
                replacement = "";

            } else if (*p >= 0x80) {
                len = ngx_voice_utf8_len(p, last - p, &ch, &bad);

                if (len == 0) {
                    len = bad;
                    replacement = "\xef\xbf\xbd";

                } else if (ch == 0xfffe || ch == 0xffff) {
                    replacement = "\xef\xbf\xbd";
                }
            }
        }

        if (replacement) {
            ngx_voice_twiml_write(w, plain, p - plain);
            ngx_voice_twiml_string(w, replacement);
            plain = p + len;
        }

        p += len;
    }

    ngx_voice_twiml_write(w, plain, p - plain);
}
