
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_verify.h"
#include "../ask/ngx_http_voice_header.h"
#include "../wire/ngx_voice_signature.h"


static ngx_int_t ngx_http_voice_verify_header(ngx_http_voice_hook_t *hook,
    ngx_str_t *signature);
static ngx_int_t ngx_http_voice_verify_refuse(ngx_http_voice_hook_t *hook,
    const char *reason);


ngx_int_t
ngx_http_voice_verify_signature(ngx_http_voice_hook_t *hook)
{
    ngx_str_t                       signature, *token;
    ngx_uint_t                      i, n;
    ngx_voice_param_t             **scratch;
    ngx_http_request_t             *r;
    ngx_http_voice_webhook_conf_t  *conf;

    r = hook->request;
    conf = hook->conf;

    if (!conf->signature) {
        return NGX_OK;
    }

    if (ngx_http_voice_verify_header(hook, &signature) != NGX_OK) {
        return NGX_HTTP_FORBIDDEN;
    }

    n = 0;
    scratch = NULL;

    if (hook->json) {

        /* the URL alone would sign any body */

        switch (ngx_voice_signature_body_sha256(&r->unparsed_uri,
                                                hook->body.data,
                                                hook->body.len))
        {
        case NGX_OK:
            break;

        case NGX_ABORT:
            return ngx_http_voice_verify_refuse(hook,
                                       "the body is JSON, bodySHA256 is not "
                                       "in the query");

        default: /* NGX_DECLINED */
            return ngx_http_voice_verify_refuse(hook,
                                       "bodySHA256 is not the body's");
        }

    } else if (hook->nparams) {
        n = hook->nparams;

        scratch = ngx_palloc(r->pool, n * sizeof(ngx_voice_param_t *));
        if (scratch == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    token = conf->tokens->elts;

    for (i = 0; i < conf->tokens->nelts; i++) {
        if (ngx_voice_signature_check(&conf->scheme, &conf->authority,
                                      &r->unparsed_uri, hook->params, n,
                                      scratch, &token[i], &signature)
            == NGX_OK)
        {
            return NGX_OK;
        }
    }

    return ngx_http_voice_verify_refuse(hook,
                                       "the signature is not that of this "
                                       "URL, these parameters and a "
                                       "configured token");
}


ngx_int_t
ngx_http_voice_verify_account(ngx_http_voice_hook_t *hook)
{
    ngx_str_t  account, *wanted;

    wanted = &hook->conf->account_sid;

    if (wanted->len == 0) {
        return NGX_OK;
    }

    account = ngx_http_voice_hook_param(hook, "AccountSid");

    if (account.len != wanted->len
        || ngx_memcmp(account.data, wanted->data, account.len) != 0)
    {
        return ngx_http_voice_verify_refuse(hook,
                                       "AccountSid is not the configured "
                                       "account");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_verify_header(ngx_http_voice_hook_t *hook,
    ngx_str_t *signature)
{
    ngx_uint_t  found;

    found = ngx_http_voice_header_find(
                                  &hook->request->headers_in.headers,
                                  "X-Twilio-Signature", signature);

    if (found == 1) {
        return NGX_OK;
    }

    return ngx_http_voice_verify_refuse(hook, found
                                   ? "X-Twilio-Signature came more than once"
                                   : "X-Twilio-Signature is missing");
}


static ngx_int_t
ngx_http_voice_verify_refuse(ngx_http_voice_hook_t *hook, const char *reason)
{
    ngx_http_request_t             *r;
    ngx_http_voice_webhook_conf_t  *conf;

    r = hook->request;
    conf = hook->conf;

    hook->verify_error = reason;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "voice webhook refused: %s, computed for \"%V://%V%V\" with "
                  "%ui parameters and %ui tokens", reason, &conf->scheme,
                  &conf->authority, &r->unparsed_uri, hook->nparams,
                  conf->tokens ? conf->tokens->nelts : 0);

    ngx_voice_zone_lock(conf->zone);
    conf->zone->sh->counters.refused++;
    ngx_voice_zone_unlock(conf->zone);

    return NGX_HTTP_FORBIDDEN;
}
