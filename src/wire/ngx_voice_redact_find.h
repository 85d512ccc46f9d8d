
/*
 * Copyright (C) 2026 the voice edge authors
 */


/*
 * What ngx_voice_redact.c has built in: each looks through a text from p to
 * last and notes its bytes in mark.
 */


#ifndef _NGX_VOICE_REDACT_FIND_H_INCLUDED_
#define _NGX_VOICE_REDACT_FIND_H_INCLUDED_


#include "ngx_voice_redact.h"


void ngx_voice_redact_card(u_char *p, u_char *last, u_char *mark, u_char rule);
void ngx_voice_redact_iban(u_char *p, u_char *last, u_char *mark, u_char rule);
void ngx_voice_redact_email(u_char *p, u_char *last, u_char *mark,
    u_char rule);

/* a word that stands for digits, such as "four", "oh", "double" */
ngx_uint_t ngx_voice_redact_is_number(u_char *p, size_t len);

/* whether a word is this one, in any case */
ngx_uint_t ngx_voice_redact_same(const char *name, u_char *p, size_t len);

/* notes len bytes, but for those that a rule before has already */
void ngx_voice_redact_set(u_char *mark, size_t len, u_char rule);


#define ngx_voice_redact_is_digit(ch)   ((ch) >= '0' && (ch) <= '9')

#define ngx_voice_redact_is_letter(ch)                                        \
    (((ch) | 0x20) >= 'a' && ((ch) | 0x20) <= 'z')

/* of a word: letters of other alphabets, too */
#define ngx_voice_redact_is_word(ch)                                          \
    (ngx_voice_redact_is_digit(ch) || ngx_voice_redact_is_letter(ch)          \
     || (ch) >= 0x80 || (ch) == '\'')


#endif /* _NGX_VOICE_REDACT_FIND_H_INCLUDED_ */
