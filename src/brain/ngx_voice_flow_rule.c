
#include "ngx_voice_flow_rule.h"
#include "ngx_voice_flow_lines.h"


#define NGX_VOICE_FLOW_MATCH_LIMIT   10000


typedef struct {
    const char                  *name;
    ngx_voice_action_e           action;
} ngx_voice_flow_action_t;


static ngx_int_t ngx_voice_flow_matcher(ngx_voice_flow_t *flow);
static ngx_uint_t ngx_voice_flow_meets(ngx_voice_flow_t *flow,
    ngx_voice_pattern_t *pattern, ngx_str_t *words);
static ngx_int_t ngx_voice_flow_key_index(u_char digit);


static const ngx_voice_flow_action_t  ngx_voice_flow_actions[] = {

    { "goodbye", NGX_VOICE_ACTION_GOODBYE },
    { "human",   NGX_VOICE_ACTION_HUMAN },
    { "wait",    NGX_VOICE_ACTION_WAIT },

    { NULL, NGX_VOICE_ACTION_NONE }
};


ngx_int_t
ngx_voice_flow_read_pattern(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    int                   code;
    u_char                message[120];
    ngx_int_t             rc;
    PCRE2_SIZE            offset;
    ngx_voice_flow_t     *flow = ctx->flow;
    ngx_voice_pattern_t  *pattern;

    pattern = (ngx_voice_pattern_t *) ((char *) conf + row->offset);

    if (ngx_voice_flow_matcher(flow) != NGX_OK) {
        return ngx_voice_flow_no_memory(ctx);
    }

    rc = ngx_voice_flow_plain(ctx, item, row->min, row->max);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_voice_flow_copy(ctx, item->valuestring, &pattern->text);
    if (rc != NGX_OK) {
        return rc;
    }

    pattern->code = pcre2_compile(pattern->text.data, pattern->text.len,
                                  PCRE2_UTF|PCRE2_UCP|PCRE2_CASELESS
                                  |PCRE2_NEVER_BACKSLASH_C,
                                  &code, &offset, NULL);

    if (pattern->code == NULL) {
        (void) pcre2_get_error_message(code, message, sizeof(message));

        return ngx_voice_flow_fail(ctx, "is no pattern, at offset %lu: %s",
                                   (unsigned long) offset, message);
    }

    /* without JIT it is only slower */

    (void) pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);

    if (pcre2_match(pattern->code, (u_char *) "", 0, 0, 0,
                    flow->match_data, flow->match_context)
        >= 0)
    {
        return ngx_voice_flow_fail(ctx, "matches an empty text, so it would "
                                   "match whatever the caller says");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_matcher(ngx_voice_flow_t *flow)
{
    if (flow->match_data) {
        return NGX_OK;
    }

    flow->match_context = pcre2_match_context_create(NULL);
    flow->match_data = pcre2_match_data_create(1, NULL);

    if (flow->match_context == NULL || flow->match_data == NULL) {
        return NGX_ERROR;
    }

    pcre2_set_match_limit(flow->match_context, NGX_VOICE_FLOW_MATCH_LIMIT);
    pcre2_set_depth_limit(flow->match_context, NGX_VOICE_FLOW_MATCH_LIMIT);

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_action(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    const ngx_voice_flow_action_t  *action;

    if (cJSON_IsString(item)) {

        for (action = ngx_voice_flow_actions; action->name; action++) {

            if (strcmp(action->name, item->valuestring) == 0) {
                *(ngx_voice_action_e *) ((char *) conf + row->offset) =
                                                              action->action;
                return NGX_OK;
            }
        }
    }

    return ngx_voice_flow_fail(ctx, "must be \"goodbye\", \"human\" or "
                               "\"wait\"");
}


ngx_int_t
ngx_voice_flow_read_way_out(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_voice_action_e  *action;

    action = (ngx_voice_action_e *) ((char *) conf + row->offset);

    if (ngx_voice_flow_read_action(ctx, row, item, conf) != NGX_OK
        || *action == NGX_VOICE_ACTION_WAIT)
    {
        return ngx_voice_flow_fail(ctx, "must be \"goodbye\" or \"human\"");
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_read_say(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_voice_line_t      *say;
    ngx_voice_flow_row_t   line;

    say = ngx_pcalloc(ctx->pool, sizeof(ngx_voice_line_t));
    if (say == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    *(ngx_voice_line_t **) ((char *) conf + row->offset) = say;

    line = *row;
    line.offset = 0;

    return ngx_voice_flow_read_line(ctx, &line, item, say);
}


ngx_int_t
ngx_voice_flow_read_keys(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    cJSON                 *element;
    size_t                 len;
    ngx_int_t              i, rc;
    ngx_voice_flow_row_t   key;

    if (!cJSON_IsObject(item)) {
        return ngx_voice_flow_fail(ctx, "must be an object");
    }

    key = *row;

    cJSON_ArrayForEach(element, item) {
        len = ngx_voice_flow_enter(ctx, element->string);

        i = ngx_voice_flow_key_index(element->string[0]);

        if (i < 0 || element->string[1] != '\0') {
            return ngx_voice_flow_fail(ctx, "is no key of a telephone: one "
                                       "of 0 to 9, * and #");
        }

        key.offset = row->offset + i * sizeof(ngx_voice_action_e);

        rc = ngx_voice_flow_read_action(ctx, &key, element, conf);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_voice_flow_leave(ctx, len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_voice_flow_human(ngx_voice_flow_ctx_t *ctx, ngx_voice_flow_t *flow)
{
    char               key[2];
    ngx_uint_t         i;
    ngx_voice_rule_t  *rule;

    if (flow->fallback.number.len) {
        return NGX_OK;
    }

    rule = flow->rules.elts;

    for (i = 0; i < flow->rules.nelts; i++) {

        if (rule[i].action == NGX_VOICE_ACTION_HUMAN) {
            (void) ngx_voice_flow_enter(ctx, "rules");
            (void) ngx_voice_flow_enter_index(ctx, i);
            (void) ngx_voice_flow_enter(ctx, "do");
            goto failed;
        }
    }

    for (i = 0; i < 12; i++) {

        if (flow->keys[i] == NGX_VOICE_ACTION_HUMAN) {
            key[0] = "0123456789*#"[i];
            key[1] = '\0';

            (void) ngx_voice_flow_enter(ctx, "keys");
            (void) ngx_voice_flow_enter(ctx, key);
            goto failed;
        }
    }

    if (flow->busy.action == NGX_VOICE_ACTION_HUMAN) {
        (void) ngx_voice_flow_enter(ctx, "busy");
        (void) ngx_voice_flow_enter(ctx, "do");
        goto failed;
    }

    return NGX_OK;

failed:

    return ngx_voice_flow_fail(ctx, "is \"human\", but there is no way to "
                               "one: /fallback/number is missing");
}


void
ngx_voice_flow_free_rules(ngx_voice_flow_t *flow)
{
    ngx_uint_t          i;
    ngx_voice_rule_t   *rule;
    ngx_voice_route_t  *route;

    rule = flow->rules.elts;

    for (i = 0; i < flow->rules.nelts; i++) {
        pcre2_code_free(rule[i].when.code);
    }

    route = flow->routes.elts;

    for (i = 0; i < flow->routes.nelts; i++) {
        pcre2_code_free(route[i].when.code);
    }

    pcre2_match_data_free(flow->match_data);
    pcre2_match_context_free(flow->match_context);

    flow->match_data = NULL;
    flow->match_context = NULL;
    flow->rules.nelts = 0;
    flow->routes.nelts = 0;
}


ngx_voice_rule_t *
ngx_voice_flow_match(ngx_voice_flow_t *flow, ngx_str_t *words)
{
    ngx_uint_t         i;
    ngx_voice_rule_t  *rule;

    rule = flow->rules.elts;

    for (i = 0; i < flow->rules.nelts; i++) {

        if (ngx_voice_flow_meets(flow, &rule[i].when, words)) {
            return &rule[i];
        }
    }

    return NULL;
}


ngx_voice_route_t *
ngx_voice_flow_route(ngx_voice_flow_t *flow, ngx_str_t *words)
{
    ngx_uint_t          i;
    ngx_voice_route_t  *route;

    route = flow->routes.elts;

    for (i = 0; i < flow->routes.nelts; i++) {
        if (route[i].when.code
            && ngx_voice_flow_meets(flow, &route[i].when, words))
        {
            return &route[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_voice_flow_meets(ngx_voice_flow_t *flow, ngx_voice_pattern_t *pattern,
    ngx_str_t *words)
{
    return pcre2_match(pattern->code,
                       words->len ? words->data : (u_char *) "", words->len,
                       0, 0, flow->match_data, flow->match_context)
           >= 0;
}


ngx_voice_action_e
ngx_voice_flow_key(ngx_voice_flow_t *flow, u_char digit)
{
    ngx_int_t  i;

    i = ngx_voice_flow_key_index(digit);

    return i < 0 ? NGX_VOICE_ACTION_NONE : flow->keys[i];
}


static ngx_int_t
ngx_voice_flow_key_index(u_char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }

    if (digit == '*') {
        return 10;
    }

    if (digit == '#') {
        return 11;
    }

    return -1;
}
