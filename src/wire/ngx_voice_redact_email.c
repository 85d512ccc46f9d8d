
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include "ngx_voice_redact_find.h"


/*
 * E-mail addresses as they are written, as they are said, and as speech
 * recognition mixes both: "j o h n dot smith at example.com".
 */

#define NGX_VOICE_REDACT_BEFORE    32    /* words of a local part at most */
#define NGX_VOICE_REDACT_HOST      4     /* words before the first dot */


typedef enum {
    NGX_VOICE_REDACT_WORD = 0,
    NGX_VOICE_REDACT_SPELT,              /* a letter, a number */
    NGX_VOICE_REDACT_DOT,
    NGX_VOICE_REDACT_GLUE,               /* "underscore", "dash" */
    NGX_VOICE_REDACT_AT
} ngx_voice_redact_token_e;


/* what stands between a token and the one before, from near to far */

typedef enum {
    NGX_VOICE_REDACT_NOTHING = 0,
    NGX_VOICE_REDACT_SPACE,
    NGX_VOICE_REDACT_STOP,               /* of a sentence */
    NGX_VOICE_REDACT_OTHER
} ngx_voice_redact_between_e;


typedef struct {
    u_char                      *start;
    u_char                      *end;
    ngx_voice_redact_token_e     kind;
    ngx_voice_redact_between_e   between;
} ngx_voice_redact_token_t;


typedef struct {
    const char                  *name;
    ngx_voice_redact_token_e     kind;
} ngx_voice_redact_sign_t;


static u_char *ngx_voice_redact_local(ngx_voice_redact_token_t *tokens,
    ngx_uint_t n);
static u_char *ngx_voice_redact_host(u_char *p, u_char *last,
    ngx_uint_t written);
static ngx_uint_t ngx_voice_redact_token(u_char *p, u_char *last,
    ngx_voice_redact_token_t *token);
static void ngx_voice_redact_classify(ngx_voice_redact_token_t *token);
static ngx_uint_t ngx_voice_redact_top(u_char *start, u_char *end,
    ngx_uint_t *dotted);


#define ngx_voice_redact_is_address(ch)                                       \
    (ngx_voice_redact_is_word(ch) || (ch) == '.' || (ch) == '-'               \
     || (ch) == '_' || (ch) == '+' || (ch) == '%')


static const ngx_voice_redact_sign_t  ngx_voice_redact_signs[] = {

    { "at",         NGX_VOICE_REDACT_AT },
    { "@",          NGX_VOICE_REDACT_AT },
    { "dot",        NGX_VOICE_REDACT_DOT },
    { ".",          NGX_VOICE_REDACT_DOT },
    { "underscore", NGX_VOICE_REDACT_GLUE },
    { "_",          NGX_VOICE_REDACT_GLUE },
    { "dash",       NGX_VOICE_REDACT_GLUE },
    { "hyphen",     NGX_VOICE_REDACT_GLUE },
    { "minus",      NGX_VOICE_REDACT_GLUE },
    { "-",          NGX_VOICE_REDACT_GLUE },
    { "plus",       NGX_VOICE_REDACT_GLUE },
    { "+",          NGX_VOICE_REDACT_GLUE },

    { NULL, NGX_VOICE_REDACT_WORD }
};


void
ngx_voice_redact_email(u_char *p, u_char *last, u_char *mark, u_char rule)
{
    u_char                    *start, *local, *end;
    ngx_uint_t                 n;
    ngx_voice_redact_token_t   token, before[NGX_VOICE_REDACT_BEFORE];

    n = 0;
    start = p;

    while (ngx_voice_redact_token(p, last, &token)) {
        p = token.end;

        /* recognition may hear the end of a sentence before "at" */

        if (token.between == NGX_VOICE_REDACT_OTHER
            || (token.between == NGX_VOICE_REDACT_STOP
                && token.kind != NGX_VOICE_REDACT_AT))
        {
            n = 0;
        }

        if (token.kind == NGX_VOICE_REDACT_AT && n) {
            local = ngx_voice_redact_local(before, n);
            end = NULL;

            if (local) {
                end = ngx_voice_redact_host(p, last,
                              *token.start == '@'
                              && token.between == NGX_VOICE_REDACT_NOTHING);
            }

            if (end) {
                ngx_voice_redact_set(mark + (local - start), end - local,
                                     rule);
                p = end;
                n = 0;
                continue;
            }
        }

        if (n == NGX_VOICE_REDACT_BEFORE) {
            n--;
            memmove(before, before + 1, n * sizeof(ngx_voice_redact_token_t));
        }

        before[n++] = token;
    }
}


/*
 * Where the name before the "at" begins: one word, with those that are glued
 * to it, and all of what was spelt.
 */

static u_char *
ngx_voice_redact_local(ngx_voice_redact_token_t *tokens, ngx_uint_t n)
{
    ngx_uint_t                 spelt;
    ngx_voice_redact_token_t  *token;

    token = &tokens[n - 1];

    if (token->kind != NGX_VOICE_REDACT_WORD
        && token->kind != NGX_VOICE_REDACT_SPELT)
    {
        return NULL;
    }

    for ( ;; ) {
        spelt = (token->kind == NGX_VOICE_REDACT_SPELT);

        if (token - tokens >= 2
            && (token[-1].kind == NGX_VOICE_REDACT_DOT
                || token[-1].kind == NGX_VOICE_REDACT_GLUE)
            && (token[-2].kind == NGX_VOICE_REDACT_WORD
                || token[-2].kind == NGX_VOICE_REDACT_SPELT))
        {
            token -= 2;
            continue;
        }

        if (token == tokens || !spelt) {
            break;
        }

        if (token[-1].kind == NGX_VOICE_REDACT_SPELT) {
            token--;
            continue;
        }

        /* the word before a number: "john one two at"; not "I am b at" */

        if (token[-1].kind == NGX_VOICE_REDACT_WORD
            && ngx_voice_redact_is_number(token->start,
                                          token->end - token->start))
        {
            token--;
            continue;
        }

        break;
    }

    return token->start;
}


/*
 * The end of the host that begins at p: it has a dot and ends in letters.
 * An address that was written together needs no dot.
 */

static u_char *
ngx_voice_redact_host(u_char *p, u_char *last, ngx_uint_t written)
{
    u_char                    *end;
    ngx_uint_t                 words, dotted, top, letters;
    ngx_voice_redact_token_t   token;
    ngx_voice_redact_token_e   before;

    end = NULL;
    words = 0;
    dotted = 0;
    letters = 0;
    before = NGX_VOICE_REDACT_AT;

    while (ngx_voice_redact_token(p, last, &token)) {
        p = token.end;

        if (token.between >= NGX_VOICE_REDACT_STOP) {
            break;
        }

        if (token.kind == NGX_VOICE_REDACT_AT) {
            break;
        }

        if (token.kind == NGX_VOICE_REDACT_DOT
            || token.kind == NGX_VOICE_REDACT_GLUE)
        {
            if (before != NGX_VOICE_REDACT_WORD
                && before != NGX_VOICE_REDACT_SPELT)
            {
                break;
            }

            dotted |= (token.kind == NGX_VOICE_REDACT_DOT);
            letters = 0;
            before = token.kind;
            continue;
        }

        /* one letter after the other goes on, a word begins something else */

        if (dotted
            && before != NGX_VOICE_REDACT_DOT
            && before != NGX_VOICE_REDACT_GLUE
            && (letters == 0 || token.end - token.start != 1))
        {
            break;
        }

        top = ngx_voice_redact_top(token.start, token.end, &dotted);

        if (!dotted) {

            if (written && words == 0
                && token.between == NGX_VOICE_REDACT_NOTHING)
            {
                end = token.end;

            } else if (end) {
                break;
            }

            if (++words > NGX_VOICE_REDACT_HOST) {
                break;
            }

        } else if (token.end - token.start == 1
                   && ngx_voice_redact_is_letter(*token.start))
        {
            if (++letters > 1) {
                end = token.end;
            }

        } else {
            letters = 0;

            if (top) {
                end = token.end;
            }
        }

        before = token.kind;
    }

    return end;
}


/* the next token, 0 if there is none */

static ngx_uint_t
ngx_voice_redact_token(u_char *p, u_char *last,
    ngx_voice_redact_token_t *token)
{
    token->between = NGX_VOICE_REDACT_NOTHING;

    for ( /* void */ ; p < last; p++) {

        switch (*p) {

        case '.':

            /* at the end of a word it ends a sentence */

            if (token->between != NGX_VOICE_REDACT_NOTHING) {
                break;
            }

            token->between = NGX_VOICE_REDACT_STOP;
            continue;

        case ' ':
        case ',':
        case '\'':
        case '\t':
        case '\r':
        case '\n':

            if (token->between < NGX_VOICE_REDACT_SPACE) {
                token->between = NGX_VOICE_REDACT_SPACE;
            }

            continue;

        case '@':
            break;

        default:

            if (!ngx_voice_redact_is_address(*p)) {
                token->between = NGX_VOICE_REDACT_OTHER;
                continue;
            }
        }

        token->start = p++;

        if (*token->start != '@' && *token->start != '.') {

            while (p < last && ngx_voice_redact_is_address(*p)) {
                p++;
            }

            while (p[-1] == '.' || p[-1] == '\'') {
                p--;
            }
        }

        token->end = p;
        ngx_voice_redact_classify(token);

        return 1;
    }

    return 0;
}


static void
ngx_voice_redact_classify(ngx_voice_redact_token_t *token)
{
    size_t                          len;
    const ngx_voice_redact_sign_t  *sign;

    len = token->end - token->start;

    for (sign = ngx_voice_redact_signs; sign->name; sign++) {
        if (ngx_voice_redact_same(sign->name, token->start, len)) {
            token->kind = sign->kind;
            return;
        }
    }

    if (len == 1 || ngx_voice_redact_is_number(token->start, len)) {
        token->kind = NGX_VOICE_REDACT_SPELT;
        return;
    }

    token->kind = NGX_VOICE_REDACT_WORD;
}


/* whether the last label can be a top-level domain; "5.30" has none */

static ngx_uint_t
ngx_voice_redact_top(u_char *start, u_char *end, ngx_uint_t *dotted)
{
    u_char  *p;

    for (p = start; p < end; p++) {
        if (*p == '.') {
            *dotted = 1;
        }
    }

    for (p = end; p > start; p--) {
        if (!ngx_voice_redact_is_letter(p[-1]) && p[-1] < 0x80) {
            break;
        }
    }

    return end - p >= 2 && (p == start || p[-1] == '.');
}
