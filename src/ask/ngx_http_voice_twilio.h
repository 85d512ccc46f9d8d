
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_TWILIO_H_INCLUDED_
#define _NGX_HTTP_VOICE_TWILIO_H_INCLUDED_


#include "ngx_http_voice_ask.h"
#include "../call/ngx_voice_zone.h"


/*
 * Recordings at Twilio (REST API, "Recordings").  What is asked for is made of
 * an account and a recording that were checked, never of a URL that came with
 * a request; a redirect of the media is followed to the hosts that the
 * operator has named, by locations of their own.
 */

#define NGX_HTTP_VOICE_TWILIO_SID  34


typedef struct {
    ngx_str_t                    host;      /* of the URL, with its port */
    ngx_str_t                    uri;       /* prefix of internal location */
} ngx_http_voice_media_t;


typedef struct {
    ngx_str_t                    uri;       /* likewise; empty: none */
    ngx_array_t                 *media;     /* ngx_http_voice_media_t, NULL */
    size_t                       max_size;  /* bytes of a recording */
} ngx_http_voice_twilio_t;


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


/* whether this is such an id: two letters and 32 hexadecimal digits */
ngx_uint_t ngx_http_voice_twilio_sid(ngx_str_t *sid, const char *letters);

/*
 * Fetches the sound.  A recording that is not there yet is asked for again
 * until the time is over.  What is given is copied; the copy is returned, NULL
 * when the ask could not be made.
 */
ngx_http_voice_recording_t *ngx_http_voice_recording_start(
    ngx_http_voice_recording_t *recording);

/* from an event of ours; on_done will not run */
void ngx_http_voice_recording_abort(ngx_http_voice_recording_t *recording);


/* cause is NULL when it is deleted, or was not there */
typedef void (*ngx_http_voice_delete_done_pt)(void *data, const char *cause);

/*
 * Deletes a recording; strings are copied.  done runs once, as an event, and
 * may be NULL: a failure has its log line.  NGX_ERROR: it could not be asked.
 */
ngx_int_t ngx_http_voice_recording_delete(ngx_http_voice_twilio_t *twilio,
    ngx_http_conf_ctx_t *ctx, ngx_str_t *call, ngx_str_t *account,
    ngx_str_t *sid, ngx_http_voice_delete_done_pt done, void *data);


#endif /* _NGX_HTTP_VOICE_TWILIO_H_INCLUDED_ */
