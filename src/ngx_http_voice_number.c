
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cjson/cJSON.h>

#include "ngx_http_voice_conf.h"
#include "wire/ngx_voice_text.h"


/* whose a number is, and who answers it */


static ngx_int_t ngx_http_voice_number_given(ngx_conf_t *cf,
    ngx_http_voice_number_t *number);


char *
ngx_http_voice_number(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_srv_conf_t *vscf = conf;

    ngx_str_t                *value, name;
    ngx_uint_t                i;
    ngx_http_voice_number_t  *number, *other;

    value = cf->args->elts;
    name = value[1];

    if (name.len == 7 && ngx_strncmp(name.data, "default", 7) == 0) {
        ngx_str_null(&name);

    } else if (!ngx_voice_text_is_e164(&name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\", it is written as "
                           "+15005550009 or \"default\"", &name);
        return NGX_CONF_ERROR;
    }

    if (vscf->numbers == NGX_CONF_UNSET_PTR) {
        vscf->numbers = ngx_array_create(cf->pool, 4,
                                         sizeof(ngx_http_voice_number_t));
        if (vscf->numbers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    other = vscf->numbers->elts;

    for (i = 0; i < vscf->numbers->nelts; i++) {
        if (other[i].number.len == name.len
            && ngx_strncmp(other[i].number.data, name.data, name.len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "number \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    number = ngx_array_push(vscf->numbers);
    if (number == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(number, sizeof(ngx_http_voice_number_t));

    number->number = name;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_voice_conf_option(&value[i], "flow=",
                                       &number->flow_name)
            || ngx_http_voice_conf_option(&value[i], "language=",
                                          &number->language)
            || ngx_http_voice_conf_option(&value[i], "organization=",
                                          &number->organization)
            || ngx_http_voice_conf_option(&value[i], "timezone=",
                                          &number->timezone)
            || ngx_http_voice_conf_option(&value[i], "country=",
                                          &number->country)
            || ngx_http_voice_conf_option(&value[i], "voice=",
                                          &number->voice))
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (number->organization.len
        && (number->organization.len > 9
            || ngx_atoi(number->organization.data, number->organization.len)
               < 1))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid organization \"%V\", it is a number of "
                           "the CRM, from 1", &number->organization);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_voice_number_given(cf, number) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * What the database is told of it.  Of a number that is not named here the
 * database may know better.
 */

static ngx_int_t
ngx_http_voice_number_given(ngx_conf_t *cf, ngx_http_voice_number_t *number)
{
    char        *text;
    cJSON       *root, *to;
    ngx_int_t    rc;
    ngx_str_t    value;
    ngx_uint_t   i;

    struct {
        const char  *name;
        ngx_str_t   *value;
    } fields[] = {
        { "organization", &number->organization },
        { "flow", &number->flow_name },
        { "language", &number->language },
        { "timezone", &number->timezone },
        { "country", &number->country },
        { NULL, NULL }
    };

    rc = NGX_ERROR;

    root = cJSON_CreateObject();
    to = number->number.len ? root : cJSON_AddObjectToObject(root,
                                                            "otherwise");
    if (to == NULL) {
        goto done;
    }

    for (i = 0; fields[i].name; i++) {
        value = *fields[i].value;

        if (value.len == 0) {
            continue;
        }

        /* the rest of a configuration's word, which ends with zero */

        if (cJSON_AddStringToObject(to, fields[i].name, (char *) value.data)
            == NULL)
        {
            goto done;
        }
    }

    text = cJSON_PrintUnformatted(root);
    if (text == NULL) {
        goto done;
    }

    number->given.len = ngx_strlen(text);
    number->given.data = ngx_pnalloc(cf->pool, number->given.len);

    if (number->given.data) {
        ngx_memcpy(number->given.data, text, number->given.len);
        rc = NGX_OK;
    }

    cJSON_free(text);

done:

    cJSON_Delete(root);

    return rc;
}
