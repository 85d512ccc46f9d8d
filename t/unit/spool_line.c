
#include "tap.h"
#include "ngx_voice_spool_line.h"


/* a line as it is written, in memory of exactly its size */

static u_char *
line(ngx_str_t note, size_t *len)
{
    u_char  *p;

    *len = note.len + NGX_VOICE_SPOOL_LINE_MORE;
    p = malloc(*len);

    ngx_voice_spool_line_mark(p, &note);
    memcpy(p + NGX_VOICE_SPOOL_MARK_LEN, note.data, note.len);
    p[*len - 1] = '\n';

    return p;
}


static void
written(ngx_str_t note, const char *what)
{
    u_char     *text, *p, *cut;
    size_t      len, i;
    ngx_int_t   rc;
    ngx_str_t   got;
    ngx_uint_t  bit;

    text = line(note, &len);
    p = text;

    is_int(ngx_voice_spool_line_read(&p, text + len, &got), NGX_OK, what);
    is_str(got, note, what);
    ok(p == text + len, "%s: the whole line is read", what);

    for (i = 0; i < len; i++) {
        cut = tap_copy(text, i);
        p = cut;
        rc = ngx_voice_spool_line_read(&p, cut + i, &got);
        free(cut);

        if (rc != NGX_AGAIN || p != cut) {
            break;
        }
    }

    ok(i == len, "%s: cut anywhere it is not whole", what);

    for (i = 0; i < len; i++) {
        for (bit = 1; bit < 256; bit <<= 1) {
            cut = tap_copy(text, len);
            cut[i] ^= bit;
            p = cut;
            rc = ngx_voice_spool_line_read(&p, cut + len, &got);
            free(cut);

            if (rc == NGX_OK) {
                break;
            }
        }

        if (bit < 256) {
            break;
        }
    }

    ok(i == len, "%s: with any bit changed it is damaged", what);

    free(text);
}


static void
damaged(ngx_str_t text, const char *what)
{
    u_char     *copy, *p;
    ngx_str_t   got;

    copy = tap_copy(text.data, text.len);
    p = copy;

    is_int(ngx_voice_spool_line_read(&p, copy + text.len, &got), NGX_DECLINED,
           what);
    ok(p > copy, "%s: it is passed over", what);

    free(copy);
}


int
main(void)
{
    u_char     *p, *last;
    ngx_str_t   note;

    /* the check value of CRC-32 */

    note = S("");
    p = S("cbf43926 123456789\n").data;
    last = p + 19;

    is_int(ngx_voice_spool_line_read(&p, last, &note), NGX_OK,
           "a known checksum");
    is_str(note, S("123456789"), "and its note");

    written(S("{}"), "a small note");
    written(S("{\"key\":\"CA1/turn/1\",\"said\":\"\xc3\xa4 \\n\"}"), "a note");

    damaged(S("\n"), "an empty line");
    damaged(S("cbf43926 \n"), "a line without a note");
    damaged(S("cbf4392\n"), "half a checksum");
    damaged(S("CBF43926 123456789\n"), "capital digits");
    damaged(S("cbf43926\t123456789\n"), "no blank");
    damaged(S("cbf43926 12345\ncbf43926 123456789\n"),
            "a half line before a whole one");

    p = S("cbf43926 12345\ncbf43926 123456789\n").data;
    last = p + 34;

    (void) ngx_voice_spool_line_read(&p, last, &note);
    is_int(ngx_voice_spool_line_read(&p, last, &note), NGX_OK,
           "the whole one is found");
    is_int(ngx_voice_spool_line_read(&p, last, &note), NGX_AGAIN,
           "then there is nothing");

    return done_testing();
}
