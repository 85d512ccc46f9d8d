
/*
 * Any bytes: the loader ends with a usable flow or with an error that can be
 * printed, holds no memory afterwards, and survives a failed allocation.
 */


#include "ngx_voice_flow.h"
#include "pool_shim.h"

#include <stdint.h>
#include <stdlib.h>


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static void
check_line(ngx_voice_line_t *line, ngx_pool_t *pool, size_t max)
{
    ngx_str_t          text;
    ngx_voice_facts_t  facts;

    ngx_memzero(&facts, sizeof(ngx_voice_facts_t));

    check(ngx_voice_line_render(line, pool, &facts, &text) == NGX_OK);
    check(text.len <= max);

    ngx_str_set(&facts.caller, "+15005550006");
    ngx_str_set(&facts.called, "+15005550009");
    ngx_str_set(&facts.date, "Wednesday, 30 September 2026");
    ngx_str_set(&facts.time, "23:59");
    ngx_str_set(&facts.weekday, "Wednesday");

    check(ngx_voice_line_render(line, pool, &facts, &text) == NGX_OK);
    check(text.len <= max);
}


static void
check_lines(ngx_array_t *lines, ngx_pool_t *pool)
{
    ngx_uint_t         i;
    ngx_voice_line_t  *line;

    check(lines->nelts > 0);

    line = lines->elts;

    for (i = 0; i < lines->nelts; i++) {
        check_line(&line[i], pool, NGX_VOICE_LINE_MAX);
    }
}


static void
check_flow(ngx_voice_flow_t *flow, ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t          words, value;
    ngx_uint_t         i;
    ngx_voice_rule_t  *rule;

    check(flow->name.len && flow->company.len && flow->language.len);

    check_line(&flow->greeting, pool, NGX_VOICE_LINE_MAX);
    check_line(&flow->opening, pool, NGX_VOICE_LINE_MAX);
    check_line(&flow->apology, pool, NGX_VOICE_LINE_MAX);
    check_line(&flow->goodbye, pool, NGX_VOICE_LINE_MAX);
    check_line(&flow->fallback.say, pool, NGX_VOICE_LINE_MAX);
    check_line(&flow->busy.say, pool, NGX_VOICE_LINE_MAX);
    check_line(&flow->prompt, pool, NGX_VOICE_PROMPT_MAX);
    check_lines(&flow->silence, pool);
    check_lines(&flow->fillers, pool);

    value = ngx_voice_flow_extension(&flow->voice.format);
    check(value.len > 0);

    check(flow->limits.turns >= 1 && flow->limits.turns <= 1000);

    ngx_str_set(&words, "okay thank you, goodbye aaaaaaaaaaaaaaaaaaaaaaaa");
    (void) ngx_voice_flow_match(flow, &words);

    words = *text;
    words.len = ngx_min(words.len, 1000);
    (void) ngx_voice_flow_match(flow, &words);

    ngx_str_null(&words);
    check(ngx_voice_flow_match(flow, &words) == NULL);

    rule = flow->rules.elts;

    for (i = 0; i < flow->rules.nelts; i++) {
        check(rule[i].action != NGX_VOICE_ACTION_NONE);
        check(rule[i].action != NGX_VOICE_ACTION_HUMAN
              || flow->fallback.number.len);

        if (rule[i].say) {
            check_line(rule[i].say, pool, NGX_VOICE_LINE_MAX);
        }
    }

    check(flow->busy.action == NGX_VOICE_ACTION_GOODBYE
          || (flow->busy.action == NGX_VOICE_ACTION_HUMAN
              && flow->fallback.number.len));

    for (i = 0; i < 256; i++) {
        check(ngx_voice_flow_key(flow, i) != NGX_VOICE_ACTION_HUMAN
              || flow->fallback.number.len);
    }
}


static void
check_error(ngx_voice_flow_error_t *err)
{
    size_t  n;

    n = strnlen(err->reason, sizeof(err->reason));
    check(n > 0 && n < sizeof(err->reason));

    n = strnlen(err->pointer, sizeof(err->pointer));
    check(n < sizeof(err->pointer));
    check(n == 0 || err->pointer[0] == '/');

    check((err->line == 0) == (err->column == 0));
    check(strpbrk(err->reason, "\r\n\t") == NULL);
    check(strpbrk(err->pointer, "\r\n\t") == NULL);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t                rc;
    ngx_str_t                text;
    ngx_pool_t              *pool;
    ngx_uint_t               n;
    ngx_voice_flow_t        *flow;
    ngx_voice_flow_error_t   err;

    /* a copy of the exact size, so that a byte read beyond it is seen */

    text.len = size;
    text.data = malloc(size ? size : 1);
    check(text.data != NULL);

    if (size) {
        ngx_memcpy(text.data, data, size);
    }

    pool_shim_count = 0;
    pool_shim_fail = 0;

    pool = ngx_create_pool(4096, NULL);
    rc = ngx_voice_flow_parse(pool, &text, &flow, &err);
    n = pool_shim_count;

    if (rc == NGX_OK) {
        check_flow(flow, pool, &text);
        ngx_voice_flow_free(flow);

    } else {
        check(rc == NGX_DECLINED);
        check_error(&err);
    }

    ngx_destroy_pool(pool);

    if (rc == NGX_OK) {
        pool_shim_count = 0;
        pool_shim_fail = 1 + size % n;

        pool = ngx_create_pool(4096, NULL);
        check(ngx_voice_flow_parse(pool, &text, &flow, &err) == NGX_ERROR);
        check_error(&err);
        ngx_destroy_pool(pool);
    }

    free(text.data);

    return 0;
}
