
/*
 * What a flow file may hold is written once, in the tables below; the JSON
 * Schema beside the flows says the same to editors.  What lines may name
 * stands before the lines.
 */


#include "ngx_voice_flow_table.h"
#include "ngx_voice_flow.h"
#include "ngx_voice_flow_format.h"
#include "ngx_voice_flow_lines.h"
#include "ngx_voice_flow_rule.h"
#include "ngx_voice_flow_tool.h"


#define NGX_VOICE_FLOW_PATTERN_MAX   500
#define NGX_VOICE_FLOW_RULES_MAX     64
#define NGX_VOICE_FLOW_ROUTES_MAX    16
#define NGX_VOICE_FLOW_SLOTS_MAX     24
#define NGX_VOICE_FLOW_TOOLS_MAX     32


/* only checked here: ElevenLabs gets the settings as they are written */

typedef struct {
    double                       stability;
    double                       similarity_boost;
    double                       style;
    double                       speed;
    ngx_flag_t                   use_speaker_boost;
} ngx_voice_flow_settings_t;


static ngx_int_t ngx_voice_flow_read_temperature(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_read_settings(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_read_listen(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_read_mode(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_read_hints(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_read_pause(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);
static ngx_int_t ngx_voice_flow_read_speech_model(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf);


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

    { "name", ngx_voice_flow_read_form,
      offsetof(ngx_voice_flow_model_t, name), 0, 0, 0,
      &ngx_voice_flow_form_model, NULL },

    { "temperature", ngx_voice_flow_read_temperature,
      offsetof(ngx_voice_flow_model_t, temperature), 0, 0, 2, NULL, NULL },

    { "max_tokens", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_model_t, max_tokens), 0, 16, 4096, NULL,
      "300" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_settings_rows[] = {

    { "stability", ngx_voice_flow_read_number,
      offsetof(ngx_voice_flow_settings_t, stability), 0, 0, 1, NULL, NULL },

    { "similarity_boost", ngx_voice_flow_read_number,
      offsetof(ngx_voice_flow_settings_t, similarity_boost), 0, 0, 1, NULL,
      NULL },

    { "style", ngx_voice_flow_read_number,
      offsetof(ngx_voice_flow_settings_t, style), 0, 0, 1, NULL, NULL },

    { "use_speaker_boost", ngx_voice_flow_read_flag,
      offsetof(ngx_voice_flow_settings_t, use_speaker_boost), 0, 0, 0, NULL,
      NULL },

    { "speed", ngx_voice_flow_read_number,
      offsetof(ngx_voice_flow_settings_t, speed), 0, 0.7, 1.2, NULL, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_voice_rows[] = {

    { "id", ngx_voice_flow_read_form,
      offsetof(ngx_voice_flow_voice_t, id), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      &ngx_voice_flow_form_voice, NULL },

    { "model", ngx_voice_flow_read_form,
      offsetof(ngx_voice_flow_voice_t, model), 0, 0, 0,
      &ngx_voice_flow_form_model, "\"eleven_flash_v2_5\"" },

    { "format", ngx_voice_flow_read_format,
      offsetof(ngx_voice_flow_voice_t, format), 0, 0, 0, NULL,
      "\"mp3_22050_32\"" },

    { "settings", ngx_voice_flow_read_settings,
      offsetof(ngx_voice_flow_voice_t, settings), 0, 0, 0,
      ngx_voice_flow_settings_rows, NULL },

    { "say", ngx_voice_flow_read_form,
      offsetof(ngx_voice_flow_voice_t, say), 0, 0, 0,
      &ngx_voice_flow_form_say, "\"Polly.Joanna-Neural\"" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


/* speech_timeout stands before speech_model, which depends on it */

static const ngx_voice_flow_row_t  ngx_voice_flow_listen_rows[] = {

    { "mode", ngx_voice_flow_read_mode,
      offsetof(ngx_voice_flow_listen_t, mode), 0, 0, 0, NULL,
      "\"gather\"" },

    { "hints", ngx_voice_flow_read_hints,
      offsetof(ngx_voice_flow_listen_t, hints), 0, 0, 500, NULL, NULL },

    { "timeout", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_listen_t, timeout), 0, 1, 60, NULL, "5" },

    { "speech_timeout", ngx_voice_flow_read_pause,
      offsetof(ngx_voice_flow_listen_t, speech_timeout), 0, 1, 60, NULL,
      "\"auto\"" },

    { "speech_model", ngx_voice_flow_read_speech_model,
      offsetof(ngx_voice_flow_listen_t, speech_model), 0, 0, 0,
      &ngx_voice_flow_form_speech_model, NULL },

    { "profanity_filter", ngx_voice_flow_read_flag,
      offsetof(ngx_voice_flow_listen_t, profanity_filter), 0, 0, 0, NULL,
      "false" },

    { "confidence", ngx_voice_flow_read_number,
      offsetof(ngx_voice_flow_listen_t, confidence), 0, 0, 1, NULL, "0" },

    { "patience", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_listen_t, patience), 0, 1, 60, NULL, "30" },

    { "delete_recordings", ngx_voice_flow_read_flag,
      offsetof(ngx_voice_flow_listen_t, delete_recordings), 0, 0, 0, NULL,
      "false" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_rule_rows[] = {

    { "when", ngx_voice_flow_read_pattern,
      offsetof(ngx_voice_rule_t, when), NGX_VOICE_FLOW_REQUIRED, 1,
      NGX_VOICE_FLOW_PATTERN_MAX, NULL, NULL },

    { "do", ngx_voice_flow_read_action,
      offsetof(ngx_voice_rule_t, action), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { "say", ngx_voice_flow_read_say,
      offsetof(ngx_voice_rule_t, say), 0, 0, 0, NULL, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_list_t  ngx_voice_flow_rules = {
    ngx_voice_flow_rule_rows, sizeof(ngx_voice_rule_t), "rules"
};


static const ngx_voice_flow_row_t  ngx_voice_flow_route_rows[] = {

    { "to", ngx_voice_flow_read_to,
      offsetof(ngx_voice_route_t, to), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      &ngx_voice_flow_form_name, NULL },

    { "when", ngx_voice_flow_read_pattern,
      offsetof(ngx_voice_route_t, when), 0, 1, NGX_VOICE_FLOW_PATTERN_MAX,
      NULL, NULL },

    { "description", ngx_voice_flow_read_text,
      offsetof(ngx_voice_route_t, description), 0, 1, 300, NULL, NULL },

    { "say", ngx_voice_flow_read_say,
      offsetof(ngx_voice_route_t, say), 0, 0, 0, NULL, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_list_t  ngx_voice_flow_routes = {
    ngx_voice_flow_route_rows, sizeof(ngx_voice_route_t), "routes"
};


static const ngx_voice_flow_row_t  ngx_voice_flow_slot_rows[] = {

    { "name", ngx_voice_flow_read_text,
      offsetof(ngx_voice_slot_t, name), NGX_VOICE_FLOW_REQUIRED, 1, 60, NULL,
      NULL },

    { "description", ngx_voice_flow_read_text,
      offsetof(ngx_voice_slot_t, description), 0, 1, 300, NULL, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_list_t  ngx_voice_flow_slots = {
    ngx_voice_flow_slot_rows, sizeof(ngx_voice_slot_t), "slots"
};


/* to stands behind from, which it depends on */

static const ngx_voice_flow_row_t  ngx_voice_flow_hours_rows[] = {

    { "days", ngx_voice_flow_read_days,
      offsetof(ngx_voice_flow_hours_t, days), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { "from", ngx_voice_flow_read_time,
      offsetof(ngx_voice_flow_hours_t, from), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { "to", ngx_voice_flow_read_until,
      offsetof(ngx_voice_flow_hours_t, to), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_escalation_rows[] = {

    { "number", ngx_voice_flow_read_form,
      offsetof(ngx_voice_flow_escalation_t, number), 0, 0, 0,
      &ngx_voice_flow_form_number, NULL },

    { "hours", ngx_voice_flow_read_object,
      offsetof(ngx_voice_flow_escalation_t, hours), 0, 0, 0,
      ngx_voice_flow_hours_rows, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_fallback_rows[] = {

    { "after", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_fallback_t, after), 0, 1, 10, NULL, "2" },

    { "say", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_fallback_t, say), 0, 0, 0, NULL,
      "\"I'm sorry, I can't help you with this right now.\"" },

    { "number", ngx_voice_flow_read_form,
      offsetof(ngx_voice_flow_fallback_t, number), 0, 0, 0,
      &ngx_voice_flow_form_number, NULL },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_busy_rows[] = {

    { "say", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_busy_t, say), 0, 0, 0, NULL,
      "\"I'm sorry, all our lines are busy right now. Please call again in a "
      "few minutes. Goodbye.\"" },

    { "do", ngx_voice_flow_read_way_out,
      offsetof(ngx_voice_flow_busy_t, action), 0, 0, 0, NULL,
      "\"goodbye\"" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static const ngx_voice_flow_row_t  ngx_voice_flow_limits_rows[] = {

    { "turns", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_limits_t, turns), 0, 1, 1000, NULL, "60" },

    { "duration", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_limits_t, duration), 0, 10, 14400, NULL,
      "1800" },

    { "misheard", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_limits_t, misheard), 0, 1, 10, NULL, "3" },

    { "history", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_limits_t, history), 0, 500, 32000, NULL,
      "6000" },

    { "answer", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_limits_t, answer), 0, 50, 4000, NULL, "900" },

    { "rounds", ngx_voice_flow_read_whole,
      offsetof(ngx_voice_flow_limits_t, rounds), 0, 1, 8, NULL, "4" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


const ngx_voice_flow_row_t  ngx_voice_flow_rows[] = {

    { "$schema", ngx_voice_flow_read_ignore, 0, 0, 0, 0, NULL, NULL },

    { "name", ngx_voice_flow_read_form,
      offsetof(ngx_voice_flow_t, name), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      &ngx_voice_flow_form_name, NULL },

    { "company", ngx_voice_flow_read_text,
      offsetof(ngx_voice_flow_t, company), NGX_VOICE_FLOW_REQUIRED, 1, 100,
      NULL, NULL },

    { "agent", ngx_voice_flow_read_text,
      offsetof(ngx_voice_flow_t, agent), 0, 1, 60, NULL, NULL },

    { "language", ngx_voice_flow_read_form,
      offsetof(ngx_voice_flow_t, language), 0, 0, 0,
      &ngx_voice_flow_form_language, "\"en-US\"" },

    { "consent", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_t, consent), 0, 0, 0, NULL, NULL },

    { "greeting", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_t, greeting), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { "opening", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_t, opening), 0, 0, 0, NULL,
      "\"How can I help you?\"" },

    { "opening_known", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_t, opening_known), 0, 0, 0, NULL, NULL },

    { "prompt", ngx_voice_flow_read_prompt,
      offsetof(ngx_voice_flow_t, prompt), NGX_VOICE_FLOW_REQUIRED, 0, 0,
      NULL, NULL },

    { "model", ngx_voice_flow_read_object,
      offsetof(ngx_voice_flow_t, model), 0, 0, 0, ngx_voice_flow_model_rows,
      "{}" },

    { "voice", ngx_voice_flow_read_object,
      offsetof(ngx_voice_flow_t, voice), 0, 0, 0, ngx_voice_flow_voice_rows,
      "{}" },

    { "listen", ngx_voice_flow_read_listen,
      offsetof(ngx_voice_flow_t, listen), 0, 0, 0,
      ngx_voice_flow_listen_rows, "{}" },

    { "silence", ngx_voice_flow_read_lines,
      offsetof(ngx_voice_flow_t, silence), 0, 1, 5, NULL,
      "[\"I'm sorry, I did not hear you. Are you still there?\","
      "\"I still can't hear you, so I will hang up now. Please call again "
      "at any time. Goodbye.\"]" },

    { "fillers", ngx_voice_flow_read_lines,
      offsetof(ngx_voice_flow_t, fillers), 0, 1, 8, NULL,
      "[\"One moment, please.\",\"Let me think.\"]" },

    { "tool_fillers", ngx_voice_flow_read_lines,
      offsetof(ngx_voice_flow_t, tool_fillers), 0, 1, 8, NULL,
      "[\"Let me take care of that.\",\"One moment, I am on it.\"]" },

    { "misheard", ngx_voice_flow_read_lines,
      offsetof(ngx_voice_flow_t, misheard), 0, 1, 5, NULL,
      "[\"I'm sorry, I did not get that. Could you say it again?\","
      "\"The line is not very clear. Please say that once more.\"]" },

    { "patience", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_t, patience), 0, 0, 0, NULL,
      "\"Take your time, I am here.\"" },

    { "apology", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_t, apology), 0, 0, 0, NULL,
      "\"I'm sorry, something went wrong on my side. Could you say that "
      "again?\"" },

    { "goodbye", ngx_voice_flow_read_line,
      offsetof(ngx_voice_flow_t, goodbye), 0, 0, 0, NULL,
      "\"Thank you for calling. Goodbye.\"" },

    { "rules", ngx_voice_flow_read_list,
      offsetof(ngx_voice_flow_t, rules), 0, 0, NGX_VOICE_FLOW_RULES_MAX,
      &ngx_voice_flow_rules, "[]" },

    { "routes", ngx_voice_flow_read_list,
      offsetof(ngx_voice_flow_t, routes), 0, 0, NGX_VOICE_FLOW_ROUTES_MAX,
      &ngx_voice_flow_routes, "[]" },

    { "slots", ngx_voice_flow_read_list,
      offsetof(ngx_voice_flow_t, slots), 0, 0, NGX_VOICE_FLOW_SLOTS_MAX,
      &ngx_voice_flow_slots, "[]" },

    { "tools", ngx_voice_flow_read_tools,
      offsetof(ngx_voice_flow_t, tools), 0, 0, NGX_VOICE_FLOW_TOOLS_MAX,
      NULL, "[]" },

    { "keys", ngx_voice_flow_read_keys,
      offsetof(ngx_voice_flow_t, keys), 0, 0, 0, NULL, NULL },

    { "fallback", ngx_voice_flow_read_object,
      offsetof(ngx_voice_flow_t, fallback), 0, 0, 0,
      ngx_voice_flow_fallback_rows, "{}" },

    { "busy", ngx_voice_flow_read_object,
      offsetof(ngx_voice_flow_t, busy), 0, 0, 0, ngx_voice_flow_busy_rows,
      "{}" },

    { "escalation", ngx_voice_flow_read_object,
      offsetof(ngx_voice_flow_t, escalation), 0, 0, 0,
      ngx_voice_flow_escalation_rows, "{}" },

    { "limits", ngx_voice_flow_read_object,
      offsetof(ngx_voice_flow_t, limits), 0, 0, 0,
      ngx_voice_flow_limits_rows, "{}" },

    { NULL, NULL, 0, 0, 0, 0, NULL, NULL }
};


static ngx_int_t
ngx_voice_flow_read_temperature(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_voice_flow_model_t  *model = conf;

    model->has_temperature = 1;

    return ngx_voice_flow_read_number(ctx, row, item, conf);
}


static ngx_int_t
ngx_voice_flow_read_settings(ngx_voice_flow_ctx_t *ctx,
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


/* the mode alone, or an object with everything */

static ngx_int_t
ngx_voice_flow_read_listen(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    cJSON      *object;
    ngx_int_t   rc;

    if (!cJSON_IsString(item)) {
        return ngx_voice_flow_read_object(ctx, row, item, conf);
    }

    object = cJSON_CreateObject();

    if (object == NULL
        || cJSON_AddStringToObject(object, "mode", item->valuestring) == NULL)
    {
        cJSON_Delete(object);
        return ngx_voice_flow_no_memory(ctx);
    }

    rc = ngx_voice_flow_read_object(ctx, row, object, conf);

    cJSON_Delete(object);

    return rc;
}


static ngx_int_t
ngx_voice_flow_read_mode(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_voice_listen_e  *mode;

    mode = (ngx_voice_listen_e *) ((char *) conf + row->offset);

    if (cJSON_IsString(item) && strcmp(item->valuestring, "gather") == 0) {
        *mode = NGX_VOICE_LISTEN_GATHER;
        return NGX_OK;
    }

    if (cJSON_IsString(item) && strcmp(item->valuestring, "whisper") == 0) {
        *mode = NGX_VOICE_LISTEN_WHISPER;
        return NGX_OK;
    }

    return ngx_voice_flow_fail(ctx, "must be \"gather\" or \"whisper\"");
}


static ngx_int_t
ngx_voice_flow_read_hints(ngx_voice_flow_ctx_t *ctx,
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
ngx_voice_flow_read_pause(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    if (cJSON_IsString(item) && strcmp(item->valuestring, "auto") == 0) {
        *(ngx_uint_t *) ((char *) conf + row->offset) = 0;
        return NGX_OK;
    }

    if (!cJSON_IsNumber(item)
        || ngx_voice_flow_read_whole(ctx, row, item, conf) != NGX_OK)
    {
        return ngx_voice_flow_fail(ctx, "must be \"auto\" or a whole number "
                                   "between %g and %g", row->min, row->max);
    }

    return NGX_OK;
}


/* Twilio, TwiML Gather: not both speechTimeout "auto" and speechModel */

static ngx_int_t
ngx_voice_flow_read_speech_model(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    ngx_int_t                 rc;
    ngx_voice_flow_listen_t  *listen = conf;

    rc = ngx_voice_flow_read_form(ctx, row, item, conf);
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
