
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_PEER_H_INCLUDED_
#define _NGX_HTTP_VOICE_PEER_H_INCLUDED_


#include "ngx_http_voice_pace.h"


/*
 * A webhook of a call that another node has is passed on to that node, as it
 * came, and answered with what that says.  Where the node does not answer,
 * next is called: the call has to go on here.  NGX_DONE: it is being waited
 * for.
 */
ngx_int_t ngx_http_voice_peer(ngx_http_voice_pace_t *pace, ngx_str_t *node,
    ngx_http_voice_resume_pt next);

/* whether another node has passed this webhook on: it is not passed again */
ngx_uint_t ngx_http_voice_peer_passed(ngx_http_request_t *r);


#endif /* _NGX_HTTP_VOICE_PEER_H_INCLUDED_ */
