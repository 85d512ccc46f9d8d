
#include "ngx_voice_flow_read.h"

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH  8
#endif
#include <pcre2.h>

#include <stdarg.h>
#include <stdio.h>


static ngx_int_t ngx_voice_flow_unknown(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *rows, const char *key);
static ngx_int_t ngx_voice_flow_default(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, void *conf);
static void ngx_voice_flow_clean(char *text);
static ngx_uint_t ngx_voice_flow_is(const char *pattern, const char *text);
static size_t ngx_voice_flow_chars(const char *text);
static ngx_uint_t ngx_voice_flow_distance(const char *a, const char *b);


ngx_int_t
ngx_voice_flow_walk(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *rows, cJSON *object, void *conf)
{
    cJSON                       *item;
    size_t                       len;
    ngx_int_t                    rc;
    const ngx_voice_flow_row_t  *row;

    if (!cJSON_IsObject(object)) {
        return ngx_voice_flow_fail(ctx, "must be an object");
    }

    cJSON_ArrayForEach(item, object) {

        for (row = rows; row->key; row++) {
            if (strcmp(row->key, item->string) == 0) {
                break;
            }
        }

        if (row->key == NULL) {
            return ngx_voice_flow_unknown(ctx, rows, item->string);
        }
    }

    for (row = rows; row->key; row++) {

        item = cJSON_GetObjectItemCaseSensitive(object, row->key);

        if (item == NULL && (row->flags & NGX_VOICE_FLOW_REQUIRED)
            && !ctx->defaults)
        {
            return ngx_voice_flow_fail(ctx, "lacks the required key \"%s\"",
                                       row->key);
        }

        if (item == NULL && row->value == NULL) {
            continue;
        }

        len = ngx_voice_flow_enter(ctx, row->key);

        if (item) {
            rc = row->read(ctx, row, item, conf);

        } else {
            rc = ngx_voice_flow_default(ctx, row, conf);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        ngx_voice_flow_leave(ctx, len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_unknown(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *rows, const char *key)
{
    ngx_uint_t                   n, best;
    const char                  *nearest;
    const ngx_voice_flow_row_t  *row;

    best = 4;
    nearest = NULL;

    for (row = rows; row->key; row++) {
        n = ngx_voice_flow_distance(key, row->key);

        /* a word with fewer than half of its letters right is another one */

        if (n < best && 2 * n < strlen(row->key)) {
            best = n;
            nearest = row->key;
        }
    }

    (void) ngx_voice_flow_enter(ctx, key);

    if (nearest) {
        return ngx_voice_flow_fail(ctx, "is an unknown key, did you mean "
                                   "\"%s\"?", nearest);
    }

    return ngx_voice_flow_fail(ctx, "is an unknown key");
}


static ngx_int_t
ngx_voice_flow_default(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, void *conf)
{
    cJSON      *item;
    ngx_int_t   rc;
    ngx_uint_t  defaults;

    item = cJSON_Parse(row->value);
    if (item == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    defaults = ctx->defaults;
    ctx->defaults = 1;

    rc = row->read(ctx, row, item, conf);

    ctx->defaults = defaults;

    cJSON_Delete(item);

    return rc;
}


ngx_int_t
ngx_voice_flow_read_object(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    return ngx_voice_flow_walk(ctx, row->detail, item,
                               (char *) conf + row->offset);
}


ngx_int_t
ngx_voice_flow_read_list(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    void                         *one;
    cJSON                        *element;
    size_t                        len;
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    ngx_array_t                  *list;
    const ngx_voice_flow_list_t  *detail;

    detail = row->detail;
    list = (ngx_array_t *) ((char *) conf + row->offset);

    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) > row->max) {
        return ngx_voice_flow_fail(ctx, "must be an array of up to %g %s",
                                   row->max, detail->what);
    }

    n = cJSON_GetArraySize(item);

    if (n == 0) {
        return NGX_OK;
    }

    if (ngx_array_init(list, ctx->pool, n, detail->size) != NGX_OK) {
        return ngx_voice_flow_no_memory(ctx);
    }

    cJSON_ArrayForEach(element, item) {
        len = ngx_voice_flow_enter_index(ctx, list->nelts);

        one = ngx_array_push(list);
        if (one == NULL) {
            return ngx_voice_flow_no_memory(ctx);
        }

        ngx_memzero(one, detail->size);

        rc = ngx_voice_flow_walk(ctx, detail->rows, element, one);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_voice_flow_leave(ctx, len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_text(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_int_t  rc;

    rc = ngx_voice_flow_plain(ctx, item, row->min, row->max);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_voice_flow_copy(ctx, item->valuestring,
                               (ngx_str_t *) ((char *) conf + row->offset));
}


ngx_int_t
ngx_voice_flow_read_form(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    const ngx_voice_flow_form_t  *form;

    form = row->detail;

    if (!cJSON_IsString(item)
        || !ngx_voice_flow_is(form->pattern, item->valuestring))
    {
        return ngx_voice_flow_fail(ctx, "%s", form->reason);
    }

    return ngx_voice_flow_copy(ctx, item->valuestring,
                               (ngx_str_t *) ((char *) conf + row->offset));
}


ngx_int_t
ngx_voice_flow_read_number(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    if (!cJSON_IsNumber(item) || item->valuedouble < row->min
        || item->valuedouble > row->max)
    {
        return ngx_voice_flow_fail(ctx, "must be a number between %g and %g",
                                   row->min, row->max);
    }

    *(double *) ((char *) conf + row->offset) = item->valuedouble;

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_whole(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    if (!cJSON_IsNumber(item) || item->valuedouble < row->min
        || item->valuedouble > row->max
        || item->valuedouble != (double) (ngx_uint_t) item->valuedouble)
    {
        return ngx_voice_flow_fail(ctx, "must be a whole number between %g "
                                   "and %g", row->min, row->max);
    }

    *(ngx_uint_t *) ((char *) conf + row->offset) = item->valuedouble;

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_flag(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    if (!cJSON_IsBool(item)) {
        return ngx_voice_flow_fail(ctx, "must be true or false");
    }

    *(ngx_flag_t *) ((char *) conf + row->offset) = cJSON_IsTrue(item) ? 1 : 0;

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_ignore(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    if (!cJSON_IsString(item)) {
        return ngx_voice_flow_fail(ctx, "must be a string");
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_plain(ngx_voice_flow_ctx_t *ctx, cJSON *item, ngx_uint_t min,
    ngx_uint_t max)
{
    u_char      *p;
    ngx_uint_t   blank;

    if (!cJSON_IsString(item)) {
        return ngx_voice_flow_fail(ctx, "must be a string");
    }

    blank = 1;

    for (p = (u_char *) item->valuestring; *p; p++) {

        if (*p < 0x20 || *p == 0x7f) {
            return ngx_voice_flow_fail(ctx, "must not contain a line break "
                                       "or another control character");
        }

        if (*p != ' ') {
            blank = 0;
        }
    }

    if (blank && min) {
        return ngx_voice_flow_fail(ctx, "must not be empty");
    }

    if (max && ngx_voice_flow_chars(item->valuestring) > max) {
        return ngx_voice_flow_fail(ctx, "must not be longer than %lu "
                                   "characters", (unsigned long) max);
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_copy(ngx_voice_flow_ctx_t *ctx, const char *text,
    ngx_str_t *out)
{
    out->len = strlen(text);

    out->data = ngx_pnalloc(ctx->pool, out->len + 1);
    if (out->data == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    ngx_memcpy(out->data, text, out->len + 1);

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_fail(ngx_voice_flow_ctx_t *ctx, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    vsnprintf(ctx->reason, sizeof(ctx->reason), fmt, args);
    va_end(args);

    ngx_voice_flow_clean(ctx->reason);
    ngx_voice_flow_clean(ctx->pointer);

    return NGX_DECLINED;
}


ngx_int_t
ngx_voice_flow_no_memory(ngx_voice_flow_ctx_t *ctx)
{
    (void) ngx_voice_flow_fail(ctx, "could not be read: out of memory");

    return NGX_ERROR;
}


/*
 * Errors quote the file: no control bytes into the log, and no character
 * that the end of the buffer has cut.
 */

static void
ngx_voice_flow_clean(char *text)
{
    size_t   n, tail;
    u_char  *p, *last;

    for (p = (u_char *) text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }

    last = p;

    while (p > (u_char *) text && (p[-1] & 0xc0) == 0x80) {
        p--;
    }

    if (p == (u_char *) text || p[-1] < 0xc0) {
        return;
    }

    tail = last - p;
    n = (p[-1] >= 0xf0) ? 3 : (p[-1] >= 0xe0) ? 2 : 1;

    if (tail < n) {
        p[-1] = '\0';
    }
}


size_t
ngx_voice_flow_enter(ngx_voice_flow_ctx_t *ctx, const char *key)
{
    char        *p, *last;
    size_t       len;
    const char  *escape;

    len = ctx->len;

    p = ctx->pointer + len;
    last = ctx->pointer + sizeof(ctx->pointer) - 1;

    if (p < last) {
        *p++ = '/';
    }

    for ( /* void */ ; *key && p < last; key++) {

        escape = (*key == '~') ? "~0" : (*key == '/') ? "~1" : NULL;

        if (escape == NULL) {
            *p++ = *key;
            continue;
        }

        if (last - p < 2) {
            break;
        }

        *p++ = escape[0];
        *p++ = escape[1];
    }

    *p = '\0';
    ctx->len = p - ctx->pointer;

    return len;
}


size_t
ngx_voice_flow_enter_index(ngx_voice_flow_ctx_t *ctx, ngx_uint_t i)
{
    char  key[NGX_INT_T_LEN + 1];

    snprintf(key, sizeof(key), "%lu", (unsigned long) i);

    return ngx_voice_flow_enter(ctx, key);
}


void
ngx_voice_flow_leave(ngx_voice_flow_ctx_t *ctx, size_t len)
{
    ctx->len = len;
    ctx->pointer[len] = '\0';
}


static ngx_uint_t
ngx_voice_flow_is(const char *pattern, const char *text)
{
    int                code;
    PCRE2_SIZE         offset;
    ngx_uint_t         match;
    pcre2_code        *re;
    pcre2_match_data  *data;

    re = pcre2_compile((PCRE2_SPTR) pattern, PCRE2_ZERO_TERMINATED,
                       PCRE2_UTF|PCRE2_DOLLAR_ENDONLY, &code, &offset, NULL);
    data = pcre2_match_data_create(1, NULL);

    match = re && data
            && pcre2_match(re, (PCRE2_SPTR) text, PCRE2_ZERO_TERMINATED, 0,
                           0, data, NULL)
               >= 0;

    pcre2_match_data_free(data);
    pcre2_code_free(re);

    return match;
}


static size_t
ngx_voice_flow_chars(const char *text)
{
    size_t  n;

    for (n = 0; *text; text++) {
        if ((*text & 0xc0) != 0x80) {
            n++;
        }
    }

    return n;
}


/* letters to change, add, leave out or swap with the next */

static ngx_uint_t
ngx_voice_flow_distance(const char *a, const char *b)
{
    size_t      i, j, m, n;
    ngx_uint_t  d[33][33], k;

    m = strlen(a);
    n = strlen(b);

    if (m > 32 || n > 32) {
        return 32;
    }

    for (i = 0; i <= m; i++) {
        for (j = 0; j <= n; j++) {

            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }

            k = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            k = ngx_min(k, d[i - 1][j] + 1);
            k = ngx_min(k, d[i][j - 1] + 1);

            if (i > 1 && j > 1 && a[i - 1] == b[j - 2]
                && a[i - 2] == b[j - 1])
            {
                k = ngx_min(k, d[i - 2][j - 2] + 1);
            }

            d[i][j] = k;
        }
    }

    return d[m][n];
}
