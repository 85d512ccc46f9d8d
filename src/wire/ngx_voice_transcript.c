
#include "ngx_voice_transcript.h"
#include "ngx_voice_provider_error.h"
#include "ngx_voice_utf8.h"


/*
 * Of a segment: Whisper's own bounds for what is no speech (its source,
 * "no_speech_threshold" and "logprob_threshold"), and one from which the
 * wording does not matter any more.
 */
#define NGX_VOICE_TRANSCRIPT_NO_SPEECH   0.6
#define NGX_VOICE_TRANSCRIPT_LOGPROB     (-1.0)
#define NGX_VOICE_TRANSCRIPT_NEVER       0.9

/* from here on what callers say, too, is not believed */
#define NGX_VOICE_TRANSCRIPT_DOUBT       0.5

/* bytes of a text that is compared with the table; credits are short */
#define NGX_VOICE_TRANSCRIPT_PLAIN       160


typedef enum {
    NGX_VOICE_TRANSCRIPT_WHOLE = 0,   /* the text is this */
    NGX_VOICE_TRANSCRIPT_START,       /* it begins with this */
    NGX_VOICE_TRANSCRIPT_PART,        /* this is in it */
    NGX_VOICE_TRANSCRIPT_MAYBE        /* as WHOLE, where speech is doubtful */
} ngx_voice_transcript_match_e;


typedef struct {
    ngx_voice_transcript_match_e   match;
    const char                    *text;
} ngx_voice_transcript_phrase_t;


static ngx_int_t ngx_voice_transcript_segments(cJSON *segments, u_char **p,
    ngx_voice_transcript_t *t);
static ngx_int_t ngx_voice_transcript_number(cJSON *object, const char *name,
    double *value);
static void ngx_voice_transcript_logprobs(cJSON *list,
    ngx_voice_transcript_t *t);
static double ngx_voice_transcript_exp(double x);
static u_char *ngx_voice_transcript_clean(u_char *start, u_char *p,
    const char *text);
static ngx_uint_t ngx_voice_transcript_wordless(ngx_str_t *text);
static ngx_uint_t ngx_voice_transcript_mark(uint32_t ch);
static size_t ngx_voice_transcript_plain(u_char *plain, size_t size,
    ngx_str_t *text);
static ngx_uint_t ngx_voice_transcript_has(u_char *p, size_t len,
    const char *part, size_t n);


/*
 * In lower case, with single spaces for all marks.  Seen in what models of the
 * Whisper family make of silence; the community of Amara has subtitled films
 * in most languages.
 */

static const ngx_voice_transcript_phrase_t
    ngx_voice_transcript_phrases[] =
{
    { NGX_VOICE_TRANSCRIPT_PART,  "amara org" },
    { NGX_VOICE_TRANSCRIPT_PART,  "for watching" },
    { NGX_VOICE_TRANSCRIPT_PART,  "like and subscribe" },
    { NGX_VOICE_TRANSCRIPT_PART,  "forget to subscribe" },
    { NGX_VOICE_TRANSCRIPT_PART,  "subscribe to my channel" },
    { NGX_VOICE_TRANSCRIPT_PART,  "see you in the next video" },
    { NGX_VOICE_TRANSCRIPT_WHOLE, "please subscribe" },
    { NGX_VOICE_TRANSCRIPT_START, "subtitles by" },
    { NGX_VOICE_TRANSCRIPT_START, "subtitled by" },
    { NGX_VOICE_TRANSCRIPT_START, "captions by" },
    { NGX_VOICE_TRANSCRIPT_START, "captioning by" },
    { NGX_VOICE_TRANSCRIPT_START, "transcription by" },
    { NGX_VOICE_TRANSCRIPT_START, "transcribed by" },
    { NGX_VOICE_TRANSCRIPT_START, "untertitel" },
    { NGX_VOICE_TRANSCRIPT_START, "sous titr" },
    { NGX_VOICE_TRANSCRIPT_START, "subt\xc3\xadtulos" },
    { NGX_VOICE_TRANSCRIPT_START, "sottotitoli" },
    { NGX_VOICE_TRANSCRIPT_START, "legendas" },
    { NGX_VOICE_TRANSCRIPT_START, "ondertitel" },
    { NGX_VOICE_TRANSCRIPT_START, "napisy" },
    { NGX_VOICE_TRANSCRIPT_START, "\xe5\xad\x97\xe5\xb9\x95" },
    { NGX_VOICE_TRANSCRIPT_MAYBE, "thank you" },
    { NGX_VOICE_TRANSCRIPT_MAYBE, "thank you very much" },
    { NGX_VOICE_TRANSCRIPT_MAYBE, "thanks" },
    { NGX_VOICE_TRANSCRIPT_MAYBE, "you" },
    { NGX_VOICE_TRANSCRIPT_MAYBE, "bye" },
    { NGX_VOICE_TRANSCRIPT_MAYBE, "bye bye" },
    { NGX_VOICE_TRANSCRIPT_MAYBE, "okay" },
    { NGX_VOICE_TRANSCRIPT_MAYBE, "so" },

    { NGX_VOICE_TRANSCRIPT_WHOLE, NULL }
};


ngx_int_t
ngx_voice_transcript_parse(ngx_str_t *body, ngx_voice_transcript_t *t)
{
    cJSON                       *json, *text, *item;
    u_char                      *p;
    ngx_int_t                    rc;
    ngx_voice_provider_fault_t   fault;

    ngx_str_null(&t->text);
    t->confidence = -1;
    t->no_speech = -1;

    json = cJSON_ParseWithLength((char *) body->data, body->len);

    text = cJSON_GetObjectItemCaseSensitive(json, "text");

    if (!cJSON_IsString(text)
        || ngx_voice_provider_error_find(json, &fault) == NGX_OK)
    {
        cJSON_Delete(json);
        return NGX_DECLINED;
    }

    /* a string of JSON is never shorter than what it stands for */

    p = body->data;

    item = cJSON_GetObjectItemCaseSensitive(json, "segments");
    rc = ngx_voice_transcript_segments(item, &p, t);

    if (rc != NGX_OK) {
        p = ngx_voice_transcript_clean(body->data, body->data,
                                       text->valuestring);
    }

    if (p > body->data && p[-1] == ' ') {
        p--;
    }

    t->text.data = body->data;
    t->text.len = p - body->data;

    item = cJSON_GetObjectItemCaseSensitive(json, "logprobs");
    ngx_voice_transcript_logprobs(item, t);

    cJSON_Delete(json);

    return NGX_OK;
}


/* NGX_DECLINED if they do not tell the text */

static ngx_int_t
ngx_voice_transcript_segments(cJSON *segments, u_char **p,
    ngx_voice_transcript_t *t)
{
    cJSON   *segment, *text;
    double   no_speech, logprob, start, end;
    double   weight, known, logprobs, silence;
    u_char  *first;

    first = *p;
    known = 0;
    logprobs = 0;
    silence = 0;

    if (!cJSON_IsArray(segments) || segments->child == NULL) {
        return NGX_DECLINED;
    }

    cJSON_ArrayForEach(segment, segments) {

        text = cJSON_GetObjectItemCaseSensitive(segment, "text");

        if (!cJSON_IsString(text)) {
            *p = first;
            return NGX_DECLINED;
        }

        if (ngx_voice_transcript_number(segment, "no_speech_prob",
                                        &no_speech) != NGX_OK
            || ngx_voice_transcript_number(segment, "avg_logprob", &logprob)
               != NGX_OK)
        {
            *p = ngx_voice_transcript_clean(first, *p, text->valuestring);
            continue;
        }

        weight = 1;

        if (ngx_voice_transcript_number(segment, "start", &start) == NGX_OK
            && ngx_voice_transcript_number(segment, "end", &end) == NGX_OK
            && end - start > 0.1 && end - start < 3600)
        {
            weight = end - start;
        }

        silence += weight * no_speech;
        logprobs += weight * logprob;
        known += weight;

        if ((no_speech > NGX_VOICE_TRANSCRIPT_NO_SPEECH
             && logprob < NGX_VOICE_TRANSCRIPT_LOGPROB)
            || no_speech > NGX_VOICE_TRANSCRIPT_NEVER)
        {
            continue;
        }

        *p = ngx_voice_transcript_clean(first, *p, text->valuestring);
    }

    if (known > 0) {
        t->no_speech = silence / known;
        t->confidence = ngx_voice_transcript_exp(logprobs / known);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_transcript_number(cJSON *object, const char *name, double *value)
{
    cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsNumber(item)
        || !(item->valuedouble > -1e6 && item->valuedouble < 1e6))
    {
        return NGX_DECLINED;
    }

    *value = item->valuedouble;

    return NGX_OK;
}


/* of tokens, where "include[]" asked for them */

static void
ngx_voice_transcript_logprobs(cJSON *list, ngx_voice_transcript_t *t)
{
    cJSON       *token;
    double       logprob, sum;
    ngx_uint_t   n;

    n = 0;
    sum = 0;

    if (!cJSON_IsArray(list) || t->confidence >= 0) {
        return;
    }

    cJSON_ArrayForEach(token, list) {
        if (ngx_voice_transcript_number(token, "logprob", &logprob)
            == NGX_OK)
        {
            sum += logprob;
            n++;
        }
    }

    if (n) {
        t->confidence = ngx_voice_transcript_exp(sum / n);
    }
}


/*
 * e^x as the limit of (1 + x/n)^n: to the third place, which is more than a
 * model knows of itself, and without the mathematical library.
 */

static double
ngx_voice_transcript_exp(double x)
{
    double      y;
    ngx_uint_t  i;

    if (x >= 0) {
        return 1;
    }

    if (x < -16) {
        return 0;
    }

    y = 1 + x / 4096;

    for (i = 0; i < 12; i++) {
        y *= y;
    }

    return y;
}


/* appends: no control characters, single spaces, no bytes that are no text */

static u_char *
ngx_voice_transcript_clean(u_char *start, u_char *p, const char *text)
{
    size_t         n, len, bad;
    uint32_t       ch;
    const u_char  *s;

    s = (const u_char *) text;
    len = ngx_strlen(text);

    while (len) {
        n = ngx_voice_utf8_len(s, len, &ch, &bad);

        if (n == 0) {
            s += bad;
            len -= bad;
            continue;
        }

        if (ch <= ' ' || ch == 0x7f || ch == 0xa0 || ch == 0x2028
            || ch == 0x2029)
        {
            if (p > start && p[-1] != ' ') {
                *p++ = ' ';
            }

        } else {
            p = ngx_movemem(p, s, n);
        }

        s += n;
        len -= n;
    }

    return p;
}


ngx_uint_t
ngx_voice_transcript_silent(ngx_voice_transcript_t *t, ngx_str_t *prompt)
{
    u_char                                plain[NGX_VOICE_TRANSCRIPT_PLAIN];
    u_char                                hints[NGX_VOICE_TRANSCRIPT_PLAIN];
    size_t                                len, n;
    const ngx_voice_transcript_phrase_t  *phrase;

    if (ngx_voice_transcript_wordless(&t->text)) {
        return 1;
    }

    len = ngx_voice_transcript_plain(plain, sizeof(plain), &t->text);

    if (len == 0) {
        return 0;
    }

    /* a single hint may be a caller's answer; nobody says a list of them */

    if (ngx_strlchr(prompt->data, prompt->data + prompt->len, ',')) {
        n = ngx_voice_transcript_plain(hints, sizeof(hints), prompt);

        if (n == len && ngx_memcmp(plain, hints, len) == 0) {
            return 1;
        }
    }

    for (phrase = ngx_voice_transcript_phrases; phrase->text; phrase++) {

        n = ngx_strlen(phrase->text);

        if (n > len) {
            continue;
        }

        switch (phrase->match) {

        case NGX_VOICE_TRANSCRIPT_PART:
            if (ngx_voice_transcript_has(plain, len, phrase->text, n)) {
                return 1;
            }

            break;

        case NGX_VOICE_TRANSCRIPT_START:
            if (ngx_memcmp(plain, phrase->text, n) == 0) {
                return 1;
            }

            break;

        case NGX_VOICE_TRANSCRIPT_MAYBE:
            if (t->no_speech < NGX_VOICE_TRANSCRIPT_DOUBT) {
                break;
            }

            /* fall through */

        default: /* NGX_VOICE_TRANSCRIPT_WHOLE */
            if (n == len && ngx_memcmp(plain, phrase->text, n) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


/* all that are words stand in brackets, between stars or notes */

static ngx_uint_t
ngx_voice_transcript_wordless(ngx_str_t *text)
{
    size_t       n, len, bad;
    u_char      *p;
    uint32_t     ch;
    ngx_uint_t   inside, star, note;

    p = text->data;
    len = text->len;
    inside = 0;
    star = 0;
    note = 0;

    while (len) {
        n = ngx_voice_utf8_len(p, len, &ch, &bad);

        if (n == 0) {
            p += bad;
            len -= bad;
            continue;
        }

        p += n;
        len -= n;

        switch (ch) {

        case '(':
        case '[':
        case 0xff08:    /* fullwidth */
        case 0x3010:    /* the lenticular ones of Chinese and Japanese */
            inside++;
            break;

        case ')':
        case ']':
        case 0xff09:
        case 0x3011:
            inside -= (inside != 0);
            break;

        case '*':
            star = !star;
            break;

        case 0x2669:    /* the notes of music */
        case 0x266a:
        case 0x266b:
        case 0x266c:
            note = 1;
            break;

        default:
            if (!inside && !star && !note && !ngx_voice_transcript_mark(ch)) {
                return 0;
            }
        }
    }

    return 1;
}


/* neither a letter nor a digit in any language */

static ngx_uint_t
ngx_voice_transcript_mark(uint32_t ch)
{
    if (ch < 0x80) {
        return !((ch >= '0' && ch <= '9')
                 || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'));
    }

    return (ch >= 0x80 && ch <= 0xbf && ch != 0xaa && ch != 0xb5 && ch != 0xba)
           || ch == 0xd7 || ch == 0xf7
           || (ch >= 0x2000 && ch <= 0x206f)      /* punctuation */
           || (ch >= 0x2190 && ch <= 0x2bff)      /* arrows to symbols */
           || (ch >= 0x3000 && ch <= 0x3004)      /* of Chinese, Japanese */
           || (ch >= 0x3008 && ch <= 0x3020)
           || (ch >= 0xfe00 && ch <= 0xfe0f)
           || (ch >= 0xff01 && ch <= 0xff0f)
           || (ch >= 0x1f000 && ch <= 0x1faff);   /* pictures */
}


/* 0: longer than there is room for */

static size_t
ngx_voice_transcript_plain(u_char *plain, size_t size, ngx_str_t *text)
{
    size_t     n, len, bad;
    u_char    *p, *s;
    uint32_t   ch;

    p = plain;
    s = text->data;
    len = text->len;

    while (len) {
        n = ngx_voice_utf8_len(s, len, &ch, &bad);

        if (n == 0) {
            s += bad;
            len -= bad;
            continue;
        }

        if (ngx_voice_transcript_mark(ch) && ch != '\'') {

            if (p > plain && p[-1] != ' ') {

                if (p == plain + size) {
                    return 0;
                }

                *p++ = ' ';
            }

        } else {

            if (n > (size_t) (plain + size - p)) {
                return 0;
            }

            if (n == 1) {
                *p++ = ngx_tolower(*s);

            } else {
                p = ngx_cpymem(p, s, n);
            }
        }

        s += n;
        len -= n;
    }

    if (p > plain && p[-1] == ' ') {
        p--;
    }

    return p - plain;
}


static ngx_uint_t
ngx_voice_transcript_has(u_char *p, size_t len, const char *part, size_t n)
{
    u_char  *last;

    for (last = p + len - n; p <= last; p++) {
        if (ngx_memcmp(p, part, n) == 0) {
            return 1;
        }
    }

    return 0;
}
