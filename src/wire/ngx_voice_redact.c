
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include "ngx_voice_redact.h"
#include "ngx_voice_redact_find.h"


/* of one try of a pattern: it is the caller who would have to wait */
#define NGX_VOICE_REDACT_LIMIT   10000


typedef struct {
    const char            *name;
    ngx_voice_redact_e     kind;
} ngx_voice_redact_kind_t;


static ngx_int_t ngx_voice_redact_pattern(ngx_voice_redact_t *redact,
    pcre2_code *code, u_char *p, size_t len, u_char *mark, u_char rule);


static const ngx_voice_redact_kind_t  ngx_voice_redact_kinds[] = {

    { "card",  NGX_VOICE_REDACT_CARD },
    { "email", NGX_VOICE_REDACT_EMAIL },
    { "iban",  NGX_VOICE_REDACT_IBAN },

    { NULL, NGX_VOICE_REDACT_PATTERN }
};


ngx_int_t
ngx_voice_redact_init(ngx_voice_redact_t *redact)
{
    memset(redact, 0, sizeof(ngx_voice_redact_t));

    redact->context = pcre2_match_context_create(NULL);
    redact->data = pcre2_match_data_create(1, NULL);

    if (redact->context == NULL || redact->data == NULL) {
        ngx_voice_redact_free(redact);
        return NGX_ERROR;
    }

    pcre2_set_match_limit(redact->context, NGX_VOICE_REDACT_LIMIT);
    pcre2_set_depth_limit(redact->context, NGX_VOICE_REDACT_LIMIT);

    return NGX_OK;
}


void
ngx_voice_redact_free(ngx_voice_redact_t *redact)
{
    ngx_uint_t  i;

    for (i = 0; i < redact->n; i++) {
        pcre2_code_free(redact->rules[i].code);
    }

    pcre2_match_data_free(redact->data);
    pcre2_match_context_free(redact->context);

    redact->n = 0;
    redact->data = NULL;
    redact->context = NULL;
}


ngx_uint_t
ngx_voice_redact_is_name(ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    if (name->len == 0 || name->len > NGX_VOICE_REDACT_NAME) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (ch >= 'a' && ch <= 'z') {
            continue;
        }

        if (i == 0 || (ch != '_' && !ngx_voice_redact_is_digit(ch))) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_voice_redact_add(ngx_voice_redact_t *redact, ngx_str_t *name)
{
    ngx_voice_redact_rule_t        *rule;
    const ngx_voice_redact_kind_t  *kind;

    for (kind = ngx_voice_redact_kinds; kind->name; kind++) {

        if (strlen(kind->name) != name->len
            || memcmp(kind->name, name->data, name->len) != 0)
        {
            continue;
        }

        rule = &redact->rules[redact->n++];

        rule->name = *name;
        rule->kind = kind->kind;
        rule->code = NULL;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_voice_redact_add_pattern(ngx_voice_redact_t *redact, ngx_str_t *name,
    ngx_str_t *pattern, u_char *error, size_t size, size_t *offset)
{
    int                       code;
    uint32_t                  empty;
    PCRE2_SIZE                where;
    ngx_voice_redact_rule_t  *rule;

    rule = &redact->rules[redact->n];

    *offset = 0;

    /* what is no UTF-8 is passed over, a match goes on behind it */

    rule->code = pcre2_compile(pattern->data, pattern->len,
                               PCRE2_UTF|PCRE2_UCP|PCRE2_CASELESS
                               |PCRE2_MATCH_INVALID_UTF
                               |PCRE2_NEVER_BACKSLASH_C,
                               &code, &where, NULL);

    if (rule->code == NULL) {
        *offset = where;
        (void) pcre2_get_error_message(code, error, size);
        return NGX_DECLINED;
    }

    if (pcre2_pattern_info(rule->code, PCRE2_INFO_MATCHEMPTY, &empty) != 0
        || empty)
    {
        pcre2_code_free(rule->code);
        rule->code = NULL;

        snprintf((char *) error, size, "it can match an empty text");
        return NGX_DECLINED;
    }

    /* without JIT it is only slower */

    (void) pcre2_jit_compile(rule->code, PCRE2_JIT_COMPLETE);

    rule->name = *name;
    rule->kind = NGX_VOICE_REDACT_PATTERN;

    redact->n++;

    return NGX_OK;
}


ngx_int_t
ngx_voice_redact_mark(ngx_voice_redact_t *redact, u_char *p, size_t len,
    u_char *mark, size_t *size)
{
    size_t                    i;
    ngx_int_t                 rc;
    ngx_uint_t                k, found;
    ngx_voice_redact_rule_t  *rule;

    *size = len;

    if (len == 0) {
        return NGX_DECLINED;
    }

    memset(mark, 0, len);
    rc = NGX_OK;

    for (k = 0; k < redact->n; k++) {
        rule = &redact->rules[k];

        switch (rule->kind) {

        case NGX_VOICE_REDACT_CARD:
            ngx_voice_redact_card(p, p + len, mark, k + 1);
            break;

        case NGX_VOICE_REDACT_EMAIL:
            ngx_voice_redact_email(p, p + len, mark, k + 1);
            break;

        case NGX_VOICE_REDACT_IBAN:
            ngx_voice_redact_iban(p, p + len, mark, k + 1);
            break;

        default: /* NGX_VOICE_REDACT_PATTERN */

            if (ngx_voice_redact_pattern(redact, rule->code, p, len, mark,
                                         k + 1)
                != NGX_OK)
            {
                redact->gave_up = k;
                rc = NGX_ABORT;
            }
        }
    }

    found = 0;

    for (i = 0; i < len; i++) {

        if (mark[i] == 0) {
            continue;
        }

        found = 1;
        *size -= 1;

        if (i == 0 || mark[i] != mark[i - 1]) {
            *size += redact->rules[mark[i] - 1].name.len + 2;
        }
    }

    return found ? rc : NGX_DECLINED;
}


static ngx_int_t
ngx_voice_redact_pattern(ngx_voice_redact_t *redact, pcre2_code *code,
    u_char *p, size_t len, u_char *mark, u_char rule)
{
    int          rc;
    size_t       pos;
    PCRE2_SIZE  *span;

    span = pcre2_get_ovector_pointer(redact->data);

    for (pos = 0; pos < len; pos = span[1]) {

        rc = pcre2_match(code, p, len, pos, PCRE2_NOTEMPTY, redact->data,
                         redact->context);

        if (rc == PCRE2_ERROR_NOMATCH) {
            break;
        }

        if (rc < 0) {
            ngx_voice_redact_set(mark + pos, len - pos, rule);
            return NGX_ERROR;
        }

        /* "\K" may put the start anywhere, the end has to go on */

        if (span[0] >= span[1] || span[1] <= pos) {
            ngx_voice_redact_set(mark + pos, len - pos, rule);
            return NGX_ERROR;
        }

        ngx_voice_redact_set(mark + span[0], span[1] - span[0], rule);
    }

    return NGX_OK;
}


u_char *
ngx_voice_redact_write(ngx_voice_redact_t *redact, u_char *dst, u_char *p,
    size_t len, u_char *mark)
{
    size_t      i;
    ngx_str_t  *name;

    for (i = 0; i < len; i++) {

        if (mark[i] == 0) {
            *dst++ = p[i];
            continue;
        }

        if (i && mark[i] == mark[i - 1]) {
            continue;
        }

        name = &redact->rules[mark[i] - 1].name;

        *dst++ = '[';
        memcpy(dst, name->data, name->len);
        dst += name->len;
        *dst++ = ']';
    }

    return dst;
}
