
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_RECORDING_H_INCLUDED_
#define _NGX_HTTP_VOICE_RECORDING_H_INCLUDED_


#include "ngx_http_voice_twilio.h"


/*
 * The sound of a recording.  A redirect of the media is followed to the hosts
 * that the operator has named, by locations of their own.
 */

typedef struct ngx_http_voice_recording_s  ngx_http_voice_recording_t;

/*
 * Runs once, as an event; cause is NULL when the sound is there, else a word
 * such as "not_found", "too_large", "redirect".  The recording is gone
 * afterwards.
 */
typedef void (*ngx_http_voice_recording_done_pt)(void *data,
    ngx_http_voice_recording_t *recording, const char *cause);

/* the worker leaves by force: free what is yours, nothing else */
typedef void (*ngx_http_voice_recording_lost_pt)(void *data);


struct ngx_http_voice_recording_s {
    void                              *data;
    ngx_http_voice_recording_done_pt   on_done;
    ngx_http_voice_recording_lost_pt   on_lost;

    ngx_http_voice_twilio_t           *twilio;
    ngx_http_conf_ctx_t               *ctx;
    ngx_voice_zone_t                  *zone;
    ngx_str_t                          call;      /* CallSid */
    ngx_str_t                          account;   /* AccountSid */
    ngx_str_t                          sid;       /* RecordingSid */
    ngx_msec_t                         timeout;   /* of all tries */

    /* results */

    ngx_str_t                          audio;     /* WAV */
    ngx_msec_t                         duration;  /* ms that it took */
};


/*
 * Fetches the sound.  A recording that is not there yet is asked for again
 * until the time is over.  What is given is copied; the copy is returned, NULL
 * when the ask could not be made.
 */
ngx_http_voice_recording_t *ngx_http_voice_recording_start(
    ngx_http_voice_recording_t *recording);

/* from an event of ours; on_done will not run */
void ngx_http_voice_recording_abort(ngx_http_voice_recording_t *recording);


#endif /* _NGX_HTTP_VOICE_RECORDING_H_INCLUDED_ */
