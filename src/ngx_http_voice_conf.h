
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_CONF_H_INCLUDED_
#define _NGX_HTTP_VOICE_CONF_H_INCLUDED_


#include "brain/ngx_http_voice_job.h"
#include "brain/ngx_http_voice_warm.h"
#include "mouth/ngx_http_voice_hook.h"


typedef struct {
    ngx_voice_zone_t               *zone;     /* NULL: the module is idle */
    ngx_array_t                     keys;     /* of ngx_str_t */
    ngx_array_t                     flows;    /* of ngx_voice_flow_t * */
    ngx_array_t                     places;   /* ngx_http_voice_place_t */
    ngx_voice_redact_t             *redact;   /* NULL: nothing is masked */
    ngx_voice_crm_t                *crm;      /* NULL: no voice_database */
    ngx_str_t                       node;     /* empty: no other nodes */
    ngx_path_t                     *spool;
    ngx_uint_t                      max_calls;
    ngx_http_voice_warm_conf_t      warm;
    ngx_http_voice_job_conf_t       job;
    ngx_http_voice_jobs_t          *jobs;     /* this worker's, or NULL */
    ngx_http_voice_price_t         *price;    /* NULL: nothing has one */
    unsigned                        signature_off:1;
} ngx_http_voice_main_conf_t;


typedef struct {
    ngx_array_t                    *numbers;  /* ngx_http_voice_number_t */
} ngx_http_voice_srv_conf_t;


typedef struct ngx_http_voice_loc_conf_s  ngx_http_voice_loc_conf_t;

struct ngx_http_voice_loc_conf_s {
    ngx_http_voice_loc_conf_t      *here;     /* where the handler is set */
    ngx_http_voice_webhook_conf_t   webhook;
    ngx_uint_t                      route;    /* of voice_webhook */
    ngx_http_voice_speech_t         speech;   /* of voice_audio */
};


/* a location with a handler of ours, to be checked when all is read */

typedef struct {
    ngx_http_voice_loc_conf_t      *conf;
    ngx_http_core_srv_conf_t       *server;
    ngx_http_core_loc_conf_t       *location;
    ngx_http_handler_pt             handler;
    u_char                         *file;
    ngx_uint_t                      line;
    unsigned                        webhook:1;
    unsigned                        audio:1;
} ngx_http_voice_place_t;


void *ngx_http_voice_create_main_conf(ngx_conf_t *cf);
char *ngx_http_voice_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_voice_create_srv_conf(ngx_conf_t *cf);
char *ngx_http_voice_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
void *ngx_http_voice_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_voice_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/* what is looked at when everything is read: NGX_ERROR after a log line */
ngx_int_t ngx_http_voice_conf_check(ngx_conf_t *cf);

/* setters */

char *ngx_http_voice_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_flow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_warm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_redact(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_database(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_voice_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_jobs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_price(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_peer_here(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_voice_number(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_public_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_voice_auth_token(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_voice_llm(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_tts(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_stt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_twilio(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_voice_twilio_media(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the first line of a file, not empty, or NGX_ERROR after a log line */
ngx_int_t ngx_http_voice_file_first_line(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *line);

/* whether an argument is "name=" with a value, which then is in value */
ngx_uint_t ngx_http_voice_conf_option(ngx_str_t *arg, const char *name,
    ngx_str_t *value);

/* when all are read: what has no price costs nothing */
void ngx_http_voice_price_init(ngx_http_voice_price_t *price);

/* a number of requests at the same time, from 1; or NGX_ERROR */
ngx_int_t ngx_http_voice_conf_limit(ngx_str_t *value, ngx_uint_t *limit);

/* a location's prefix, kept in uri; or an error after a log line */
char *ngx_http_voice_conf_prefix(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *uri);

/*
 * Makes a location answer by a handler of ours, and notes it; NULL after a log
 * line when it has another one, or without memory.
 */
ngx_http_voice_place_t *ngx_http_voice_conf_place(ngx_conf_t *cf, void *conf,
    ngx_http_handler_pt handler);


#endif /* _NGX_HTTP_VOICE_CONF_H_INCLUDED_ */
