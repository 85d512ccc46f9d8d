
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_SUMMARY_H_INCLUDED_
#define _NGX_HTTP_VOICE_SUMMARY_H_INCLUDED_


#include "ngx_http_voice_job.h"


/*
 * The job "summary": what a call that is over was about, by the model, for the
 * people who go on with it.  The model stands aside for callers; when it has
 * failed until the last attempt the facts are written down without it.
 */

void ngx_http_voice_summary_run(ngx_http_voice_job_t *job);
void ngx_http_voice_summary_late(ngx_http_voice_job_t *job);


#endif /* _NGX_HTTP_VOICE_SUMMARY_H_INCLUDED_ */
