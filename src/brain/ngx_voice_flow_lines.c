
#include "ngx_voice_flow_lines.h"
#include "ngx_voice_flow.h"


static ngx_int_t ngx_voice_flow_template(ngx_voice_flow_ctx_t *ctx,
    ngx_voice_line_t *line, size_t max);


static const ngx_voice_line_name_t  ngx_voice_flow_names[] = {

    { "company",       offsetof(ngx_voice_flow_t, company),    0, 0 },
    { "agent",         offsetof(ngx_voice_flow_t, agent),      0, 0 },
    { "language",      offsetof(ngx_voice_flow_t, language),   0, 0 },
    { "caller.number", offsetof(ngx_voice_facts_t, caller),    1, 1 },
    { "called.number", offsetof(ngx_voice_facts_t, called),    1, 0 },
    { "date",          offsetof(ngx_voice_facts_t, date),      1, 0 },
    { "time",          offsetof(ngx_voice_facts_t, time),      1, 0 },
    { "weekday",       offsetof(ngx_voice_facts_t, weekday),   1, 0 },
    { "contact.name",  offsetof(ngx_voice_facts_t, contact_name), 1, 1 },
    { "contact.first_name",
      offsetof(ngx_voice_facts_t, contact_first_name), 1, 1 },
    { "contact.company",
      offsetof(ngx_voice_facts_t, contact_company), 1, 1 },
    { "deal.title",    offsetof(ngx_voice_facts_t, deal_title), 1, 1 },
    { "ticket.number", offsetof(ngx_voice_facts_t, ticket_number), 1, 1 },
    { "ticket.title",  offsetof(ngx_voice_facts_t, ticket_title), 1, 1 },

    { NULL, 0, 0, 0 }
};


ngx_int_t
ngx_voice_flow_read_line(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_int_t          rc;
    ngx_str_t         *phrase;
    ngx_voice_flow_t  *flow;
    ngx_voice_line_t  *line;

    line = (ngx_voice_line_t *) ((char *) conf + row->offset);

    rc = ngx_voice_flow_plain(ctx, item, 1, 0);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_voice_flow_copy(ctx, item->valuestring, &line->source);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_voice_flow_template(ctx, line, NGX_VOICE_LINE_MAX);

    if (rc != NGX_OK || !line->fixed || line->text.len == 0) {
        return rc;
    }

    flow = ctx->flow;

    phrase = ngx_array_push(&flow->stock);
    if (phrase == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    *phrase = line->text;

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_lines(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    cJSON                 *element;
    size_t                 len;
    ngx_int_t              rc;
    ngx_uint_t             n;
    ngx_array_t           *lines;
    ngx_voice_line_t      *line;
    ngx_voice_flow_row_t   each;

    lines = (ngx_array_t *) ((char *) conf + row->offset);

    n = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : 0;

    if (n < row->min || n > row->max) {
        return ngx_voice_flow_fail(ctx, "must be an array of %g to %g lines",
                                   row->min, row->max);
    }

    if (ngx_array_init(lines, ctx->pool, n, sizeof(ngx_voice_line_t))
        != NGX_OK)
    {
        return ngx_voice_flow_no_memory(ctx);
    }

    each = *row;
    each.offset = 0;

    cJSON_ArrayForEach(element, item) {
        len = ngx_voice_flow_enter_index(ctx, lines->nelts);

        line = ngx_array_push(lines);
        if (line == NULL) {
            return ngx_voice_flow_no_memory(ctx);
        }

        rc = ngx_voice_flow_read_line(ctx, &each, element, line);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_voice_flow_leave(ctx, len);
    }

    return NGX_OK;
}


/*
 * Each element is checked by itself, so that an error names it, and then
 * they are one text for the model.
 */

ngx_int_t
ngx_voice_flow_read_prompt(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    cJSON             *element;
    size_t             len, room;
    u_char            *p;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_voice_line_t   line, *prompt;

    prompt = (ngx_voice_line_t *) ((char *) conf + row->offset);

    if (cJSON_IsString(item)) {
        rc = ngx_voice_flow_copy(ctx, item->valuestring, &prompt->source);
        if (rc != NGX_OK) {
            return rc;
        }

        goto done;
    }

    if (!cJSON_IsArray(item)) {
        return ngx_voice_flow_fail(ctx, "must be a string or an array of "
                                   "strings");
    }

    i = 0;
    room = 1;

    cJSON_ArrayForEach(element, item) {
        len = ngx_voice_flow_enter_index(ctx, i++);

        if (!cJSON_IsString(element)) {
            return ngx_voice_flow_fail(ctx, "must be a string");
        }

        line.source.data = (u_char *) element->valuestring;
        line.source.len = strlen(element->valuestring);

        rc = ngx_voice_flow_template(ctx, &line, NGX_VOICE_PROMPT_MAX);
        if (rc != NGX_OK) {
            return rc;
        }

        room += line.source.len + 1;

        ngx_voice_flow_leave(ctx, len);
    }

    p = ngx_pnalloc(ctx->pool, room);
    if (p == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    prompt->source.data = p;

    cJSON_ArrayForEach(element, item) {
        p = ngx_cpymem(p, element->valuestring,
                       strlen(element->valuestring));
        *p++ = LF;
    }

    prompt->source.len = p - prompt->source.data;

    if (prompt->source.len) {
        prompt->source.len--;
    }

done:

    for (i = 0; i < prompt->source.len; i++) {
        if (prompt->source.data[i] > ' ') {
            return ngx_voice_flow_template(ctx, prompt,
                                           NGX_VOICE_PROMPT_MAX);
        }
    }

    return ngx_voice_flow_fail(ctx, "must not be empty");
}


static ngx_int_t
ngx_voice_flow_template(ngx_voice_flow_ctx_t *ctx, ngx_voice_line_t *line,
    size_t max)
{
    ngx_int_t               rc;
    ngx_voice_line_parse_t  parse;

    parse.pool = ctx->pool;
    parse.names = ngx_voice_flow_names;
    parse.values = ctx->flow;
    parse.max = max;

    rc = ngx_voice_line_parse(line, &parse);

    if (rc == NGX_DECLINED) {
        return ngx_voice_flow_fail(ctx, "%s", parse.reason);
    }

    if (rc != NGX_OK) {
        return ngx_voice_flow_no_memory(ctx);
    }

    return NGX_OK;
}
