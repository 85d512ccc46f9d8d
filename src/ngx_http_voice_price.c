
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_conf.h"


/* digits of a number before and behind its point */
#define NGX_HTTP_VOICE_PRICE_DIGITS  9


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   offset;
} ngx_http_voice_unit_t;


static ngx_int_t ngx_http_voice_price_amount(ngx_str_t *value,
    double *amount);
static ngx_int_t ngx_http_voice_price_per(ngx_str_t *value, double *per);


static ngx_http_voice_unit_t  ngx_http_voice_units[] = {

    { ngx_string("model.input_token"),
      offsetof(ngx_http_voice_price_t, input_token) },

    { ngx_string("model.output_token"),
      offsetof(ngx_http_voice_price_t, output_token) },

    { ngx_string("speech.character"),
      offsetof(ngx_http_voice_price_t, character) },

    { ngx_string("transcription.second"),
      offsetof(ngx_http_voice_price_t, second) },

    { ngx_string("call.minute"),
      offsetof(ngx_http_voice_price_t, minute) },

    { ngx_null_string, 0 }
};


char *
ngx_http_voice_price(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voice_main_conf_t *vmcf = conf;

    double                  amount, per, *price;
    ngx_str_t              *value, option;
    ngx_uint_t              i;
    ngx_http_voice_unit_t  *unit;

    value = cf->args->elts;

    for (unit = ngx_http_voice_units; unit->name.len; unit++) {

        if (unit->name.len == value[1].len
            && ngx_strncmp(unit->name.data, value[1].data, value[1].len)
               == 0)
        {
            break;
        }
    }

    if (unit->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown unit \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (vmcf->price == NULL) {
        vmcf->price = ngx_palloc(cf->pool, sizeof(ngx_http_voice_price_t));
        if (vmcf->price == NULL) {
            return NGX_CONF_ERROR;
        }

        for (i = 0; ngx_http_voice_units[i].name.len; i++) {
            *(double *) ((u_char *) vmcf->price
                         + ngx_http_voice_units[i].offset) = NGX_CONF_UNSET;
        }
    }

    price = (double *) ((u_char *) vmcf->price + unit->offset);

    if (*price != NGX_CONF_UNSET) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the price of \"%V\" is duplicate", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_voice_price_amount(&value[2], &amount) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid amount \"%V\", it is a decimal number "
                           "such as 0.15, with up to %d digits on both sides "
                           "of the point", &value[2],
                           NGX_HTTP_VOICE_PRICE_DIGITS);
        return NGX_CONF_ERROR;
    }

    per = 1;

    if (cf->args->nelts == 4
        && (!ngx_http_voice_conf_option(&value[3], "per=", &option)
            || ngx_http_voice_price_per(&option, &per) != NGX_OK))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[3]);
        return NGX_CONF_ERROR;
    }

    *price = amount / per;

    return NGX_CONF_OK;
}


void
ngx_http_voice_price_init(ngx_http_voice_price_t *price)
{
    double                 *amount;
    ngx_http_voice_unit_t  *unit;

    for (unit = ngx_http_voice_units; unit->name.len; unit++) {
        amount = (double *) ((u_char *) price + unit->offset);

        if (*amount == NGX_CONF_UNSET) {
            *amount = 0;
        }
    }
}


static ngx_int_t
ngx_http_voice_price_amount(ngx_str_t *value, double *amount)
{
    u_char      *p, *last;
    double       scale;
    ngx_uint_t   digits[2], point;

    *amount = 0;

    scale = 1;
    point = 0;
    digits[0] = 0;
    digits[1] = 0;

    last = value->data + value->len;

    for (p = value->data; p < last; p++) {

        if (*p == '.' && !point) {
            point = 1;
            continue;
        }

        if (*p < '0' || *p > '9'
            || ++digits[point] > NGX_HTTP_VOICE_PRICE_DIGITS)
        {
            return NGX_ERROR;
        }

        *amount = *amount * 10 + (*p - '0');

        if (point) {
            scale *= 10;
        }
    }

    *amount /= scale;

    return (digits[0] && (digits[1] || !point)) ? NGX_OK : NGX_ERROR;
}


/* 1000, 1k or 1m: of thousands and millions, not of 1024 */

static ngx_int_t
ngx_http_voice_price_per(ngx_str_t *value, double *per)
{
    size_t     len;
    ngx_int_t  n, scale;

    len = value->len;
    scale = 1;

    switch (value->data[len - 1]) {

    case 'k':
        scale = 1000;
        len--;
        break;

    case 'm':
        scale = 1000000;
        len--;
        break;

    default:
        break;
    }

    n = ngx_atoi(value->data, len);

    if (n < 1) {
        return NGX_ERROR;
    }

    *per = (double) n * scale;

    return NGX_OK;
}
