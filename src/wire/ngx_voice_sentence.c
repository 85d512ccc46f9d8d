
#include "ngx_voice_sentence.h"
#include "ngx_voice_text.h"
#include "ngx_voice_utf8.h"


/* how far behind max a decision may look; a decision never needs more */
#define NGX_VOICE_SENTENCE_AHEAD  8


/*
 * What is seen of the text: the decisions depend on these bytes only, never
 * on how the text was cut when it arrived.
 */

typedef struct {
    u_char    *p;
    size_t     n;
    unsigned   full:1;      /* the window is: no more can be waited for */
    unsigned   end:1;       /* the text ends with it */
} ngx_voice_sentence_view_t;


typedef enum {
    ngx_voice_sentence_no = 0,
    ngx_voice_sentence_yes,
    ngx_voice_sentence_wait
} ngx_voice_sentence_e;


static ngx_int_t ngx_voice_sentence_run(ngx_voice_sentence_t *s,
    ngx_uint_t end, ngx_voice_sentence_pt handler, void *data);
static size_t ngx_voice_sentence_piece(ngx_voice_sentence_t *s,
    ngx_voice_sentence_view_t *v);
static size_t ngx_voice_sentence_forced(ngx_voice_sentence_t *s,
    ngx_voice_sentence_view_t *v);
static ngx_voice_sentence_e ngx_voice_sentence_at(ngx_voice_sentence_t *s,
    ngx_voice_sentence_view_t *v, size_t i, size_t *next);
static ngx_voice_sentence_e ngx_voice_sentence_clause(
    ngx_voice_sentence_view_t *v, size_t i, size_t *next);
static ngx_voice_sentence_e ngx_voice_sentence_period(
    ngx_voice_sentence_t *s, ngx_voice_sentence_view_t *v, size_t i);
static ngx_voice_sentence_e ngx_voice_sentence_closed(
    ngx_voice_sentence_view_t *v, size_t i, size_t *next);
static ngx_uint_t ngx_voice_sentence_listed(const char *const *list,
    u_char *word, size_t len);
static size_t ngx_voice_sentence_match(const char *const *list, u_char *p,
    size_t n);
static void ngx_voice_sentence_drop(ngx_voice_sentence_t *s, size_t n);


#define ngx_voice_sentence_is_blank(ch)                                       \
    ((ch) == ' ' || ((ch) >= '\t' && (ch) <= '\r'))

#define ngx_voice_sentence_is_line_end(ch)  ((ch) == '\n' || (ch) == '\r')

#define ngx_voice_sentence_is_digit(ch)  ((ch) >= '0' && (ch) <= '9')

#define ngx_voice_sentence_is_upper(ch)  ((ch) >= 'A' && (ch) <= 'Z')

#define ngx_voice_sentence_is_lower(ch)  ((ch) >= 'a' && (ch) <= 'z')

#define ngx_voice_sentence_is_letter(ch)                                      \
    (ngx_voice_sentence_is_upper(ch) || ngx_voice_sentence_is_lower(ch))


/* ends of sentences that need white space behind them, and that do not */

static const char *const  ngx_voice_sentence_marks[] = {
    ".", "!", "?",
    "\xe2\x80\xa6",         /* horizontal ellipsis */
    "\xd8\x9f",             /* Arabic question mark */
    "\xe0\xa5\xa4",         /* danda */
    NULL
};


static const char *const  ngx_voice_sentence_wide_marks[] = {
    "\xe3\x80\x82",         /* ideographic full stop */
    "\xef\xbc\x81",         /* full width exclamation mark */
    "\xef\xbc\x9f",         /* full width question mark */
    "\xef\xbd\xa1",         /* half width ideographic full stop */
    NULL
};


/* what may stand between the mark and the space; Markdown is one of them */

static const char *const  ngx_voice_sentence_closers[] = {
    "\"", "'", ")", "]", "}", "*", "_", "`", "~",
    "\xe2\x80\x9d",         /* right double quotation mark */
    "\xe2\x80\x99",         /* right single quotation mark */
    "\xc2\xbb",             /* guillemets */
    "\xe2\x80\xba",
    "\xe3\x80\x8d",         /* corner brackets */
    "\xe3\x80\x8f",
    "\xe3\x80\x91",
    "\xef\xbc\x89",         /* full width parenthesis */
    NULL
};


/* in lower case; the period at the end is left out */

static const char *const  ngx_voice_sentence_titles[] = {
    "mr", "mrs", "ms", "dr", "prof", "st", "sr", "sra", "mme", "rev", "gen",
    "gov", "sen", "rep", "pres", "capt", "lt", "col", "sgt", "hon", "mt", "ft",
    "jr", "messrs", "fr", "herr", "hr",
    NULL
};


static const char *const  ngx_voice_sentence_always[] = {
    "e.g", "i.e", "vs", "cf", "viz", "ca", "bzw", "z.b", "d.h", "u.a", "p.ej",
    NULL
};


/* only in front of a number: "No. 5", "Jan. 3" */

static const char *const  ngx_voice_sentence_numbered[] = {
    "no", "nos", "nr", "p", "pp", "fig", "vol", "ch", "sec", "art", "ext",
    "tel", "apt", "ste", "jan", "feb", "mar", "apr", "jun", "jul", "aug",
    "sep", "sept", "oct", "nov", "dec", "mon", "tue", "tues", "wed", "thu",
    "thur", "thurs", "fri", "sat", "sun",
    NULL
};


/* unless a sentence begins behind: "etc. and", "Acme Inc. is" */

static const char *const  ngx_voice_sentence_lower[] = {
    "etc", "inc", "ltd", "co", "corp", "llc", "plc", "gmbh", "ph.d", "est",
    "approx", "dept", "ave", "blvd", "rd", "ln", "hwy", "hrs", "min", "mins",
    "secs", "lb", "lbs", "oz", "al", "max", "incl", "excl", "appt", "am", "pm",
    NULL
};


void
ngx_voice_sentence_init(ngx_voice_sentence_t *s, u_char *buf, size_t size,
    size_t first_min, size_t min, size_t max)
{
    ngx_memzero(s, sizeof(ngx_voice_sentence_t));

    max = ngx_min(max, size - NGX_VOICE_SENTENCE_AHEAD);

    s->buf = buf;
    s->size = size;
    s->max = ngx_max(max, NGX_VOICE_SENTENCE_AHEAD);
    s->min = ngx_min(min, s->max);
    s->first_min = ngx_min(first_min, s->max);
    s->rc = NGX_OK;
    s->first = 1;
    s->line = 1;
}


ngx_int_t
ngx_voice_sentence_feed(ngx_voice_sentence_t *s, u_char *p, size_t len,
    ngx_voice_sentence_pt handler, void *data)
{
    size_t  n;

    while (len && s->rc == NGX_OK) {
        n = ngx_min(len, s->size - s->len);

        ngx_memcpy(s->buf + s->len, p, n);
        s->len += n;
        p += n;
        len -= n;

        s->rc = ngx_voice_sentence_run(s, 0, handler, data);
    }

    return s->rc;
}


ngx_int_t
ngx_voice_sentence_end(ngx_voice_sentence_t *s, ngx_voice_sentence_pt handler,
    void *data)
{
    if (s->rc == NGX_OK) {
        s->rc = ngx_voice_sentence_run(s, 1, handler, data);
    }

    return s->rc;
}


ngx_int_t
ngx_voice_sentence_abort(ngx_voice_sentence_t *s,
    ngx_voice_sentence_pt handler, void *data)
{
    size_t                      n;
    ngx_voice_sentence_view_t   v;

    if (s->rc != NGX_OK) {
        return s->rc;
    }

    /* no length is enough here: each end is noted, the last one counts */

    s->first = 0;
    s->min = (size_t) -1;
    s->scan = 0;
    s->cut = 0;

    v.p = s->buf;
    v.n = s->len;
    v.full = 0;
    v.end = 1;

    for ( ;; ) {
        n = ngx_voice_sentence_piece(s, &v);

        if (n >= v.n || !ngx_voice_sentence_is_line_end(s->buf[n])) {
            break;
        }

        s->cut = n;
        s->scan = n + 1;
    }

    s->len = s->cut;

    s->rc = ngx_voice_sentence_run(s, 1, handler, data);

    return s->rc;
}


static ngx_int_t
ngx_voice_sentence_run(ngx_voice_sentence_t *s, ngx_uint_t end,
    ngx_voice_sentence_pt handler, void *data)
{
    size_t                      n;
    ngx_int_t                   rc;
    ngx_str_t                   piece;
    ngx_voice_sentence_view_t   v;

    for ( ;; ) {

        for (n = 0; n < s->len && ngx_voice_sentence_is_blank(s->buf[n]); n++)
        {
            if (ngx_voice_sentence_is_line_end(s->buf[n])) {
                s->line = 1;
            }
        }

        if (n) {
            ngx_voice_sentence_drop(s, n);
        }

        if (s->len == 0) {
            return NGX_OK;
        }

        v.p = s->buf;
        v.n = ngx_min(s->len, s->max + NGX_VOICE_SENTENCE_AHEAD);
        v.full = (v.n == s->max + NGX_VOICE_SENTENCE_AHEAD);
        v.end = (end && v.n == s->len);

        n = ngx_voice_sentence_piece(s, &v);

        if (n == 0) {
            return NGX_OK;
        }

        piece.data = s->buf;
        piece.len = n;

        while (ngx_voice_sentence_is_blank(piece.data[piece.len - 1])) {
            piece.len--;
        }

        s->first = 0;
        s->line = 0;

        rc = handler(data, &piece);

        if (rc != NGX_OK) {
            return rc;
        }

        ngx_voice_sentence_drop(s, n);
    }
}


/* the length of the first piece, 0: not known yet */

static size_t
ngx_voice_sentence_piece(ngx_voice_sentence_t *s, ngx_voice_sentence_view_t *v)
{
    size_t                i, next;
    ngx_voice_sentence_e  found;

    while (s->scan < v->n && s->scan <= s->max) {
        i = s->scan;

        if (ngx_voice_sentence_is_line_end(v->p[i])) {
            return i;
        }

        found = ngx_voice_sentence_at(s, v, i, &next);

        if (found == ngx_voice_sentence_wait) {
            return 0;
        }

        if (found == ngx_voice_sentence_yes && next <= s->max) {
            if (s->first || next >= s->min) {
                return next;
            }

            s->cut = next;
        }

        if (found == ngx_voice_sentence_no && s->first) {
            found = ngx_voice_sentence_clause(v, i, &next);

            if (found == ngx_voice_sentence_wait) {
                return 0;
            }

            if (found == ngx_voice_sentence_yes && next >= s->first_min
                && next <= s->max)
            {
                return next;
            }

            next = i + 1;
        }

        s->scan = next;
    }

    if (v->end && v->n <= s->max) {
        return v->n;
    }

    if (v->full || v->end) {
        return ngx_voice_sentence_forced(s, v);
    }

    return 0;
}


/* nothing ended in time: the least bad place up to max */

static size_t
ngx_voice_sentence_forced(ngx_voice_sentence_t *s,
    ngx_voice_sentence_view_t *v)
{
    size_t  i, space;

    if (s->cut) {
        return s->cut;
    }

    space = 0;

    for (i = s->max; i > 0; i--) {

        if (!ngx_voice_sentence_is_blank(v->p[i])) {
            continue;
        }

        if (space == 0) {
            space = i;
        }

        if (i < s->max / 2) {
            break;
        }

        if (v->p[i - 1] == ',' || v->p[i - 1] == ';' || v->p[i - 1] == ':') {
            return i;
        }
    }

    return space ? space : ngx_voice_text_utf8_cut(v->p, v->n, s->max);
}


/* does a sentence end with the mark at i?  next: where to go on in any case */

static ngx_voice_sentence_e
ngx_voice_sentence_at(ngx_voice_sentence_t *s, ngx_voice_sentence_view_t *v,
    size_t i, size_t *next)
{
    size_t                j, n, bad;
    uint32_t              ch;
    ngx_uint_t            wide, marks;
    ngx_voice_sentence_e  found;

    wide = 0;
    marks = 0;

    for (j = i; j < v->n; j += n) {

        if (v->p[j] >= 0xc0 && !v->full && !v->end
            && ngx_voice_utf8_len(v->p + j, v->n - j, &ch, &bad) == 0
            && bad == v->n - j)
        {
            *next = i;
            return ngx_voice_sentence_wait;
        }

        n = ngx_voice_sentence_match(ngx_voice_sentence_wide_marks, v->p + j,
                                     v->n - j);
        if (n) {
            wide = 1;

        } else {
            n = ngx_voice_sentence_match(ngx_voice_sentence_marks, v->p + j,
                                         v->n - j);
            if (n == 0) {
                break;
            }
        }

        marks++;
    }

    if (marks == 0) {
        *next = i + 1;
        return ngx_voice_sentence_no;
    }

    found = ngx_voice_sentence_closed(v, j, next);

    if (found == ngx_voice_sentence_wait) {
        return found;
    }

    if (wide) {
        return ngx_voice_sentence_yes;
    }

    if (found == ngx_voice_sentence_yes && marks == 1 && v->p[i] == '.'
        && *next < v->n)
    {
        return ngx_voice_sentence_period(s, v, i);
    }

    return found;
}


/* yes: closing quotes, if any, then white space or the end of the text */

static ngx_voice_sentence_e
ngx_voice_sentence_closed(ngx_voice_sentence_view_t *v, size_t i, size_t *next)
{
    size_t    n, bad;
    uint32_t  ch;

    for ( ;; ) {

        if (i < v->n && v->p[i] >= 0xc0 && !v->full && !v->end
            && ngx_voice_utf8_len(v->p + i, v->n - i, &ch, &bad) == 0
            && bad == v->n - i)
        {
            return ngx_voice_sentence_wait;
        }

        n = ngx_voice_sentence_match(ngx_voice_sentence_closers, v->p + i,
                                     v->n - i);
        if (n == 0) {
            break;
        }

        i += n;
    }

    *next = i;

    if (i == v->n) {
        return v->end ? ngx_voice_sentence_yes
                      : v->full ? ngx_voice_sentence_no
                                : ngx_voice_sentence_wait;
    }

    return ngx_voice_sentence_is_blank(v->p[i]) ? ngx_voice_sentence_yes
                                                : ngx_voice_sentence_no;
}


/* a single period with white space behind it: is it one of an abbreviation? */

static ngx_voice_sentence_e
ngx_voice_sentence_period(ngx_voice_sentence_t *s,
    ngx_voice_sentence_view_t *v, size_t i)
{
    u_char      *word, ch;
    size_t       start, len, next;
    ngx_uint_t   dots, j;

    dots = 0;

    for (start = i; start > 0; start--) {
        ch = v->p[start - 1];

        if (ch == '.') {
            dots++;

        } else if (!ngx_voice_sentence_is_letter(ch)) {
            break;
        }
    }

    while (start < i && v->p[start] == '.') {
        start++;
        dots--;
    }

    word = v->p + start;
    len = i - start;

    if (len == 0) {

        /* "1." at the beginning of a line is a list's marker */

        for (start = i; start > 0; start--) {
            if (!ngx_voice_sentence_is_digit(v->p[start - 1])) {
                break;
            }
        }

        return (start == 0 && s->line && i > 0 && i < 4)
               ? ngx_voice_sentence_no : ngx_voice_sentence_yes;
    }

    if (len == 1 && ngx_voice_sentence_is_upper(word[0]) && word[0] != 'I'
        && (start == 0 || !ngx_voice_sentence_is_digit(v->p[start - 1])))
    {
        return ngx_voice_sentence_no;       /* an initial */
    }

    if (ngx_voice_sentence_listed(ngx_voice_sentence_always, word, len)
        || (ngx_voice_sentence_is_upper(word[0])
            && ngx_voice_sentence_listed(ngx_voice_sentence_titles, word,
                                         len)))
    {
        return ngx_voice_sentence_no;
    }

    if (dots) {
        /* single letters: "U.S. Army", but "at 9 a.m. We open" */

        for (j = 0; j < len; j++) {
            if ((j % 2 == 0) != (word[j] != '.')) {
                break;
            }
        }

        if (j == len && ngx_voice_sentence_is_upper(word[0])) {
            return ngx_voice_sentence_no;
        }

        dots = (j == len);
    }

    for (next = i + 1; next < v->n; next++) {
        if (!ngx_voice_sentence_is_blank(v->p[next])) {
            break;
        }

        if (ngx_voice_sentence_is_line_end(v->p[next])) {
            return ngx_voice_sentence_yes;
        }
    }

    ch = (next < v->n) ? v->p[next] : '\0';

    if (dots || ngx_voice_sentence_listed(ngx_voice_sentence_lower, word, len))
    {
        if (next == v->n && !v->end && !v->full) {
            return ngx_voice_sentence_wait;
        }

        return (ngx_voice_sentence_is_lower(ch)
                || ngx_voice_sentence_is_digit(ch))
               ? ngx_voice_sentence_no : ngx_voice_sentence_yes;
    }

    if (ngx_voice_sentence_listed(ngx_voice_sentence_numbered, word, len)) {

        if (next == v->n && !v->end && !v->full) {
            return ngx_voice_sentence_wait;
        }

        return ngx_voice_sentence_is_digit(ch) ? ngx_voice_sentence_no
                                               : ngx_voice_sentence_yes;
    }

    return ngx_voice_sentence_yes;
}


/* may the first piece end at the comma, semicolon, colon or dash at i? */

static ngx_voice_sentence_e
ngx_voice_sentence_clause(ngx_voice_sentence_view_t *v, size_t i, size_t *next)
{
    size_t      n;
    ngx_uint_t  dash;

    static const char *const  dashes[] = {
        "\xe2\x80\x94", "\xe2\x80\x93", "--", "-", NULL
    };

    static const char *const  wide[] = {
        "\xef\xbc\x8c", "\xe3\x80\x81", "\xef\xbc\x9b", "\xef\xbc\x9a", NULL
    };

    /* "March 5, 2027" and "1,000" stay whole */

    if (i > 0 && ngx_voice_sentence_is_digit(v->p[i - 1])) {
        return ngx_voice_sentence_no;
    }

    n = ngx_voice_sentence_match(wide, v->p + i, v->n - i);

    if (n) {
        *next = i + n;
        return ngx_voice_sentence_yes;
    }

    dash = 0;

    if (v->p[i] == ',' || v->p[i] == ';' || v->p[i] == ':') {
        n = 1;

    } else {
        n = ngx_voice_sentence_match(dashes, v->p + i, v->n - i);
        dash = (n != 0);
    }

    /* a hyphen joins; a dash between spaces parts */

    if (n == 0
        || (dash && n < 3
            && (i == 0 || !ngx_voice_sentence_is_blank(v->p[i - 1]))))
    {
        return ngx_voice_sentence_no;
    }

    if (v->p[i] == '-' && n == 1 && i + 1 == v->n && !v->end && !v->full) {
        return ngx_voice_sentence_wait;
    }

    return ngx_voice_sentence_closed(v, i + n, next);
}


static ngx_uint_t
ngx_voice_sentence_listed(const char *const *list, u_char *word, size_t len)
{
    size_t  i;

    for ( /* void */ ; *list; list++) {

        for (i = 0; i < len && (*list)[i] != '\0'; i++) {
            if (ngx_tolower(word[i]) != (u_char) (*list)[i]) {
                break;
            }
        }

        if (i == len && (*list)[i] == '\0') {
            return 1;
        }
    }

    return 0;
}


static size_t
ngx_voice_sentence_match(const char *const *list, u_char *p, size_t n)
{
    size_t  len;

    if (n == 0) {
        return 0;
    }

    for ( /* void */ ; *list; list++) {

        if ((u_char) (*list)[0] != p[0]) {
            continue;
        }

        len = ngx_strlen(*list);

        if (len <= n && ngx_memcmp(*list, p, len) == 0) {
            return len;
        }
    }

    return 0;
}


static void
ngx_voice_sentence_drop(ngx_voice_sentence_t *s, size_t n)
{
    s->len -= n;
    ngx_memmove(s->buf, s->buf + n, s->len);

    s->scan = 0;
    s->cut = 0;
}
