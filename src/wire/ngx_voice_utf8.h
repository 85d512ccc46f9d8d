
/*
 * One UTF-8 sequence (RFC 3629), in a header of its own because every reader
 * and writer of text asks for it for every character.
 */


#ifndef _NGX_VOICE_UTF8_H_INCLUDED_
#define _NGX_VOICE_UTF8_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The length of the valid UTF-8 sequence at p (1 to 4) and its character, or
 * 0: overlong, surrogate, beyond U+10FFFF, cut.  *bad is then the length of
 * the maximal bad part (Unicode, "U+FFFD Substitution of Maximal Subparts"),
 * from 1 on.
 */

static ngx_inline size_t
ngx_voice_utf8_len(const u_char *p, size_t len, uint32_t *ch, size_t *bad)
{
    u_char    low, high;
    size_t    i, n;
    uint32_t  value;

    *bad = 1;

    if (len == 0) {
        return 0;
    }

    if (p[0] < 0x80) {
        *ch = p[0];
        return 1;
    }

    low = 0x80;
    high = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
        value = p[0] & 0x1f;

    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        value = p[0] & 0x0f;

        if (p[0] == 0xe0) {
            low = 0xa0;             /* shorter is possible */

        } else if (p[0] == 0xed) {
            high = 0x9f;            /* surrogates */
        }

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        value = p[0] & 0x07;

        if (p[0] == 0xf0) {
            low = 0x90;

        } else if (p[0] == 0xf4) {
            high = 0x8f;            /* U+10FFFF is the last */
        }

    } else {
        return 0;
    }

    for (i = 1; i < n; i++) {

        if (i == len || p[i] < low || p[i] > high) {
            *bad = i;
            return 0;
        }

        value = value << 6 | (p[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }

    *ch = value;

    return n;
}


#endif /* _NGX_VOICE_UTF8_H_INCLUDED_ */
