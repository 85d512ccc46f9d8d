
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_HOOK_H_INCLUDED_
#define _NGX_HTTP_VOICE_HOOK_H_INCLUDED_


#include "../brain/ngx_http_voice_agent.h"
#include "../wire/ngx_voice_form.h"


/* the module as such: its slot of a request's contexts holds the hook */
extern ngx_module_t  ngx_http_voice_module;


/*
 * One webhook on its way through this room, and the settings that it is
 * answered with.
 */


/* which agent answers a number ("voice_number") */

typedef struct {
    ngx_str_t                    number;    /* empty: the default */
    ngx_str_t                    flow_name;
    ngx_str_t                    language;  /* empty: the flow's */
    ngx_str_t                    voice;     /* empty: the flow's */
    ngx_str_t                    organization; /* empty: the database's */
    ngx_str_t                    timezone;
    ngx_str_t                    country;
    ngx_str_t                    given;     /* all that as a JSON object */
    ngx_voice_flow_t            *flow;
} ngx_http_voice_number_t;


typedef struct {
    ngx_voice_zone_t            *zone;
    ngx_array_t                 *keys;      /* of ngx_str_t */
    ngx_array_t                 *flows;     /* of ngx_voice_flow_t * */
    ngx_array_t                 *numbers;   /* of ngx_http_voice_number_t */
    ngx_voice_redact_t          *redact;    /* NULL: nothing is masked */
    ngx_voice_crm_t             *crm;       /* NULL: no database */
    ngx_http_voice_price_t      *price;     /* NULL: nothing has one */
    ngx_str_t                    peer;      /* prefix of other nodes */

    ngx_str_t                    scheme;    /* of voice_public_url */
    ngx_str_t                    authority;
    ngx_array_t                 *tokens;    /* of ngx_str_t */
    ngx_str_t                    account_sid;
    ngx_flag_t                   signature;

    ngx_array_t                 *models;    /* of ngx_http_voice_model_t */
    ngx_str_t                    tts;
    ngx_uint_t                   tts_limit; /* at the same time, 0: any */
    ngx_http_voice_stt_t         stt;
    ngx_http_voice_twilio_t      twilio;

    ngx_msec_t                   filler_after;
    ngx_msec_t                   first_token_timeout;
    ngx_msec_t                   token_timeout;
    ngx_msec_t                   speech_timeout;
    ngx_msec_t                   transcription_timeout;
    ngx_msec_t                   tool_timeout;
    ngx_msec_t                   turn_timeout;
    ngx_msec_t                   answer_within;
    ngx_uint_t                   max_turns;
    time_t                       max_duration;
} ngx_http_voice_webhook_conf_t;


typedef enum {
    NGX_HTTP_VOICE_INBOUND = 0,
    NGX_HTTP_VOICE_START,
    NGX_HTTP_VOICE_SPEECH,
    NGX_HTTP_VOICE_RECORDING,
    NGX_HTTP_VOICE_CONTINUE,
    NGX_HTTP_VOICE_FALLBACK,
    NGX_HTTP_VOICE_STATUS,
    NGX_HTTP_VOICE_ROUTES
} ngx_http_voice_route_e;


typedef struct {
    ngx_str_t                    name;      /* last segment of the path */
    ngx_uint_t                   kind;      /* of the step */
    unsigned                     creates:1; /* an unknown call */
    unsigned                     keyed:1;   /* its URL is one of ours */
} ngx_http_voice_route_t;


extern ngx_http_voice_route_t  ngx_http_voice_routes[];


/* one webhook on its way through this room */

typedef struct {
    ngx_http_request_t             *request;
    ngx_http_voice_webhook_conf_t  *conf;
    ngx_uint_t                      route;

    ngx_voice_param_t              *params;
    ngx_uint_t                      nparams;
    ngx_str_t                       body;      /* raw, when it is JSON */
    const char                     *verify_error;

    ngx_voice_call_new_t            call;
    ngx_voice_step_t                step;
    ngx_voice_call_view_t           view;
    ngx_http_voice_agent_t          agent;
    const char                     *state;     /* for $voice_state */
    ngx_str_t                       origin;    /* whose URL it is */

    unsigned                        json:1;
    unsigned                        over:1;    /* the database says so */
} ngx_http_voice_hook_t;


/* NGX_HTTP_VOICE_ROUTES if there is no such route */
ngx_uint_t ngx_http_voice_hook_route(ngx_str_t *name);

/* the value of a parameter, empty if it was not sent */
ngx_str_t ngx_http_voice_hook_param(ngx_http_voice_hook_t *hook,
    const char *name);

/* "inbound" or "outbound" */
ngx_str_t ngx_http_voice_hook_direction(ngx_http_voice_hook_t *hook);

/*
 * The id of the recording that the webhook tells of, if it is one: nothing
 * else of what is said about it is used to find it.  NGX_DECLINED: there is
 * none.
 */
ngx_int_t ngx_http_voice_hook_recording(ngx_http_voice_hook_t *hook,
    ngx_str_t *sid);

/* which number's agent; NULL if none answers it */
ngx_http_voice_number_t *ngx_http_voice_hook_number(
    ngx_http_voice_webhook_conf_t *conf, ngx_str_t *to);

/* who speaks, for a number or for a call that has a flow of its own */
void ngx_http_voice_hook_agent(ngx_http_voice_webhook_conf_t *conf,
    ngx_http_conf_ctx_t *ctx, ngx_http_voice_number_t *number,
    ngx_voice_flow_t *flow, ngx_http_voice_agent_t *agent);

/*
 * The agent of a call: its own flow, its number, its caller.  NGX_DECLINED: no
 * "voice_number" answers the number, which only a call's end gets to see.
 */
ngx_int_t ngx_http_voice_hook_speaker(ngx_http_voice_hook_t *hook);

/* adds everybody who speaks here to an array of ngx_http_voice_agent_t */
ngx_int_t ngx_http_voice_hook_agents(ngx_http_voice_webhook_conf_t *conf,
    ngx_http_conf_ctx_t *ctx, ngx_array_t *agents);

/* sends TwiML; the caller finalizes with what is returned */
ngx_int_t ngx_http_voice_hook_send(ngx_http_request_t *r,
    ngx_str_t *twiml);


#endif /* _NGX_HTTP_VOICE_HOOK_H_INCLUDED_ */
