
#include "ngx_voice_schema.h"
#include "ngx_voice_text.h"

#include <stdarg.h>


/* levels of values that are looked into; below nothing is checked */
#define NGX_VOICE_SCHEMA_DEPTH  8

#define ngx_voice_schema_get(object, name)                                    \
    cJSON_GetObjectItemCaseSensitive(object, name)


typedef struct {
    u_char       *reason;
    const char   *name;         /* of the property, NULL: the whole */
    ngx_uint_t    depth;
} ngx_voice_schema_ctx_t;


static ngx_int_t ngx_voice_schema_value(ngx_voice_schema_ctx_t *ctx,
    cJSON *schema, cJSON *value);
static ngx_int_t ngx_voice_schema_type(ngx_voice_schema_ctx_t *ctx,
    cJSON *type, cJSON *value);
static ngx_uint_t ngx_voice_schema_is(cJSON *value, cJSON *type);
static ngx_int_t ngx_voice_schema_enum(ngx_voice_schema_ctx_t *ctx,
    cJSON *list, cJSON *value);
static ngx_int_t ngx_voice_schema_object(ngx_voice_schema_ctx_t *ctx,
    cJSON *schema, cJSON *value);
static ngx_int_t ngx_voice_schema_required(ngx_voice_schema_ctx_t *ctx,
    cJSON *required, cJSON *value);
static void ngx_voice_schema_nulls(cJSON *schema, cJSON *value);
static ngx_uint_t ngx_voice_schema_lists(cJSON *list, const char *name);
static ngx_int_t ngx_voice_schema_array(ngx_voice_schema_ctx_t *ctx,
    cJSON *schema, cJSON *value);
static ngx_int_t ngx_voice_schema_bounds(ngx_voice_schema_ctx_t *ctx,
    cJSON *schema, const char *least, const char *most, double n,
    const char *unit);
static double ngx_voice_schema_chars(const char *text);
static ngx_int_t ngx_voice_schema_fail(ngx_voice_schema_ctx_t *ctx,
    const char *fmt, ...) __attribute__((format(printf, 2, 3)));


ngx_int_t
ngx_voice_schema_check(cJSON *schema, cJSON *value,
    u_char reason[NGX_VOICE_SCHEMA_REASON])
{
    ngx_voice_schema_ctx_t  ctx;

    ctx.reason = reason;
    ctx.name = NULL;
    ctx.depth = 0;

    reason[0] = '\0';

    return ngx_voice_schema_value(&ctx, schema, value);
}


static ngx_int_t
ngx_voice_schema_value(ngx_voice_schema_ctx_t *ctx, cJSON *schema,
    cJSON *value)
{
    ngx_int_t  rc;

    if (!cJSON_IsObject(schema) || ctx->depth == NGX_VOICE_SCHEMA_DEPTH) {
        return NGX_OK;
    }

    rc = ngx_voice_schema_type(ctx, ngx_voice_schema_get(schema, "type"),
                               value);

    if (rc == NGX_OK) {
        rc = ngx_voice_schema_enum(ctx, ngx_voice_schema_get(schema, "enum"),
                                   value);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (cJSON_IsString(value)) {
        return ngx_voice_schema_bounds(ctx, schema, "minLength", "maxLength",
                                ngx_voice_schema_chars(value->valuestring),
                                " characters");
    }

    if (cJSON_IsNumber(value)) {
        return ngx_voice_schema_bounds(ctx, schema, "minimum", "maximum",
                                       value->valuedouble, "");
    }

    ctx->depth++;

    if (cJSON_IsObject(value)) {
        rc = ngx_voice_schema_object(ctx, schema, value);

    } else if (cJSON_IsArray(value)) {
        rc = ngx_voice_schema_array(ctx, schema, value);
    }

    ctx->depth--;

    return rc;
}


static ngx_int_t
ngx_voice_schema_type(ngx_voice_schema_ctx_t *ctx, cJSON *type, cJSON *value)
{
    cJSON  *one;

    if (cJSON_IsString(type)) {

        if (ngx_voice_schema_is(value, type)) {
            return NGX_OK;
        }

        return ngx_voice_schema_fail(ctx, "must be of type %s",
                                     type->valuestring);
    }

    if (!cJSON_IsArray(type)) {
        return NGX_OK;
    }

    cJSON_ArrayForEach(one, type) {
        if (ngx_voice_schema_is(value, one)) {
            return NGX_OK;
        }
    }

    return ngx_voice_schema_fail(ctx, "must be of another type");
}


static ngx_uint_t
ngx_voice_schema_is(cJSON *value, cJSON *type)
{
    const char  *name;

    if (!cJSON_IsString(type)) {
        return 0;
    }

    name = type->valuestring;

    if (cJSON_IsNumber(value)) {
        return strcmp(name, "number") == 0
               || (strcmp(name, "integer") == 0
                   && value->valuedouble >= -9e15
                   && value->valuedouble <= 9e15
                   && value->valuedouble
                      == (double) (int64_t) value->valuedouble);
    }

    return strcmp(name, cJSON_IsString(value) ? "string"
                        : cJSON_IsObject(value) ? "object"
                        : cJSON_IsArray(value) ? "array"
                        : cJSON_IsBool(value) ? "boolean" : "null") == 0;
}


static ngx_int_t
ngx_voice_schema_enum(ngx_voice_schema_ctx_t *ctx, cJSON *list, cJSON *value)
{
    char    names[NGX_VOICE_SCHEMA_REASON];
    cJSON  *one;
    size_t  n;

    if (!cJSON_IsArray(list)) {
        return NGX_OK;
    }

    n = 0;
    names[0] = '\0';

    cJSON_ArrayForEach(one, list) {

        if (cJSON_Compare(one, value, 1)) {
            return NGX_OK;
        }

        if (cJSON_IsString(one) && n < sizeof(names)) {
            n += snprintf(names + n, sizeof(names) - n, "%s%s",
                          n ? ", " : "", one->valuestring);
        }
    }

    return ngx_voice_schema_fail(ctx, "must be one of: %s", names);
}


static ngx_int_t
ngx_voice_schema_object(ngx_voice_schema_ctx_t *ctx, cJSON *schema,
    cJSON *value)
{
    cJSON       *item, *properties, *property, *others;
    ngx_int_t    rc;
    const char  *name;

    ngx_voice_schema_nulls(schema, value);

    rc = ngx_voice_schema_required(ctx,
                                   ngx_voice_schema_get(schema, "required"),
                                   value);
    if (rc != NGX_OK) {
        return rc;
    }

    properties = ngx_voice_schema_get(schema, "properties");
    others = ngx_voice_schema_get(schema, "additionalProperties");

    name = ctx->name;

    cJSON_ArrayForEach(item, value) {
        ctx->name = item->string;

        property = ngx_voice_schema_get(properties, item->string);

        if (property == NULL && cJSON_IsFalse(others)) {
            return ngx_voice_schema_fail(ctx, "is not known here");
        }

        rc = ngx_voice_schema_value(ctx, property, item);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ctx->name = name;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_schema_required(ngx_voice_schema_ctx_t *ctx, cJSON *required,
    cJSON *value)
{
    cJSON  *one;

    if (!cJSON_IsArray(required)) {
        return NGX_OK;
    }

    cJSON_ArrayForEach(one, required) {

        if (cJSON_IsString(one)
            && ngx_voice_schema_get(value, one->valuestring) == NULL)
        {
            ctx->name = one->valuestring;
            return ngx_voice_schema_fail(ctx, "is missing");
        }
    }

    return NGX_OK;
}


/* models that know strict schemas only write null for what they leave out */

static void
ngx_voice_schema_nulls(cJSON *schema, cJSON *value)
{
    cJSON  *item, *next, *properties, *property, *type, *required;

    properties = ngx_voice_schema_get(schema, "properties");
    required = ngx_voice_schema_get(schema, "required");

    for (item = value->child; item; item = next) {
        next = item->next;

        if (!cJSON_IsNull(item)
            || ngx_voice_schema_lists(required, item->string))
        {
            continue;
        }

        property = ngx_voice_schema_get(properties, item->string);
        type = ngx_voice_schema_get(property, "type");

        if (cJSON_IsString(type) ? strcmp(type->valuestring, "null") != 0
            : cJSON_IsArray(type) && !ngx_voice_schema_lists(type, "null"))
        {
            cJSON_Delete(cJSON_DetachItemViaPointer(value, item));
        }
    }
}


static ngx_uint_t
ngx_voice_schema_lists(cJSON *list, const char *name)
{
    cJSON  *one;

    cJSON_ArrayForEach(one, list) {
        if (cJSON_IsString(one) && strcmp(one->valuestring, name) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_voice_schema_array(ngx_voice_schema_ctx_t *ctx, cJSON *schema,
    cJSON *value)
{
    cJSON      *item, *items;
    ngx_int_t   rc;

    rc = ngx_voice_schema_bounds(ctx, schema, "minItems", "maxItems",
                                 cJSON_GetArraySize(value), " items");
    if (rc != NGX_OK) {
        return rc;
    }

    items = ngx_voice_schema_get(schema, "items");

    cJSON_ArrayForEach(item, value) {
        rc = ngx_voice_schema_value(ctx, items, item);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_schema_bounds(ngx_voice_schema_ctx_t *ctx, cJSON *schema,
    const char *least, const char *most, double n, const char *unit)
{
    cJSON  *bound;

    bound = ngx_voice_schema_get(schema, least);

    if (cJSON_IsNumber(bound) && n < bound->valuedouble) {
        return ngx_voice_schema_fail(ctx, "must be at least %g%s",
                                     bound->valuedouble, unit);
    }

    bound = ngx_voice_schema_get(schema, most);

    if (cJSON_IsNumber(bound) && n > bound->valuedouble) {
        return ngx_voice_schema_fail(ctx, "must be at most %g%s",
                                     bound->valuedouble, unit);
    }

    return NGX_OK;
}


static double
ngx_voice_schema_chars(const char *text)
{
    double  n;

    for (n = 0; *text; text++) {
        if ((*text & 0xc0) != 0x80) {
            n++;
        }
    }

    return n;
}


static ngx_int_t
ngx_voice_schema_fail(ngx_voice_schema_ctx_t *ctx, const char *fmt, ...)
{
    int       n;
    char     *p, text[2 * NGX_VOICE_SCHEMA_REASON];
    size_t    len;
    va_list   args;

    n = snprintf(text, NGX_VOICE_SCHEMA_REASON, "%s%s%s",
                 ctx->name ? "\"" : "the arguments",
                 ctx->name ? ctx->name : "", ctx->name ? "\" " : " ");

    p = text + ngx_min(n, NGX_VOICE_SCHEMA_REASON - 1);

    va_start(args, fmt);
    (void) vsnprintf(p, text + sizeof(text) - p, fmt, args);
    va_end(args);

    len = strlen(text);
    len = ngx_voice_text_utf8_cut((u_char *) text, len,
                                  ngx_min(len, NGX_VOICE_SCHEMA_REASON - 1));

    ngx_memcpy(ctx->reason, text, len);
    ctx->reason[len] = '\0';

    return NGX_DECLINED;
}
