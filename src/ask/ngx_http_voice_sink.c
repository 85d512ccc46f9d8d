
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_ask.h"
#include "ngx_http_voice_header.h"
#include "ngx_http_voice_sink.h"


static ngx_int_t ngx_http_voice_sink_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_voice_sink_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_voice_sink_init(ngx_conf_t *cf);


static ngx_http_module_t  ngx_http_voice_sink_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_voice_sink_init,              /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_voice_sink_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_voice_sink_filter_module_ctx,  /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_voice_sink_header_filter(ngx_http_request_t *r)
{
    ngx_http_voice_ask_t  *ask;

    ask = ngx_http_get_module_ctx(r->main, ngx_http_voice_sink_filter_module);

    if (ask == NULL) {
        return ngx_http_next_header_filter(r);
    }

    r->header_sent = 1;
    r->filter_need_in_memory = 1;

    if (r != ask->sr) {

        /* a subrequest of the location's own, such as a mirror's */
        return NGX_OK;
    }

    ask->header = 1;
    ask->status = r->headers_out.status;
    ask->content_type = r->headers_out.content_type;

    if (ask->status == NGX_HTTP_TOO_MANY_REQUESTS) {
        ask->retry_after = ngx_http_voice_header_retry_after(
                                                    &r->headers_out.headers);
    }

    /* as it was sent: "proxy_redirect" may have changed ours */

    if (r->upstream && r->upstream->headers_in.location) {
        ask->location = r->upstream->headers_in.location->value;
    }

#if (NGX_HTTP_CACHE)
    ask->cached = r->cached;
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_sink_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t             *b;
    ngx_chain_t           *cl;
    ngx_http_voice_ask_t  *ask;

    ask = ngx_http_get_module_ctx(r->main, ngx_http_voice_sink_filter_module);

    if (ask == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (r == ask->sr) {

            if (ask->on_data && ngx_buf_in_memory(b) && b->pos < b->last) {
                ask->on_data(ask, b->pos, b->last - b->pos);
            }

            if (b->last_buf || b->last_in_chain) {
                ask->complete = 1;
            }
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_sink_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_voice_sink_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_voice_sink_body_filter;

    return NGX_OK;
}
