
#include "ngx_voice_line.h"

#include <stdarg.h>
#include <stdio.h>


/* what a caller's number or a date takes at most, for the length of lines */
#define NGX_VOICE_LINE_FACT_MAX  32


static size_t ngx_voice_line_room(ngx_voice_line_t *line);
static ngx_int_t ngx_voice_line_fix(ngx_voice_line_t *line,
    ngx_voice_line_parse_t *ctx, size_t room);
static ngx_int_t ngx_voice_line_name(ngx_voice_line_t *line,
    ngx_voice_line_parse_t *ctx, u_char *p, u_char *last);
static ngx_int_t ngx_voice_line_unknown(ngx_voice_line_parse_t *ctx,
    u_char *name, int len);
static ngx_int_t ngx_voice_line_literal(ngx_voice_line_t *line, u_char *p,
    u_char *last);
static ngx_int_t ngx_voice_line_fail(ngx_voice_line_parse_t *ctx,
    const char *fmt, ...) __attribute__((format(printf, 2, 3)));


ngx_int_t
ngx_voice_line_parse(ngx_voice_line_t *line, ngx_voice_line_parse_t *ctx)
{
    u_char     *p, *last, *end, *start;
    size_t      room;
    ngx_int_t   rc;

    if (ngx_array_init(&line->parts, ctx->pool, 4, sizeof(ngx_voice_part_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    line->fixed = 1;
    ngx_str_null(&line->text);

    start = line->source.data;
    last = start + line->source.len;

    for (p = start; p < last; /* void */ ) {

        if (last - p < 2 || p[0] != '{' || p[1] != '{') {
            p++;
            continue;
        }

        for (end = p + 2; end < last && *end != '{' && *end != '}'; end++) {
            /* void */
        }

        if (last - end < 2 || end[0] != '}' || end[1] != '}') {
            return ngx_voice_line_fail(ctx, "has a \"{{\" at offset %lu that "
                                       "no \"}}\" closes",
                                       (unsigned long)
                                           (p - line->source.data));
        }

        rc = ngx_voice_line_literal(line, start, p);

        if (rc == NGX_OK) {
            rc = ngx_voice_line_name(line, ctx, p + 2, end);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        p = end + 2;
        start = p;
    }

    if (ngx_voice_line_literal(line, start, last) != NGX_OK) {
        return NGX_ERROR;
    }

    room = ngx_voice_line_room(line);

    if (room > ctx->max) {
        return ngx_voice_line_fail(ctx, "must not be longer than %lu bytes "
                                   "with its names filled in",
                                   (unsigned long) ctx->max);
    }

    if (!line->fixed) {
        return NGX_OK;
    }

    return ngx_voice_line_fix(line, ctx, room);
}


ngx_int_t
ngx_voice_line_render(ngx_voice_line_t *line, ngx_pool_t *pool,
    ngx_voice_facts_t *facts, ngx_str_t *out)
{
    u_char            *p;
    size_t             len;
    ngx_str_t         *value;
    ngx_uint_t         i, pass;
    ngx_voice_part_t  *part;

    if (line->fixed) {
        *out = line->text;
        return NGX_OK;
    }

    p = NULL;
    len = 0;
    part = line->parts.elts;

    /* the length first, then the bytes */

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < line->parts.nelts; i++) {
            value = &part[i].text;

            if (part[i].fact) {
                value = (ngx_str_t *) ((char *) facts + part[i].offset);

                if (value->len == 0) {
                    value = &part[i].text;
                }
            }

            if (p) {
                p = ngx_cpymem(p, value->data, value->len);

            } else {
                len += value->len;
            }
        }

        if (pass == 0) {
            p = ngx_pnalloc(pool, len + 1);
            if (p == NULL) {
                return NGX_ERROR;
            }
        }
    }

    out->data = p - len;
    out->len = len;

    return NGX_OK;
}


static size_t
ngx_voice_line_room(ngx_voice_line_t *line)
{
    size_t             room;
    ngx_uint_t         i;
    ngx_voice_part_t  *part;

    room = 0;
    part = line->parts.elts;

    for (i = 0; i < line->parts.nelts; i++) {
        room += part[i].fact ? ngx_max(part[i].text.len,
                                       NGX_VOICE_LINE_FACT_MAX)
                             : part[i].text.len;
    }

    return room;
}


static ngx_int_t
ngx_voice_line_fix(ngx_voice_line_t *line, ngx_voice_line_parse_t *ctx,
    size_t room)
{
    u_char            *p;
    ngx_uint_t         i;
    ngx_voice_part_t  *part;

    p = ngx_pnalloc(ctx->pool, room + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    line->text.data = p;
    line->text.len = room;

    part = line->parts.elts;

    for (i = 0; i < line->parts.nelts; i++) {
        p = ngx_cpymem(p, part[i].text.data, part[i].text.len);
    }

    return NGX_OK;
}


/* between "{{" and "}}": name, or name|alternative */

static ngx_int_t
ngx_voice_line_name(ngx_voice_line_t *line, ngx_voice_line_parse_t *ctx,
    u_char *p, u_char *last)
{
    int                           len;
    u_char                       *bar, *end;
    ngx_str_t                    *value;
    ngx_voice_part_t             *part;
    const ngx_voice_line_name_t  *name;

    bar = ngx_strlchr(p, last, '|');
    end = bar ? bar : last;

    while (p < end && *p == ' ') {
        p++;
    }

    while (end > p && end[-1] == ' ') {
        end--;
    }

    len = end - p;

    for (name = ctx->names; name->name; name++) {
        if (strlen(name->name) == (size_t) len
            && ngx_memcmp(name->name, p, len) == 0)
        {
            break;
        }
    }

    if (name->name == NULL) {
        return ngx_voice_line_unknown(ctx, p, len);
    }

    if (name->withheld && bar == NULL) {
        return ngx_voice_line_fail(ctx, "names \"{{%s}}\", which may be "
                                   "missing: write \"{{%s|alternative}}\"",
                                   name->name, name->name);
    }

    part = ngx_array_push(&line->parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(part, sizeof(ngx_voice_part_t));
    ngx_str_set(&part->text, "");

    if (bar) {
        part->text.data = bar + 1;
        part->text.len = last - bar - 1;
    }

    if (name->fact) {
        part->fact = 1;
        part->offset = name->offset;
        line->fixed = 0;
        return NGX_OK;
    }

    value = (ngx_str_t *) ((char *) ctx->values + name->offset);

    if (value->len) {
        part->text = *value;

    } else if (bar == NULL) {
        return ngx_voice_line_fail(ctx, "names \"{{%s}}\", but the flow has "
                                   "no \"%s\"", name->name, name->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_line_unknown(ngx_voice_line_parse_t *ctx, u_char *name, int len)
{
    char                          known[256];
    size_t                        n;
    const char                   *comma;
    const ngx_voice_line_name_t  *each;

    n = 0;
    known[0] = '\0';

    for (each = ctx->names; each->name && n < sizeof(known); each++) {
        comma = (n == 0) ? "" : each[1].name ? ", " : " and ";

        n += snprintf(known + n, sizeof(known) - n, "%s%s", comma,
                      each->name);
    }

    return ngx_voice_line_fail(ctx, "names \"{{%.*s}}\", known are %s",
                               ngx_min(len, 60), name, known);
}


static ngx_int_t
ngx_voice_line_literal(ngx_voice_line_t *line, u_char *p, u_char *last)
{
    ngx_voice_part_t  *part;

    if (p == last) {
        return NGX_OK;
    }

    part = ngx_array_push(&line->parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(part, sizeof(ngx_voice_part_t));

    part->text.data = p;
    part->text.len = last - p;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_line_fail(ngx_voice_line_parse_t *ctx, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    vsnprintf(ctx->reason, sizeof(ctx->reason), fmt, args);
    va_end(args);

    return NGX_DECLINED;
}
