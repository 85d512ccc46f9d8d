
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_conf.h"


/* what is masked in the words of callers */


static ngx_voice_redact_t *ngx_http_voice_redact_create(ngx_conf_t *cf);
static void ngx_http_voice_redact_cleanup(void *data);


char *
ngx_http_voice_redact(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    size_t               offset;
    u_char               error[120];
    ngx_str_t           *value, *name;
    ngx_uint_t           i;
    ngx_voice_redact_t  *redact;

    value = cf->args->elts;

    if (vmcf->redact == NULL) {
        vmcf->redact = ngx_http_voice_redact_create(cf);
        if (vmcf->redact == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    redact = vmcf->redact;

    if (!ngx_voice_redact_is_name(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\", it is up to %d lower-case "
                           "letters, digits and \"_\", a letter first",
                           &value[1], NGX_VOICE_REDACT_NAME);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < redact->n; i++) {
        name = &redact->rules[i].name;

        if (name->len == value[1].len
            && ngx_strncmp(name->data, value[1].data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "name \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (redact->n == NGX_VOICE_REDACT_RULES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d \"voice_redact\" directives",
                           NGX_VOICE_REDACT_RULES);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {

        if (ngx_voice_redact_add(redact, &value[1]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" needs a pattern, only \"card\", "
                               "\"email\" and \"iban\" are built in",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_voice_redact_add_pattern(redact, &value[1], &value[2], error,
                                     sizeof(error), &offset)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid pattern \"%V\" of \"%V\", at offset %uz: "
                           "%s", &value[2], &value[1], offset, error);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_voice_redact_t *
ngx_http_voice_redact_create(ngx_conf_t *cf)
{
    ngx_voice_redact_t  *redact;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_voice_redact_t));
    if (cln == NULL) {
        return NULL;
    }

    redact = cln->data;

    if (ngx_voice_redact_init(redact) != NGX_OK) {
        return NULL;
    }

    cln->handler = ngx_http_voice_redact_cleanup;

    return redact;
}


static void
ngx_http_voice_redact_cleanup(void *data)
{
    ngx_voice_redact_free(data);
}
