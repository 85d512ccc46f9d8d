
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cjson/cJSON.h>

#include "ngx_http_voice_conf.h"
#include "ngx_http_voice_variable.h"


typedef enum {
    NGX_HTTP_VOICE_TTS_KEY = 0,
    NGX_HTTP_VOICE_TTS_TEXT,
    NGX_HTTP_VOICE_TTS_BODY,
    NGX_HTTP_VOICE_TTS_VOICE,
    NGX_HTTP_VOICE_TTS_MODEL,
    NGX_HTTP_VOICE_TTS_FORMAT
} ngx_http_voice_tts_variable_e;


static ngx_int_t ngx_http_voice_variable_hook(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voice_variable_turn(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voice_variable_state(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voice_variable_flow(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voice_variable_tts(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voice_variable_tts_body(ngx_http_request_t *r,
    ngx_voice_profile_t *profile, ngx_str_t *text, ngx_str_t *body);
static ngx_int_t ngx_http_voice_variable_uncacheable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voice_variable_set(ngx_http_variable_value_t *v,
    ngx_str_t *value);


/*
 * All of them are computed anew each time: subrequests share their parent's
 * values, and two pieces of speech would otherwise be made of one text.
 */

static ngx_http_variable_t  ngx_http_voice_variables[] = {

    { ngx_string("voice_call_sid"), NULL, ngx_http_voice_variable_hook,
      offsetof(ngx_http_voice_hook_t, call.sid), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_from"), NULL, ngx_http_voice_variable_hook,
      offsetof(ngx_http_voice_hook_t, call.from), NGX_HTTP_VAR_NOCACHEABLE,
      0 },

    { ngx_string("voice_to"), NULL, ngx_http_voice_variable_hook,
      offsetof(ngx_http_voice_hook_t, call.to), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_flow"), NULL, ngx_http_voice_variable_flow, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_turn"), NULL, ngx_http_voice_variable_turn, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_state"), NULL, ngx_http_voice_variable_state,
      offsetof(ngx_http_voice_hook_t, state), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_verify_error"), NULL, ngx_http_voice_variable_state,
      offsetof(ngx_http_voice_hook_t, verify_error),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_tts_key"), NULL, ngx_http_voice_variable_tts,
      NGX_HTTP_VOICE_TTS_KEY, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_tts_text"), NULL, ngx_http_voice_variable_tts,
      NGX_HTTP_VOICE_TTS_TEXT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_tts_body"), NULL, ngx_http_voice_variable_tts,
      NGX_HTTP_VOICE_TTS_BODY, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_tts_voice"), NULL, ngx_http_voice_variable_tts,
      NGX_HTTP_VOICE_TTS_VOICE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_tts_model"), NULL, ngx_http_voice_variable_tts,
      NGX_HTTP_VOICE_TTS_MODEL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_tts_format"), NULL, ngx_http_voice_variable_tts,
      NGX_HTTP_VOICE_TTS_FORMAT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voice_tts_uncacheable"), NULL,
      ngx_http_voice_variable_uncacheable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_voice_variable_init(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_voice_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_variable_hook(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_voice_hook_t  *hook;

    hook = ngx_http_get_module_ctx(r, ngx_http_voice_module);

    return ngx_http_voice_variable_set(v,
                       hook ? (ngx_str_t *) ((char *) hook + data) : NULL);
}


static ngx_int_t
ngx_http_voice_variable_flow(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_voice_hook_t  *hook;

    hook = ngx_http_get_module_ctx(r, ngx_http_voice_module);

    return ngx_http_voice_variable_set(v, (hook && hook->agent.flow)
                                          ? &hook->agent.flow->name : NULL);
}


static ngx_int_t
ngx_http_voice_variable_turn(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t               value;
    ngx_http_voice_hook_t  *hook;

    hook = ngx_http_get_module_ctx(r, ngx_http_voice_module);

    if (hook == NULL || hook->agent.flow == NULL) {
        return ngx_http_voice_variable_set(v, NULL);
    }

    value.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%ui", hook->step.turn) - value.data;

    return ngx_http_voice_variable_set(v, &value);
}


static ngx_int_t
ngx_http_voice_variable_state(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    char                  **word;
    ngx_str_t               value;
    ngx_http_voice_hook_t  *hook;

    hook = ngx_http_get_module_ctx(r, ngx_http_voice_module);

    if (hook == NULL) {
        return ngx_http_voice_variable_set(v, NULL);
    }

    word = (char **) ((char *) hook + data);

    if (*word == NULL) {
        return ngx_http_voice_variable_set(v, NULL);
    }

    value.data = (u_char *) *word;
    value.len = ngx_strlen(*word);

    return ngx_http_voice_variable_set(v, &value);
}


static ngx_int_t
ngx_http_voice_variable_tts(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                       digest[NGX_VOICE_DIGEST];
    ngx_int_t                    rc;
    ngx_str_t                    text, value;
    ngx_voice_profile_t          profile;
    ngx_http_voice_main_conf_t  *vmcf;

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voice_module);

    if (vmcf->zone == NULL
        || ngx_http_voice_speech_of_uri(&r->uri, digest) != NGX_OK)
    {
        return ngx_http_voice_variable_set(v, NULL);
    }

    rc = ngx_voice_speech_get(vmcf->zone, digest, r->pool, &profile, &text);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (data == NGX_HTTP_VOICE_TTS_KEY) {

        ngx_http_voice_speech_guard(r, rc == NGX_OK);

        value.len = 2 * NGX_VOICE_DIGEST;
        value.data = ngx_pnalloc(r->pool, value.len);
        if (value.data == NULL) {
            return NGX_ERROR;
        }

        ngx_hex_dump(value.data, digest, NGX_VOICE_DIGEST);

        return ngx_http_voice_variable_set(v, &value);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_voice_variable_set(v, NULL);
    }

    switch (data) {

    case NGX_HTTP_VOICE_TTS_TEXT:
        value = text;
        break;

    case NGX_HTTP_VOICE_TTS_VOICE:
        value = profile.voice;
        break;

    case NGX_HTTP_VOICE_TTS_MODEL:
        value = profile.model;
        break;

    case NGX_HTTP_VOICE_TTS_FORMAT:
        value = profile.format;
        break;

    default: /* NGX_HTTP_VOICE_TTS_BODY */

        if (ngx_http_voice_variable_tts_body(r, &profile, &text, &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_voice_variable_set(v, &value);
}


/* ElevenLabs, "Create speech": the body of the request */

static ngx_int_t
ngx_http_voice_variable_tts_body(ngx_http_request_t *r,
    ngx_voice_profile_t *profile, ngx_str_t *text, ngx_str_t *body)
{
    char       *json;
    cJSON      *root;
    u_char     *p;
    ngx_int_t   rc;

    rc = NGX_ERROR;

    root = cJSON_CreateObject();
    p = ngx_pnalloc(r->pool, ngx_max(ngx_max(text->len, profile->model.len),
                                     profile->settings.len)
                             + 1);

    if (root == NULL || p == NULL) {
        goto done;
    }

    (void) ngx_cpystrn(p, text->data, text->len + 1);

    if (cJSON_AddStringToObject(root, "text", (char *) p) == NULL) {
        goto done;
    }

    (void) ngx_cpystrn(p, profile->model.data, profile->model.len + 1);

    if (cJSON_AddStringToObject(root, "model_id", (char *) p) == NULL) {
        goto done;
    }

    if (profile->settings.len) {

        (void) ngx_cpystrn(p, profile->settings.data,
                           profile->settings.len + 1);

        if (cJSON_AddRawToObject(root, "voice_settings", (char *) p)
            == NULL)
        {
            goto done;
        }
    }

    json = cJSON_PrintUnformatted(root);
    if (json == NULL) {
        goto done;
    }

    body->len = ngx_strlen(json);
    body->data = ngx_pnalloc(r->pool, body->len);

    if (body->data) {
        ngx_memcpy(body->data, json, body->len);
        rc = NGX_OK;
    }

    cJSON_free(json);

done:

    cJSON_Delete(root);

    return rc;
}


/* for proxy_no_cache: an error that came with status 200 must not be kept */

static ngx_int_t
ngx_http_voice_variable_uncacheable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_upstream_headers_in_t  *in;

    static ngx_str_t  yes = ngx_string("1");
    static ngx_str_t  no = ngx_string("");

    if (r->upstream == NULL) {
        return ngx_http_voice_variable_set(v, NULL);
    }

    in = &r->upstream->headers_in;

    if (in->content_length_n == 0
        || (in->content_type
            && !ngx_http_voice_speech_is_audio(&in->content_type->value)))
    {
        return ngx_http_voice_variable_set(v, &yes);
    }

    return ngx_http_voice_variable_set(v, &no);
}


static ngx_int_t
ngx_http_voice_variable_set(ngx_http_variable_value_t *v, ngx_str_t *value)
{
    if (value == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = value->len;
    v->data = value->data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}
