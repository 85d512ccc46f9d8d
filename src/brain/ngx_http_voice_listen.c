
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_listen.h"
#include "ngx_http_voice_note.h"
#include "ngx_http_voice_route.h"
#include "ngx_http_voice_turn.h"
#include "../call/ngx_voice_wait.h"


/* bytes of a second (Twilio, "Recordings": WAV of 16 bits, 8 kHz, mono) */
#define NGX_HTTP_VOICE_LISTEN_SECOND  16000


typedef struct {
    ngx_pool_t                   *pool;
    ngx_log_t                    *log;

    ngx_http_voice_agent_t        agent;
    ngx_voice_call_view_t         call;
    ngx_str_t                     sid;
    ngx_str_t                     account;
    ngx_str_t                     recording;
    ngx_uint_t                    turn;

    ngx_msec_t                    started;
    ngx_http_voice_recording_t   *fetching;
    ngx_http_voice_transcribe_t  *transcribing;
    ngx_voice_waiter_t            waiter;
} ngx_http_voice_listen_t;


static void ngx_http_voice_listen_fetched(void *data,
    ngx_http_voice_recording_t *recording, const char *cause);
static void ngx_http_voice_listen_done(void *data,
    ngx_http_voice_transcribe_t *transcribe, const char *cause);
static void ngx_http_voice_listen_words(ngx_http_voice_listen_t *listen,
    ngx_voice_transcript_t *transcript);
static void ngx_http_voice_listen_lost(void *data);
static void ngx_http_voice_listen_news(ngx_event_t *ev);
static void ngx_http_voice_listen_end(ngx_http_voice_listen_t *listen,
    ngx_voice_answer_e state, ngx_uint_t rule);
static ngx_int_t ngx_http_voice_listen_job(ngx_http_voice_agent_t *agent,
    ngx_str_t *sid, ngx_str_t *account, ngx_str_t *recording);
static void ngx_http_voice_listen_free(ngx_http_voice_listen_t *listen);


void
ngx_http_voice_listen_start(ngx_http_voice_agent_t *agent,
    ngx_voice_call_view_t *call, ngx_str_t *account, ngx_str_t *recording)
{
    ngx_str_t                    sid;
    ngx_pool_t                  *pool;
    ngx_http_voice_listen_t     *listen;
    ngx_http_voice_recording_t   fetch;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        goto failed;
    }

    listen = ngx_pcalloc(pool, sizeof(ngx_http_voice_listen_t));
    if (listen == NULL) {
        ngx_destroy_pool(pool);
        goto failed;
    }

    listen->pool = pool;
    listen->log = ngx_cycle->log;
    listen->agent = *agent;
    listen->agent.context = NULL;
    listen->call = *call;
    listen->turn = call->turn;
    listen->sid.data = listen->call.sid;
    listen->sid.len = NGX_VOICE_SID_LEN;
    listen->started = ngx_current_msec;

    listen->account.len = account->len;
    listen->account.data = ngx_pstrdup(pool, account);
    listen->recording.len = recording->len;
    listen->recording.data = ngx_pstrdup(pool, recording);

    if (listen->account.data == NULL || listen->recording.data == NULL) {
        ngx_destroy_pool(pool);
        goto failed;
    }

    ngx_memzero(&fetch, sizeof(ngx_http_voice_recording_t));

    fetch.data = listen;
    fetch.on_done = ngx_http_voice_listen_fetched;
    fetch.on_lost = ngx_http_voice_listen_lost;
    fetch.twilio = agent->twilio;
    fetch.ctx = agent->ctx;
    fetch.zone = agent->zone;
    fetch.call = listen->sid;
    fetch.account = listen->account;
    fetch.sid = listen->recording;
    fetch.timeout = agent->transcription_timeout;

    listen->fetching = ngx_http_voice_recording_start(&fetch);

    if (listen->fetching == NULL) {
        ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_UNCLEAR, 0);
        return;
    }

    ngx_voice_wait_add(&listen->waiter,
                       ngx_voice_wait_key(listen->sid.data, listen->sid.len),
                       ngx_http_voice_listen_news, listen, listen->log);
    return;

failed:

    sid.data = call->sid;
    sid.len = NGX_VOICE_SID_LEN;

    (void) ngx_voice_answer_heard(agent->zone, &sid, call->turn,
                                  NGX_VOICE_ANSWER_UNCLEAR, 0,
                                  ngx_cycle->log);
}


static void
ngx_http_voice_listen_fetched(void *data,
    ngx_http_voice_recording_t *recording, const char *cause)
{
    ngx_http_voice_listen_t *listen = data;

    ngx_msec_t                    spent;
    ngx_http_voice_agent_t       *agent;
    ngx_http_voice_transcribe_t   transcribe;

    agent = &listen->agent;

    listen->fetching = NULL;

    if (cause) {
        ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_UNCLEAR, 0);
        return;
    }

    spent = ngx_current_msec - listen->started;

    if (agent->price) {
        ngx_http_voice_agent_bill(agent, &listen->sid,
                                  agent->price->second
                                  * recording->audio.len
                                  / NGX_HTTP_VOICE_LISTEN_SECOND);
    }

    ngx_memzero(&transcribe, sizeof(ngx_http_voice_transcribe_t));

    transcribe.data = listen;
    transcribe.on_done = ngx_http_voice_listen_done;
    transcribe.on_lost = ngx_http_voice_listen_lost;
    transcribe.stt = agent->stt;
    transcribe.ctx = agent->ctx;
    transcribe.zone = agent->zone;
    transcribe.sid = listen->sid;
    transcribe.language.data = listen->call.language;
    transcribe.language.len = listen->call.language_len;
    transcribe.prompt = agent->flow->listen.hints;
    transcribe.timeout = (spent < agent->transcription_timeout)
                         ? agent->transcription_timeout - spent : 1;

    listen->transcribing = ngx_http_voice_transcribe_start(&transcribe,
                                                           &recording->audio);

    if (listen->transcribing == NULL) {
        ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_UNCLEAR, 0);
    }
}


static void
ngx_http_voice_listen_done(void *data,
    ngx_http_voice_transcribe_t *transcribe, const char *cause)
{
    ngx_http_voice_listen_t *listen = data;

    double  least;

    listen->transcribing = NULL;

    if (cause) {
        ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_UNCLEAR, 0);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, listen->log, 0,
                  "voice call \"%V\" turn %ui transcribed by \"%V\" of "
                  "\"%V\": %s, %uz bytes, %Mms, with the recording %Mms",
                  &listen->sid, listen->turn, &transcribe->stt->model,
                  &transcribe->stt->uri,
                  transcribe->silent ? "silence" : "words",
                  transcribe->transcript.text.len, transcribe->duration,
                  ngx_current_msec - listen->started);

    if (transcribe->silent) {
        ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_SILENT, 0);
        return;
    }

    least = listen->agent.flow->listen.confidence;

    if (transcribe->transcript.confidence >= 0
        && transcribe->transcript.confidence < least)
    {
        ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_UNCLEAR, 0);
        return;
    }

    ngx_http_voice_listen_words(listen, &transcribe->transcript);
}


/* the same as is done with words that came in a webhook */

static void
ngx_http_voice_listen_words(ngx_http_voice_listen_t *listen,
    ngx_voice_transcript_t *transcript)
{
    ngx_str_t                words, confidence;
    ngx_voice_rule_t        *rule;
    ngx_http_voice_agent_t  *agent;

    agent = &listen->agent;
    words = transcript->text;

    if (ngx_http_voice_agent_redact(agent, &words, listen->pool, listen->log)
        != NGX_OK)
    {
        ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_UNCLEAR, 0);
        return;
    }

    (void) ngx_voice_call_misheard(agent->zone, &listen->sid, 1);

    ngx_voice_call_said(agent->zone, &listen->sid, listen->turn,
                        NGX_VOICE_ROLE_USER, &words,
                        agent->flow->limits.history);

    ngx_str_null(&confidence);

    ngx_http_voice_note_heard(agent, &listen->call, listen->turn, &words,
                              "recording", &confidence);

    rule = ngx_voice_flow_match(agent->flow, &words);

    if (rule) {
        ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_RULE,
                                  rule - (ngx_voice_rule_t *)
                                         agent->flow->rules.elts);
        return;
    }

    ngx_http_voice_route_words(agent, &listen->call, &words, listen->pool,
                               listen->log);

    ngx_http_voice_listen_end(listen, NGX_VOICE_ANSWER_RUNNING, 0);
}


static void
ngx_http_voice_listen_lost(void *data)
{
    ngx_http_voice_listen_t *listen = data;

    ngx_http_voice_listen_free(listen);
}


/* the call went on without these words, or is over */

static void
ngx_http_voice_listen_news(ngx_event_t *ev)
{
    ngx_http_voice_listen_t  *listen;

    listen = ev->data;

    if (ngx_voice_answer_mine(listen->agent.zone, &listen->sid,
                              listen->turn))
    {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, listen->log, 0,
                  "voice call \"%V\" turn %ui is not transcribed, nobody "
                  "waits for it", &listen->sid, listen->turn);

    if (listen->fetching) {
        ngx_http_voice_recording_abort(listen->fetching);
    }

    if (listen->transcribing) {
        ngx_http_voice_transcribe_abort(listen->transcribing);
    }

    ngx_http_voice_listen_forget(&listen->agent, &listen->sid,
                                 &listen->account, &listen->recording);
    ngx_http_voice_listen_free(listen);
}


static void
ngx_http_voice_listen_end(ngx_http_voice_listen_t *listen,
    ngx_voice_answer_e state, ngx_uint_t rule)
{
    ngx_int_t  rc;

    rc = ngx_voice_answer_heard(listen->agent.zone, &listen->sid,
                                listen->turn, state, rule, listen->log);

    /* who asks the model has its own way to be told that nobody waits */

    ngx_voice_wait_del(&listen->waiter);

    ngx_http_voice_listen_forget(&listen->agent, &listen->sid,
                                 &listen->account, &listen->recording);

    if (rc == NGX_OK && state == NGX_VOICE_ANSWER_RUNNING) {
        (void) ngx_http_voice_turn_start(&listen->agent, &listen->call, 0);
    }

    ngx_http_voice_listen_free(listen);
}


void
ngx_http_voice_listen_forget(ngx_http_voice_agent_t *agent, ngx_str_t *sid,
    ngx_str_t *account, ngx_str_t *recording)
{
    if (!agent->flow->listen.delete_recordings
        || agent->twilio->uri.len == 0
        || !ngx_http_voice_twilio_sid(account, "AC")
        || !ngx_http_voice_twilio_sid(recording, "RE"))
    {
        return;
    }

    /* a job is done also if Twilio or this worker is not there just now */

    if (agent->crm
        && ngx_http_voice_listen_job(agent, sid, account, recording)
           == NGX_OK)
    {
        return;
    }

    (void) ngx_http_voice_twilio_delete(agent->twilio, agent->ctx, sid,
                                        account, recording, NULL, NULL);
}


/* voice.record(), a note of kind "job"; none of the three needs escaping */

static ngx_int_t
ngx_http_voice_listen_job(ngx_http_voice_agent_t *agent, ngx_str_t *sid,
    ngx_str_t *account, ngx_str_t *recording)
{
    u_char     buf[512];
    ngx_str_t  note;

    note.data = buf;
    note.len = ngx_snprintf(buf, sizeof(buf),
                            "{\"key\":\"%V/recording/%V\",\"kind\":\"job\","
                            "\"call\":\"%V\",\"job\":{"
                            "\"kind\":\"delete_recording\",\"payload\":{"
                            "\"account\":\"%V\",\"recording\":\"%V\"}}}",
                            sid, recording, sid, account, recording)
               - buf;

    return ngx_voice_crm_note(agent->crm, &note);
}


static void
ngx_http_voice_listen_free(ngx_http_voice_listen_t *listen)
{
    ngx_voice_wait_del(&listen->waiter);

    ngx_destroy_pool(listen->pool);
}
