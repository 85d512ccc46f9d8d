
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include "ngx_voice_redact_find.h"
#include "ngx_voice_utf8.h"


/*
 * Numbers as people say them and as speech recognition writes them: in
 * groups, with dashes, as words.  A group is what stands together; a number
 * begins and ends where a group does.
 */

#define NGX_VOICE_REDACT_CARD_MIN   13
#define NGX_VOICE_REDACT_CARD_MAX   19
#define NGX_VOICE_REDACT_IBAN_MAX   34
#define NGX_VOICE_REDACT_GAP        4    /* characters between groups */
#define NGX_VOICE_REDACT_FILLERS    3    /* words there */


/* the longest word below, and a bit: longer ones are not looked up */
#define NGX_VOICE_REDACT_LONGEST    12


typedef enum {
    NGX_VOICE_REDACT_DIGIT = 0,
    NGX_VOICE_REDACT_TEEN,
    NGX_VOICE_REDACT_TENS,
    NGX_VOICE_REDACT_TIMES
} ngx_voice_redact_word_e;


typedef struct {
    const char               *name;
    ngx_voice_redact_word_e   kind;
    u_char                    value;
} ngx_voice_redact_word_t;


/* lengths of card numbers by their first four digits, as bits */

typedef struct {
    uint16_t                  first;
    uint16_t                  last;
    uint32_t                  lengths;
} ngx_voice_redact_range_t;


/* characters of a number are put here, and counted beyond size, too */

typedef struct {
    u_char                   *start;    /* of the text */
    u_char                   *last;
    u_char                    ch[NGX_VOICE_REDACT_IBAN_MAX];
    size_t                    size;
    size_t                    n;
} ngx_voice_redact_number_t;


static u_char *ngx_voice_redact_card_end(ngx_voice_redact_number_t *number,
    u_char *p, ngx_uint_t fresh);
static ngx_uint_t ngx_voice_redact_luhn(u_char *digits, size_t n);
static ngx_uint_t ngx_voice_redact_issued(u_char *digits, size_t n);
static u_char *ngx_voice_redact_iban_end(ngx_voice_redact_number_t *number,
    u_char *p);
static ngx_uint_t ngx_voice_redact_iban_size(u_char *country);
static ngx_uint_t ngx_voice_redact_mod97(u_char *ch, size_t n);
static u_char *ngx_voice_redact_group(ngx_voice_redact_number_t *number,
    u_char *p, ngx_uint_t letters);
static u_char *ngx_voice_redact_digits(ngx_voice_redact_number_t *number,
    u_char *p);
static u_char *ngx_voice_redact_spoken(ngx_voice_redact_number_t *number,
    u_char *p, ngx_uint_t times);
static void ngx_voice_redact_put(ngx_voice_redact_number_t *number, u_char ch,
    ngx_uint_t times);
static u_char *ngx_voice_redact_gap(ngx_voice_redact_number_t *number,
    u_char *p);
static u_char *ngx_voice_redact_separators(u_char *p, u_char *last);
static size_t ngx_voice_redact_digit(u_char *p, u_char *last, u_char *digit);
static const ngx_voice_redact_word_t *ngx_voice_redact_lookup(u_char *p,
    size_t len);
static size_t ngx_voice_redact_word(ngx_voice_redact_number_t *number,
    u_char *p);


/* with what recognition writes for them */

static const ngx_voice_redact_word_t  ngx_voice_redact_words[] = {

    { "zero",      NGX_VOICE_REDACT_DIGIT, 0 },
    { "oh",        NGX_VOICE_REDACT_DIGIT, 0 },
    { "o",         NGX_VOICE_REDACT_DIGIT, 0 },
    { "nought",    NGX_VOICE_REDACT_DIGIT, 0 },
    { "nil",       NGX_VOICE_REDACT_DIGIT, 0 },
    { "one",       NGX_VOICE_REDACT_DIGIT, 1 },
    { "won",       NGX_VOICE_REDACT_DIGIT, 1 },
    { "two",       NGX_VOICE_REDACT_DIGIT, 2 },
    { "to",        NGX_VOICE_REDACT_DIGIT, 2 },
    { "too",       NGX_VOICE_REDACT_DIGIT, 2 },
    { "three",     NGX_VOICE_REDACT_DIGIT, 3 },
    { "four",      NGX_VOICE_REDACT_DIGIT, 4 },
    { "for",       NGX_VOICE_REDACT_DIGIT, 4 },
    { "five",      NGX_VOICE_REDACT_DIGIT, 5 },
    { "six",       NGX_VOICE_REDACT_DIGIT, 6 },
    { "seven",     NGX_VOICE_REDACT_DIGIT, 7 },
    { "eight",     NGX_VOICE_REDACT_DIGIT, 8 },
    { "ate",       NGX_VOICE_REDACT_DIGIT, 8 },
    { "nine",      NGX_VOICE_REDACT_DIGIT, 9 },

    { "ten",       NGX_VOICE_REDACT_TEEN, 0 },
    { "eleven",    NGX_VOICE_REDACT_TEEN, 1 },
    { "twelve",    NGX_VOICE_REDACT_TEEN, 2 },
    { "thirteen",  NGX_VOICE_REDACT_TEEN, 3 },
    { "fourteen",  NGX_VOICE_REDACT_TEEN, 4 },
    { "fifteen",   NGX_VOICE_REDACT_TEEN, 5 },
    { "sixteen",   NGX_VOICE_REDACT_TEEN, 6 },
    { "seventeen", NGX_VOICE_REDACT_TEEN, 7 },
    { "eighteen",  NGX_VOICE_REDACT_TEEN, 8 },
    { "nineteen",  NGX_VOICE_REDACT_TEEN, 9 },

    { "twenty",    NGX_VOICE_REDACT_TENS, 2 },
    { "thirty",    NGX_VOICE_REDACT_TENS, 3 },
    { "forty",     NGX_VOICE_REDACT_TENS, 4 },
    { "fifty",     NGX_VOICE_REDACT_TENS, 5 },
    { "sixty",     NGX_VOICE_REDACT_TENS, 6 },
    { "seventy",   NGX_VOICE_REDACT_TENS, 7 },
    { "eighty",    NGX_VOICE_REDACT_TENS, 8 },
    { "ninety",    NGX_VOICE_REDACT_TENS, 9 },

    { "double",    NGX_VOICE_REDACT_TIMES, 2 },
    { "triple",    NGX_VOICE_REDACT_TIMES, 3 },
    { "treble",    NGX_VOICE_REDACT_TIMES, 3 },
    { "quadruple", NGX_VOICE_REDACT_TIMES, 4 },

    { NULL, NGX_VOICE_REDACT_DIGIT, 0 }
};


/* said between the groups of a number, and no part of it */

static const char  *ngx_voice_redact_fillers[] = {
    "dash", "hyphen", "space", "and", "then", "um", "uh", "er", "erm", NULL
};


#define NGX_VOICE_REDACT_13      (1 << 13)
#define NGX_VOICE_REDACT_14      (1 << 14)
#define NGX_VOICE_REDACT_15      (1 << 15)
#define NGX_VOICE_REDACT_16      (1 << 16)
#define NGX_VOICE_REDACT_19      (1 << 19)
#define NGX_VOICE_REDACT_16_19   (0xf << 16)

static const ngx_voice_redact_range_t  ngx_voice_redact_ranges[] = {

    { 2200, 2204, NGX_VOICE_REDACT_16_19 },
    { 2221, 2720, NGX_VOICE_REDACT_16 },
    { 3000, 3059, NGX_VOICE_REDACT_14 },
    { 3400, 3499, NGX_VOICE_REDACT_15 },
    { 3528, 3589, NGX_VOICE_REDACT_16_19 },
    { 3600, 3699, NGX_VOICE_REDACT_14 },
    { 3700, 3799, NGX_VOICE_REDACT_15 },
    { 3800, 3999, NGX_VOICE_REDACT_14 },
    { 4000, 4999, NGX_VOICE_REDACT_13|NGX_VOICE_REDACT_16
                  |NGX_VOICE_REDACT_19 },
    { 5000, 5099, NGX_VOICE_REDACT_16_19 },
    { 5100, 5599, NGX_VOICE_REDACT_16 },
    { 5600, 5899, NGX_VOICE_REDACT_16_19 },
    { 6000, 6999, NGX_VOICE_REDACT_16_19 },

    { 0, 0, 0 }
};


/* countries with IBANs, and how long they are there (ISO 13616) */

static const char  ngx_voice_redact_countries[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27"
    "DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28"
    "IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
    "MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24"
    "SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";


void
ngx_voice_redact_card(u_char *p, u_char *last, u_char *mark, u_char rule)
{
    u_char                     *end, *next;
    ngx_uint_t                  fresh;
    ngx_voice_redact_number_t   number;

    number.start = p;
    number.last = last;
    number.size = NGX_VOICE_REDACT_CARD_MAX;

    fresh = 1;

    while (p < last) {
        number.n = 0;
        next = ngx_voice_redact_group(&number, p, 0);

        if (next == NULL) {
            fresh = 1;
            p++;
            continue;
        }

        end = ngx_voice_redact_card_end(&number, p, fresh);

        if (end) {
            ngx_voice_redact_set(mark + (p - number.start), end - p, rule);
            next = end;
        }

        p = ngx_voice_redact_gap(&number, next);
        fresh = 0;

        if (ngx_voice_redact_group(&number, p, 0) == NULL) {
            fresh = 1;
            p = next;
        }
    }
}


/*
 * The end of the longest card number that begins at p.  Digits with a right
 * check digit are one when they stand alone.  Among more digits (the expiry
 * date, the number of something else) one in ten would be right by chance,
 * so first digits and length have to be those of a card as well.
 */

static u_char *
ngx_voice_redact_card_end(ngx_voice_redact_number_t *number, u_char *p,
    ngx_uint_t fresh)
{
    size_t   n;
    u_char  *end, *next, *best;

    best = NULL;

    number->n = 0;
    next = ngx_voice_redact_group(number, p, 0);

    while (next) {
        end = next;
        n = number->n;

        if (n > NGX_VOICE_REDACT_CARD_MAX) {
            break;
        }

        next = ngx_voice_redact_group(number,
                                      ngx_voice_redact_gap(number, end), 0);

        if (n >= NGX_VOICE_REDACT_CARD_MIN
            && ngx_voice_redact_luhn(number->ch, n)
            && ((fresh && next == NULL)
                || ngx_voice_redact_issued(number->ch, n)))
        {
            best = end;
        }
    }

    return best;
}


static ngx_uint_t
ngx_voice_redact_luhn(u_char *digits, size_t n)
{
    size_t      i;
    ngx_uint_t  sum, digit;

    sum = 0;

    for (i = 0; i < n; i++) {
        digit = digits[n - 1 - i] - '0';

        if (i % 2) {
            digit *= 2;
            digit -= (digit > 9) ? 9 : 0;
        }

        sum += digit;
    }

    return sum % 10 == 0;
}


static ngx_uint_t
ngx_voice_redact_issued(u_char *digits, size_t n)
{
    ngx_uint_t                       first;
    const ngx_voice_redact_range_t  *range;

    first = (digits[0] - '0') * 1000 + (digits[1] - '0') * 100
            + (digits[2] - '0') * 10 + (digits[3] - '0');

    for (range = ngx_voice_redact_ranges; range->lengths; range++) {
        if (first >= range->first && first <= range->last) {
            return (range->lengths >> n) & 1;
        }
    }

    return 0;
}


void
ngx_voice_redact_iban(u_char *p, u_char *last, u_char *mark, u_char rule)
{
    u_char                     *end;
    ngx_voice_redact_number_t   number;

    number.start = p;
    number.last = last;
    number.size = NGX_VOICE_REDACT_IBAN_MAX;

    while (p < last) {

        end = ngx_voice_redact_iban_end(&number, p);

        if (end) {
            ngx_voice_redact_set(mark + (p - number.start), end - p, rule);
            p = end;
            continue;
        }

        p++;
    }
}


static u_char *
ngx_voice_redact_iban_end(ngx_voice_redact_number_t *number, u_char *p)
{
    ngx_uint_t  size;

    number->n = 0;

    for ( ;; ) {
        p = ngx_voice_redact_group(number, p, 1);

        if (p == NULL || number->n > NGX_VOICE_REDACT_IBAN_MAX) {
            return NULL;
        }

        if (number->n >= 2) {
            size = ngx_voice_redact_iban_size(number->ch);

            if (number->n > size
                || (number->n > 2
                    && !ngx_voice_redact_is_digit(number->ch[2]))
                || (number->n > 3
                    && !ngx_voice_redact_is_digit(number->ch[3])))
            {
                return NULL;
            }

            if (number->n == size) {
                return ngx_voice_redact_mod97(number->ch, size) == 1 ? p
                                                                     : NULL;
            }
        }

        p = ngx_voice_redact_gap(number, p);
    }
}


static ngx_uint_t
ngx_voice_redact_iban_size(u_char *country)
{
    const char  *p;

    for (p = ngx_voice_redact_countries; *p; p += 4) {
        if (p[0] == country[0] && p[1] == country[1]) {
            return (p[2] - '0') * 10 + p[3] - '0';
        }
    }

    return 0;
}


static ngx_uint_t
ngx_voice_redact_mod97(u_char *ch, size_t n)
{
    size_t      i;
    u_char      c;
    ngx_uint_t  rest;

    rest = 0;

    for (i = 0; i < n; i++) {
        c = ch[(i + 4) % n];

        if (ngx_voice_redact_is_digit(c)) {
            rest = (rest * 10 + c - '0') % 97;

        } else {
            rest = (rest * 100 + c - 'A' + 10) % 97;
        }
    }

    return rest;
}


/* the end of the group that begins at p, NULL if none does */

static u_char *
ngx_voice_redact_group(ngx_voice_redact_number_t *number, u_char *p,
    ngx_uint_t letters)
{
    u_char  *end;
    size_t   len;

    if (!letters) {
        end = ngx_voice_redact_digits(number, p);
        return end ? end : ngx_voice_redact_spoken(number, p, 1);
    }

    if (p == number->last
        || (p > number->start && ngx_voice_redact_is_word(p[-1])))
    {
        return NULL;
    }

    /* the country comes first, and it has no digits */

    if (number->n >= 2) {
        end = ngx_voice_redact_spoken(number, p, 1);

        if (end) {
            return end;
        }
    }

    for (len = 0; p + len < number->last; len++) {

        if (!ngx_voice_redact_is_word(p[len])) {
            break;
        }

        if (p[len] >= 0x80 || p[len] == '\''
            || (number->n < 2 && !ngx_voice_redact_is_letter(p[len])))
        {
            return NULL;
        }

        ngx_voice_redact_put(number,
                             ngx_voice_redact_is_digit(p[len])
                                 ? p[len] : p[len] & ~0x20, 1);

        /* no more is needed to know that it is none */

        if (number->n > number->size) {
            return NULL;
        }
    }

    return len ? p + len : NULL;
}


static u_char *
ngx_voice_redact_digits(ngx_voice_redact_number_t *number, u_char *p)
{
    u_char  *start, digit;
    size_t   len;

    start = p;

    while (p < number->last) {
        len = ngx_voice_redact_digit(p, number->last, &digit);

        if (len == 0) {
            break;
        }

        ngx_voice_redact_put(number, digit, 1);
        p += len;
    }

    return p > start ? p : NULL;
}


/* "four", "forty-two", "double two", also "double 2" */

static u_char *
ngx_voice_redact_spoken(ngx_voice_redact_number_t *number, u_char *p,
    ngx_uint_t times)
{
    u_char                          digit;
    size_t                          len;
    const ngx_voice_redact_word_t  *word, *unit;

    len = ngx_voice_redact_word(number, p);
    word = ngx_voice_redact_lookup(p, len);

    if (word == NULL) {
        return NULL;
    }

    p += len;

    switch (word->kind) {

    case NGX_VOICE_REDACT_DIGIT:
        ngx_voice_redact_put(number, '0' + word->value, times);
        return p;

    case NGX_VOICE_REDACT_TEEN:
        ngx_voice_redact_put(number, '1', times);
        ngx_voice_redact_put(number, '0' + word->value, 1);
        return p;

    case NGX_VOICE_REDACT_TENS:
        ngx_voice_redact_put(number, '0' + word->value, times);

        if (p < number->last && (*p == ' ' || *p == '-')) {
            len = ngx_voice_redact_word(number, p + 1);
            unit = ngx_voice_redact_lookup(p + 1, len);

            if (unit && unit->kind == NGX_VOICE_REDACT_DIGIT && unit->value) {
                ngx_voice_redact_put(number, '0' + unit->value, 1);
                return p + 1 + len;
            }
        }

        ngx_voice_redact_put(number, '0', 1);
        return p;

    default: /* NGX_VOICE_REDACT_TIMES */

        if (times > 1) {
            return NULL;
        }

        p = ngx_voice_redact_separators(p, number->last);

        if (p == number->last) {
            return NULL;
        }

        if (ngx_voice_redact_digit(p, number->last, &digit)) {
            ngx_voice_redact_put(number, digit, word->value - 1);
            return ngx_voice_redact_digits(number, p);
        }

        return ngx_voice_redact_spoken(number, p, word->value);
    }
}


static void
ngx_voice_redact_put(ngx_voice_redact_number_t *number, u_char ch,
    ngx_uint_t times)
{
    while (times--) {

        if (number->n < number->size) {
            number->ch[number->n] = ch;
        }

        number->n++;
    }
}


/* what may stand between two groups, such as ", um, then " */

static u_char *
ngx_voice_redact_gap(ngx_voice_redact_number_t *number, u_char *p)
{
    size_t       len;
    u_char      *next;
    ngx_uint_t   n;
    const char **filler;

    for (n = 0; n < NGX_VOICE_REDACT_FILLERS; n++) {
        next = ngx_voice_redact_separators(p, number->last);

        if (next == p) {
            return p;
        }

        p = next;
        len = ngx_voice_redact_word(number, p);

        for (filler = ngx_voice_redact_fillers; *filler; filler++) {
            if (len && ngx_voice_redact_same(*filler, p, len)) {
                break;
            }
        }

        if (*filler == NULL) {
            return p;
        }

        p += len;
    }

    return ngx_voice_redact_separators(p, number->last);
}


static u_char *
ngx_voice_redact_separators(u_char *p, u_char *last)
{
    size_t      len, bad;
    uint32_t    ch;
    ngx_uint_t  n;

    for (n = 0; p < last && n < NGX_VOICE_REDACT_GAP; n++) {
        len = ngx_voice_utf8_len(p, last - p, &ch, &bad);

        if (len == 0) {
            break;
        }

        if (ch != ' ' && ch != '-' && ch != '.' && ch != ',' && ch != '\t'
            && ch != '\r' && ch != '\n' && ch != 0xa0
            && !(ch >= 0x2000 && ch <= 0x200a)      /* spaces */
            && ch != 0x202f
            && !(ch >= 0x2010 && ch <= 0x2015)      /* dashes */
            && ch != 0x2212)
        {
            break;
        }

        p += len;
    }

    return p;
}


/* decimal digits of the scripts that recognition is likely to write */

static size_t
ngx_voice_redact_digit(u_char *p, u_char *last, u_char *digit)
{
    size_t    len, bad;
    uint32_t  ch, zero;

    if (*p < 0x80) {
        *digit = *p;
        return ngx_voice_redact_is_digit(*p);
    }

    len = ngx_voice_utf8_len(p, last - p, &ch, &bad);

    if (len == 0) {
        return 0;
    }

    if (ch >= 0x0660 && ch <= 0x0669) {             /* Arabic */
        zero = 0x0660;

    } else if (ch >= 0x06f0 && ch <= 0x06f9) {      /* Persian, Urdu */
        zero = 0x06f0;

    } else if (ch >= 0x0966 && ch <= 0x096f) {      /* Devanagari */
        zero = 0x0966;

    } else if (ch >= 0xff10 && ch <= 0xff19) {      /* full width */
        zero = 0xff10;

    } else {
        return 0;
    }

    *digit = '0' + (ch - zero);

    return len;
}


/* the length of the whole word that begins at p */

static size_t
ngx_voice_redact_word(ngx_voice_redact_number_t *number, u_char *p)
{
    size_t  len;

    if (p > number->start && ngx_voice_redact_is_word(p[-1])) {
        return 0;
    }

    for (len = 0; p + len < number->last; len++) {

        if (!ngx_voice_redact_is_word(p[len])) {
            break;
        }

        if (len == NGX_VOICE_REDACT_LONGEST
            || !ngx_voice_redact_is_letter(p[len]))
        {
            return 0;
        }
    }

    return len;
}


static const ngx_voice_redact_word_t *
ngx_voice_redact_lookup(u_char *p, size_t len)
{
    const ngx_voice_redact_word_t  *word;

    if (len == 0) {
        return NULL;
    }

    for (word = ngx_voice_redact_words; word->name; word++) {
        if (ngx_voice_redact_same(word->name, p, len)) {
            return word;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_voice_redact_same(const char *name, u_char *p, size_t len)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < len && name[i]; i++) {
        ch = ngx_voice_redact_is_letter(p[i]) ? p[i] | 0x20 : p[i];

        if (ch != (u_char) name[i]) {
            return 0;
        }
    }

    return i == len && name[i] == '\0';
}


ngx_uint_t
ngx_voice_redact_is_number(u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len && ngx_voice_redact_is_digit(p[i]); i++) {
        /* void */
    }

    return i == len || ngx_voice_redact_lookup(p, len) != NULL;
}
