
#include "ngx_voice_provider_error.h"


#define ngx_voice_provider_is_alnum(ch)                                       \
    (((ch) >= '0' && (ch) <= '9')                                             \
     || (((ch) | 0x20) >= 'a' && ((ch) | 0x20) <= 'z'))


typedef struct {
    u_char      *pos;
    u_char      *last;
    u_char      *start;
    unsigned     space:1;
    unsigned     bearer:1;      /* the word before announces a key */
} ngx_voice_provider_writer_t;


static cJSON *ngx_voice_provider_member(cJSON *json, const char *name);
static ngx_uint_t ngx_voice_provider_is_word(u_char ch);
static ngx_uint_t ngx_voice_provider_is_key(u_char *p, size_t len);
static void ngx_voice_provider_write(ngx_voice_provider_writer_t *w,
    const u_char *p, size_t len);
static size_t ngx_voice_provider_visible(u_char *p, u_char *last,
    u_char **skipped);


static const ngx_str_t  ngx_voice_provider_key_prefixes[] = {
    ngx_string("sk-"),
    ngx_string("sk_"),
    ngx_string("pk-"),
    ngx_string("rk-"),
    ngx_string("gsk_"),
    ngx_string("xai-"),
    ngx_string("hf_"),
    ngx_string("AIza"),
    ngx_string("eyJ"),
    ngx_null_string
};


ngx_int_t
ngx_voice_provider_error_find(cJSON *json, ngx_voice_provider_fault_t *fault)
{
    cJSON  *error, *detail;

    ngx_memzero(fault, sizeof(ngx_voice_provider_fault_t));

    if (cJSON_IsArray(json)) {
        json = json->child;
    }

    if (!cJSON_IsObject(json)) {
        return NGX_DECLINED;
    }

    error = cJSON_GetObjectItemCaseSensitive(json, "error");

    if (cJSON_IsObject(error)) {
        fault->message = ngx_voice_provider_member(error, "message");
        fault->code = ngx_voice_provider_member(error, "code");
        fault->type = ngx_voice_provider_member(error, "type");
        return NGX_OK;
    }

    if (cJSON_IsString(error) && error->valuestring[0] != '\0') {
        fault->message = error;
        fault->code = ngx_voice_provider_member(json, "code");
        fault->type = ngx_voice_provider_member(json, "type");
        return NGX_OK;
    }

    detail = cJSON_GetObjectItemCaseSensitive(json, "detail");

    if (cJSON_IsArray(detail)) {
        detail = detail->child;
    }

    if (cJSON_IsObject(detail)) {
        fault->message = ngx_voice_provider_member(detail, "message");
        if (fault->message == NULL) {
            fault->message = ngx_voice_provider_member(detail, "msg");
        }

        fault->code = ngx_voice_provider_member(detail, "code");
        if (fault->code == NULL) {
            fault->code = ngx_voice_provider_member(detail, "status");
        }

        fault->type = ngx_voice_provider_member(detail, "type");
        return NGX_OK;
    }

    if (cJSON_IsString(detail)) {
        fault->message = detail;
        return NGX_OK;
    }

    /* {"object": "error", "message": ...}, or nothing but a message */

    fault->message = ngx_voice_provider_member(json, "message");

    if (cJSON_IsString(fault->message)
        && cJSON_GetObjectItemCaseSensitive(json, "choices") == NULL)
    {
        fault->code = ngx_voice_provider_member(json, "code");
        fault->type = ngx_voice_provider_member(json, "type");
        return NGX_OK;
    }

    fault->message = NULL;

    return NGX_DECLINED;
}


ngx_int_t
ngx_voice_provider_error(ngx_str_t *body, ngx_str_t *code, ngx_str_t *message)
{
    int                          n;
    char                         number[32];
    cJSON                       *json;
    ngx_int_t                    rc;
    ngx_voice_provider_fault_t   fault;

    json = body->len ? cJSON_ParseWithLength((char *) body->data, body->len)
                     : NULL;

    rc = ngx_voice_provider_error_find(json, &fault);

    if (rc != NGX_OK) {
        cJSON_Delete(json);
        code->len = 0;
        ngx_voice_provider_clean(message, body->data, body->len);
        return NGX_DECLINED;
    }

    /* a word says more than a number, which mostly repeats the status */

    if (!cJSON_IsString(fault.code) && cJSON_IsString(fault.type)) {
        fault.code = fault.type;
    }

    if (cJSON_IsString(fault.code)) {
        ngx_voice_provider_clean(code, (u_char *) fault.code->valuestring,
                                 ngx_strlen(fault.code->valuestring));

    } else if (cJSON_IsNumber(fault.code)) {
        n = snprintf(number, sizeof(number), "%.15g", fault.code->valuedouble);
        ngx_voice_provider_clean(code, (u_char *) number, n);

    } else {
        code->len = 0;
    }

    if (cJSON_IsString(fault.message)) {
        ngx_voice_provider_clean(message,
                                 (u_char *) fault.message->valuestring,
                                 ngx_strlen(fault.message->valuestring));

    } else {
        message->len = 0;
    }

    cJSON_Delete(json);

    return NGX_OK;
}


void
ngx_voice_provider_clean(ngx_str_t *out, u_char *p, size_t len)
{
    u_char                       *last, *word, *end, *skipped;
    size_t                        n;
    ngx_uint_t                    html, key;
    ngx_voice_provider_writer_t   w;

    ngx_memzero(&w, sizeof(ngx_voice_provider_writer_t));

    w.start = out->data;
    w.pos = out->data;
    w.last = out->data + out->len;
    out->len = 0;

    if (len == 0) {
        return;
    }

    last = p + len;

    while (p < last && (*p <= ' ' || *p == 0xef || *p == 0xbb || *p == 0xbf)) {
        p++;
    }

    html = (p < last && *p == '<');

    while (p < last && w.pos < w.last) {

        if (html && *p == '<') {
            n = ngx_voice_provider_visible(p, last, &skipped);
            p = skipped;

            if (n) {
                w.space = 1;
                continue;
            }
        }

        if (*p <= ' ' || *p == 0x7f) {
            w.space = 1;
            p++;
            continue;
        }

        if (!ngx_voice_provider_is_word(*p)) {
            ngx_voice_provider_write(&w, p, 1);
            p++;
            continue;
        }

        word = p;

        while (p < last && ngx_voice_provider_is_word(*p)) {
            p++;
        }

        for (end = p; end > word && end[-1] == '.'; end--) {
            /* void */
        }

        /* words are judged before they are cut */

        key = w.bearer || ngx_voice_provider_is_key(word, end - word);

        w.bearer = (end - word == 6
                    && ngx_tolower(word[0]) == 'b'
                    && ngx_memcmp(word + 1, "earer", 5) == 0);

        if (key) {
            ngx_voice_provider_write(&w, (u_char *) "***", 3);
            word = end;
        }

        ngx_voice_provider_write(&w, word, p - word);
    }

    out->len = w.pos - w.start;
}


/* a member that says something: not null, not "" */

static cJSON *
ngx_voice_provider_member(cJSON *json, const char *name)
{
    cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(json, name);

    if (cJSON_IsNumber(item)
        || (cJSON_IsString(item) && item->valuestring[0] != '\0'))
    {
        return item;
    }

    return NULL;
}


/* what keys are made of, and what providers hide their middles with */

static ngx_uint_t
ngx_voice_provider_is_word(u_char ch)
{
    return ngx_voice_provider_is_alnum(ch) || ch == '-' || ch == '_'
           || ch == '*' || ch == '.' || ch >= 0x80;
}


static ngx_uint_t
ngx_voice_provider_is_key(u_char *p, size_t len)
{
    u_char            ch, prev;
    size_t            i, hex, digits, letters, others;
    const ngx_str_t  *prefix;

    hex = 0;
    digits = 0;
    letters = 0;
    others = 0;
    prev = ' ';

    for (i = 0; i < len; i++) {
        ch = ngx_tolower(p[i]);

        /* a key may stand behind a quote or a name */

        for (prefix = ngx_voice_provider_key_prefixes;
             prefix->len && !ngx_voice_provider_is_alnum(prev);
             prefix++)
        {
            if (len - i > prefix->len
                && ngx_memcmp(p + i, prefix->data, prefix->len) == 0)
            {
                return 1;
            }
        }

        prev = ch;

        if (ch >= '0' && ch <= '9') {
            digits++;

        } else if (ch >= 'a' && ch <= 'z') {
            letters++;

        } else {
            others++;
        }

        hex = (ngx_voice_provider_is_alnum(ch) && ch <= 'f') ? hex + 1 : 0;

        if (hex == 32) {
            return 1;
        }
    }

    /* something long that is no name */

    return len >= 40 && others < 3 && digits > 2 && letters > 2;
}


static void
ngx_voice_provider_write(ngx_voice_provider_writer_t *w, const u_char *p,
    size_t len)
{
    size_t  i;

    if (len && w->space && w->pos > w->start && w->pos < w->last) {
        *w->pos++ = ' ';
    }

    if (len) {
        w->space = 0;
    }

    for (i = 0; i < len && w->pos < w->last; i++) {

        if (p[i] < 0x80) {
            *w->pos++ = p[i];

        } else if (i == 0 || p[i - 1] < 0x80) {
            *w->pos++ = '?';
        }
    }
}


/* skips a tag, and all of a script or style; 0: a lone "<" */

static size_t
ngx_voice_provider_visible(u_char *p, u_char *last, u_char **skipped)
{
    u_char       *end;
    size_t        i, n;
    const char  **name;

    static const char  *names[] = { "script", "style", NULL };

    end = memchr(p, '>', last - p);

    if (end == NULL) {
        *skipped = p;
        return 0;
    }

    end++;

    for (name = names; *name; name++) {
        n = ngx_strlen(*name);

        for (i = 0; i < n && p + 1 + i < last; i++) {
            if (ngx_tolower(p[1 + i]) != (u_char) (*name)[i]) {
                break;
            }
        }

        if (i == n) {
            for ( /* void */ ; end < last; end++) {
                if (*end == '<' && end + 1 < last && end[1] == '/') {
                    break;
                }
            }
        }
    }

    *skipped = end;

    return 1;
}
