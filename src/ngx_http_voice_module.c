
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_conf.h"
#include "ngx_http_voice_variable.h"
#include "api/ngx_http_voice_audio.h"
#include "api/ngx_http_voice_health.h"
#include "call/ngx_voice_wait.h"
#include "loop/ngx_voice_bell.h"
#include "mouth/ngx_http_voice_webhook.h"


static ngx_int_t ngx_http_voice_webhook_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_voice_audio_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_voice_health_handler(ngx_http_request_t *r);
static char *ngx_http_voice_webhook_here(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_voice_audio_here(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_voice_health_here(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_voice_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_voice_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_voice_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_voice_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_voice_init_warm(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_voice_init_jobs(ngx_cycle_t *cycle);
static void ngx_http_voice_exit_process(ngx_cycle_t *cycle);
static ngx_voice_zone_t *ngx_http_voice_cycle_zone(ngx_cycle_t *cycle);


#define NGX_HTTP_VOICE_ANY_CONF                                               \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_command_t  ngx_http_voice_commands[] = {

    { ngx_string("voice_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_voice_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_max_calls"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_voice_main_conf_t, max_calls),
      NULL },

    { ngx_string("voice_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_voice_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_flow"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_voice_flow,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_secret"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_voice_secret,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_path_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_voice_main_conf_t, spool),
      NULL },

    { ngx_string("voice_database"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_voice_database,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_node"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_voice_node,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_jobs"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_voice_jobs,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_price"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE23,
      ngx_http_voice_price,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_peer"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_voice_peer_here,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_warm"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_voice_warm,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_redact"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_voice_redact,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_number"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_voice_number,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_public_url"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_voice_public_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_account_sid"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.account_sid),
      NULL },

    { ngx_string("voice_auth_token"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_voice_auth_token,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_signature"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.signature),
      NULL },

    { ngx_string("voice_llm"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_voice_llm,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_tts"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_voice_tts,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_stt"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_voice_stt,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_twilio"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_voice_twilio,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_twilio_media"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE2,
      ngx_http_voice_twilio_media,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_recording_max_size"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.twilio.max_size),
      NULL },

    { ngx_string("voice_transcription_timeout"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.transcription_timeout),
      NULL },

    { ngx_string("voice_filler_after"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.filler_after),
      NULL },

    { ngx_string("voice_first_token_timeout"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.first_token_timeout),
      NULL },

    { ngx_string("voice_token_timeout"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.token_timeout),
      NULL },

    { ngx_string("voice_speech_timeout"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.speech_timeout),
      NULL },

    { ngx_string("voice_tool_timeout"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.tool_timeout),
      NULL },

    { ngx_string("voice_turn_timeout"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.turn_timeout),
      NULL },

    { ngx_string("voice_answer_within"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.answer_within),
      NULL },

    { ngx_string("voice_max_turns"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.max_turns),
      NULL },

    { ngx_string("voice_max_duration"),
      NGX_HTTP_VOICE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voice_loc_conf_t, webhook.max_duration),
      NULL },

    { ngx_string("voice_webhook"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_voice_webhook_here,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_audio"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voice_audio_here,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voice_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voice_health_here,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_voice_module_ctx = {
    ngx_http_voice_preconfiguration,       /* preconfiguration */
    ngx_http_voice_postconfiguration,      /* postconfiguration */

    ngx_http_voice_create_main_conf,       /* create main configuration */
    ngx_http_voice_init_main_conf,         /* init main configuration */

    ngx_http_voice_create_srv_conf,        /* create server configuration */
    ngx_http_voice_merge_srv_conf,         /* merge server configuration */

    ngx_http_voice_create_loc_conf,        /* create location configuration */
    ngx_http_voice_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_voice_module = {
    NGX_MODULE_V1,
    &ngx_http_voice_module_ctx,            /* module context */
    ngx_http_voice_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_voice_init_module,            /* init module */
    ngx_http_voice_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_voice_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_voice_webhook_handler(ngx_http_request_t *r)
{
    ngx_http_voice_loc_conf_t  *vlcf;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voice_module);
    vlcf = vlcf->here;

    return ngx_http_voice_webhook(r, &vlcf->webhook, vlcf->route);
}


static ngx_int_t
ngx_http_voice_audio_handler(ngx_http_request_t *r)
{
    ngx_http_voice_loc_conf_t  *vlcf;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voice_module);
    vlcf = vlcf->here;

    return ngx_http_voice_audio(r, &vlcf->speech, vlcf->webhook.keys,
                                vlcf->webhook.crm);
}


static ngx_int_t
ngx_http_voice_health_handler(ngx_http_request_t *r)
{
    ngx_http_voice_main_conf_t  *vmcf;

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voice_module);

    return ngx_http_voice_health(r, vmcf->zone, vmcf->signature_off);
}


static char *
ngx_http_voice_webhook_here(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    ngx_str_t               *value;
    ngx_http_voice_place_t  *place;

    place = ngx_http_voice_conf_place(cf, conf,
                                      ngx_http_voice_webhook_handler);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        value = cf->args->elts;

        vlcf->route = ngx_http_voice_hook_route(&value[1]);

        if (vlcf->route == NGX_HTTP_VOICE_ROUTES) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown webhook \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    place->webhook = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_voice_audio_here(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_place_t  *place;

    place = ngx_http_voice_conf_place(cf, conf,
                                      ngx_http_voice_audio_handler);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    place->audio = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_voice_health_here(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_voice_conf_place(cf, conf, ngx_http_voice_health_handler)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_voice_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_voice_variable_init(cf);
}


static ngx_int_t
ngx_http_voice_postconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_voice_conf_check(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_voice_zone_evict_by(ngx_voice_speech_evict, ngx_voice_call_evict);

    return ngx_http_voice_audio_init(cf);
}


static ngx_int_t
ngx_http_voice_init_module(ngx_cycle_t *cycle)
{
    if (ngx_test_config || ngx_http_voice_cycle_zone(cycle) == NULL) {
        return NGX_OK;
    }

    return ngx_voice_bell_init(cycle);
}


static ngx_int_t
ngx_http_voice_init_process(ngx_cycle_t *cycle)
{
    ngx_voice_zone_t            *zone;
    ngx_http_voice_main_conf_t  *vmcf;

    /* the cache manager and the loader are processes, too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    zone = ngx_http_voice_cycle_zone(cycle);

    if (zone == NULL) {
        return NGX_OK;
    }

    if (ngx_voice_zone_join(zone) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "voice zone has no place for one more worker, it has "
                      "%d", NGX_VOICE_WORKERS);
        return NGX_ERROR;
    }

    if (ngx_voice_wait_init_worker(cycle, zone) != NGX_OK) {
        return NGX_ERROR;
    }

    vmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_voice_module);

    if (vmcf->crm && ngx_voice_crm_start(vmcf->crm, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_voice_init_jobs(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voice_init_warm(cycle);
}


static ngx_int_t
ngx_http_voice_init_warm(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_array_t                 *agents;
    ngx_http_voice_place_t      *place;
    ngx_http_voice_main_conf_t  *vmcf;

    vmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_voice_module);

    /* one worker is enough, and whoever takes its place goes on */

    if (!vmcf->warm.enable || ngx_worker != 0) {
        return NGX_OK;
    }

    agents = ngx_array_create(cycle->pool, 4, sizeof(ngx_http_voice_agent_t));
    if (agents == NULL) {
        return NGX_ERROR;
    }

    place = vmcf->places.elts;

    for (i = 0; i < vmcf->places.nelts; i++) {

        if (place[i].webhook
            && ngx_http_voice_hook_agents(&place[i].conf->webhook,
                                          place[i].server->ctx, agents)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_voice_warm_start(cycle, &vmcf->warm, agents);
}


/* jobs ask whom the first location with webhooks asks */

static ngx_int_t
ngx_http_voice_init_jobs(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_voice_place_t         *place;
    ngx_http_voice_agent_t          agent;
    ngx_http_voice_number_t        *number;
    ngx_http_voice_main_conf_t     *vmcf;
    ngx_http_voice_webhook_conf_t  *conf;

    vmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_voice_module);

    if (vmcf->crm == NULL || vmcf->job.enable == 0 || ngx_worker != 0) {
        return NGX_OK;
    }

    place = vmcf->places.elts;

    for (i = 0; i < vmcf->places.nelts; i++) {

        if (place[i].webhook) {
            break;
        }
    }

    if (i == vmcf->places.nelts) {
        return NGX_OK;
    }

    conf = &place[i].conf->webhook;
    number = conf->numbers->elts;

    ngx_http_voice_hook_agent(conf, place[i].server->ctx, number,
                              number->flow, &agent);

    vmcf->jobs = ngx_http_voice_jobs_start(cycle, &vmcf->job, &agent);

    return vmcf->jobs ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_voice_exit_process(ngx_cycle_t *cycle)
{
    ngx_voice_zone_t            *zone;
    ngx_http_voice_main_conf_t  *vmcf;

    zone = ngx_http_voice_cycle_zone(cycle);

    if (zone == NULL || ngx_voice_zone_self() == 0) {
        return;
    }

    vmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_voice_module);

    if (vmcf->jobs) {
        ngx_http_voice_jobs_stop(vmcf->jobs);
        vmcf->jobs = NULL;
    }

    if (vmcf->crm) {
        ngx_voice_crm_stop(vmcf->crm);
    }

    ngx_voice_wait_exit_worker();
    ngx_voice_zone_leave(zone);

    /* what this worker still held can be taken over now */

    ngx_voice_wait_ring(cycle->log);
}


static ngx_voice_zone_t *
ngx_http_voice_cycle_zone(ngx_cycle_t *cycle)
{
    ngx_http_voice_main_conf_t  *vmcf;

    vmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_voice_module);

    return vmcf ? vmcf->zone : NULL;
}
