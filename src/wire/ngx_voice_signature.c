
#include "ngx_voice_signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>


#define NGX_VOICE_SIGNATURE_VARIANTS  4
#define NGX_VOICE_SIGNATURE_BLOCK     1024


/*
 * The many short names and values are gathered into blocks: each call of the
 * library costs as much as hashing a hundred bytes.
 */

typedef struct {
    EVP_MAC_CTX  *ctx;
    size_t        len;
    unsigned      failed:1;
    u_char        block[NGX_VOICE_SIGNATURE_BLOCK];
} ngx_voice_hmac_t;


static void ngx_voice_signature_sort(ngx_voice_param_t **sorted,
    ngx_voice_param_t *params, ngx_uint_t n);
static int ngx_voice_signature_cmp_params(const void *one, const void *two);
static ngx_int_t ngx_voice_signature_cmp(ngx_str_t *one, ngx_str_t *two);
static size_t ngx_voice_signature_port(ngx_str_t *authority);
static ngx_uint_t ngx_voice_signature_scheme(ngx_str_t *scheme,
    const char *name);
static ngx_int_t ngx_voice_signature_try(ngx_str_t *scheme,
    ngx_str_t *authority, const char *port, ngx_str_t *target,
    ngx_uint_t escape, ngx_voice_param_t **sorted, ngx_uint_t n,
    ngx_str_t *token, ngx_str_t *signature);

static ngx_int_t ngx_voice_hmac_init(ngx_voice_hmac_t *h, EVP_MAC_CTX **ctx,
    const char *digest, ngx_str_t *key);
static void ngx_voice_hmac_update(ngx_voice_hmac_t *h, const void *data,
    size_t len);
static ngx_int_t ngx_voice_hmac_final(ngx_voice_hmac_t *h, u_char *out,
    size_t size);


/*
 * Made once per process and used by its event loop only: looking an algorithm
 * up costs more than using it.
 */

static EVP_MAC_CTX  *ngx_voice_hmac_sha1;
static EVP_MAC_CTX  *ngx_voice_hmac_sha256;


ngx_int_t
ngx_voice_signature_check(ngx_str_t *scheme, ngx_str_t *authority,
    ngx_str_t *target, ngx_voice_param_t *params, ngx_uint_t n,
    ngx_voice_param_t **scratch, ngx_str_t *token, ngx_str_t *signature)
{
    u_char       *p;
    size_t        port;
    ngx_str_t     host;
    ngx_uint_t    i, tries, escape;
    const char   *ports[NGX_VOICE_SIGNATURE_VARIANTS];
    ngx_str_t    *hosts[NGX_VOICE_SIGNATURE_VARIANTS];

    if (token->len == 0 || signature->len != NGX_VOICE_SIGNATURE_LEN) {
        return NGX_DECLINED;
    }

    ngx_voice_signature_sort(scratch, params, n);

    tries = 0;
    hosts[tries] = authority;
    ports[tries++] = "";

    port = ngx_voice_signature_port(authority);

    if (port < authority->len) {
        host.data = authority->data;
        host.len = port;

        hosts[tries] = &host;
        ports[tries++] = "";

    } else {
        if (ngx_voice_signature_scheme(scheme, "https")
            || ngx_voice_signature_scheme(scheme, "wss"))
        {
            hosts[tries] = authority;
            ports[tries++] = ":443";
        }

        if (!ngx_voice_signature_scheme(scheme, "https")) {
            hosts[tries] = authority;
            ports[tries++] = ":80";
        }
    }

    /* a sender that normalises its URLs signs an apostrophe as %27 */

    p = target->len ? memchr(target->data, '?', target->len) : NULL;
    escape = p && memchr(p, '\'', target->data + target->len - p) ? 1 : 0;

    for (i = 0; i < tries * (escape + 1); i++) {
        if (ngx_voice_signature_try(scheme, hosts[i % tries], ports[i % tries],
                                    target, i / tries, scratch, n, token,
                                    signature)
            == NGX_OK)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_voice_signature_body_sha256(ngx_str_t *target, u_char *body, size_t len)
{
    u_char            *p, *end, *last, *found, hex[2 * SHA256_DIGEST_LENGTH];
    u_char             digest[SHA256_DIGEST_LENGTH];
    size_t             i;
    static const char  name[] = "bodySHA256=";
    static const char  digits[] = "0123456789abcdef";

    if (target->len == 0) {
        return NGX_ABORT;
    }

    last = target->data + target->len;
    found = NULL;
    p = memchr(target->data, '?', target->len);

    while (p != NULL) {
        p++;

        end = (p < last) ? memchr(p, '&', last - p) : NULL;

        if ((size_t) ((end ? end : last) - p) >= sizeof(name) - 1
            && ngx_memcmp(p, name, sizeof(name) - 1) == 0)
        {
            if (found) {
                return NGX_DECLINED;
            }

            found = p + sizeof(name) - 1;

            if ((end ? end : last) - found != sizeof(hex)) {
                return NGX_DECLINED;
            }
        }

        p = end;
    }

    if (found == NULL) {
        return NGX_ABORT;
    }

    if (EVP_Digest(len ? (const void *) body : "", len, digest, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < sizeof(digest); i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 0xf];
    }

    return CRYPTO_memcmp(hex, found, sizeof(hex)) == 0 ? NGX_OK : NGX_DECLINED;
}


void
ngx_voice_mac(ngx_str_t *key, const ngx_str_t *parts, ngx_uint_t n,
    u_char out[NGX_VOICE_MAC_LEN])
{
    u_char            size[8];
    uint64_t          len;
    ngx_uint_t        i, j;
    ngx_voice_hmac_t  h;

    if (ngx_voice_hmac_init(&h, &ngx_voice_hmac_sha256, "SHA256", key)
        == NGX_OK)
    {
        for (i = 0; i < n; i++) {
            len = parts[i].len;

            for (j = 0; j < sizeof(size); j++) {
                size[j] = (u_char) (len >> (56 - 8 * j));
            }

            ngx_voice_hmac_update(&h, size, sizeof(size));
            ngx_voice_hmac_update(&h, parts[i].data, parts[i].len);
        }

        if (ngx_voice_hmac_final(&h, out, NGX_VOICE_MAC_LEN) == NGX_OK) {
            return;
        }
    }

    /* without memory for a MAC: one that nobody can foresee, equal to none */

    if (RAND_bytes(out, NGX_VOICE_MAC_LEN) != 1) {
        abort();
    }
}


static void
ngx_voice_signature_sort(ngx_voice_param_t **sorted, ngx_voice_param_t *params,
    ngx_uint_t n)
{
    ngx_uint_t          i, j;
    ngx_voice_param_t  *param;

    if (n > 64) {
        /* insertion would be an invitation to send thousands */

        for (i = 0; i < n; i++) {
            sorted[i] = &params[i];
        }

        qsort(sorted, n, sizeof(ngx_voice_param_t *),
              ngx_voice_signature_cmp_params);
        return;
    }

    for (i = 0; i < n; i++) {
        param = &params[i];

        for (j = i;
             j > 0 && ngx_voice_signature_cmp_params(&sorted[j - 1], &param)
                      > 0;
             j--)
        {
            sorted[j] = sorted[j - 1];
        }

        sorted[j] = param;
    }
}


static int
ngx_voice_signature_cmp_params(const void *one, const void *two)
{
    ngx_int_t           rc;
    ngx_voice_param_t  *first, *second;

    first = *(ngx_voice_param_t *const *) one;
    second = *(ngx_voice_param_t *const *) two;

    rc = ngx_voice_signature_cmp(&first->name, &second->name);

    if (rc == 0) {
        rc = ngx_voice_signature_cmp(&first->value, &second->value);
    }

    return (int) rc;
}


static ngx_int_t
ngx_voice_signature_cmp(ngx_str_t *one, ngx_str_t *two)
{
    size_t     len;
    ngx_int_t  rc;

    len = ngx_min(one->len, two->len);

    rc = len ? ngx_memcmp(one->data, two->data, len) : 0;

    if (rc == 0 && one->len != two->len) {
        rc = (one->len < two->len) ? -1 : 1;
    }

    return rc;
}


/* where ":port" begins, or the length; a colon may be of an IPv6 address */

static size_t
ngx_voice_signature_port(ngx_str_t *authority)
{
    size_t  i;

    for (i = authority->len; i > 0; i--) {

        if (authority->data[i - 1] == ':') {
            return i - 1;
        }

        if (authority->data[i - 1] < '0' || authority->data[i - 1] > '9') {
            break;
        }
    }

    return authority->len;
}


static ngx_uint_t
ngx_voice_signature_scheme(ngx_str_t *scheme, const char *name)
{
    size_t  i;

    for (i = 0; i < scheme->len; i++) {
        if (ngx_tolower(scheme->data[i]) != (u_char) name[i]) {
            return 0;
        }
    }

    return name[i] == '\0';
}


static ngx_int_t
ngx_voice_signature_try(ngx_str_t *scheme, ngx_str_t *authority,
    const char *port, ngx_str_t *target, ngx_uint_t escape,
    ngx_voice_param_t **sorted, ngx_uint_t n, ngx_str_t *token,
    ngx_str_t *signature)
{
    u_char            *p, *q, *last, digest[SHA_DIGEST_LENGTH];
    u_char             text[NGX_VOICE_SIGNATURE_LEN + 1];
    ngx_uint_t         i;
    ngx_voice_hmac_t   h;

    if (ngx_voice_hmac_init(&h, &ngx_voice_hmac_sha1, "SHA1", token)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_voice_hmac_update(&h, scheme->data, scheme->len);
    ngx_voice_hmac_update(&h, "://", 3);
    ngx_voice_hmac_update(&h, authority->data, authority->len);
    ngx_voice_hmac_update(&h, port, ngx_strlen(port));

    p = target->data;
    last = p + target->len;

    if (escape) {
        p = memchr(p, '?', target->len);
        ngx_voice_hmac_update(&h, target->data, p - target->data);

        while ((q = memchr(p, '\'', last - p)) != NULL) {
            ngx_voice_hmac_update(&h, p, q - p);
            ngx_voice_hmac_update(&h, "%27", 3);
            p = q + 1;
        }
    }

    ngx_voice_hmac_update(&h, p, last - p);

    for (i = 0; i < n; i++) {

        if (i > 0
            && ngx_voice_signature_cmp_params(&sorted[i - 1], &sorted[i]) == 0)
        {
            continue;   /* only distinct values are signed */
        }

        ngx_voice_hmac_update(&h, sorted[i]->name.data, sorted[i]->name.len);
        ngx_voice_hmac_update(&h, sorted[i]->value.data, sorted[i]->value.len);
    }

    if (ngx_voice_hmac_final(&h, digest, sizeof(digest)) != NGX_OK) {
        return NGX_DECLINED;
    }

    EVP_EncodeBlock(text, digest, sizeof(digest));

    if (CRYPTO_memcmp(text, signature->data, NGX_VOICE_SIGNATURE_LEN) == 0) {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_voice_hmac_init(ngx_voice_hmac_t *h, EVP_MAC_CTX **ctx, const char *digest,
    ngx_str_t *key)
{
    EVP_MAC     *mac;
    OSSL_PARAM   params[2];

    if (*ctx == NULL) {
        mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
        if (mac == NULL) {
            return NGX_ERROR;
        }

        *ctx = EVP_MAC_CTX_new(mac);
        EVP_MAC_free(mac);

        if (*ctx == NULL) {
            return NGX_ERROR;
        }

        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                     (char *) digest, 0);
        params[1] = OSSL_PARAM_construct_end();

        if (EVP_MAC_CTX_set_params(*ctx, params) != 1) {
            EVP_MAC_CTX_free(*ctx);
            *ctx = NULL;
            return NGX_ERROR;
        }
    }

    h->ctx = *ctx;
    h->len = 0;
    h->failed = 0;

    /* a NULL key would mean "the same key as before" */

    if (EVP_MAC_init(h->ctx,
                     key->len ? key->data : (const u_char *) "", key->len,
                     NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_voice_hmac_update(ngx_voice_hmac_t *h, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }

    if (len > sizeof(h->block) - h->len) {

        if (h->len && EVP_MAC_update(h->ctx, h->block, h->len) != 1) {
            h->failed = 1;
        }

        h->len = 0;

        if (len >= sizeof(h->block)) {
            if (EVP_MAC_update(h->ctx, data, len) != 1) {
                h->failed = 1;
            }

            return;
        }
    }

    ngx_memcpy(h->block + h->len, data, len);
    h->len += len;
}


static ngx_int_t
ngx_voice_hmac_final(ngx_voice_hmac_t *h, u_char *out, size_t size)
{
    size_t  len;

    if (h->len && EVP_MAC_update(h->ctx, h->block, h->len) != 1) {
        h->failed = 1;
    }

    if (EVP_MAC_final(h->ctx, out, &len, size) != 1 || len != size) {
        return NGX_ERROR;
    }

    return h->failed ? NGX_ERROR : NGX_OK;
}
