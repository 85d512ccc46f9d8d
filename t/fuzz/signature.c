
/*
 * Lines: token, authority, target, form.  The signature computed the plain
 * way over one long string is right, and one changed bit makes it wrong.
 */

#include "fuzz.h"
#include "ngx_voice_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>


#define MAX  80


static ngx_str_t
line(const uint8_t **p, const uint8_t *last)
{
    ngx_str_t       s;
    const uint8_t  *end;

    end = (*p < last) ? memchr(*p, '\n', last - *p) : NULL;

    s.data = (u_char *) *p;
    s.len = (end ? end : last) - *p;
    *p = end ? end + 1 : last;

    return s;
}


static int
cmp(ngx_str_t *a, ngx_str_t *b)
{
    size_t  i;

    for (i = 0; i < a->len && i < b->len; i++) {
        if (a->data[i] != b->data[i]) {
            return a->data[i] < b->data[i] ? -1 : 1;
        }
    }

    return a->len == b->len ? 0 : a->len < b->len ? -1 : 1;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char              *body, digest[20], text[32];
    ngx_str_t            scheme, token, authority, target, form, signature;
    fuzz_log_t           log;
    ngx_uint_t           i, j, n;
    const uint8_t       *p, *last;
    ngx_voice_param_t    params[MAX], swap, *scratch[MAX];

    p = data;
    last = data + len;
    token = line(&p, last);
    authority = line(&p, last);
    target = line(&p, last);
    form.data = (u_char *) p;
    form.len = last - p;

    body = fuzz_copy(form.data, form.len);
    ngx_voice_form_decode(body, form.len, params, MAX, &n);
    ngx_str_set(&scheme, "https");

    signature.data = (u_char *) data;
    signature.len = ngx_min(len, 28);
    CHECK(ngx_voice_signature_check(&scheme, &authority, &target, params, n,
                                    scratch, &token, &signature)
          == NGX_DECLINED);

    for (i = 0; i < n; i++) {
        for (j = i + 1; j < n; j++) {
            if (cmp(&params[j].name, &params[i].name) < 0
                || (cmp(&params[j].name, &params[i].name) == 0
                    && cmp(&params[j].value, &params[i].value) < 0))
            {
                swap = params[i];
                params[i] = params[j];
                params[j] = swap;
            }
        }
    }

    memset(&log, 0, sizeof(log));
    fuzz_log(&log, "https://", 8);
    fuzz_log(&log, authority.data, authority.len);
    fuzz_log(&log, target.data, target.len);

    for (i = 0; i < n; i++) {
        if (i && cmp(&params[i - 1].name, &params[i].name) == 0
            && cmp(&params[i - 1].value, &params[i].value) == 0)
        {
            continue;
        }

        fuzz_log(&log, params[i].name.data, params[i].name.len);
        fuzz_log(&log, params[i].value.data, params[i].value.len);
    }

    HMAC(EVP_sha1(), token.data, token.len, log.data, log.len, digest, NULL);
    EVP_EncodeBlock(text, digest, sizeof(digest));
    signature.data = text;
    signature.len = 28;

    /* in another order than sorted */

    for (i = 0; i < n / 2; i++) {
        swap = params[i];
        params[i] = params[n - 1 - i];
        params[n - 1 - i] = swap;
    }

    CHECK((ngx_voice_signature_check(&scheme, &authority, &target, params, n,
                                     scratch, &token, &signature)
           == NGX_OK)
          == (token.len > 0));

    text[len % 27] ^= 1;

    CHECK(ngx_voice_signature_check(&scheme, &authority, &target, params, n,
                                    scratch, &token, &signature)
          == NGX_DECLINED);

    ngx_voice_signature_body_sha256(&target, form.data, form.len);

    free(log.data);
    free(body);

    return 0;
}
