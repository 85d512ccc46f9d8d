
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_SINK_H_INCLUDED_
#define _NGX_HTTP_VOICE_SINK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The filter that hears what a provider answers to an ask, as it arrives, and
 * lets nothing of it pass on: the ask's connection is no socket.  Its context
 * is set on the ask's main request.
 */

extern ngx_module_t  ngx_http_voice_sink_filter_module;


#endif /* _NGX_HTTP_VOICE_SINK_H_INCLUDED_ */
