
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <openssl/crypto.h>

#include "ngx_http_voice_url.h"
#include "../wire/ngx_voice_audio_id.h"
#include "../wire/ngx_voice_base64url.h"
#include "../wire/ngx_voice_signature.h"


/* half of the HMAC, as for audio ids: nobody has 2^64 tries within a call */
#define NGX_HTTP_VOICE_URL_MAC   16
#define NGX_HTTP_VOICE_URL_MAC_TEXT                                           \
    ngx_voice_base64url_len(NGX_HTTP_VOICE_URL_MAC)

/*
 * ms.  One try may take as long as an answer may, a second one what is left;
 * the whole is Twilio's own bound.
 */
#define NGX_HTTP_VOICE_URL_CT    2000
#define NGX_HTTP_VOICE_URL_TT    15000
#define NGX_HTTP_VOICE_URL_SLACK 2000

/* a node's name, a dot and eight digits */
#define NGX_HTTP_VOICE_URL_NODE  (NGX_VOICE_CRM_NODE + 9)


static ngx_str_t ngx_http_voice_url_self(ngx_http_voice_hook_t *hook,
    u_char *buf, size_t size);
static void ngx_http_voice_url_mac(ngx_str_t *key, ngx_str_t *sid,
    ngx_str_t *route, ngx_str_t *node, ngx_uint_t turn, ngx_uint_t step,
    u_char *mac);


ngx_str_t
ngx_http_voice_url_step(ngx_http_voice_hook_t *hook, ngx_uint_t route,
    ngx_uint_t turn, ngx_uint_t step)
{
    u_char      *p, mac[NGX_VOICE_MAC_LEN];
    u_char       text[NGX_HTTP_VOICE_URL_MAC_TEXT];
    u_char       buf[NGX_HTTP_VOICE_URL_NODE];
    ngx_str_t    url, *name, *key, proof, node;
    ngx_msec_t   rt;

    name = &ngx_http_voice_routes[route].name;
    key = hook->conf->keys->elts;

    node = ngx_http_voice_url_self(hook, buf, sizeof(buf));

    ngx_http_voice_url_mac(key, &hook->call.sid, name, &node, turn, step, mac);
    (void) ngx_voice_base64url_encode(text, mac, NGX_HTTP_VOICE_URL_MAC);

    proof.data = text;
    proof.len = NGX_HTTP_VOICE_URL_MAC_TEXT;

    rt = ngx_min(hook->conf->answer_within + NGX_HTTP_VOICE_URL_SLACK,
                 NGX_HTTP_VOICE_URL_TT - NGX_HTTP_VOICE_URL_SLACK);

    url.len = name->len + proof.len + node.len + 3 * NGX_INT_T_LEN
              + sizeof("?k=&n=&s=&t=#ct=2000&rc=1&rp=ct,rt,5xx&rt=&tt=15000")
              - 1;

    url.data = ngx_pnalloc(hook->request->pool, url.len);
    if (url.data == NULL) {
        return url;
    }

    p = ngx_sprintf(url.data,
                    "%V?k=%V%s%V&s=%ui&t=%ui"
                    "#ct=%d&rc=1&rp=ct,rt,5xx&rt=%M&tt=%d",
                    name, &proof, node.len ? "&n=" : "", &node, step, turn,
                    NGX_HTTP_VOICE_URL_CT, rt, NGX_HTTP_VOICE_URL_TT);

    url.len = p - url.data;

    return url;
}


ngx_str_t
ngx_http_voice_url_audio(ngx_http_voice_hook_t *hook,
    u_char digest[NGX_VOICE_DIGEST])
{
    u_char      *p;
    ngx_str_t    url, extension, *key;

    static ngx_str_t  folder = ngx_string("audio/");

    key = hook->conf->keys->elts;
    extension = ngx_voice_flow_extension(&hook->agent.profile.format);

    url.len = folder.len + NGX_VOICE_AUDIO_ID_LEN + 1 + extension.len;

    url.data = ngx_pnalloc(hook->request->pool, url.len);
    if (url.data == NULL) {
        return url;
    }

    p = ngx_cpymem(url.data, folder.data, folder.len);

    ngx_voice_audio_id_make(key, digest, p);
    p += NGX_VOICE_AUDIO_ID_LEN;

    *p++ = '.';
    (void) ngx_cpymem(p, extension.data, extension.len);

    return url;
}


ngx_int_t
ngx_http_voice_url_parse(ngx_http_voice_hook_t *hook)
{
    u_char               mac[NGX_VOICE_MAC_LEN], sent[NGX_HTTP_VOICE_URL_MAC];
    ngx_int_t            turn, step;
    ngx_str_t           *key, k, s, t, node;
    ngx_uint_t           i, n;
    ngx_http_request_t  *r;

    r = hook->request;

    n = (ngx_http_arg(r, (u_char *) "k", 1, &k) == NGX_OK);
    n += (ngx_http_arg(r, (u_char *) "s", 1, &s) == NGX_OK);
    n += (ngx_http_arg(r, (u_char *) "t", 1, &t) == NGX_OK);

    if (n == 0) {
        return NGX_DECLINED;
    }

    if (n != 3
        || ngx_voice_base64url_decode(sent, NGX_HTTP_VOICE_URL_MAC, k.data,
                                      k.len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    step = ngx_atoi(s.data, s.len);
    turn = ngx_atoi(t.data, t.len);

    if (step == NGX_ERROR || turn == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (ngx_http_arg(r, (u_char *) "n", 1, &node) != NGX_OK) {
        ngx_str_null(&node);
    }

    key = hook->conf->keys->elts;

    for (i = 0; i < hook->conf->keys->nelts; i++) {

        ngx_http_voice_url_mac(&key[i], &hook->call.sid,
                               &ngx_http_voice_routes[hook->route].name,
                               &node, turn, step, mac);

        if (CRYPTO_memcmp(mac, sent, NGX_HTTP_VOICE_URL_MAC) == 0) {
            hook->step.turn = turn;
            hook->step.step = step;
            hook->origin = node;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


ngx_uint_t
ngx_http_voice_url_foreign(ngx_http_voice_hook_t *hook)
{
    u_char     buf[NGX_HTTP_VOICE_URL_NODE];
    ngx_str_t  self;

    if (hook->origin.len == 0) {
        return 0;
    }

    self = ngx_http_voice_url_self(hook, buf, sizeof(buf));

    return self.len != hook->origin.len
           || ngx_strncmp(self.data, hook->origin.data, self.len) != 0;
}


ngx_int_t
ngx_http_voice_url_node(ngx_http_voice_hook_t *hook, ngx_str_t *node)
{
    u_char     *p, *last;
    ngx_str_t  *self;

    p = hook->origin.data;
    last = p + hook->origin.len;

    /* the name may have dots, the number has none */

    while (last > p && last[-1] != '.') {
        last--;
    }

    if (last - p < 2) {
        return NGX_DECLINED;
    }

    node->data = p;
    node->len = last - 1 - p;

    self = &hook->conf->crm->node;

    return (self->len == node->len
            && ngx_strncmp(self->data, node->data, node->len) == 0)
           ? NGX_DECLINED : NGX_OK;
}


/* what this node and its memory are called; nothing where nobody could ask */

static ngx_str_t
ngx_http_voice_url_self(ngx_http_voice_hook_t *hook, u_char *buf,
    size_t size)
{
    ngx_str_t         self;
    ngx_voice_crm_t  *crm;

    crm = hook->conf->crm;

    self.data = buf;
    self.len = 0;

    if (crm) {
        self.len = ngx_snprintf(buf, size, "%V%s%08xD", &crm->node,
                                crm->node.len ? "." : "",
                                hook->conf->zone->sh->id)
                   - buf;
    }

    return self;
}


static void
ngx_http_voice_url_mac(ngx_str_t *key, ngx_str_t *sid, ngx_str_t *route,
    ngx_str_t *node, ngx_uint_t turn, ngx_uint_t step, u_char *mac)
{
    u_char     numbers[2 * NGX_INT_T_LEN + 1];
    ngx_str_t  parts[5];

    /* audio ids are made with the same key, for another purpose */

    ngx_str_set(&parts[0], "url");
    parts[1] = *sid;
    parts[2] = *route;
    parts[3].data = numbers;
    parts[3].len = ngx_sprintf(numbers, "%ui/%ui", turn, step) - numbers;
    parts[4] = *node;

    ngx_voice_mac(key, parts, node->len ? 5 : 4, mac);
}
