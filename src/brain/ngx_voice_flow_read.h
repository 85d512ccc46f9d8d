
/*
 * The reader of a flow file: it walks JSON objects by tables of rows, one
 * row a key, with the function that reads its value, its bounds and its
 * default.  A default is JSON and goes through the same function, so it
 * cannot be a value that the function would refuse.  The order of the rows
 * is the order of reading.
 *
 * The reader does not know what a flow is: rows say where values go.
 */


#ifndef _NGX_VOICE_FLOW_READ_H_INCLUDED_
#define _NGX_VOICE_FLOW_READ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <cjson/cJSON.h>


#define NGX_VOICE_FLOW_REQUIRED      1


typedef struct {
    ngx_pool_t                  *pool;
    void                        *flow;         /* what is being filled */
    size_t                       len;
    char                         pointer[256]; /* where the reader is */
    char                         reason[384];
    unsigned                     defaults:1;   /* reading a row's default */
} ngx_voice_flow_ctx_t;


typedef struct ngx_voice_flow_row_s  ngx_voice_flow_row_t;

/* conf is the struct that the row's offset counts from */

typedef ngx_int_t (*ngx_voice_flow_read_pt)(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);

struct ngx_voice_flow_row_s {
    const char                  *key;
    ngx_voice_flow_read_pt       read;
    size_t                       offset;
    ngx_uint_t                   flags;
    double                       min;
    double                       max;
    const void                  *detail;       /* what the function wants */
    const char                  *value;        /* default, as JSON */
};


/* the detail of a form; the pattern is the one that flow.schema.json has */

typedef struct {
    const char                  *pattern;
    const char                  *reason;
} ngx_voice_flow_form_t;


/* the detail of a list of objects */

typedef struct {
    const ngx_voice_flow_row_t  *rows;
    size_t                       size;         /* of what each fills */
    const char                  *what;
} ngx_voice_flow_list_t;


/*
 * Each returns NGX_OK, NGX_DECLINED (the file is wrong) or NGX_ERROR (no
 * memory); in the two latter cases ctx holds the pointer and the reason.
 */
ngx_int_t ngx_voice_flow_walk(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *rows, cJSON *object, void *conf);

/* min and max are characters; no max: the length is checked elsewhere */
ngx_int_t ngx_voice_flow_plain(ngx_voice_flow_ctx_t *ctx, cJSON *item,
    ngx_uint_t min, ngx_uint_t max);
ngx_int_t ngx_voice_flow_copy(ngx_voice_flow_ctx_t *ctx, const char *text,
    ngx_str_t *out);

/* return NGX_DECLINED and NGX_ERROR */
ngx_int_t ngx_voice_flow_fail(ngx_voice_flow_ctx_t *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
ngx_int_t ngx_voice_flow_no_memory(ngx_voice_flow_ctx_t *ctx);

/* leave takes what enter has returned */
size_t ngx_voice_flow_enter(ngx_voice_flow_ctx_t *ctx, const char *key);
size_t ngx_voice_flow_enter_index(ngx_voice_flow_ctx_t *ctx, ngx_uint_t i);
void ngx_voice_flow_leave(ngx_voice_flow_ctx_t *ctx, size_t len);


/*
 * For rows, in parentheses what they fill: a string that is not kept, an
 * object with the rows in detail, a list of up to max objects (ngx_array_t),
 * text of min to max characters (ngx_str_t),
 * text of the form in detail (ngx_str_t), a number (double), a whole number
 * (ngx_uint_t), true or false (ngx_flag_t).
 */
ngx_int_t ngx_voice_flow_read_ignore(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_object(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_list(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_text(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_form(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_number(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_whole(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
ngx_int_t ngx_voice_flow_read_flag(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);


#endif /* _NGX_VOICE_FLOW_READ_H_INCLUDED_ */
