
#include "ngx_voice_multipart.h"


static ngx_uint_t ngx_voice_multipart_occurs(ngx_voice_part_t *part,
    u_char *boundary);
static u_char *ngx_voice_multipart_part(u_char *p, ngx_voice_part_t *part,
    size_t *len);
static void ngx_voice_multipart_put(u_char **p, size_t *len, const char *text,
    size_t n);
static void ngx_voice_multipart_escape(u_char **p, size_t *len,
    ngx_str_t *text);


/* a literal, without its end */
#define ngx_voice_multipart_set(p, len, text)                                 \
    ngx_voice_multipart_put(p, len, text, sizeof(text) - 1)


void
ngx_voice_multipart_boundary(ngx_voice_part_t *parts, ngx_uint_t n,
    uint64_t seed, u_char boundary[NGX_VOICE_BOUNDARY])
{
    u_char      *p;
    uint64_t     x;
    ngx_uint_t   i, k;

    static const u_char  prefix[] = "----voice-edge-";
    static const u_char  digit[] = "0123456789abcdef";

    do {
        p = ngx_cpymem(boundary, prefix, sizeof(prefix) - 1);

        /* Steele, Lea and Flood's SplitMix64: the next number from the last */

        seed += 0x9e3779b97f4a7c15ULL;
        x = seed;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
        x ^= x >> 31;

        for (k = 0; p < boundary + NGX_VOICE_BOUNDARY; k++) {
            *p++ = digit[(x >> (4 * (k % 16))) & 0xf];
        }

        for (i = 0; i < n; i++) {
            if (ngx_voice_multipart_occurs(&parts[i], boundary)) {
                break;
            }
        }

    } while (i < n);
}


static ngx_uint_t
ngx_voice_multipart_occurs(ngx_voice_part_t *part, u_char *boundary)
{
    u_char  *p, *last;

    if (part->value.len < NGX_VOICE_BOUNDARY) {
        return 0;
    }

    p = part->value.data;
    last = p + part->value.len - NGX_VOICE_BOUNDARY + 1;

    while (p < last) {
        p = memchr(p, boundary[0], last - p);

        if (p == NULL) {
            return 0;
        }

        if (ngx_memcmp(p, boundary, NGX_VOICE_BOUNDARY) == 0) {
            return 1;
        }

        p++;
    }

    return 0;
}


size_t
ngx_voice_multipart_len(ngx_voice_part_t *parts, ngx_uint_t n)
{
    size_t      len;
    ngx_uint_t  i;

    len = sizeof("----" CRLF) - 1 + NGX_VOICE_BOUNDARY;

    for (i = 0; i < n; i++) {
        len += sizeof("--" CRLF) - 1 + NGX_VOICE_BOUNDARY;

        (void) ngx_voice_multipart_part(NULL, &parts[i], &len);

        len += parts[i].value.len + sizeof(CRLF) - 1;
    }

    return len;
}


u_char *
ngx_voice_multipart_write(u_char *p, ngx_voice_part_t *parts, ngx_uint_t n,
    u_char boundary[NGX_VOICE_BOUNDARY])
{
    size_t      len;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        *p++ = '-'; *p++ = '-';
        p = ngx_cpymem(p, boundary, NGX_VOICE_BOUNDARY);
        *p++ = CR; *p++ = LF;

        p = ngx_voice_multipart_part(p, &parts[i], &len);

        if (parts[i].value.len) {
            p = ngx_cpymem(p, parts[i].value.data, parts[i].value.len);
        }

        *p++ = CR; *p++ = LF;
    }

    *p++ = '-'; *p++ = '-';
    p = ngx_cpymem(p, boundary, NGX_VOICE_BOUNDARY);
    *p++ = '-'; *p++ = '-';
    *p++ = CR; *p++ = LF;

    return p;
}


/* the head of a part: counted if p is NULL, written otherwise */

static u_char *
ngx_voice_multipart_part(u_char *p, ngx_voice_part_t *part, size_t *len)
{
    ngx_voice_multipart_set(&p, len,
                            "Content-Disposition: form-data; name=\"");
    ngx_voice_multipart_escape(&p, len, &part->name);
    ngx_voice_multipart_set(&p, len, "\"");

    if (part->filename.len) {
        ngx_voice_multipart_set(&p, len, "; filename=\"");
        ngx_voice_multipart_escape(&p, len, &part->filename);
        ngx_voice_multipart_set(&p, len, "\"");
    }

    ngx_voice_multipart_set(&p, len, CRLF);

    if (part->type.len) {
        ngx_voice_multipart_set(&p, len, "Content-Type: ");
        ngx_voice_multipart_escape(&p, len, &part->type);
        ngx_voice_multipart_set(&p, len, CRLF);
    }

    ngx_voice_multipart_set(&p, len, CRLF);

    return p;
}


static void
ngx_voice_multipart_put(u_char **p, size_t *len, const char *text, size_t n)
{
    if (*p == NULL) {
        *len += n;
        return;
    }

    *p = ngx_cpymem(*p, text, n);
}


static void
ngx_voice_multipart_escape(u_char **p, size_t *len, ngx_str_t *text)
{
    u_char  *s, *last;

    last = text->data + text->len;

    for (s = text->data; s < last; s++) {

        switch (*s) {

        case '"':
            ngx_voice_multipart_set(p, len, "%22");
            break;

        case CR:
            ngx_voice_multipart_set(p, len, "%0D");
            break;

        case LF:
            ngx_voice_multipart_set(p, len, "%0A");
            break;

        default:
            ngx_voice_multipart_put(p, len, (char *) s, 1);
        }
    }
}
