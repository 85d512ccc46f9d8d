
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_HTTP_VOICE_VARIABLE_H_INCLUDED_
#define _NGX_HTTP_VOICE_VARIABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


ngx_int_t ngx_http_voice_variable_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_VOICE_VARIABLE_H_INCLUDED_ */
