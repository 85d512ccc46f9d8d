
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_AUDIO_H_INCLUDED_
#define _NGX_HTTP_VOICE_AUDIO_H_INCLUDED_


#include "../ask/ngx_http_voice_speech.h"
#include "../crm/ngx_voice_crm.h"


/*
 * GET audio/<id>.<extension>: speech out of the cache of its location.  A
 * piece that is being made, here or in another worker, is waited for; words
 * that are not known here are looked for in the database, if there is one; an
 * id that is not ours, or whose words and audio are both gone, is 404 without
 * a question to the provider.
 */
ngx_int_t ngx_http_voice_audio(ngx_http_request_t *r,
    ngx_http_voice_speech_t *speech, ngx_array_t *keys, ngx_voice_crm_t *crm);

/* installs the header filter that gives such answers their own headers */
ngx_int_t ngx_http_voice_audio_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_VOICE_AUDIO_H_INCLUDED_ */
