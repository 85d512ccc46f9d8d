
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_TRANSCRIBE_H_INCLUDED_
#define _NGX_HTTP_VOICE_TRANSCRIBE_H_INCLUDED_


#include "ngx_http_voice_ask.h"
#include "../call/ngx_voice_zone.h"
#include "../wire/ngx_voice_transcript.h"


/*
 * What is said in a sound (OpenAI, "Create transcription", and servers
 * compatible with it).
 */

typedef struct {
    ngx_str_t                    uri;       /* internal location; or empty */
    ngx_str_t                    model;
} ngx_http_voice_stt_t;


typedef struct ngx_http_voice_transcribe_s  ngx_http_voice_transcribe_t;

/*
 * Runs once, as an event; cause is NULL when there is a transcript, maybe an
 * empty one, else a word such as "timeout" or "quota".  The transcription is
 * gone afterwards.
 */
typedef void (*ngx_http_voice_transcribe_done_pt)(void *data,
    ngx_http_voice_transcribe_t *transcribe, const char *cause);

/* the worker leaves by force: free what is yours, nothing else */
typedef void (*ngx_http_voice_transcribe_lost_pt)(void *data);


struct ngx_http_voice_transcribe_s {
    void                               *data;
    ngx_http_voice_transcribe_done_pt   on_done;
    ngx_http_voice_transcribe_lost_pt   on_lost;

    ngx_http_voice_stt_t               *stt;
    ngx_http_conf_ctx_t                *ctx;
    ngx_voice_zone_t                   *zone;
    ngx_str_t                           sid;       /* CallSid */
    ngx_str_t                           language;  /* BCP 47, may be empty */
    ngx_str_t                           prompt;    /* hints, may be empty */
    ngx_msec_t                          timeout;

    /* results */

    ngx_voice_transcript_t              transcript;
    ngx_msec_t                          duration;
    unsigned                            silent:1;  /* nothing was said */
};


/*
 * audio: a WAV file, which is copied as everything else.  The copy is
 * returned, NULL when the ask could not be made.
 */
ngx_http_voice_transcribe_t *ngx_http_voice_transcribe_start(
    ngx_http_voice_transcribe_t *transcribe, ngx_str_t *audio);

/* from an event of ours; on_done will not run */
void ngx_http_voice_transcribe_abort(ngx_http_voice_transcribe_t *transcribe);

/* bytes of a request's body at most, for a sound of this size */
size_t ngx_http_voice_transcribe_size(ngx_http_voice_stt_t *stt,
    size_t audio);


#endif /* _NGX_HTTP_VOICE_TRANSCRIBE_H_INCLUDED_ */
