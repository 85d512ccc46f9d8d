
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_SPEECH_STORE_H_INCLUDED_
#define _NGX_VOICE_SPEECH_STORE_H_INCLUDED_


#include "ngx_voice_zone.h"


/*
 * Pieces of speech by their digest: the words, in which voice, and whether
 * the audio is there.  This is the fill record: whoever wants a piece that
 * is being made elsewhere waits for it by ngx_voice_wait_key(digest).
 */

#define NGX_VOICE_DIGEST         16


typedef enum {
    NGX_VOICE_SPEECH_UNKNOWN = 0,     /* no such record */
    NGX_VOICE_SPEECH_NEW,             /* nobody makes it */
    NGX_VOICE_SPEECH_FILLING,
    NGX_VOICE_SPEECH_READY,
    NGX_VOICE_SPEECH_FAILED           /* for a while, then NEW again */
} ngx_voice_speech_e;


/* how it is said; all strings are the caller's */

typedef struct {
    ngx_str_t              voice;     /* the provider's voice id */
    ngx_str_t              model;
    ngx_str_t              format;    /* mp3_22050_32 */
    ngx_str_t              settings;  /* a JSON object or empty */
} ngx_voice_profile_t;


/* content address of words in a voice */
void ngx_voice_speech_digest(ngx_voice_profile_t *profile, ngx_str_t *text,
    u_char digest[NGX_VOICE_DIGEST]);

/*
 * Makes the words known under their digest, without claiming anything.
 * NGX_ERROR when the zone is full.
 */
ngx_int_t ngx_voice_speech_put(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST], ngx_voice_profile_t *profile,
    ngx_str_t *text);

/*
 * A record for a digest whose words nobody remembers: there may be a file of
 * an earlier run.  NGX_ERROR when the zone is full.
 */
ngx_int_t ngx_voice_speech_open(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST]);

/*
 * The state as of now; a fill whose worker died counts as NEW.  With claim,
 * NEW is claimed for this worker: the caller then has to make the audio and
 * to call _done(), and sees NEW returned, everybody else FILLING.
 */
ngx_voice_speech_e ngx_voice_speech_state(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST], ngx_uint_t claim);

/* READY was wrong, the audio is gone: NEW again; NGX_DECLINED: no words */
ngx_int_t ngx_voice_speech_reset(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST]);

/* the state, under the caller's lock and without a claim */
ngx_voice_speech_e ngx_voice_speech_state_locked(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST]);

/*
 * How long the audio plays, in ms, as told by its size; 0 where that is not
 * known.  Under the caller's lock.
 */
ngx_msec_t ngx_voice_speech_length_locked(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST]);

/*
 * ok or not, wakes who waits; size: bytes of audio; retry: how long a failure
 * lasts, in ms
 */
void ngx_voice_speech_done(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST], ngx_uint_t ok, size_t size,
    ngx_msec_t retry, ngx_log_t *log);

/*
 * The words and the voice, copied to pool.  NGX_DECLINED: not known or only
 * the audio is (text->len is 0 then), NGX_ERROR: no memory.
 */
ngx_int_t ngx_voice_speech_get(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST], ngx_pool_t *pool,
    ngx_voice_profile_t *profile, ngx_str_t *text);

ngx_int_t ngx_voice_speech_evict(ngx_voice_zone_t *zone);


#endif /* _NGX_VOICE_SPEECH_STORE_H_INCLUDED_ */
