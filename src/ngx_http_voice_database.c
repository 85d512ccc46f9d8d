
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_conf.h"


/* the database and what belongs to it */


/* ms that a lookup may take */
#define NGX_HTTP_VOICE_DATABASE_TIMEOUT  1000


char *
ngx_http_voice_database(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    ngx_int_t         ms;
    ngx_str_t        *value, option, password;
    ngx_uint_t        i;
    const char       *reason;
    ngx_voice_crm_t  *crm;

    if (vmcf->crm) {
        return "is duplicate";
    }

    crm = ngx_pcalloc(cf->pool, sizeof(ngx_voice_crm_t));
    if (crm == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    ngx_str_null(&password);

    crm->timeout = NGX_HTTP_VOICE_DATABASE_TIMEOUT;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_voice_conf_option(&value[i], "timeout=", &option)) {

            ms = ngx_parse_time(&option, 0);

            if (ms != NGX_ERROR && ms > 0) {
                crm->timeout = ms;
                continue;
            }

        } else if (ngx_http_voice_conf_option(&value[i], "password=",
                                              &option))
        {
            if (ngx_http_voice_file_first_line(cf, &option, &password)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    crm->conninfo = ngx_voice_pg_conninfo(cf->pool, &value[1], &password,
                                          &reason);
    if (crm->conninfo == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid connection string of the database: %s",
                           reason);
        return NGX_CONF_ERROR;
    }

    if (ngx_voice_crm_init(crm, cf->pool) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    vmcf->crm = crm;

    return NGX_CONF_OK;
}


char *
ngx_http_voice_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    u_char      ch;
    ngx_str_t  *value;
    ngx_uint_t  i;

    if (vmcf->node.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    /* it is a part of URLs, and of the path of another node's location */

    for (i = 0; i < value[1].len; i++) {
        ch = value[1].data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'
              || (ch == '.' && i)))
        {
            break;
        }
    }

    if (i < value[1].len || i == 0 || i > NGX_VOICE_CRM_NODE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of a node, it has up to %d "
                           "letters, digits and \"-_.\"", &value[1],
                           NGX_VOICE_CRM_NODE);
        return NGX_CONF_ERROR;
    }

    vmcf->node = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_voice_jobs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    ngx_str_t   *value, option;
    ngx_int_t    ms;
    ngx_uint_t   i;

    if (vmcf->job.enable != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        vmcf->job.enable = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        vmcf->job.enable = 0;

    } else {
        return "is either \"on\" or \"off\"";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_voice_conf_option(&value[i], "concurrency=", &option)
            && ngx_http_voice_conf_limit(&option, &vmcf->job.concurrency)
               == NGX_OK)
        {
            continue;
        }

        if (ngx_http_voice_conf_option(&value[i], "interval=", &option)) {
            ms = ngx_parse_time(&option, 0);

            if (ms != NGX_ERROR && ms > 0) {
                vmcf->job.interval = ms;
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voice_peer_here(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_loc_conf_t *vlcf = conf;

    ngx_str_t  *value;

    if (vlcf->webhook.peer.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_voice_conf_prefix(cf, &value[1], &vlcf->webhook.peer);
}
