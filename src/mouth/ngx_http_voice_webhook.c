
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cjson/cJSON.h>

#include "ngx_http_voice_webhook.h"
#include "ngx_http_voice_verify.h"
#include "ngx_http_voice_step.h"
#include "../ask/ngx_http_voice_header.h"


/* real ones are below 8 kB; what a caller says can be several more */
#define NGX_HTTP_VOICE_BODY_MAX    65536
#define NGX_HTTP_VOICE_PARAMS_MAX  256


static ngx_int_t ngx_http_voice_webhook_check(ngx_http_request_t *r,
    ngx_http_voice_hook_t *hook);
static ngx_uint_t ngx_http_voice_webhook_type(ngx_http_request_t *r,
    const char *type, size_t len);
static void ngx_http_voice_webhook_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_voice_webhook_process(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_webhook_read(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_voice_hook_params(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_webhook_json(ngx_http_voice_hook_t *hook);
static ngx_int_t ngx_http_voice_webhook_call(ngx_http_voice_hook_t *hook);


ngx_int_t
ngx_http_voice_webhook(ngx_http_request_t *r,
    ngx_http_voice_webhook_conf_t *conf, ngx_uint_t route)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_str_t               name;
    ngx_http_voice_hook_t  *hook;

    if (route == NGX_HTTP_VOICE_ROUTES) {

        p = r->uri.data + r->uri.len;

        while (p > r->uri.data && p[-1] != '/') {
            p--;
        }

        name.data = p;
        name.len = r->uri.data + r->uri.len - p;

        route = ngx_http_voice_hook_route(&name);

        if (route == NGX_HTTP_VOICE_ROUTES) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "voice webhook is unknown: the last part of the "
                          "path is not the name of one");
            return NGX_HTTP_NOT_FOUND;
        }
    }

    hook = ngx_pcalloc(r->pool, sizeof(ngx_http_voice_hook_t));
    if (hook == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    hook->request = r;
    hook->conf = conf;
    hook->route = route;
    hook->state = "received";

    ngx_http_set_ctx(r, hook, ngx_http_voice_module);

    rc = ngx_http_voice_webhook_check(r, hook);

    if (rc != NGX_OK) {
        return rc;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_voice_webhook_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_voice_webhook_check(ngx_http_request_t *r,
    ngx_http_voice_hook_t *hook)
{
    static ngx_str_t  allow = ngx_string("POST");

    ngx_log_t  *log;

    log = r->connection->log;

    if (r->method != NGX_HTTP_POST) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "voice webhook \"%V\" is not a POST, set the method at "
                      "the provider to HTTP POST",
                      &ngx_http_voice_routes[hook->route].name);

        if (ngx_http_voice_header_add(r, "Allow", &allow) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_voice_webhook_type(r, "application/json",
                                    sizeof("application/json") - 1))
    {
        hook->json = 1;

    } else if (!ngx_http_voice_webhook_type(r,
                             "application/x-www-form-urlencoded",
                             sizeof("application/x-www-form-urlencoded") - 1))
    {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "voice webhook is neither a form nor JSON");
        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    if (r->headers_in.content_length_n > NGX_HTTP_VOICE_BODY_MAX) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "voice webhook is too large: %O bytes",
                      r->headers_in.content_length_n);
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_voice_webhook_type(ngx_http_request_t *r, const char *type,
    size_t len)
{
    ngx_str_t  *value;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    value = &r->headers_in.content_type->value;

    if (value->len < len
        || ngx_strncasecmp(value->data, (u_char *) type, len) != 0)
    {
        return 0;
    }

    return value->len == len
           || value->data[len] == ';'
           || value->data[len] == ' ';
}


static void
ngx_http_voice_webhook_body(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_voice_hook_t  *hook;

    hook = ngx_http_get_module_ctx(r, ngx_http_voice_module);

    /* what follows may wait, and outlives the caller's patience */

    r->read_event_handler = ngx_http_block_reading;

    rc = ngx_http_voice_webhook_process(hook);

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_voice_webhook_process(ngx_http_voice_hook_t *hook)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = hook->request;

    rc = ngx_http_voice_webhook_read(r, &hook->body);

    if (rc != NGX_OK) {
        return rc;
    }

    /* a form's parameters are signed, of another body its bytes are */

    rc = hook->json ? NGX_OK : ngx_http_voice_hook_params(hook);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voice_verify_signature(hook);

    if (rc == NGX_OK && hook->json) {
        rc = ngx_http_voice_webhook_json(hook);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_voice_verify_account(hook);
    }

    if (rc != NGX_OK) {

        if (rc == NGX_HTTP_FORBIDDEN) {
            hook->state = "refused";
        }

        return rc;
    }

    rc = ngx_http_voice_webhook_call(hook);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_voice_step(hook);
}


static ngx_int_t
ngx_http_voice_webhook_read(ngx_http_request_t *r, ngx_str_t *body)
{
    u_char                   *p;
    size_t                    len;
    ssize_t                   n;
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb;

    ngx_str_null(body);

    rb = r->request_body;

    if (rb == NULL || rb->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = rb->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len > NGX_HTTP_VOICE_BODY_MAX) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "voice webhook is too large: %uz bytes", len);
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    body->data = ngx_pnalloc(r->pool, len);
    if (body->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = body->data;

    for (cl = rb->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (b->in_file) {

            /* more than client_body_buffer_size: it was put aside */

            n = ngx_read_file(b->file, p, b->file_last - b->file_pos,
                              b->file_pos);

            if (n != (ssize_t) (b->file_last - b->file_pos)) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            p += n;

        } else if (b->pos) {

            /* the end of a chunked body has no memory */

            p = ngx_cpymem(p, b->pos, b->last - b->pos);
        }
    }

    body->len = p - body->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_hook_params(ngx_http_voice_hook_t *hook)
{
    ngx_http_request_t  *r;

    r = hook->request;

    hook->params = ngx_palloc(r->pool, NGX_HTTP_VOICE_PARAMS_MAX
                                       * sizeof(ngx_voice_param_t));
    if (hook->params == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_voice_form_decode(hook->body.data, hook->body.len, hook->params,
                              NGX_HTTP_VOICE_PARAMS_MAX, &hook->nparams)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "voice webhook has more than %d parameters",
                      NGX_HTTP_VOICE_PARAMS_MAX);
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_webhook_json(ngx_http_voice_hook_t *hook)
{
    cJSON               *root, *item;
    ngx_int_t            rc;
    ngx_voice_param_t   *param;
    ngx_http_request_t  *r;

    r = hook->request;
    rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    root = cJSON_ParseWithLength((char *) hook->body.data, hook->body.len);

    if (!cJSON_IsObject(root)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "voice webhook is no JSON object");
        rc = NGX_HTTP_BAD_REQUEST;
        goto done;
    }

    hook->params = ngx_palloc(r->pool, NGX_HTTP_VOICE_PARAMS_MAX
                                       * sizeof(ngx_voice_param_t));
    if (hook->params == NULL) {
        goto done;
    }

    cJSON_ArrayForEach(item, root) {

        if (!cJSON_IsString(item)) {
            continue;
        }

        if (hook->nparams == NGX_HTTP_VOICE_PARAMS_MAX) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "voice webhook has more than %d parameters",
                          NGX_HTTP_VOICE_PARAMS_MAX);
            rc = NGX_HTTP_BAD_REQUEST;
            goto done;
        }

        param = &hook->params[hook->nparams];

        param->name.len = ngx_strlen(item->string);
        param->name.data = ngx_pnalloc(r->pool, param->name.len);
        param->value.len = ngx_strlen(item->valuestring);
        param->value.data = ngx_pnalloc(r->pool, param->value.len);

        if (param->name.data == NULL || param->value.data == NULL) {
            goto done;
        }

        ngx_memcpy(param->name.data, item->string, param->name.len);
        ngx_memcpy(param->value.data, item->valuestring, param->value.len);

        hook->nparams++;
    }

    rc = NGX_OK;

done:

    cJSON_Delete(root);

    return rc;
}


static ngx_int_t
ngx_http_voice_webhook_call(ngx_http_voice_hook_t *hook)
{
    u_char                    c;
    ngx_str_t                 account;
    ngx_uint_t                i;
    ngx_log_t                *log;
    ngx_http_voice_number_t  *number;

    log = hook->request->connection->log;

    hook->call.sid = ngx_http_voice_hook_param(hook, "CallSid");
    hook->call.from = ngx_http_voice_hook_param(hook, "From");
    hook->call.to = ngx_http_voice_hook_param(hook, "To");
    account = ngx_http_voice_hook_param(hook, "AccountSid");

    if (account.len == 0) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "voice webhook has no AccountSid");
        return NGX_HTTP_BAD_REQUEST;
    }

    /* "CA" and 32 hexadecimal digits */

    i = 0;

    if (hook->call.sid.len == NGX_VOICE_SID_LEN
        && ngx_strncmp(hook->call.sid.data, "CA", 2) == 0)
    {
        for (i = 2; i < NGX_VOICE_SID_LEN; i++) {
            c = hook->call.sid.data[i] | 0x20;

            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
                break;
            }
        }
    }

    if (i != NGX_VOICE_SID_LEN) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "voice webhook has no CallSid, or a malformed one");
        return NGX_HTTP_BAD_REQUEST;
    }

    /* neither starts a conversation, whatever the number */

    if (hook->route == NGX_HTTP_VOICE_STATUS
        || ngx_http_voice_hook_param(hook, "ParentCallSid").len)
    {
        return NGX_OK;
    }

    number = ngx_http_voice_hook_number(hook->conf, &hook->call.to);

    if (number == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "voice webhook is for a number that no \"voice_number\" "
                      "names, and there is no default");
        return NGX_HTTP_NOT_FOUND;
    }

    hook->call.flow = number->flow->name;
    hook->call.language = number->language.len ? number->language
                                               : number->flow->language;

    return NGX_OK;
}
