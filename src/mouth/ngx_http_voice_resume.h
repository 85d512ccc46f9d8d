
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_RESUME_H_INCLUDED_
#define _NGX_HTTP_VOICE_RESUME_H_INCLUDED_


#include "ngx_http_voice_pace.h"


/*
 * A call that this zone does not know, or that another one had last, is read
 * from the database and made known here; then next is called, also when the
 * database has no such call or does not answer in time.  NGX_DONE: it is
 * being waited for.
 */
ngx_int_t ngx_http_voice_resume(ngx_http_voice_pace_t *pace,
    ngx_http_voice_resume_pt next);


#endif /* _NGX_HTTP_VOICE_RESUME_H_INCLUDED_ */
