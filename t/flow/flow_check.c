
/*
 * flow_check FILE...                      "ok", or the error, a line a file
 * flow_check --show FILE                  everything that was read
 * flow_check --render FILE [FACT=TEXT...] lines as the caller hears them
 * flow_check --match FILE WORDS...        the rule that the words meet
 * flow_check --key FILE DIGIT...          what a key does
 * flow_check --starve FILE                fails each allocation in its turn
 */


#include "ngx_voice_flow.h"
#include "pool_shim.h"

#include <stdio.h>
#include <stdlib.h>


static const char  *actions[] = { "none", "goodbye", "human", "wait" };


static void
die(const char *what, const char *name)
{
    fprintf(stderr, "flow_check: %s \"%s\"\n", what, name);
    exit(2);
}


static ngx_str_t
slurp(const char *name)
{
    FILE       *f;
    ngx_str_t   text;

    f = fopen(name, "rb");
    if (f == NULL) {
        die("cannot open", name);
    }

    text.data = malloc(1024 * 1024);
    if (text.data == NULL) {
        die("out of memory for", name);
    }

    text.len = fread(text.data, 1, 1024 * 1024, f);

    fclose(f);

    return text;
}


static ngx_voice_flow_t *
load(const char *name, ngx_pool_t *pool, ngx_uint_t quiet)
{
    ngx_int_t                rc;
    ngx_str_t                text;
    ngx_voice_flow_t        *flow;
    ngx_voice_flow_error_t   err;

    text = slurp(name);

    rc = ngx_voice_flow_parse(pool, &text, &flow, &err);

    free(text.data);

    if (rc == NGX_OK) {
        return flow;
    }

    if (err.line) {
        printf("line %lu, column %lu: ", (unsigned long) err.line,
               (unsigned long) err.column);
    }

    printf("%s%s%s\n", err.pointer, err.pointer[0] ? " " : "", err.reason);

    if (!quiet) {
        exit(1);
    }

    return NULL;
}


static void
show_text(const char *name, ngx_str_t *value)
{
    printf("%s=%.*s\n", name, (int) value->len, (char *) value->data);
}


static void
show_number(const char *name, ngx_uint_t value)
{
    printf("%s=%lu\n", name, (unsigned long) value);
}


static void
show_lines(const char *name, ngx_array_t *lines)
{
    ngx_uint_t         i;
    ngx_voice_line_t  *line;

    line = lines->elts;

    for (i = 0; i < lines->nelts; i++) {
        show_text(name, &line[i].source);
    }
}


static void
show(ngx_voice_flow_t *flow)
{
    ngx_str_t           value, *tool;
    ngx_uint_t          i;
    ngx_voice_rule_t   *rule;
    ngx_voice_slot_t   *slot;
    ngx_voice_route_t  *route;

    static ngx_str_t  empty = ngx_null_string;

    show_text("name", &flow->name);
    show_text("company", &flow->company);
    show_text("agent", &flow->agent);
    show_text("language", &flow->language);
    show_text("consent", &flow->consent.source);
    show_text("greeting", &flow->greeting.source);
    show_number("greeting.fixed", flow->greeting.fixed);
    show_text("opening", &flow->opening.source);
    show_text("prompt", &flow->prompt.source);
    show_number("prompt.fixed", flow->prompt.fixed);
    show_text("apology", &flow->apology.source);
    show_text("patience", &flow->patience.source);
    show_text("goodbye", &flow->goodbye.source);
    show_lines("silence", &flow->silence);
    show_lines("fillers", &flow->fillers);
    show_lines("tool_fillers", &flow->tool_fillers);
    show_lines("misheard", &flow->misheard);

    show_text("model.name", &flow->model.name);
    show_number("model.max_tokens", flow->model.max_tokens);

    if (flow->model.has_temperature) {
        printf("model.temperature=%g\n", flow->model.temperature);
    }

    show_text("voice.id", &flow->voice.id);
    show_text("voice.model", &flow->voice.model);
    show_text("voice.format", &flow->voice.format);
    show_text("voice.settings", &flow->voice.settings);
    show_text("voice.say", &flow->voice.say);

    value = ngx_voice_flow_extension(&flow->voice.format);
    show_text("extension", &value);


    printf("listen.mode=%s\n",
           flow->listen.mode == NGX_VOICE_LISTEN_WHISPER ? "whisper"
                                                         : "gather");
    show_text("listen.hints", &flow->listen.hints);
    show_number("listen.timeout", flow->listen.timeout);
    show_number("listen.speech_timeout", flow->listen.speech_timeout);
    show_text("listen.speech_model", &flow->listen.speech_model);
    show_number("listen.profanity_filter", flow->listen.profanity_filter);
    printf("listen.confidence=%g\n", flow->listen.confidence);
    show_number("listen.patience", flow->listen.patience);
    show_number("listen.delete_recordings", flow->listen.delete_recordings);

    rule = flow->rules.elts;

    for (i = 0; i < flow->rules.nelts; i++) {
        printf("rule=%s", actions[rule[i].action]);
        show_text(rule[i].say ? " say" : "",
                  rule[i].say ? &rule[i].say->source : &rule[i].when.text);
    }

    for (i = 0; i < 12; i++) {
        if (flow->keys[i]) {
            printf("key=%c %s\n", "0123456789*#"[i], actions[flow->keys[i]]);
        }
    }

    route = flow->routes.elts;

    for (i = 0; i < flow->routes.nelts; i++) {
        show_text("route", &route[i].to);
        show_text(" when", &route[i].when.text);
        show_text(" description", &route[i].description);
        show_text(" say", route[i].say ? &route[i].say->source : &empty);
    }

    slot = flow->slots.elts;

    for (i = 0; i < flow->slots.nelts; i++) {
        show_text("slot", &slot[i].name);
        show_text(" description", &slot[i].description);
    }

    tool = flow->tools.elts;

    for (i = 0; i < flow->tools.nelts; i++) {
        show_text("tool", &tool[i]);
    }

    show_text("escalation.number", &flow->escalation.number);
    show_number("escalation.days", flow->escalation.hours.days);
    show_number("escalation.from", flow->escalation.hours.from);
    show_number("escalation.to", flow->escalation.hours.to);
    show_number("fallback.after", flow->fallback.after);
    show_text("fallback.say", &flow->fallback.say.source);
    show_text("fallback.number", &flow->fallback.number);
    show_text("busy.say", &flow->busy.say.source);
    printf("busy.do=%s\n", actions[flow->busy.action]);
    show_number("limits.turns", flow->limits.turns);
    show_number("limits.duration", flow->limits.duration);
    show_number("limits.misheard", flow->limits.misheard);
    show_number("limits.history", flow->limits.history);
    show_number("limits.answer", flow->limits.answer);
    show_number("limits.rounds", flow->limits.rounds);
}


static void
render(ngx_pool_t *pool, const char *name, ngx_voice_line_t *line,
    ngx_voice_facts_t *facts)
{
    ngx_str_t  text;

    if (ngx_voice_line_render(line, pool, facts, &text) != NGX_OK) {
        die("cannot render", name);
    }

    show_text(name, &text);
}


static void
render_all(ngx_voice_flow_t *flow, ngx_pool_t *pool, char **arg)
{
    char               *value;
    size_t              len;
    ngx_str_t          *fact;
    ngx_uint_t          i;
    ngx_voice_line_t   *line;
    ngx_voice_facts_t   facts;

    static struct {
        const char  *name;
        size_t       offset;
    } names[] = {
        { "caller", offsetof(ngx_voice_facts_t, caller) },
        { "called", offsetof(ngx_voice_facts_t, called) },
        { "date", offsetof(ngx_voice_facts_t, date) },
        { "time", offsetof(ngx_voice_facts_t, time) },
        { "weekday", offsetof(ngx_voice_facts_t, weekday) }
    };

    ngx_memzero(&facts, sizeof(ngx_voice_facts_t));

    for ( /* void */ ; *arg; arg++) {
        value = strchr(*arg, '=');
        if (value == NULL) {
            die("no fact", *arg);
        }

        len = value - *arg;

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strlen(names[i].name) == len
                && strncmp(names[i].name, *arg, len) == 0)
            {
                fact = (ngx_str_t *) ((char *) &facts + names[i].offset);
                fact->data = (u_char *) value + 1;
                fact->len = strlen(value + 1);
            }
        }
    }

    render(pool, "greeting", &flow->greeting, &facts);
    render(pool, "opening", &flow->opening, &facts);
    render(pool, "goodbye", &flow->goodbye, &facts);
    render(pool, "apology", &flow->apology, &facts);
    render(pool, "patience", &flow->patience, &facts);
    render(pool, "prompt", &flow->prompt, &facts);

    line = flow->silence.elts;

    for (i = 0; i < flow->silence.nelts; i++) {
        render(pool, "silence", &line[i], &facts);
    }
}


static void
match(ngx_voice_flow_t *flow, char **arg)
{
    ngx_str_t          words;
    ngx_voice_rule_t  *rule;

    for ( /* void */ ; *arg; arg++) {
        words.data = (u_char *) *arg;
        words.len = strlen(*arg);

        rule = ngx_voice_flow_match(flow, &words);

        if (rule == NULL) {
            printf("none\n");
            continue;
        }

        printf("%lu %s\n",
               (unsigned long)
                   (rule - (ngx_voice_rule_t *) flow->rules.elts),
               actions[rule->action]);
    }
}


static ngx_int_t
starve(const char *name)
{
    ngx_int_t                rc;
    ngx_str_t                text;
    ngx_uint_t               n;
    ngx_pool_t              *pool;
    ngx_voice_flow_t        *flow;
    ngx_voice_flow_error_t   err;

    text = slurp(name);
    rc = NGX_ERROR;

    for (n = 1; rc == NGX_ERROR; n++) {
        pool_shim_count = 0;
        pool_shim_fail = n;

        pool = ngx_create_pool(4096, NULL);
        rc = ngx_voice_flow_parse(pool, &text, &flow, &err);

        if (rc == NGX_OK) {
            ngx_voice_flow_free(flow);
        }

        ngx_destroy_pool(pool);
    }

    free(text.data);

    printf("%s\n", rc == NGX_OK && n > 20 ? "ok" : err.reason);

    return rc;
}


int
main(int argc, char **argv)
{
    int                i, failed;
    ngx_pool_t        *pool;
    ngx_voice_flow_t  *flow;

    if (argc < 2) {
        die("needs", "FILE");
    }

    if (strcmp(argv[1], "--starve") == 0 && argc > 2) {
        return starve(argv[2]) == NGX_OK ? 0 : 1;
    }

    if (argv[1][0] == '-' && argc > 2) {

        pool = ngx_create_pool(4096, NULL);
        flow = load(argv[2], pool, 0);

        if (strcmp(argv[1], "--show") == 0) {
            show(flow);

        } else if (strcmp(argv[1], "--render") == 0) {
            render_all(flow, pool, argv + 3);

        } else if (strcmp(argv[1], "--match") == 0) {
            match(flow, argv + 3);

        } else if (strcmp(argv[1], "--key") == 0) {
            for (i = 3; i < argc; i++) {
                printf("%s\n", actions[ngx_voice_flow_key(flow,
                                                          argv[i][0])]);
            }

        } else {
            die("unknown option", argv[1]);
        }

        ngx_voice_flow_free(flow);
        ngx_destroy_pool(pool);

        return 0;
    }

    failed = 0;

    for (i = 1; i < argc; i++) {
        pool = ngx_create_pool(4096, NULL);
        flow = load(argv[i], pool, 1);

        if (flow) {
            printf("ok\n");
            ngx_voice_flow_free(flow);

        } else {
            failed = 1;
        }

        ngx_destroy_pool(pool);
    }

    return failed;
}
