
/*
 * Lines: text that may name what only the flow or the call knows.
 * "{{name}}" or "{{name|alternative}}", the alternative for a missing value.
 */


#ifndef _NGX_VOICE_LINE_H_INCLUDED_
#define _NGX_VOICE_LINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* what a line may name and only the call knows; empty means missing */

typedef struct {
    ngx_str_t               caller;          /* {{caller.number}} */
    ngx_str_t               called;          /* {{called.number}} */
    ngx_str_t               date;
    ngx_str_t               time;
    ngx_str_t               weekday;
    ngx_str_t               contact_name;    /* {{contact.name}} and so on */
    ngx_str_t               contact_first_name;
    ngx_str_t               contact_company;
    ngx_str_t               deal_title;
    ngx_str_t               ticket_number;
    ngx_str_t               ticket_title;
} ngx_voice_facts_t;


typedef struct {
    ngx_str_t               text;            /* literal, or alternative */
    size_t                  offset;          /* of the fact in the facts */
    unsigned                fact:1;
} ngx_voice_part_t;


typedef struct {
    ngx_str_t               source;          /* as written */
    ngx_str_t               text;            /* rendered, only when fixed */
    ngx_array_t             parts;           /* of ngx_voice_part_t */
    unsigned                fixed:1;         /* the same in every call */
} ngx_voice_line_t;


/* a name is a fact of the call, or an ngx_str_t known while parsing */

typedef struct {
    const char             *name;
    size_t                  offset;          /* in the facts or the values */
    unsigned                fact:1;
    unsigned                withheld:1;      /* needs an alternative */
} ngx_voice_line_name_t;


typedef struct {
    ngx_pool_t                   *pool;
    const ngx_voice_line_name_t  *names;     /* ends with NULL */
    void                         *values;
    size_t                        max;       /* bytes, names filled in */
    char                          reason[384];
} ngx_voice_line_parse_t;


/*
 * The source becomes the rest of the line, and the parts point into it.
 * NGX_OK; NGX_DECLINED with a reason; NGX_ERROR when memory ran out.
 */
ngx_int_t ngx_voice_line_parse(ngx_voice_line_t *line,
    ngx_voice_line_parse_t *ctx);

/* a fixed line costs nothing; others are built in the pool */
ngx_int_t ngx_voice_line_render(ngx_voice_line_t *line, ngx_pool_t *pool,
    ngx_voice_facts_t *facts, ngx_str_t *out);


#endif /* _NGX_VOICE_LINE_H_INCLUDED_ */
