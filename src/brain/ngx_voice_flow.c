
/*
 * The flow loader.  What a flow file may hold is written once, in the tables
 * below: one row a key, with the reader that knows its type, its bounds and
 * its default.  A default is JSON and goes through the same reader, so it
 * cannot be a value that the reader would refuse.  The order of the rows is
 * the order of reading: what lines may name stands before the lines.
 */


#include "ngx_voice_flow.h"
#include "../wire/ngx_voice_json.h"

#include <stdarg.h>
#include <stdio.h>


#define NGX_VOICE_FLOW_MATCH_LIMIT   10000
#define NGX_VOICE_FLOW_PATTERN_MAX   500
#define NGX_VOICE_FLOW_RULES_MAX     64

/* what a caller's number or a date takes at most, for the length of lines */
#define NGX_VOICE_FLOW_FACT_MAX      32

#define NGX_VOICE_FLOW_REQUIRED      1


typedef struct {
    ngx_pool_t                  *pool;
    ngx_voice_flow_t            *flow;
    ngx_voice_flow_error_t      *err;
    size_t                       len;
    char                         pointer[256];
    unsigned                     defaults:1;   /* reading a row's default */
} ngx_voice_flow_ctx_t;


typedef struct ngx_voice_flow_row_s  ngx_voice_flow_row_t;

typedef ngx_int_t (*ngx_voice_flow_read_pt)(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);

struct ngx_voice_flow_row_s {
    const char                  *key;
    ngx_voice_flow_read_pt       read;
    size_t                       offset;
    ngx_uint_t                   flags;
    double                       min;
    double                       max;
    const void                  *detail;
    const char                  *value;        /* default, as JSON */
};


/* the pattern is the one that flow.schema.json has */

typedef struct {
    const char                  *pattern;
    const char                  *reason;
} ngx_voice_flow_form_t;


typedef struct {
    const char                  *name;
    ngx_voice_action_e           action;
} ngx_voice_flow_action_t;


typedef struct {
    const char                  *name;
    const char                  *extension;
    const char                  *content_type;
} ngx_voice_flow_format_t;


typedef struct {
    const char                  *name;
    size_t                       offset;       /* in the flow or the facts */
    unsigned                     fact:1;
    unsigned                     withheld:1;   /* needs an alternative */
} ngx_voice_flow_name_t;


/* only checked here: ElevenLabs gets the settings as they are written */

typedef struct {
    double                       stability;
    double                       similarity_boost;
    double                       style;
    double                       speed;
    ngx_flag_t                   use_speaker_boost;
} ngx_voice_flow_settings_t;


static ngx_int_t ngx_voice_flow_fail(ngx_voice_flow_ctx_t *ctx,
    const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static ngx_int_t ngx_voice_flow_no_memory(ngx_voice_flow_ctx_t *ctx);
static void ngx_voice_flow_clean(char *text);
static size_t ngx_voice_flow_enter(ngx_voice_flow_ctx_t *ctx,
    const char *key);
static size_t ngx_voice_flow_enter_index(ngx_voice_flow_ctx_t *ctx,
    ngx_uint_t i);
static void ngx_voice_flow_leave(ngx_voice_flow_ctx_t *ctx, size_t len);
static ngx_int_t ngx_voice_flow_walk(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *rows, cJSON *object, void *conf);
static ngx_int_t ngx_voice_flow_unknown(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *rows, const char *key);
static ngx_int_t ngx_voice_flow_default(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, void *conf);
static ngx_int_t ngx_voice_flow_human(ngx_voice_flow_ctx_t *ctx);

static ngx_int_t ngx_voice_flow_ignore(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_object(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_text(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_form(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_number(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_whole(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_flag(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_prompt(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_line(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_lines(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_temperature(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_audio(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_settings(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_hints(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_pause(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_speech_model(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_rules(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_pattern(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_action(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_say(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_keys(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);

static ngx_int_t ngx_voice_flow_plain(ngx_voice_flow_ctx_t *ctx, cJSON *item,
    ngx_uint_t min, ngx_uint_t max);
static ngx_int_t ngx_voice_flow_copy(ngx_voice_flow_ctx_t *ctx,
    const char *text, ngx_str_t *out);
static ngx_int_t ngx_voice_flow_template(ngx_voice_flow_ctx_t *ctx,
    ngx_voice_line_t *line, size_t max);
static ngx_int_t ngx_voice_flow_name(ngx_voice_flow_ctx_t *ctx,
    ngx_voice_line_t *line, u_char *p, u_char *last);
static ngx_int_t ngx_voice_flow_literal(ngx_voice_flow_ctx_t *ctx,
    ngx_voice_line_t *line, u_char *p, u_char *last);
static const ngx_voice_flow_format_t *ngx_voice_flow_find_format(
    u_char *name, size_t len);
static ngx_int_t ngx_voice_flow_key_index(u_char digit);
static ngx_uint_t ngx_voice_flow_is(const char *pattern, const char *text);
static size_t ngx_voice_flow_chars(const char *text);
static ngx_uint_t ngx_voice_flow_distance(const char *a, const char *b);


static const ngx_voice_flow_format_t  ngx_voice_flow_formats[] = {

    { "mp3_22050_32",  "mp3", "audio/mpeg" },
    { "mp3_44100_32",  "mp3", "audio/mpeg" },
    { "mp3_44100_64",  "mp3", "audio/mpeg" },
    { "mp3_44100_96",  "mp3", "audio/mpeg" },
    { "mp3_44100_128", "mp3", "audio/mpeg" },
    { "wav_8000",      "wav", "audio/wav" },
    { "wav_16000",     "wav", "audio/wav" },

    { NULL, NULL, NULL }
};


static const ngx_voice_flow_action_t  ngx_voice_flow_actions[] = {

    { "goodbye", NGX_VOICE_ACTION_GOODBYE },
    { "human",   NGX_VOICE_ACTION_HUMAN },

    { NULL, NGX_VOICE_ACTION_NONE }
};


static const ngx_voice_flow_name_t  ngx_voice_flow_names[] = {

    { "company",       offsetof(ngx_voice_flow_t, company),    0, 0 },
    { "agent",         offsetof(ngx_voice_flow_t, agent),      0, 0 },
    { "language",      offsetof(ngx_voice_flow_t, language),   0, 0 },
    { "caller.number", offsetof(ngx_voice_facts_t, caller),    1, 1 },
    { "called.number", offsetof(ngx_voice_facts_t, called),    1, 0 },
    { "date",          offsetof(ngx_voice_facts_t, date),      1, 0 },
    { "time",          offsetof(ngx_voice_facts_t, time),      1, 0 },
    { "weekday",       offsetof(ngx_voice_facts_t, weekday),   1, 0 },

    { NULL, 0, 0, 0 }
};


static const ngx_voice_flow_form_t  ngx_voice_flow_form_name = {
    "^[a-z][a-z0-9_]{0,31}$",
    "must be a lower-case name: a letter, then up to 31 letters, digits "
    "or \"_\""
};


static const ngx_voice_flow_form_t  ngx_voice_flow_form_language = {
    "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
    "must be a language tag such as \"en-US\""
};


static const ngx_voice_flow_form_t  ngx_voice_flow_form_model = {
    "^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$",
    "must be a model's name: letters, digits and \"._:/@+-\""
};


static const ngx_voice_flow_form_t  ngx_voice_flow_form_voice = {
    "^[A-Za-z0-9_-]{1,64}$",
    "must be a voice id (not a voice's name): letters, digits, \"_\" "
    "and \"-\""
};


static const ngx_voice_flow_form_t  ngx_voice_flow_form_say = {
    "^(man|woman|alice|(Polly|Google)[.][^\\x00-\\x20<>&\"\\x7f]{1,64})$",
    "must be a voice of Twilio's <Say> such as \"Polly.Joanna-Neural\""
};


static const ngx_voice_flow_form_t  ngx_voice_flow_form_speech_model = {
    "^[a-z0-9][a-z0-9._-]{0,63}$",
    "must be a speech model of Twilio's <Gather> such as \"phone_call\""
};


static const ngx_voice_flow_form_t  ngx_voice_flow_form_number = {
    "^[+][1-9][0-9]{6,14}$",
    "must be a number in E.164 form such as \"+15005550010\""
};


static const ngx_voice_flow_row_t  ngx_voice_flow_model_rows[] = {

    { "name", ngx_voice_flow_form,
      offsetof(ngx_voice_flow_model_t, name), 0, 0, 0,
      &ngx_voice_flow_form_model, NULL },

    { "temperature", ngx_voice_flow_temperature,
      offsetof(ngx_voice_flow_model_t, temperature), 0, 0, 2, NULL, NULL },

    { "max_tokens", ngx_voice_flow_whole,
      offsetof(ngx_voice_flow_model_t, max_tokens), 0, 16, 4096, NULL,
      "300" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_settings_rows[] = {

    { "stability", ngx_voice_flow_number,
      offsetof(ngx_voice_flow_settings_t, stability), 0, 0, 1, NULL, NULL },

    { "similarity_boost", ngx_voice_flow_number,
      offsetof(ngx_voice_flow_settings_t, similarity_boost), 0, 0, 1, NULL,
      NULL },

    { "style", ngx_voice_flow_number,
      offsetof(ngx_voice_flow_settings_t, style), 0, 0, 1, NULL, NULL },

    { "use_speaker_boost", ngx_voice_flow_flag,
      offsetof(ngx_voice_flow_settings_t, use_speaker_boost), 0, 0, 0, NULL,
      NULL },

    { "speed", ngx_voice_flow_number,
      offsetof(ngx_voice_flow_settings_t, speed), 0, 0.7, 1.2, NULL, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_voice_rows[] = {

    { "id", ngx_voice_flow_form,
      offsetof(ngx_voice_flow_voice_t, id), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      &ngx_voice_flow_form_voice, NULL },

    { "model", ngx_voice_flow_form,
      offsetof(ngx_voice_flow_voice_t, model), 0, 0, 0,
      &ngx_voice_flow_form_model, "\"eleven_flash_v2_5\"" },

    { "format", ngx_voice_flow_audio,
      offsetof(ngx_voice_flow_voice_t, format), 0, 0, 0, NULL,
      "\"mp3_22050_32\"" },

    { "settings", ngx_voice_flow_settings,
      offsetof(ngx_voice_flow_voice_t, settings), 0, 0, 0,
      ngx_voice_flow_settings_rows, NULL },

    { "say", ngx_voice_flow_form,
      offsetof(ngx_voice_flow_voice_t, say), 0, 0, 0,
      &ngx_voice_flow_form_say, "\"Polly.Joanna-Neural\"" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


/* speech_timeout stands before speech_model, which depends on it */

static const ngx_voice_flow_row_t  ngx_voice_flow_listen_rows[] = {

    { "hints", ngx_voice_flow_hints,
      offsetof(ngx_voice_flow_listen_t, hints), 0, 0, 500, NULL, NULL },

    { "timeout", ngx_voice_flow_whole,
      offsetof(ngx_voice_flow_listen_t, timeout), 0, 1, 60, NULL, "5" },

    { "speech_timeout", ngx_voice_flow_pause,
      offsetof(ngx_voice_flow_listen_t, speech_timeout), 0, 1, 60, NULL,
      "\"auto\"" },

    { "speech_model", ngx_voice_flow_speech_model,
      offsetof(ngx_voice_flow_listen_t, speech_model), 0, 0, 0,
      &ngx_voice_flow_form_speech_model, NULL },

    { "profanity_filter", ngx_voice_flow_flag,
      offsetof(ngx_voice_flow_listen_t, profanity_filter), 0, 0, 0, NULL,
      "false" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_rule_rows[] = {

    { "when", ngx_voice_flow_pattern, 0, NGX_VOICE_FLOW_REQUIRED, 1,
      NGX_VOICE_FLOW_PATTERN_MAX, NULL, NULL },

    { "do", ngx_voice_flow_action,
      offsetof(ngx_voice_rule_t, action), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { "say", ngx_voice_flow_say,
      offsetof(ngx_voice_rule_t, say), 0, 0, 0, NULL, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_fallback_rows[] = {

    { "after", ngx_voice_flow_whole,
      offsetof(ngx_voice_flow_fallback_t, after), 0, 1, 10, NULL, "2" },

    { "say", ngx_voice_flow_line,
      offsetof(ngx_voice_flow_fallback_t, say), 0, 0, 0, NULL,
      "\"I'm sorry, I can't help you with this right now.\"" },

    { "number", ngx_voice_flow_form,
      offsetof(ngx_voice_flow_fallback_t, number), 0, 0, 0,
      &ngx_voice_flow_form_number, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_limits_rows[] = {

    { "turns", ngx_voice_flow_whole,
      offsetof(ngx_voice_flow_limits_t, turns), 0, 1, 1000, NULL, "60" },

    { "history", ngx_voice_flow_whole,
      offsetof(ngx_voice_flow_limits_t, history), 0, 500, 32000, NULL,
      "6000" },

    { "answer", ngx_voice_flow_whole,
      offsetof(ngx_voice_flow_limits_t, answer), 0, 50, 4000, NULL, "900" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_rows[] = {

    { "$schema", ngx_voice_flow_ignore, 0, 0, 0, 0, NULL, NULL },

    { "name", ngx_voice_flow_form,
      offsetof(ngx_voice_flow_t, name), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      &ngx_voice_flow_form_name, NULL },

    { "company", ngx_voice_flow_text,
      offsetof(ngx_voice_flow_t, company), NGX_VOICE_FLOW_REQUIRED, 1, 100,
      NULL, NULL },

    { "agent", ngx_voice_flow_text,
      offsetof(ngx_voice_flow_t, agent), 0, 1, 60, NULL, NULL },

    { "language", ngx_voice_flow_form,
      offsetof(ngx_voice_flow_t, language), 0, 0, 0,
      &ngx_voice_flow_form_language, "\"en-US\"" },

    { "greeting", ngx_voice_flow_line,
      offsetof(ngx_voice_flow_t, greeting), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { "opening", ngx_voice_flow_line,
      offsetof(ngx_voice_flow_t, opening), 0, 0, 0, NULL,
      "\"How can I help you?\"" },

    { "prompt", ngx_voice_flow_prompt,
      offsetof(ngx_voice_flow_t, prompt), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { "model", ngx_voice_flow_object,
      offsetof(ngx_voice_flow_t, model), 0, 0, 0, ngx_voice_flow_model_rows,
      "{}" },

    { "voice", ngx_voice_flow_object,
      offsetof(ngx_voice_flow_t, voice), 0, 0, 0, ngx_voice_flow_voice_rows,
      "{}" },

    { "listen", ngx_voice_flow_object,
      offsetof(ngx_voice_flow_t, listen), 0, 0, 0,
      ngx_voice_flow_listen_rows, "{}" },

    { "silence", ngx_voice_flow_lines,
      offsetof(ngx_voice_flow_t, silence), 0, 1, 5, NULL,
      "[\"I'm sorry, I did not hear you. Are you still there?\","
      "\"I still can't hear you, so I will hang up now. Please call again "
      "at any time. Goodbye.\"]" },

    { "fillers", ngx_voice_flow_lines,
      offsetof(ngx_voice_flow_t, fillers), 0, 1, 8, NULL,
      "[\"One moment, please.\",\"Let me think.\"]" },

    { "apology", ngx_voice_flow_line,
      offsetof(ngx_voice_flow_t, apology), 0, 0, 0, NULL,
      "\"I'm sorry, something went wrong on my side. Could you say that "
      "again?\"" },

    { "goodbye", ngx_voice_flow_line,
      offsetof(ngx_voice_flow_t, goodbye), 0, 0, 0, NULL,
      "\"Thank you for calling. Goodbye.\"" },

    { "rules", ngx_voice_flow_rules,
      offsetof(ngx_voice_flow_t, rules), 0, 0, NGX_VOICE_FLOW_RULES_MAX,
      ngx_voice_flow_rule_rows, "[]" },

    { "keys", ngx_voice_flow_keys,
      offsetof(ngx_voice_flow_t, keys), 0, 0, 0, NULL, NULL },

    { "fallback", ngx_voice_flow_object,
      offsetof(ngx_voice_flow_t, fallback), 0, 0, 0,
      ngx_voice_flow_fallback_rows, "{}" },

    { "limits", ngx_voice_flow_object,
      offsetof(ngx_voice_flow_t, limits), 0, 0, 0,
      ngx_voice_flow_limits_rows, "{}" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


ngx_int_t
ngx_voice_flow_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_voice_flow_t **flow, ngx_voice_flow_error_t *err)
{
    cJSON                   *json;
    ngx_int_t                rc;
    ngx_voice_flow_ctx_t     ctx;
    ngx_voice_json_error_t   jerr;

    ngx_memzero(err, sizeof(ngx_voice_flow_error_t));
    ngx_memzero(&ctx, sizeof(ngx_voice_flow_ctx_t));

    ctx.pool = pool;
    ctx.err = err;

    if (text->len > NGX_VOICE_FLOW_MAX) {
        return ngx_voice_flow_fail(&ctx, "is larger than %d bytes",
                                   NGX_VOICE_FLOW_MAX);
    }

    ctx.flow = ngx_pcalloc(pool, sizeof(ngx_voice_flow_t));
    if (ctx.flow == NULL) {
        return ngx_voice_flow_no_memory(&ctx);
    }

    json = ngx_voice_json_parse(text->data, text->len, &jerr);
    if (json == NULL) {
        rc = ngx_voice_flow_fail(&ctx, "%s", jerr.reason);
        err->line = jerr.line;
        err->column = jerr.column;
        snprintf(err->pointer, sizeof(err->pointer), "%s",
                 (char *) jerr.pointer);
        ngx_voice_flow_clean(err->pointer);
        return rc;
    }

    rc = ngx_voice_flow_walk(&ctx, ngx_voice_flow_rows, json, ctx.flow);

    cJSON_Delete(json);

    if (rc == NGX_OK) {
        rc = ngx_voice_flow_human(&ctx);
    }

    if (rc != NGX_OK) {
        ngx_voice_flow_free(ctx.flow);
        return rc;
    }

    *flow = ctx.flow;

    return NGX_OK;
}


void
ngx_voice_flow_free(ngx_voice_flow_t *flow)
{
    ngx_uint_t         i;
    ngx_voice_rule_t  *rule;

    rule = flow->rules.elts;

    for (i = 0; i < flow->rules.nelts; i++) {
        pcre2_code_free(rule[i].code);
        rule[i].code = NULL;
    }

    pcre2_match_data_free(flow->match_data);
    pcre2_match_context_free(flow->match_context);

    flow->match_data = NULL;
    flow->match_context = NULL;
    flow->rules.nelts = 0;
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


ngx_voice_rule_t *
ngx_voice_flow_match(ngx_voice_flow_t *flow, ngx_str_t *words)
{
    ngx_uint_t         i;
    ngx_voice_rule_t  *rule;

    rule = flow->rules.elts;

    for (i = 0; i < flow->rules.nelts; i++) {

        if (pcre2_match(rule[i].code,
                        words->len ? words->data : (u_char *) "",
                        words->len, 0, 0, flow->match_data,
                        flow->match_context)
            >= 0)
        {
            return &rule[i];
        }
    }

    return NULL;
}


ngx_voice_action_e
ngx_voice_flow_key(ngx_voice_flow_t *flow, u_char digit)
{
    ngx_int_t  i;

    i = ngx_voice_flow_key_index(digit);

    return i < 0 ? NGX_VOICE_ACTION_NONE : flow->keys[i];
}


ngx_str_t
ngx_voice_flow_extension(ngx_str_t *format)
{
    ngx_str_t                       value;
    const ngx_voice_flow_format_t  *f;

    f = ngx_voice_flow_find_format(format->data, format->len);

    value.data = (u_char *) (f ? f->extension : "");
    value.len = strlen((char *) value.data);

    return value;
}


ngx_str_t
ngx_voice_flow_content_type(ngx_str_t *format)
{
    ngx_str_t                       value;
    const ngx_voice_flow_format_t  *f;

    f = ngx_voice_flow_find_format(format->data, format->len);

    value.data = (u_char *) (f ? f->content_type : "");
    value.len = strlen((char *) value.data);

    return value;
}


static ngx_int_t
ngx_voice_flow_fail(ngx_voice_flow_ctx_t *ctx, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    vsnprintf(ctx->err->reason, sizeof(ctx->err->reason), fmt, args);
    va_end(args);

    ngx_memcpy(ctx->err->pointer, ctx->pointer, sizeof(ctx->pointer));

    ngx_voice_flow_clean(ctx->err->reason);
    ngx_voice_flow_clean(ctx->err->pointer);

    return NGX_DECLINED;
}


static ngx_int_t
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


static size_t
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


static size_t
ngx_voice_flow_enter_index(ngx_voice_flow_ctx_t *ctx, ngx_uint_t i)
{
    char  key[NGX_INT_T_LEN + 1];

    snprintf(key, sizeof(key), "%lu", (unsigned long) i);

    return ngx_voice_flow_enter(ctx, key);
}


static void
ngx_voice_flow_leave(ngx_voice_flow_ctx_t *ctx, size_t len)
{
    ctx->len = len;
    ctx->pointer[len] = '\0';
}


static ngx_int_t
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


/* a caller who is promised a human must have a way to one */

static ngx_int_t
ngx_voice_flow_human(ngx_voice_flow_ctx_t *ctx)
{
    char               key[2];
    ngx_uint_t         i;
    ngx_voice_rule_t  *rule;
    ngx_voice_flow_t  *flow;

    flow = ctx->flow;

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

    return NGX_OK;

failed:

    return ngx_voice_flow_fail(ctx, "is \"human\", but there is no way to "
                               "one: /fallback/number is missing");
}


static ngx_int_t
ngx_voice_flow_ignore(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    if (!cJSON_IsString(item)) {
        return ngx_voice_flow_fail(ctx, "must be a string");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_object(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    return ngx_voice_flow_walk(ctx, row->detail, item,
                               (char *) conf + row->offset);
}


static ngx_int_t
ngx_voice_flow_text(ngx_voice_flow_ctx_t *ctx,
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


static ngx_int_t
ngx_voice_flow_form(ngx_voice_flow_ctx_t *ctx,
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


static ngx_int_t
ngx_voice_flow_number(ngx_voice_flow_ctx_t *ctx,
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


static ngx_int_t
ngx_voice_flow_whole(ngx_voice_flow_ctx_t *ctx,
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


static ngx_int_t
ngx_voice_flow_flag(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    if (!cJSON_IsBool(item)) {
        return ngx_voice_flow_fail(ctx, "must be true or false");
    }

    *(ngx_flag_t *) ((char *) conf + row->offset) = cJSON_IsTrue(item) ? 1 : 0;

    return NGX_OK;
}


/*
 * Each element is checked by itself, so that an error names it, and then
 * they are one text for the model.
 */

static ngx_int_t
ngx_voice_flow_prompt(ngx_voice_flow_ctx_t *ctx,
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
ngx_voice_flow_line(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_int_t          rc;
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

    return ngx_voice_flow_template(ctx, line, NGX_VOICE_LINE_MAX);
}


static ngx_int_t
ngx_voice_flow_lines(ngx_voice_flow_ctx_t *ctx,
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

        rc = ngx_voice_flow_line(ctx, &each, element, line);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_voice_flow_leave(ctx, len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_temperature(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_voice_flow_model_t  *model = conf;

    model->has_temperature = 1;

    return ngx_voice_flow_number(ctx, row, item, conf);
}


static ngx_int_t
ngx_voice_flow_audio(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    size_t                          n;
    char                            names[200];
    const ngx_voice_flow_format_t  *f;

    if (cJSON_IsString(item)) {

        if (ngx_voice_flow_find_format((u_char *) item->valuestring,
                                       strlen(item->valuestring)))
        {
            return ngx_voice_flow_copy(ctx, item->valuestring,
                                       (ngx_str_t *)
                                           ((char *) conf + row->offset));
        }

        /* Twilio's <Play> wants a WAV header that this format has not */

        if (strcmp(item->valuestring, "ulaw_8000") == 0) {
            return ngx_voice_flow_fail(ctx, "must not be \"ulaw_8000\": it "
                                       "has no header, and Twilio plays "
                                       "files; \"wav_8000\" is as fast");
        }
    }

    n = 0;
    names[0] = '\0';

    for (f = ngx_voice_flow_formats; f->name && n < sizeof(names); f++) {
        n += snprintf(names + n, sizeof(names) - n, "%s%s",
                      n ? ", " : "", f->name);
    }

    return ngx_voice_flow_fail(ctx, "must be one of %s", names);
}


static ngx_int_t
ngx_voice_flow_settings(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    char                       *text;
    ngx_int_t                   rc;
    ngx_voice_flow_settings_t   settings;

    rc = ngx_voice_flow_walk(ctx, row->detail, item, &settings);
    if (rc != NGX_OK) {
        return rc;
    }

    if (item->child == NULL) {
        return NGX_OK;
    }

    text = cJSON_PrintUnformatted(item);
    if (text == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    rc = ngx_voice_flow_copy(ctx, text,
                             (ngx_str_t *) ((char *) conf + row->offset));

    cJSON_free(text);

    return rc;
}


static ngx_int_t
ngx_voice_flow_hints(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    cJSON       *element;
    size_t       len, room;
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t   *hints;
    ngx_uint_t   i;

    hints = (ngx_str_t *) ((char *) conf + row->offset);

    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) > row->max) {
        return ngx_voice_flow_fail(ctx, "must be an array of up to %g "
                                   "strings", row->max);
    }

    i = 0;
    room = 0;

    cJSON_ArrayForEach(element, item) {
        len = ngx_voice_flow_enter_index(ctx, i++);

        rc = ngx_voice_flow_plain(ctx, element, 1, 100);
        if (rc != NGX_OK) {
            return rc;
        }

        if (strchr(element->valuestring, ',')) {
            return ngx_voice_flow_fail(ctx, "must not contain a comma, "
                                       "which separates hints");
        }

        room += strlen(element->valuestring) + 1;

        ngx_voice_flow_leave(ctx, len);
    }

    if (i == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->pool, room);
    if (p == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    hints->data = p;
    hints->len = room - 1;

    cJSON_ArrayForEach(element, item) {
        p = ngx_cpymem(p, element->valuestring,
                       strlen(element->valuestring));
        *p++ = ',';
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_pause(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    if (cJSON_IsString(item) && strcmp(item->valuestring, "auto") == 0) {
        *(ngx_uint_t *) ((char *) conf + row->offset) = 0;
        return NGX_OK;
    }

    if (!cJSON_IsNumber(item)
        || ngx_voice_flow_whole(ctx, row, item, conf) != NGX_OK)
    {
        return ngx_voice_flow_fail(ctx, "must be \"auto\" or a whole number "
                                   "between %g and %g", row->min, row->max);
    }

    return NGX_OK;
}


/* Twilio, TwiML Gather: not both speechTimeout "auto" and speechModel */

static ngx_int_t
ngx_voice_flow_speech_model(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_int_t                 rc;
    ngx_voice_flow_listen_t  *listen = conf;

    rc = ngx_voice_flow_form(ctx, row, item, conf);
    if (rc != NGX_OK) {
        return rc;
    }

    if (listen->speech_timeout == 0) {
        return ngx_voice_flow_fail(ctx, "needs /listen/speech_timeout to be "
                                   "a number of seconds, Twilio has no "
                                   "\"auto\" with a model");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_rules(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    cJSON             *element;
    size_t             len;
    ngx_int_t          rc;
    ngx_uint_t         n;
    ngx_array_t       *rules;
    ngx_voice_rule_t  *rule;
    ngx_voice_flow_t  *flow = conf;

    rules = &flow->rules;

    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) > row->max) {
        return ngx_voice_flow_fail(ctx, "must be an array of up to %g rules",
                                   row->max);
    }

    n = cJSON_GetArraySize(item);

    if (n == 0) {
        return NGX_OK;
    }

    flow->match_context = pcre2_match_context_create(NULL);
    flow->match_data = pcre2_match_data_create(1, NULL);

    if (flow->match_context == NULL || flow->match_data == NULL
        || ngx_array_init(rules, ctx->pool, n, sizeof(ngx_voice_rule_t))
           != NGX_OK)
    {
        return ngx_voice_flow_no_memory(ctx);
    }

    pcre2_set_match_limit(flow->match_context, NGX_VOICE_FLOW_MATCH_LIMIT);
    pcre2_set_depth_limit(flow->match_context, NGX_VOICE_FLOW_MATCH_LIMIT);

    cJSON_ArrayForEach(element, item) {
        len = ngx_voice_flow_enter_index(ctx, rules->nelts);

        rule = ngx_array_push(rules);
        if (rule == NULL) {
            return ngx_voice_flow_no_memory(ctx);
        }

        ngx_memzero(rule, sizeof(ngx_voice_rule_t));

        rc = ngx_voice_flow_walk(ctx, row->detail, element, rule);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_voice_flow_leave(ctx, len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_pattern(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    int                code;
    u_char             message[120];
    ngx_int_t          rc;
    PCRE2_SIZE         offset;
    ngx_voice_rule_t  *rule = conf;

    rc = ngx_voice_flow_plain(ctx, item, row->min, row->max);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_voice_flow_copy(ctx, item->valuestring, &rule->when);
    if (rc != NGX_OK) {
        return rc;
    }

    rule->code = pcre2_compile(rule->when.data, rule->when.len,
                               PCRE2_UTF|PCRE2_UCP|PCRE2_CASELESS
                               |PCRE2_NEVER_BACKSLASH_C,
                               &code, &offset, NULL);

    if (rule->code == NULL) {
        (void) pcre2_get_error_message(code, message, sizeof(message));

        return ngx_voice_flow_fail(ctx, "is no pattern, at offset %lu: %s",
                                   (unsigned long) offset, message);
    }

    /* without JIT it is only slower */

    (void) pcre2_jit_compile(rule->code, PCRE2_JIT_COMPLETE);

    if (pcre2_match(rule->code, (u_char *) "", 0, 0, 0,
                    ctx->flow->match_data, ctx->flow->match_context)
        >= 0)
    {
        return ngx_voice_flow_fail(ctx, "matches an empty text, so it would "
                                   "match whatever the caller says");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_action(ngx_voice_flow_ctx_t *ctx,
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

    return ngx_voice_flow_fail(ctx, "must be \"goodbye\" or \"human\"");
}


static ngx_int_t
ngx_voice_flow_say(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_voice_rule_t      *rule = conf;
    ngx_voice_flow_row_t   line;

    rule->say = ngx_pcalloc(ctx->pool, sizeof(ngx_voice_line_t));
    if (rule->say == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    line = *row;
    line.offset = 0;

    return ngx_voice_flow_line(ctx, &line, item, rule->say);
}


static ngx_int_t
ngx_voice_flow_keys(ngx_voice_flow_ctx_t *ctx,
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

        rc = ngx_voice_flow_action(ctx, &key, element, conf);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_voice_flow_leave(ctx, len);
    }

    return NGX_OK;
}


/* min and max are characters; no max: the length is checked elsewhere */

static ngx_int_t
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


static ngx_int_t
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


static ngx_int_t
ngx_voice_flow_template(ngx_voice_flow_ctx_t *ctx, ngx_voice_line_t *line,
    size_t max)
{
    u_char            *p, *last, *end, *start;
    size_t             room;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_voice_part_t  *part;

    if (ngx_array_init(&line->parts, ctx->pool, 4, sizeof(ngx_voice_part_t))
        != NGX_OK)
    {
        return ngx_voice_flow_no_memory(ctx);
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
            return ngx_voice_flow_fail(ctx, "has a \"{{\" at offset %lu that "
                                       "no \"}}\" closes",
                                       (unsigned long)
                                           (p - line->source.data));
        }

        rc = ngx_voice_flow_literal(ctx, line, start, p);

        if (rc == NGX_OK) {
            rc = ngx_voice_flow_name(ctx, line, p + 2, end);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        p = end + 2;
        start = p;
    }

    rc = ngx_voice_flow_literal(ctx, line, start, last);
    if (rc != NGX_OK) {
        return rc;
    }

    room = 0;
    part = line->parts.elts;

    for (i = 0; i < line->parts.nelts; i++) {
        room += part[i].fact ? ngx_max(part[i].text.len,
                                       NGX_VOICE_FLOW_FACT_MAX)
                             : part[i].text.len;
    }

    if (room > max) {
        return ngx_voice_flow_fail(ctx, "must not be longer than %lu bytes "
                                   "with its names filled in",
                                   (unsigned long) max);
    }

    if (!line->fixed) {
        return NGX_OK;
    }

    line->text.data = ngx_pnalloc(ctx->pool, room + 1);
    if (line->text.data == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    p = line->text.data;

    for (i = 0; i < line->parts.nelts; i++) {
        p = ngx_cpymem(p, part[i].text.data, part[i].text.len);
    }

    line->text.len = room;

    return NGX_OK;
}


/* between "{{" and "}}": name, or name|alternative */

static ngx_int_t
ngx_voice_flow_name(ngx_voice_flow_ctx_t *ctx, ngx_voice_line_t *line,
    u_char *p, u_char *last)
{
    int                           len;
    u_char                       *bar, *end;
    ngx_str_t                    *value;
    ngx_voice_part_t             *part;
    const ngx_voice_flow_name_t  *name;

    bar = ngx_strlchr(p, last, '|');
    end = bar ? bar : last;

    while (p < end && *p == ' ') {
        p++;
    }

    while (end > p && end[-1] == ' ') {
        end--;
    }

    len = end - p;

    for (name = ngx_voice_flow_names; name->name; name++) {
        if (strlen(name->name) == (size_t) len
            && ngx_memcmp(name->name, p, len) == 0)
        {
            break;
        }
    }

    if (name->name == NULL) {
        return ngx_voice_flow_fail(ctx, "names \"{{%.*s}}\", known are "
                                   "company, agent, language, caller.number, "
                                   "called.number, date, time and weekday",
                                   ngx_min(len, 60), p);
    }

    if (name->withheld && bar == NULL) {
        return ngx_voice_flow_fail(ctx, "names \"{{%s}}\", which may be "
                                   "missing: write \"{{%s|alternative}}\"",
                                   name->name, name->name);
    }

    part = ngx_array_push(&line->parts);
    if (part == NULL) {
        return ngx_voice_flow_no_memory(ctx);
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

    value = (ngx_str_t *) ((char *) ctx->flow + name->offset);

    if (value->len) {
        part->text = *value;

    } else if (bar == NULL) {
        return ngx_voice_flow_fail(ctx, "names \"{{%s}}\", but the flow has "
                                   "no \"%s\"", name->name, name->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_flow_literal(ngx_voice_flow_ctx_t *ctx, ngx_voice_line_t *line,
    u_char *p, u_char *last)
{
    ngx_voice_part_t  *part;

    if (p == last) {
        return NGX_OK;
    }

    part = ngx_array_push(&line->parts);
    if (part == NULL) {
        return ngx_voice_flow_no_memory(ctx);
    }

    ngx_memzero(part, sizeof(ngx_voice_part_t));

    part->text.data = p;
    part->text.len = last - p;

    return NGX_OK;
}


static const ngx_voice_flow_format_t *
ngx_voice_flow_find_format(u_char *name, size_t len)
{
    const ngx_voice_flow_format_t  *f;

    for (f = ngx_voice_flow_formats; f->name; f++) {
        if (strlen(f->name) == len && ngx_memcmp(f->name, name, len) == 0) {
            return f;
        }
    }

    return NULL;
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
