
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_conf.h"


/* what is configured by files: keys, tokens, secrets and flows */


#define NGX_HTTP_VOICE_SECRET_MAX  512
#define NGX_HTTP_VOICE_KEY_MIN     16


static ngx_int_t ngx_http_voice_file_read(ngx_conf_t *cf, ngx_str_t *name,
    size_t max, ngx_str_t *text);
static ngx_int_t ngx_http_voice_flow_file(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf, ngx_str_t *name);
static void ngx_http_voice_flow_cleanup(void *data);
static ngx_int_t ngx_http_voice_secret_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


char *
ngx_http_voice_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    ngx_str_t   *value, *key;
    ngx_uint_t   i;

    if (vmcf->keys.nelts) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        key = ngx_array_push(&vmcf->keys);
        if (key == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_voice_file_first_line(cf, &value[i], key) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (key->len < NGX_HTTP_VOICE_KEY_MIN) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the key in \"%V\" is shorter than %d bytes, "
                               "make one with \"openssl rand -hex 32\"",
                               &value[i], NGX_HTTP_VOICE_KEY_MIN);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voice_flow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value, mask, name;
    ngx_glob_t   gl;
    ngx_uint_t   found;

    value = cf->args->elts;
    mask = value[1];

    if (ngx_conf_full_name(cf->cycle, &mask, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&gl, sizeof(ngx_glob_t));

    gl.pattern = mask.data;
    gl.log = cf->log;
    gl.test = 1;

    if (ngx_open_glob(&gl) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_glob_n " \"%V\" failed", &mask);
        return NGX_CONF_ERROR;
    }

    found = 0;

    for ( ;; ) {
        n = ngx_read_glob(&gl, &name);

        if (n != NGX_OK) {
            break;
        }

        /* the schema may lie beside the flows that it describes */

        if (name.len > sizeof(".schema.json") - 1
            && ngx_strncmp(name.data + name.len
                           - (sizeof(".schema.json") - 1), ".schema.json",
                           sizeof(".schema.json") - 1)
               == 0)
        {
            continue;
        }

        found = 1;

        if (ngx_http_voice_flow_file(cf, vmcf, &name) != NGX_OK) {
            ngx_close_glob(&gl);
            return NGX_CONF_ERROR;
        }
    }

    ngx_close_glob(&gl);

    if (!found) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no flow file matches \"%V\"", &mask);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voice_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t            *value, *secret;
    ngx_http_variable_t  *var;

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '$') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    value[1].len--;
    value[1].data++;

    secret = ngx_palloc(cf->pool, sizeof(ngx_str_t));
    if (secret == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_voice_file_first_line(cf, &value[2], secret) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    var = ngx_http_add_variable(cf, &value[1], 0);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    var->get_handler = ngx_http_voice_secret_variable;
    var->data = (uintptr_t) secret;

    return NGX_CONF_OK;
}


char *
ngx_http_voice_auth_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    ngx_str_t   *value, *token;
    ngx_uint_t   i;

    if (vlcf->webhook.tokens != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    vlcf->webhook.tokens = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                    sizeof(ngx_str_t));
    if (vlcf->webhook.tokens == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        token = ngx_array_push(vlcf->webhook.tokens);
        if (token == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_voice_file_first_line(cf, &value[i], token) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_voice_file_read(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    ngx_str_t *text)
{
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   path;
    ngx_int_t   rc;

    path = *name;
    rc = NGX_ERROR;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &path);
        return NGX_ERROR;
    }

    text->data = ngx_pnalloc(cf->pool, max + 1);

    if (text->data) {
        n = ngx_read_fd(fd, text->data, max + 1);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%V\" failed", &path);

        } else if ((size_t) n > max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is larger than %uz bytes", &path, max);

        } else {
            text->len = n;
            rc = NGX_OK;
        }
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &path);
    }

    return rc;
}


ngx_int_t
ngx_http_voice_file_first_line(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *line)
{
    u_char  *p, *last;

    if (ngx_http_voice_file_read(cf, name, NGX_HTTP_VOICE_SECRET_MAX, line)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    last = line->data + line->len;

    for (p = line->data; p < last && *p != CR && *p != LF; p++) { /* void */ }

    while (p > line->data && (p[-1] == ' ' || p[-1] == '\t')) {
        p--;
    }

    line->len = p - line->data;

    if (line->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the first line of \"%V\" is empty", name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_flow_file(ngx_conf_t *cf, ngx_http_voice_main_conf_t *vmcf,
    ngx_str_t *name)
{
    size_t                   i;
    ngx_str_t                text, path;
    ngx_voice_flow_t        *flow, **flows;
    ngx_pool_cleanup_t      *cln;
    ngx_voice_flow_error_t   err;

    /* the glob's own memory goes with it */

    path.len = name->len;
    path.data = ngx_pnalloc(cf->pool, name->len + 1);
    if (path.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(path.data, name->data, name->len + 1);

    if (ngx_http_voice_file_read(cf, &path, NGX_VOICE_FLOW_MAX, &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_voice_flow_parse(cf->pool, &text, &flow, &err) != NGX_OK) {

        if (err.line) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "voice flow \"%V\": line %ui, column %ui: "
                               "%s%s%s", &path, err.line, err.column,
                               err.pointer, err.pointer[0] ? " " : "",
                               err.reason);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "voice flow \"%V\": %s%s%s", &path,
                               err.pointer, err.pointer[0] ? " " : "",
                               err.reason);
        }

        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_voice_flow_free(flow);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_voice_flow_cleanup;
    cln->data = flow;

    flows = vmcf->flows.elts;

    for (i = 0; i < vmcf->flows.nelts; i++) {
        if (flows[i]->name.len == flow->name.len
            && ngx_strncmp(flows[i]->name.data, flow->name.data,
                           flow->name.len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "voice flow \"%V\": another file has the name "
                               "\"%V\" already", &path, &flow->name);
            return NGX_ERROR;
        }
    }

    flows = ngx_array_push(&vmcf->flows);
    if (flows == NULL) {
        return NGX_ERROR;
    }

    *flows = flow;

    return NGX_OK;
}


static void
ngx_http_voice_flow_cleanup(void *data)
{
    ngx_voice_flow_free(data);
}


static ngx_int_t
ngx_http_voice_secret_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  *secret;

    secret = (ngx_str_t *) data;

    v->len = secret->len;
    v->data = secret->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
