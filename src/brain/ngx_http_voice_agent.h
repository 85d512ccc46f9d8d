
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_AGENT_H_INCLUDED_
#define _NGX_HTTP_VOICE_AGENT_H_INCLUDED_


#include "ngx_voice_flow.h"
#include "../ask/ngx_http_voice_chat.h"
#include "../ask/ngx_http_voice_speech.h"
#include "../ask/ngx_http_voice_transcribe.h"
#include "../ask/ngx_http_voice_recording.h"
#include "../call/ngx_voice_call.h"
#include "../crm/ngx_voice_crm.h"
#include "../wire/ngx_voice_redact.h"


/*
 * Who calls, as the CRM knows it; empty where it does not, and names also
 * where more than one contact matches.
 */

typedef struct {
    ngx_str_t                about;     /* all of it, JSON */
    ngx_str_t                name;
    ngx_str_t                first_name;
    ngx_str_t                company;
    ngx_str_t                deal;
    ngx_str_t                ticket;    /* its number */
    ngx_str_t                ticket_title;
    ngx_str_t                last_call;
} ngx_http_voice_context_t;


/* what one of each costs, in the money of who pays */

typedef struct {
    double                   input_token;
    double                   output_token;
    double                   character;  /* of speech */
    double                   second;     /* of a transcription */
    double                   minute;     /* of a call, each that began */
} ngx_http_voice_price_t;


/*
 * Who answers: a flow, and where its words and its voice come from.  Lives in
 * a request or a turn; everything it points to is configuration.
 */

typedef struct {
    ngx_voice_flow_t        *flow;
    ngx_array_t             *flows;     /* of ngx_voice_flow_t * */
    ngx_voice_zone_t        *zone;
    ngx_http_conf_ctx_t     *ctx;
    ngx_array_t             *models;    /* of ngx_http_voice_model_t */
    ngx_voice_redact_t      *redact;    /* NULL: nothing is masked */
    ngx_voice_crm_t         *crm;       /* NULL: no database */
    ngx_http_voice_price_t  *price;     /* NULL: nothing has one */
    ngx_http_voice_context_t  *context; /* NULL: nothing is known */
    ngx_str_t                given;     /* the number's words, JSON */
    ngx_http_voice_speech_t  speech;    /* uri.len is 0: <Say> only */
    ngx_voice_profile_t      profile;
    ngx_str_t                voice;     /* the number's; empty: the flow's */
    ngx_http_voice_stt_t    *stt;
    ngx_http_voice_twilio_t *twilio;
    ngx_msec_t               transcription_timeout;
    ngx_msec_t               first_token_timeout;
    ngx_msec_t               token_timeout;
    ngx_msec_t               tool_timeout;
    ngx_msec_t               turn_timeout;  /* for all of an answer */
} ngx_http_voice_agent_t;


/* room for what ngx_http_voice_agent_facts() writes */

typedef struct {
    u_char                   date[32];
    u_char                   time[8];
} ngx_http_voice_facts_buf_t;


/*
 * What templates may name in this call: numbers, the caller, and the date and
 * time, of the organization's time zone once it is known, else of this server.
 */
void ngx_http_voice_agent_facts(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_voice_facts_t *facts,
    ngx_http_voice_facts_buf_t *buf);

/* the clock that is meant by times in this call */
void ngx_http_voice_agent_clock(ngx_voice_call_view_t *call, ngx_tm_t *tm);

/* the agent has this flow from now on, and its voice */
void ngx_http_voice_agent_flow(ngx_http_voice_agent_t *agent,
    ngx_voice_flow_t *flow);

/* whether words can be played at all; if not they are left to <Say> */
ngx_uint_t ngx_http_voice_agent_speaks(ngx_http_voice_agent_t *agent);

/* whether two say the same with the same voice from the same location */
ngx_uint_t ngx_http_voice_agent_same(ngx_http_voice_agent_t *a,
    ngx_http_voice_agent_t *b);

/*
 * Makes words known and asks for their audio.  The state is final or
 * FILLING; FAILED also where the agent has no voice.
 */
ngx_voice_speech_e ngx_http_voice_agent_speak(ngx_http_voice_agent_t *agent,
    ngx_str_t *text, u_char digest[NGX_VOICE_DIGEST], ngx_str_t *sid);

/*
 * Only makes them known, for ngx_http_voice_speech_want() later.  FAILED: they
 * can only be left to <Say>.
 */
ngx_voice_speech_e ngx_http_voice_agent_word(ngx_http_voice_agent_t *agent,
    ngx_str_t *text, u_char digest[NGX_VOICE_DIGEST]);

/* the call has cost so much more */
void ngx_http_voice_agent_bill(ngx_http_voice_agent_t *agent, ngx_str_t *sid,
    double amount);

/*
 * Masks what nobody else is to see: the text is then a copy.  Without memory
 * it is NGX_ERROR, and the text must not be passed on.
 */
ngx_int_t ngx_http_voice_agent_redact(ngx_http_voice_agent_t *agent,
    ngx_str_t *text, ngx_pool_t *pool, ngx_log_t *log);

/*
 * The same, of which only the first len bytes are wanted: what is masked there
 * is found in the whole text, and what begins there and goes on is left out.
 */
ngx_int_t ngx_http_voice_agent_redact_head(ngx_http_voice_agent_t *agent,
    ngx_str_t *text, size_t len, ngx_pool_t *pool, ngx_log_t *log);


#endif /* _NGX_HTTP_VOICE_AGENT_H_INCLUDED_ */
