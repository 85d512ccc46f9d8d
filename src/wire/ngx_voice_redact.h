
/*
 * Copyright (C) 2026 the voice edge authors
 */


/*
 * Finds in text what nobody else is to see, and writes the text with a mask
 * such as "[card]" in its place.
 */


#ifndef _NGX_VOICE_REDACT_H_INCLUDED_
#define _NGX_VOICE_REDACT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH  8
#endif
#include <pcre2.h>


#define NGX_VOICE_REDACT_RULES   64
#define NGX_VOICE_REDACT_NAME    32     /* bytes of a name at most */


typedef enum {
    NGX_VOICE_REDACT_PATTERN = 0,

    /* 13 to 19 digits with a right check digit, also in English words */
    NGX_VOICE_REDACT_CARD,

    /* "name@host.tld", also as "name at host dot tld" */
    NGX_VOICE_REDACT_EMAIL,

    /* of a country that has them, as long as there, right by mod 97 */
    NGX_VOICE_REDACT_IBAN
} ngx_voice_redact_e;


typedef struct {
    ngx_str_t              name;        /* what stands within the mask */
    ngx_voice_redact_e     kind;
    pcre2_code            *code;        /* of a pattern */
} ngx_voice_redact_rule_t;


typedef struct {
    ngx_voice_redact_rule_t  rules[NGX_VOICE_REDACT_RULES];
    ngx_uint_t               n;

    pcre2_match_context     *context;
    pcre2_match_data        *data;

    ngx_uint_t               gave_up;   /* the rule that did, see _mark() */
} ngx_voice_redact_t;


/* Zeroes redact and gets what matching needs: NGX_OK, or NGX_ERROR. */

ngx_int_t ngx_voice_redact_init(ngx_voice_redact_t *redact);
void ngx_voice_redact_free(ngx_voice_redact_t *redact);

/* Lower-case letters, digits and "_", a letter first, not too long. */

ngx_uint_t ngx_voice_redact_is_name(ngx_str_t *name);

/*
 * Adds one of the kinds that are built in, by its name.  NGX_OK;
 * NGX_DECLINED: there is no such kind.  The name's bytes have to stay.
 */

ngx_int_t ngx_voice_redact_add(ngx_voice_redact_t *redact, ngx_str_t *name);

/*
 * Adds a pattern, which is tried without regard to case.  NGX_OK, or
 * NGX_DECLINED: error is then the reason, zero-terminated, and offset where.
 */

ngx_int_t ngx_voice_redact_add_pattern(ngx_voice_redact_t *redact,
    ngx_str_t *name, ngx_str_t *pattern, u_char *error, size_t size,
    size_t *offset);

/*
 * Looks for what is to be masked and notes the bytes in mark, which is as
 * long as the text: 0, or the number of a rule from 1 on.  Where two rules
 * want a byte the first one has it.  *size is the length of the text with
 * its masks.
 *
 * NGX_DECLINED: there is nothing.  NGX_OK.  NGX_ABORT: a pattern came to the
 * limit of its work; what it has not looked at is masked, and
 * redact->gave_up is the index of its rule.
 */

ngx_int_t ngx_voice_redact_mark(ngx_voice_redact_t *redact, u_char *p,
    size_t len, u_char *mark, size_t *size);

/* Writes the text with its masks, *size bytes, and returns their end. */

u_char *ngx_voice_redact_write(ngx_voice_redact_t *redact, u_char *dst,
    u_char *p, size_t len, u_char *mark);


#endif /* _NGX_VOICE_REDACT_H_INCLUDED_ */
