
/*
 * Any calls with any text, into too little room too: a document is
 * well-formed or is not there.
 */

#include "fuzz.h"
#include "ngx_voice_twiml.h"
#include "ngx_voice_utf8.h"


static const char *const  tags[] = { "Say", "Play", "Gather", "Response" };


/* one character or reference of text; what follows it, or NULL */

static u_char *
character(u_char *p, u_char *last)
{
    size_t              i, n, bad;
    uint32_t            ch;
    static const char  *references[] = {
        "&amp;", "&lt;", "&gt;", "&quot;", "&#13;", "&#10;", "&#9;"
    };

    if (*p == '&') {
        for (i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
            n = strlen(references[i]);

            if ((size_t) (last - p) >= n && memcmp(p, references[i], n) == 0) {
                return p + n;
            }
        }

        return NULL;
    }

    if (*p == '<' || *p == '>' || *p == '"') {
        return NULL;
    }

    n = ngx_voice_utf8_len(p, last - p, &ch, &bad);

    if (n == 0 || ch == 0xfffe || ch == 0xffff
        || (ch < 0x20 && ch != '\t' && ch != '\n'))
    {
        return NULL;
    }

    return p + n;
}


static void
well_formed(ngx_str_t *document)
{
    u_char  *p, *last, *tag, *stack[16];
    size_t   depth, sizes[16];

    static const char  head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

    CHECK(document->len > sizeof(head) - 1);
    CHECK(memcmp(document->data, head, sizeof(head) - 1) == 0);

    p = document->data + sizeof(head) - 1;
    last = document->data + document->len;
    depth = 0;

    do {
        CHECK(p < last);

        if (*p != '<') {
            p = character(p, last);
            CHECK(p != NULL);
            continue;
        }

        tag = ++p;

        if (*p == '/') {
            tag++;
            p = memchr(p, '>', last - p);
            CHECK(p != NULL && depth > 0);
            depth--;
            CHECK(sizes[depth] == (size_t) (p - tag));
            CHECK(memcmp(stack[depth], tag, p - tag) == 0);
            p++;
            continue;
        }

        while (p < last && *p != ' ' && *p != '>' && *p != '/') {
            p++;
        }

        CHECK(p < last && p > tag && depth < 16);
        stack[depth] = tag;
        sizes[depth++] = p - tag;

        while (*p == ' ') {
            p = memchr(p, '"', last - p);
            CHECK(p != NULL && p[-1] == '=');

            for (p++; p < last && *p != '"'; ) {
                p = character(p, last);
                CHECK(p != NULL);
            }

            p++;
            CHECK(p < last);
        }

        if (*p == '/') {
            depth--;
            p++;
        }

        CHECK(*p == '>');
        p++;

    } while (depth);

    CHECK(p + 1 == last && *p == '\n');
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char              *buf;
    size_t               i, n, size;
    ngx_str_t            document, text;
    const char          *tag;
    ngx_voice_twiml_t    w;

    if (len < 2) {
        return 0;
    }

    size = (data[0] % 2) ? 65536 : data[1] * 4;
    buf = malloc(size ? size : 1);
    CHECK(buf != NULL);

    ngx_voice_twiml_begin(&w, buf, size);

    for (i = 2; i < len; ) {
        tag = tags[data[i] / 8 % 4];

        text.data = (u_char *) data + i + 1;
        text.len = ngx_min(data[i] / 32, len - i - 1);
        n = 1;

        switch (data[i] % 8) {

        case 0:
            ngx_voice_twiml_open(&w, tag);
            break;

        case 1:
            ngx_voice_twiml_close(&w, tag);
            break;

        case 2:
        case 3:
            /* mostly what a sensible caller does */
            if (w.depth > 1) {
                ngx_voice_twiml_close(&w, w.tags[w.depth - 1]);
            }

            break;

        case 4:
            if (w.opened) {
                ngx_voice_twiml_attribute(&w, "a", &text);
                n += text.len;
            }

            break;

        case 5:
            if (w.opened) {
                ngx_voice_twiml_integer(&w, "n", (ngx_int_t) data[i] - 128);
            }

            break;

        default:
            ngx_voice_twiml_text(&w, &text);
            n += text.len;
        }

        i += n;
        CHECK(w.pos <= buf + size);
    }

    if (len % 4) {
        while (w.depth > 1) {
            ngx_voice_twiml_close(&w, w.tags[w.depth - 1]);
        }
    }

    if (ngx_voice_twiml_end(&w, &document) == NGX_OK) {
        CHECK(document.data == buf && document.len <= size);
        well_formed(&document);

    } else {
        CHECK(w.overflow && document.len == 0);
    }

    free(buf);

    return 0;
}
