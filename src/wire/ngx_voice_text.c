
#include "ngx_voice_text.h"
#include "ngx_voice_utf8.h"


typedef struct {
    u_char      *dst;
    u_char      *start;
    ngx_uint_t   brackets;      /* "[" seen, "](" would close a link */
    unsigned     line:1;        /* nothing was kept of this line yet */
    unsigned     space:1;       /* white space to be written before more */
    unsigned     dropped:1;     /* the last character was left out */
    unsigned     changed:1;     /* something else has become a space */
} ngx_voice_text_writer_t;


static size_t ngx_voice_text_pass(u_char *p, size_t len, ngx_uint_t *changed);
static void ngx_voice_text_keep(ngx_voice_text_writer_t *w, const u_char *p,
    size_t len);
static void ngx_voice_text_space(ngx_voice_text_writer_t *w);
static size_t ngx_voice_text_ascii(ngx_voice_text_writer_t *w, u_char *p,
    u_char *last);
static size_t ngx_voice_text_tag(u_char *p, u_char *last, ngx_uint_t *block);
static size_t ngx_voice_text_link(u_char *p, u_char *last);
static size_t ngx_voice_text_run(u_char *p, u_char *last);
static size_t ngx_voice_text_scheme(u_char *p, u_char *last);
static ngx_uint_t ngx_voice_text_is_space(uint32_t ch);
static ngx_uint_t ngx_voice_text_is_unspoken(uint32_t ch);


#define ngx_voice_text_is_digit(ch)  ((ch) >= '0' && (ch) <= '9')

#define ngx_voice_text_is_word(ch)                                            \
    (ngx_voice_text_is_digit(ch) || (ch) >= 0x80                              \
     || (((ch) | 0x20) >= 'a' && ((ch) | 0x20) <= 'z'))

#define ngx_voice_text_is_blank(ch)                                           \
    ((ch) == ' ' || ((ch) >= '\t' && (ch) <= '\r'))


typedef struct {
    uint32_t  first;
    uint32_t  last;
} ngx_voice_text_range_t;


static const ngx_voice_text_range_t  ngx_voice_text_unspoken[] = {
    { 0x0000, 0x001f },
    { 0x007f, 0x009f },
    { 0x00ad, 0x00ad },         /* soft hyphen */
    { 0x200b, 0x200b },         /* zero width, directions */
    { 0x200e, 0x200f },
    { 0x2022, 0x2022 },         /* bullet */
    { 0x202a, 0x202e },
    { 0x2060, 0x206f },
    { 0x20d0, 0x20ff },         /* combining marks for symbols: keycaps */
    { 0x2190, 0x21ff },         /* arrows */
    { 0x2300, 0x23ff },         /* technical: clocks, keys */
    { 0x2500, 0x27bf },         /* boxes, shapes, symbols, dingbats */
    { 0x2900, 0x297f },
    { 0x2b00, 0x2bff },
    { 0xe000, 0xf8ff },         /* private use */
    { 0xfe00, 0xfe0f },         /* variation selectors */
    { 0xfeff, 0xfeff },
    { 0xfff0, 0xffff },
    { 0x1f000, 0x1fbff },       /* emoji */
    { 0xe0000, 0x10ffff }       /* tags, private use */
};


static const ngx_str_t  ngx_voice_text_withheld_names[] = {
    ngx_string("anonymous"),
    ngx_string("unknown"),
    ngx_string("restricted"),
    ngx_string("unavailable"),
    ngx_string("private"),
    ngx_string("blocked"),
    ngx_string("withheld"),

    /* the same words typed on a keypad by a carrier */

    ngx_string("+266696687"),
    ngx_string("+7378742833"),
    ngx_string("+86282452253"),
    ngx_string("+8656696"),
    ngx_string("+2562533"),
    ngx_null_string
};


size_t
ngx_voice_text_speakable(u_char *p, size_t len)
{
    ngx_uint_t  changed;

    /* what one pass removes may bring together what the next has to remove */

    do {
        len = ngx_voice_text_pass(p, len, &changed);
    } while (changed);

    return len;
}


ngx_uint_t
ngx_voice_text_is_wordless(ngx_str_t *text)
{
    u_char  *p, *last;

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (p[0] == 0xe2 && last - p > 2 && (p[1] == 0x80 || p[1] == 0x81)) {

            /* U+2000 to U+207F: dashes, quotes, the ellipsis */
            p += 2;
            continue;
        }

        if (*p >= 0x80
            || (*p >= '0' && *p <= '9')
            || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_voice_text_is_e164(ngx_str_t *s)
{
    size_t  i;

    if (s->len < 8 || s->len > 16 || s->data[0] != '+' || s->data[1] == '0') {
        return 0;
    }

    for (i = 1; i < s->len; i++) {
        if (!ngx_voice_text_is_digit(s->data[i])) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_voice_text_is_number(ngx_str_t *s)
{
    size_t  i;

    i = (s->len && s->data[0] == '+') ? 1 : 0;

    if (s->len == i || s->len - i > 15) {
        return 0;
    }

    for ( /* void */ ; i < s->len; i++) {
        if (!ngx_voice_text_is_digit(s->data[i])) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_voice_text_withheld(ngx_str_t *from)
{
    size_t            i;
    const ngx_str_t  *name;

    if (from->len == 0) {
        return 1;
    }

    for (name = ngx_voice_text_withheld_names; name->len; name++) {

        if (name->len != from->len) {
            continue;
        }

        for (i = 0; i < from->len; i++) {
            if (ngx_tolower(from->data[i]) != name->data[i]) {
                break;
            }
        }

        if (i == from->len) {
            return 1;
        }
    }

    return 0;
}


size_t
ngx_voice_text_utf8_cut(u_char *p, size_t len, size_t max)
{
    size_t    i, bad;
    uint32_t  ch;

    if (len <= max) {
        return len;
    }

    /* does a sequence begin at most three bytes before max and end behind? */

    for (i = max; i > 0 && max - i < 3 && (p[i] & 0xc0) == 0x80; i--) {
        /* void */
    }

    if (ngx_voice_utf8_len(p + i, len - i, &ch, &bad) > max - i) {
        return i;
    }

    return max;
}


static size_t
ngx_voice_text_pass(u_char *p, size_t len, ngx_uint_t *changed)
{
    u_char                   *last;
    size_t                    n, bad;
    uint32_t                  ch;
    ngx_voice_text_writer_t   w;

    ngx_memzero(&w, sizeof(ngx_voice_text_writer_t));

    w.start = p;
    w.dst = p;
    w.line = 1;

    last = p + len;

    while (p < last) {

        if (*p < 0x80) {
            p += ngx_voice_text_ascii(&w, p, last);
            continue;
        }

        n = ngx_voice_utf8_len(p, last - p, &ch, &bad);

        if (n == 0) {
            w.dropped = 1;
            p += bad;
            continue;
        }

        if (ngx_voice_text_is_space(ch)) {
            ngx_voice_text_space(&w);

        } else if (ngx_voice_text_is_unspoken(ch)
                   || (ch == 0x200d && (w.dropped || w.dst == w.start)))
        {
            /* a joiner belongs to the emoji before it, or to a script */

            w.dropped = 1;

        } else {
            ngx_voice_text_keep(&w, p, n);
        }

        p += n;
    }

    n = w.dst - w.start;
    *changed = (w.changed || n != len);

    return n;
}


static void
ngx_voice_text_keep(ngx_voice_text_writer_t *w, const u_char *p, size_t len)
{
    if (w->space && w->dst > w->start) {
        *w->dst++ = ' ';
    }

    /* the writer never overtakes the reader, they may overlap */

    ngx_memmove(w->dst, p, len);
    w->dst += len;

    w->space = 0;
    w->line = 0;
    w->dropped = 0;
}


static void
ngx_voice_text_space(ngx_voice_text_writer_t *w)
{
    w->space = 1;
    w->dropped = 0;
}


/* returns how many bytes are done with */

static size_t
ngx_voice_text_ascii(ngx_voice_text_writer_t *w, u_char *p, u_char *last)
{
    u_char      prev, next;
    size_t      n;
    ngx_uint_t  block;

    prev = (w->dst > w->start && !w->space) ? w->dst[-1] : ' ';
    next = (last - p > 1) ? p[1] : ' ';

    switch (*p) {

    case '\n':
    case '\r':
        w->line = 1;
        w->brackets = 0;
        /* fall through */

    case ' ':
    case '\t':
    case '\v':
    case '\f':
    case '|':
        w->changed |= (*p != ' ');
        ngx_voice_text_space(w);
        return 1;

    case '*':
    case '_':

        /* between two words it stood for something, around them it did not */

        n = ngx_voice_text_run(p, last);

        if (n == 1 && ngx_voice_text_is_word(prev)
            && ngx_voice_text_is_word(next))
        {
            w->changed = 1;
            ngx_voice_text_space(w);

        } else {
            w->dropped = 1;
        }

        return n;

    case '`':
    case '>':
        break;

    case '[':
        w->brackets++;
        break;

    case ']':
        if (w->brackets) {
            w->brackets--;
            w->dropped = 1;
            return 1 + ngx_voice_text_link(p + 1, last);
        }

        break;

    case '<':
        n = ngx_voice_text_tag(p, last, &block);

        if (n) {
            if (block) {
                ngx_voice_text_space(w);
            }

            return n;
        }

        break;

    case '!':
        if (next == '[' && prev == ' ') {
            break;
        }

        ngx_voice_text_keep(w, p, 1);
        return 1;

    case '#':
        n = ngx_voice_text_run(p, last);

        if (prev == ' ' && (p + n == last || ngx_voice_text_is_blank(p[n]))) {
            return n;
        }

        ngx_voice_text_keep(w, p, 1);
        return 1;

    case '~':
        n = ngx_voice_text_run(p, last);

        if (n == 1) {
            ngx_voice_text_keep(w, p, 1);
        }

        return n;

    case '-':
    case '+':
        n = ngx_voice_text_run(p, last);

        if (n > 2 || (n == 1 && w->line && ngx_voice_text_is_blank(next))) {
            return n;
        }

        ngx_voice_text_keep(w, p, n);
        return n;

    case '\\':
        if (next > ' ' && next < 0x7f && !ngx_voice_text_is_word(next)) {
            break;
        }

        ngx_voice_text_keep(w, p, 1);
        return 1;

    case 'h':
        n = (prev == ' ' || !ngx_voice_text_is_word(prev))
            ? ngx_voice_text_scheme(p, last) : 0;

        if (n) {
            return n;
        }

        /* fall through */

    default:

        if (*p >= 0x20 && *p != 0x7f) {
            ngx_voice_text_keep(w, p, 1);
            return 1;
        }
    }

    w->dropped = 1;

    return 1;
}


/* "<b>", "</b>", "<!-- -->", but not "<" of a comparison; 0 if it is none */

static size_t
ngx_voice_text_tag(u_char *p, u_char *last, ngx_uint_t *block)
{
    u_char             *q, *end;
    size_t              n;
    const char *const  *name;

    static const char *const  blocks[] = {
        "br", "p", "li", "ul", "ol", "div", "tr", "td", "th", "hr", "break",
        NULL
    };

    *block = 0;
    q = p + 1;

    if (q < last && *q == '/') {
        q++;
    }

    if (q == last
        || (!(ngx_tolower(*q) >= 'a' && ngx_tolower(*q) <= 'z') && *q != '!'))
    {
        return 0;
    }

    for (end = q; end < last && *end != '>'; end++) {
        if (*end == '<' || *end == '\n' || end - p > 256) {
            return 0;
        }
    }

    if (end == last) {
        return 0;
    }

    for (name = blocks; *name; name++) {
        n = ngx_strlen(*name);

        if ((size_t) (end - q) >= n && ngx_memcmp(q, *name, n) == 0
            && !ngx_voice_text_is_word(q[n]))
        {
            *block = 1;
        }
    }

    return end + 1 - p;
}


/* "(address)" behind "]"; 0 if there is none */

static size_t
ngx_voice_text_link(u_char *p, u_char *last)
{
    u_char      *q;
    ngx_uint_t   depth;

    if (p == last || *p != '(') {
        return 0;
    }

    depth = 0;

    for (q = p; q < last && *q != '\n'; q++) {

        if (*q == '(') {
            depth++;

        } else if (*q == ')' && --depth == 0) {
            return q + 1 - p;
        }
    }

    return 0;
}


static size_t
ngx_voice_text_run(u_char *p, u_char *last)
{
    u_char  *q;

    for (q = p; q < last && *q == *p; q++) {
        /* void */
    }

    return q - p;
}


/* nobody wants to hear "h t t p s colon slash slash" */

static size_t
ngx_voice_text_scheme(u_char *p, u_char *last)
{
    if (last - p > 8 && ngx_memcmp(p, "https://", 8) == 0) {
        return 8;
    }

    if (last - p > 7 && ngx_memcmp(p, "http://", 7) == 0) {
        return 7;
    }

    return 0;
}


static ngx_uint_t
ngx_voice_text_is_space(uint32_t ch)
{
    return ch == 0x85 || ch == 0xa0 || ch == 0x1680
           || (ch >= 0x2000 && ch <= 0x200a) || ch == 0x2028 || ch == 0x2029
           || ch == 0x202f || ch == 0x205f || ch == 0x3000;
}


static ngx_uint_t
ngx_voice_text_is_unspoken(uint32_t ch)
{
    ngx_uint_t  i;

    for (i = 0;
         i < sizeof(ngx_voice_text_unspoken) / sizeof(ngx_voice_text_range_t);
         i++)
    {
        if (ch < ngx_voice_text_unspoken[i].first) {
            return 0;
        }

        if (ch <= ngx_voice_text_unspoken[i].last) {
            return 1;
        }
    }

    return 0;
}
