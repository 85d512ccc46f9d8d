
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_conf.h"


/* ms: between two stock phrases, and after one that could not be made */
#define NGX_HTTP_VOICE_WARM_INTERVAL  100
#define NGX_HTTP_VOICE_WARM_PAUSE     30000

/* jobs at the same time, and ms between two looks for more */
#define NGX_HTTP_VOICE_JOB_CONCURRENCY  2
#define NGX_HTTP_VOICE_JOB_INTERVAL     2000


void *
ngx_http_voice_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_voice_main_conf_t  *vmcf;

    vmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_voice_main_conf_t));
    if (vmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     vmcf->zone = NULL;
     *     vmcf->redact = NULL;
     *     vmcf->crm = NULL;
     *     vmcf->node = { 0, NULL };
     *     vmcf->spool = NULL;
     *     vmcf->jobs = NULL;
     *     vmcf->price = NULL;
     *     vmcf->signature_off = 0;
     */

    vmcf->max_calls = NGX_CONF_UNSET_UINT;
    vmcf->warm.enable = NGX_CONF_UNSET;
    vmcf->warm.interval = NGX_HTTP_VOICE_WARM_INTERVAL;
    vmcf->warm.pause = NGX_HTTP_VOICE_WARM_PAUSE;
    vmcf->job.enable = NGX_CONF_UNSET;
    vmcf->job.concurrency = NGX_HTTP_VOICE_JOB_CONCURRENCY;
    vmcf->job.interval = NGX_HTTP_VOICE_JOB_INTERVAL;

    if (ngx_array_init(&vmcf->keys, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&vmcf->flows, cf->pool, 4,
                          sizeof(ngx_voice_flow_t *))
           != NGX_OK
        || ngx_array_init(&vmcf->places, cf->pool, 4,
                          sizeof(ngx_http_voice_place_t))
           != NGX_OK)
    {
        return NULL;
    }

    return vmcf;
}


char *
ngx_http_voice_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    ngx_conf_init_uint_value(vmcf->max_calls, 0);
    ngx_conf_init_value(vmcf->warm.enable, 1);

    return NGX_CONF_OK;
}


void *
ngx_http_voice_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_voice_srv_conf_t  *vscf;

    vscf = ngx_pcalloc(cf->pool, sizeof(ngx_http_voice_srv_conf_t));
    if (vscf == NULL) {
        return NULL;
    }

    vscf->numbers = NGX_CONF_UNSET_PTR;

    return vscf;
}


char *
ngx_http_voice_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_voice_srv_conf_t *prev = parent;
    ngx_http_voice_srv_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->numbers, prev->numbers, NULL);

    return NGX_CONF_OK;
}


void *
ngx_http_voice_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_voice_loc_conf_t      *vlcf;
    ngx_http_voice_webhook_conf_t  *conf;

    vlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_voice_loc_conf_t));
    if (vlcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->zone, keys, flows, numbers = NULL;   at the end, by _check()
     *     conf->scheme, authority, account_sid, tts = { 0, NULL };
     *     conf->stt.uri, stt.model, twilio.uri = { 0, NULL };
     *     vlcf->here = NULL;
     *     vlcf->speech = { 0 };
     */

    conf = &vlcf->webhook;

    conf->tokens = NGX_CONF_UNSET_PTR;
    conf->models = NGX_CONF_UNSET_PTR;
    conf->twilio.media = NGX_CONF_UNSET_PTR;
    conf->twilio.max_size = NGX_CONF_UNSET_SIZE;
    conf->signature = NGX_CONF_UNSET;
    conf->filler_after = NGX_CONF_UNSET_MSEC;
    conf->first_token_timeout = NGX_CONF_UNSET_MSEC;
    conf->token_timeout = NGX_CONF_UNSET_MSEC;
    conf->speech_timeout = NGX_CONF_UNSET_MSEC;
    conf->transcription_timeout = NGX_CONF_UNSET_MSEC;
    conf->tool_timeout = NGX_CONF_UNSET_MSEC;
    conf->turn_timeout = NGX_CONF_UNSET_MSEC;
    conf->answer_within = NGX_CONF_UNSET_MSEC;
    conf->max_turns = NGX_CONF_UNSET_UINT;
    conf->max_duration = NGX_CONF_UNSET;

    vlcf->route = NGX_HTTP_VOICE_ROUTES;

    return vlcf;
}


char *
ngx_http_voice_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_voice_loc_conf_t *pvlcf = parent;
    ngx_http_voice_loc_conf_t *vlcf = child;

    ngx_http_voice_webhook_conf_t  *prev, *conf;

    prev = &pvlcf->webhook;
    conf = &vlcf->webhook;

    /* an "if" within the location keeps the handler, and has this instead */

    if (vlcf->here == NULL) {
        vlcf->here = pvlcf->here;
    }

    ngx_conf_merge_str_value(conf->peer, prev->peer, "");

    if (conf->authority.data == NULL) {
        conf->scheme = prev->scheme;
        conf->authority = prev->authority;
    }

    if (conf->stt.uri.data == NULL) {
        conf->stt = prev->stt;
    }

    ngx_conf_merge_ptr_value(conf->tokens, prev->tokens, NULL);
    ngx_conf_merge_ptr_value(conf->models, prev->models, NULL);
    ngx_conf_merge_str_value(conf->account_sid, prev->account_sid, "");

    if (conf->tts.data == NULL) {
        conf->tts_limit = prev->tts_limit;
    }

    ngx_conf_merge_str_value(conf->tts, prev->tts, "");
    ngx_conf_merge_str_value(conf->twilio.uri, prev->twilio.uri, "");
    ngx_conf_merge_ptr_value(conf->twilio.media, prev->twilio.media, NULL);
    ngx_conf_merge_size_value(conf->twilio.max_size, prev->twilio.max_size,
                              2 * 1024 * 1024);
    ngx_conf_merge_value(conf->signature, prev->signature, 1);

    ngx_conf_merge_msec_value(conf->filler_after, prev->filler_after, 1000);
    ngx_conf_merge_msec_value(conf->first_token_timeout,
                              prev->first_token_timeout, 3000);
    ngx_conf_merge_msec_value(conf->token_timeout, prev->token_timeout, 2000);
    ngx_conf_merge_msec_value(conf->speech_timeout, prev->speech_timeout,
                              3000);
    ngx_conf_merge_msec_value(conf->transcription_timeout,
                              prev->transcription_timeout, 10000);
    ngx_conf_merge_msec_value(conf->tool_timeout, prev->tool_timeout, 4000);
    ngx_conf_merge_msec_value(conf->turn_timeout, prev->turn_timeout, 30000);
    ngx_conf_merge_msec_value(conf->answer_within, prev->answer_within, 8000);
    ngx_conf_merge_uint_value(conf->max_turns, prev->max_turns, 0);
    ngx_conf_merge_sec_value(conf->max_duration, prev->max_duration, 0);

    return NGX_CONF_OK;
}


char *
ngx_http_voice_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    u_char            *p;
    ssize_t            size;
    ngx_str_t         *value, name, s;
    ngx_shm_zone_t    *shm_zone;
    ngx_voice_zone_t  *zone;

    if (vmcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    name.data = value[1].data;
    p = (u_char *) ngx_strchr(name.data, ':');

    if (p == NULL || p == name.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it is written as name:size",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    name.len = p - name.data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR || size < (ssize_t) (64 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of zone \"%V\", at least %uzk "
                           "are needed", &s, &name,
                           64 * ngx_pagesize / 1024);
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_voice_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_voice_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_voice_zone_init;
    shm_zone->data = zone;

    zone->shm_zone = shm_zone;
    vmcf->zone = zone;

    return NGX_CONF_OK;
}


char *
ngx_http_voice_warm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    ngx_str_t   *value, time;
    ngx_int_t    ms;
    ngx_uint_t   i;
    ngx_msec_t  *to;

    if (vmcf->warm.enable != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        vmcf->warm.enable = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        vmcf->warm.enable = 0;

    } else {
        return "is either \"on\" or \"off\"";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_voice_conf_option(&value[i], "interval=", &time)) {
            to = &vmcf->warm.interval;

        } else if (ngx_http_voice_conf_option(&value[i], "pause=", &time)) {
            to = &vmcf->warm.pause;

        } else {
            to = NULL;
        }

        ms = to ? ngx_parse_time(&time, 0) : NGX_ERROR;

        /* without a pause who waits for a piece would do nothing else */

        if (ms == NGX_ERROR || (ms == 0 && to == &vmcf->warm.pause)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        *to = ms;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voice_public_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    u_char     *p, *last;
    ngx_str_t  *value, url;

    if (vlcf->webhook.authority.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    url = value[1];

    if (url.len > 8 && ngx_strncmp(url.data, "https://", 8) == 0) {
        ngx_str_set(&vlcf->webhook.scheme, "https");
        url.data += 8;
        url.len -= 8;

    } else if (url.len > 7 && ngx_strncmp(url.data, "http://", 7) == 0) {
        ngx_str_set(&vlcf->webhook.scheme, "http");
        url.data += 7;
        url.len -= 7;

    } else {
        goto invalid;
    }

    if (url.data[url.len - 1] == '/') {
        url.len--;
    }

    last = url.data + url.len;

    for (p = url.data; p < last; p++) {
        if (*p == '/' || *p == '@' || *p == '?' || *p == '#' || *p <= ' ') {
            goto invalid;
        }
    }

    if (url.len == 0) {
        goto invalid;
    }

    vlcf->webhook.authority = url;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid URL \"%V\", it is the scheme and the host of "
                       "the webhooks as the provider was given them, such as "
                       "https://voice.example.org", &value[1]);

    return NGX_CONF_ERROR;
}


char *
ngx_http_voice_llm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    ngx_str_t               *value, number;
    ngx_uint_t               i;
    ngx_http_voice_model_t  *model;

    value = cf->args->elts;

    if (value[1].data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid location \"%V\", it starts with \"/\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (vlcf->webhook.models == NGX_CONF_UNSET_PTR) {
        vlcf->webhook.models = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_voice_model_t));
        if (vlcf->webhook.models == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    model = ngx_array_push(vlcf->webhook.models);
    if (model == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(model, sizeof(ngx_http_voice_model_t));

    model->uri = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_voice_conf_option(&value[i], "model=", &model->model)
            || ngx_http_voice_conf_option(&value[i], "max_tokens_field=",
                                          &model->tokens_field))
        {
            continue;
        }

        if (ngx_http_voice_conf_option(&value[i], "concurrency=", &number)
            && ngx_http_voice_conf_limit(&number, &model->limit) == NGX_OK)
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voice_tts(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    ngx_str_t  *value, number;

    if (vlcf->webhook.tts.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 3
        && (!ngx_http_voice_conf_option(&value[2], "concurrency=", &number)
            || ngx_http_voice_conf_limit(&number, &vlcf->webhook.tts_limit)
               != NGX_OK))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_voice_conf_prefix(cf, &value[1], &vlcf->webhook.tts);
}


char *
ngx_http_voice_stt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    ngx_str_t             *value;
    ngx_http_voice_stt_t  *stt;

    stt = &vlcf->webhook.stt;

    if (stt->uri.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid location \"%V\", it starts with \"/\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    stt->uri = value[1];
    ngx_str_set(&stt->model, "whisper-1");

    if (cf->args->nelts == 3
        && (!ngx_http_voice_conf_option(&value[2], "model=", &stt->model)
            || stt->model.len > 128))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voice_twilio(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    ngx_str_t  *value;

    if (vlcf->webhook.twilio.uri.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_voice_conf_prefix(cf, &value[1],
                                      &vlcf->webhook.twilio.uri);
}


char *
ngx_http_voice_twilio_media(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    u_char                  *p, *last;
    ngx_str_t               *value;
    ngx_http_voice_media_t  *media;
    ngx_http_voice_twilio_t *twilio;

    twilio = &vlcf->webhook.twilio;
    value = cf->args->elts;

    last = value[1].data + value[1].len;

    for (p = value[1].data; p < last; p++) {
        if (*p == '/' || *p == '@' || *p == '?' || *p == '#' || *p == '*'
            || *p <= ' ')
        {
            break;
        }
    }

    if (p < last || value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid host \"%V\", it is a name as it stands in "
                           "a URL, with a port if there is one", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (twilio->media == NGX_CONF_UNSET_PTR) {
        twilio->media = ngx_array_create(cf->pool, 2,
                                         sizeof(ngx_http_voice_media_t));
        if (twilio->media == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    media = ngx_array_push(twilio->media);
    if (media == NULL) {
        return NGX_CONF_ERROR;
    }

    media->host = value[1];

    return ngx_http_voice_conf_prefix(cf, &value[2], &media->uri);
}


ngx_http_voice_place_t *
ngx_http_voice_conf_place(ngx_conf_t *cf, void *conf,
    ngx_http_handler_pt handler)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    ngx_str_t                   *value;
    ngx_http_voice_place_t      *place;
    ngx_http_voice_main_conf_t  *vmcf;

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_voice_module);

    place = ngx_array_push(&vmcf->places);
    if (place == NULL) {
        return NULL;
    }

    ngx_memzero(place, sizeof(ngx_http_voice_place_t));

    vlcf->here = vlcf;

    place->conf = vlcf;
    place->server = ngx_http_conf_get_module_srv_conf(cf,
                                                      ngx_http_core_module);
    place->location = ngx_http_conf_get_module_loc_conf(cf,
                                                        ngx_http_core_module);
    place->file = cf->conf_file->file.name.data;
    place->line = cf->conf_file->line;

    if (place->location->handler) {
        value = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive conflicts with another handler "
                           "of the location", &value[0]);
        return NULL;
    }

    place->handler = handler;
    place->location->handler = handler;

    return place;
}


char *
ngx_http_voice_conf_prefix(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *uri)
{
    if (value->data[0] != '/' || value->data[value->len - 1] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid location \"%V\", it is a prefix that "
                           "starts and ends with \"/\"", value);
        return NGX_CONF_ERROR;
    }

    *uri = *value;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_voice_conf_option(ngx_str_t *arg, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len <= len || ngx_strncmp(arg->data, name, len) != 0) {
        return 0;
    }

    value->data = arg->data + len;
    value->len = arg->len - len;

    return 1;
}


ngx_int_t
ngx_http_voice_conf_limit(ngx_str_t *value, ngx_uint_t *limit)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n == 0) {
        return NGX_ERROR;
    }

    *limit = n;

    return NGX_OK;
}
