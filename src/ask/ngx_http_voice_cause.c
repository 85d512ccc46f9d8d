
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_cause.h"
#include "../wire/ngx_voice_provider_error.h"


const char *
ngx_http_voice_cause(ngx_http_voice_ask_t *ask, ngx_str_t *body,
    ngx_str_t *detail)
{
    u_char       buf[64];
    ngx_str_t    code;
    ngx_uint_t   status;

    status = ask->status;

    code.data = buf;
    code.len = sizeof(buf);

    (void) ngx_voice_provider_error(body, &code, detail);

    if (!ngx_http_voice_cause_tells(status)) {
        detail->len = ngx_min(detail->len, code.len);
        ngx_memcpy(detail->data, code.data, detail->len);
    }

    if (status == 0
        || (!ask->header && status >= NGX_HTTP_INTERNAL_SERVER_ERROR))
    {
        /* nothing came but the core's own word for it, or no HTTP */

        return (status == NGX_HTTP_GATEWAY_TIME_OUT) ? "timeout"
                                                     : "unreachable";
    }

    /* money, not speed: no waiting helps */

    if (status == NGX_HTTP_VOICE_PAYMENT
        || (status < NGX_HTTP_INTERNAL_SERVER_ERROR
            && ngx_strnstr(code.data, "quota", code.len)))
    {
        return "quota";
    }

    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:
        return "unauthorized";

    case NGX_HTTP_NOT_FOUND:
        return "not_found";

    case NGX_HTTP_TOO_MANY_REQUESTS:

        if (ngx_strnstr(code.data, "balance", code.len)
            || ngx_strnstr(code.data, "spend_limit", code.len)
            || ngx_strnstr(code.data, "usage_limit", code.len))
        {
            return "quota";
        }

        return "rate_limited";

    default:
        return (status >= 500) ? "server_error" : "bad_request";
    }
}


ngx_uint_t
ngx_http_voice_cause_tells(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_VOICE_PAYMENT:
    case NGX_HTTP_FORBIDDEN:
    case NGX_HTTP_NOT_FOUND:
    case NGX_HTTP_TOO_MANY_REQUESTS:
        return 1;

    default:
        return 0;
    }
}
