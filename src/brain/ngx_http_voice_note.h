
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_NOTE_H_INCLUDED_
#define _NGX_HTTP_VOICE_NOTE_H_INCLUDED_


#include <cjson/cJSON.h>

#include "ngx_http_voice_agent.h"


/*
 * What the database is to know of a call, as notes to the spool (docs/crm.md,
 * "voice.record").  Without a database they are nothing.  Words must have
 * been through ngx_http_voice_agent_redact() before.
 */

/* how a turn was answered; times in ms, -1: not known */

typedef struct {
    ngx_str_t                model;
    ngx_int_t                first_token;  /* from the turn's beginning */
    ngx_int_t                last_token;   /* from there, too */
    ngx_int_t                tools;     /* waited for them, in all */
    ngx_int_t                prompt_tokens;
    ngx_int_t                completion_tokens;
    ngx_uint_t               pieces;
    size_t                   characters;   /* to be made into speech */
    double                   cost;      /* where things have a price */
    ngx_uint_t               failed;    /* flag */
    ngx_uint_t               estimated; /* flag: how much was heard */
} ngx_http_voice_note_answer_t;


/* the call has come in */
void ngx_http_voice_note_call(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *direction);

/* there is no room for it; "ends": nobody else takes it either */
void ngx_http_voice_note_refused(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *direction, ngx_uint_t ends);

/* what the caller said: input is "speech", "dtmf" or "recording" */
void ngx_http_voice_note_heard(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, ngx_str_t *words,
    const char *input, ngx_str_t *confidence);

/*
 * What the agent said in a turn: by the model, with how it went, or a line of
 * the flow's, without.
 */
void ngx_http_voice_note_said(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, ngx_str_t *words,
    ngx_http_voice_note_answer_t *answer);

/*
 * What was said of a turn's answer before the caller hung up.  It is noted
 * unless the database knows that the call went on, in another memory.
 */
void ngx_http_voice_note_left(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, ngx_str_t *words);

/*
 * The flow gives the caller to a human: the same action as the model's tool.
 * reason NULL: the caller has asked for one.
 */
void ngx_http_voice_note_transfer(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_uint_t turn, const char *reason);

/*
 * The answer to a webhook: said is what of the turn's answer went out with
 * it, last that nothing more of it is to come.
 */
void ngx_http_voice_note_step(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *route, ngx_voice_step_t *step,
    ngx_str_t *twiml, ngx_str_t *said, ngx_uint_t last);

/* words behind an audio id, for another node or after a restart */
void ngx_http_voice_note_utterance(ngx_http_voice_agent_t *agent,
    ngx_str_t *sid, u_char digest[NGX_VOICE_DIGEST], ngx_str_t *text);

/*
 * The call is over: Twilio's final status and, if they came, seconds; cost is
 * negative if nobody knows it.  Of a call that was not known here the database
 * is asked first: what is no call of ours makes no record.  What was resumed
 * of it in the meantime ends, too.
 */
void ngx_http_voice_note_end(ngx_voice_crm_t *crm, ngx_str_t *sid,
    ngx_str_t *status, ngx_str_t *duration, double cost, ngx_uint_t known);

/*
 * What the call was about, once: members of summary are "summary" and maybe
 * "sentiment", "next_step", "outcome" and "lead".  call is that of
 * voice.resume(): an outcome that a tool has set stays, and a lead is only
 * made of a caller whom the CRM does not know.
 */
void ngx_http_voice_note_summary(ngx_voice_crm_t *crm, ngx_str_t *sid,
    cJSON *call, cJSON *summary);


#endif /* _NGX_HTTP_VOICE_NOTE_H_INCLUDED_ */
