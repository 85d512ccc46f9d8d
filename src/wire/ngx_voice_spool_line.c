
#include "ngx_voice_spool_line.h"


static uint32_t ngx_voice_spool_line_sum(u_char *p, size_t len);


void
ngx_voice_spool_line_mark(u_char *dst, ngx_str_t *note)
{
    uint32_t    sum;
    ngx_uint_t  i;

    static const u_char  hex[] = "0123456789abcdef";

    sum = ngx_voice_spool_line_sum(note->data, note->len);

    for (i = 0; i < 8; i++) {
        *dst++ = hex[sum >> 28];
        sum <<= 4;
    }

    *dst = ' ';
}


ngx_int_t
ngx_voice_spool_line_read(u_char **p, u_char *last, ngx_str_t *note)
{
    u_char  *line, *end, mark[NGX_VOICE_SPOOL_MARK_LEN];

    line = *p;

    if (line == last) {
        return NGX_AGAIN;
    }

    end = memchr(line, LF, last - line);

    if (end == NULL) {
        return NGX_AGAIN;
    }

    *p = end + 1;

    if (end - line <= NGX_VOICE_SPOOL_MARK_LEN) {
        return NGX_DECLINED;
    }

    note->data = line + NGX_VOICE_SPOOL_MARK_LEN;
    note->len = end - note->data;

    ngx_voice_spool_line_mark(mark, note);

    if (ngx_memcmp(line, mark, NGX_VOICE_SPOOL_MARK_LEN) != 0) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* CRC-32 as in ISO 3309, four bits at a time */

static uint32_t
ngx_voice_spool_line_sum(u_char *p, size_t len)
{
    uint32_t  sum;

    static const uint32_t  table[] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
        0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
    };

    sum = 0xffffffff;

    while (len--) {
        sum ^= *p++;
        sum = table[sum & 0xf] ^ (sum >> 4);
        sum = table[sum & 0xf] ^ (sum >> 4);
    }

    return sum ^ 0xffffffff;
}
