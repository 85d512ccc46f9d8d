
#include "ngx_voice_json.h"
#include "ngx_voice_utf8.h"


/* cJSON copies a number into 64 bytes and drops the rest */
#define NGX_VOICE_JSON_NUMBER_LEN  60


typedef struct {
    u_char                  *start;
    u_char                  *pos;
    u_char                  *last;
    ngx_voice_json_error_t  *err;
    size_t                   pointer;   /* its length */
    ngx_uint_t               depth;
    ngx_uint_t               names;     /* names seen so far */
    ngx_uint_t               stop;      /* the name that is a duplicate */
} ngx_voice_json_t;


static ngx_int_t ngx_voice_json_scan(ngx_voice_json_t *j);
static ngx_int_t ngx_voice_json_value(ngx_voice_json_t *j);
static ngx_int_t ngx_voice_json_object(ngx_voice_json_t *j);
static ngx_int_t ngx_voice_json_array(ngx_voice_json_t *j);
static ngx_int_t ngx_voice_json_string(ngx_voice_json_t *j, ngx_uint_t name);
static ngx_int_t ngx_voice_json_escape(ngx_voice_json_t *j, uint32_t *ch);
static ngx_int_t ngx_voice_json_hex(ngx_voice_json_t *j, uint32_t *ch);
static ngx_int_t ngx_voice_json_number(ngx_voice_json_t *j);
static ngx_uint_t ngx_voice_json_digits(ngx_voice_json_t *j);
static ngx_int_t ngx_voice_json_literal(ngx_voice_json_t *j,
    const char *literal);
static void ngx_voice_json_blank(ngx_voice_json_t *j);
static void ngx_voice_json_point(ngx_voice_json_t *j, uint32_t ch);
static void ngx_voice_json_index(ngx_voice_json_t *j, ngx_uint_t index);
static ngx_int_t ngx_voice_json_fail(ngx_voice_json_t *j, u_char *where,
    const char *reason);
static ngx_uint_t ngx_voice_json_duplicate(cJSON *json, ngx_uint_t *names);


cJSON *
ngx_voice_json_parse(u_char *data, size_t len, ngx_voice_json_error_t *err)
{
    cJSON             *json;
    ngx_uint_t         names;
    ngx_voice_json_t   j;

    ngx_memzero(err, sizeof(ngx_voice_json_error_t));
    ngx_memzero(&j, sizeof(ngx_voice_json_t));

    if (len == 0) {
        data = (u_char *) "";
    }

    j.start = data;
    j.last = data + len;
    j.err = err;

    if (ngx_voice_json_scan(&j) != NGX_OK) {
        return NULL;
    }

    json = cJSON_ParseWithLength((char *) data, len);

    if (json == NULL) {
        (void) ngx_voice_json_fail(&j, data, "out of memory");
        return NULL;
    }

    names = 0;

    if (ngx_voice_json_duplicate(json, &names)) {

        /* the tree has no positions: find the same name again */

        cJSON_Delete(json);

        j.stop = names;

        (void) ngx_voice_json_scan(&j);

        return NULL;
    }

    return json;
}


static ngx_int_t
ngx_voice_json_scan(ngx_voice_json_t *j)
{
    j->pos = j->start;
    j->pointer = 0;
    j->depth = 0;
    j->names = 0;
    j->err->pointer[0] = '\0';

    if (j->last - j->pos >= 3 && ngx_memcmp(j->pos, "\xef\xbb\xbf", 3) == 0) {
        return ngx_voice_json_fail(j, j->pos, "byte order mark");
    }

    if (ngx_voice_json_value(j) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_voice_json_blank(j);

    if (j->pos < j->last) {
        return ngx_voice_json_fail(j, j->pos, "bytes after the value");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_json_value(ngx_voice_json_t *j)
{
    ngx_int_t  rc;

    ngx_voice_json_blank(j);

    if (j->pos == j->last) {
        return ngx_voice_json_fail(j, j->pos, "unexpected end");
    }

    switch (*j->pos) {

    case '{':
    case '[':
        if (j->depth == NGX_VOICE_JSON_DEPTH) {
            return ngx_voice_json_fail(j, j->pos, "nested too deeply");
        }

        j->depth++;
        rc = (*j->pos == '{') ? ngx_voice_json_object(j)
                              : ngx_voice_json_array(j);
        j->depth--;

        return rc;

    case '"':
        return ngx_voice_json_string(j, 0);

    case 't':
        return ngx_voice_json_literal(j, "true");

    case 'f':
        return ngx_voice_json_literal(j, "false");

    case 'n':
        return ngx_voice_json_literal(j, "null");

    case '\0':
        return ngx_voice_json_fail(j, j->pos, "NUL byte");

    default:

        if (*j->pos == '-' || (*j->pos >= '0' && *j->pos <= '9')) {
            return ngx_voice_json_number(j);
        }

        return ngx_voice_json_fail(j, j->pos, "value expected");
    }
}


static ngx_int_t
ngx_voice_json_object(ngx_voice_json_t *j)
{
    u_char  *name;
    size_t   pointer;

    pointer = j->pointer;
    j->pos++;

    ngx_voice_json_blank(j);

    if (j->pos < j->last && *j->pos == '}') {
        j->pos++;
        return NGX_OK;
    }

    for ( ;; ) {
        ngx_voice_json_blank(j);

        if (j->pos == j->last) {
            return ngx_voice_json_fail(j, j->pos, "unexpected end");
        }

        if (*j->pos != '"') {
            return ngx_voice_json_fail(j, j->pos, "name expected");
        }

        name = j->pos;

        if (ngx_voice_json_string(j, 1) != NGX_OK) {
            return NGX_ERROR;
        }

        if (++j->names == j->stop) {
            return ngx_voice_json_fail(j, name, "duplicate name");
        }

        ngx_voice_json_blank(j);

        if (j->pos == j->last) {
            return ngx_voice_json_fail(j, j->pos, "unexpected end");
        }

        if (*j->pos != ':') {
            return ngx_voice_json_fail(j, j->pos, "\":\" expected");
        }

        j->pos++;

        if (ngx_voice_json_value(j) != NGX_OK) {
            return NGX_ERROR;
        }

        j->pointer = pointer;
        j->err->pointer[pointer] = '\0';

        ngx_voice_json_blank(j);

        if (j->pos == j->last) {
            return ngx_voice_json_fail(j, j->pos, "unexpected end");
        }

        if (*j->pos == '}') {
            j->pos++;
            return NGX_OK;
        }

        if (*j->pos != ',') {
            return ngx_voice_json_fail(j, j->pos, "\",\" or \"}\" expected");
        }

        j->pos++;
    }
}


static ngx_int_t
ngx_voice_json_array(ngx_voice_json_t *j)
{
    size_t      pointer;
    ngx_uint_t  index;

    pointer = j->pointer;
    index = 0;
    j->pos++;

    ngx_voice_json_blank(j);

    if (j->pos < j->last && *j->pos == ']') {
        j->pos++;
        return NGX_OK;
    }

    for ( ;; ) {
        ngx_voice_json_index(j, index++);

        if (ngx_voice_json_value(j) != NGX_OK) {
            return NGX_ERROR;
        }

        j->pointer = pointer;
        j->err->pointer[pointer] = '\0';

        ngx_voice_json_blank(j);

        if (j->pos == j->last) {
            return ngx_voice_json_fail(j, j->pos, "unexpected end");
        }

        if (*j->pos == ']') {
            j->pos++;
            return NGX_OK;
        }

        if (*j->pos != ',') {
            return ngx_voice_json_fail(j, j->pos, "\",\" or \"]\" expected");
        }

        j->pos++;
    }
}


/* a name is added to the pointer */

static ngx_int_t
ngx_voice_json_string(ngx_voice_json_t *j, ngx_uint_t name)
{
    u_char    *p;
    size_t     n, bad;
    uint32_t   ch;

    if (name) {
        ngx_voice_json_point(j, 0);
    }

    j->pos++;

    for ( ;; ) {

        if (j->pos == j->last) {
            return ngx_voice_json_fail(j, j->pos, "unexpected end");
        }

        p = j->pos;

        if (*p == '"') {
            j->pos++;
            return NGX_OK;
        }

        if (*p == '\\') {
            if (ngx_voice_json_escape(j, &ch) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (*p == '\0') {
            return ngx_voice_json_fail(j, p, "NUL byte");

        } else if (*p < 0x20) {
            return ngx_voice_json_fail(j, p, "control character in a string");

        } else {
            n = ngx_voice_utf8_len(p, j->last - p, &ch, &bad);

            if (n == 0) {
                return ngx_voice_json_fail(j, p, "invalid UTF-8");
            }

            j->pos += n;
        }

        if (name) {
            ngx_voice_json_point(j, ch);
        }
    }
}


static ngx_int_t
ngx_voice_json_escape(ngx_voice_json_t *j, uint32_t *ch)
{
    u_char        *p;
    uint32_t       low;
    const u_char  *escape;

    static const u_char  escapes[] = "\"\\/bfnrt";
    static const u_char  values[] = "\"\\/\b\f\n\r\t";

    p = j->pos;
    j->pos++;

    if (j->pos == j->last) {
        return ngx_voice_json_fail(j, j->pos, "unexpected end");
    }

    if (*j->pos != 'u') {
        escape = *j->pos ? (u_char *) ngx_strchr(escapes, *j->pos) : NULL;

        if (escape == NULL) {
            return ngx_voice_json_fail(j, p, "invalid escape");
        }

        *ch = values[escape - escapes];
        j->pos++;

        return NGX_OK;
    }

    if (ngx_voice_json_hex(j, ch) != NGX_OK) {
        return ngx_voice_json_fail(j, p, "invalid escape");
    }

    if (*ch == 0) {
        return ngx_voice_json_fail(j, p, "NUL byte");
    }

    if (*ch >= 0xdc00 && *ch <= 0xdfff) {
        return ngx_voice_json_fail(j, p, "unpaired surrogate");
    }

    if (*ch >= 0xd800 && *ch <= 0xdbff) {

        if (j->last - j->pos < 2 || *j->pos != '\\') {
            return ngx_voice_json_fail(j, p, "unpaired surrogate");
        }

        j->pos++;

        if (*j->pos != 'u' || ngx_voice_json_hex(j, &low) != NGX_OK
            || low < 0xdc00 || low > 0xdfff)
        {
            return ngx_voice_json_fail(j, p, "unpaired surrogate");
        }

        *ch = 0x10000 + ((*ch - 0xd800) << 10) + (low - 0xdc00);
    }

    return NGX_OK;
}


/* at the "u" of "\uXXXX" */

static ngx_int_t
ngx_voice_json_hex(ngx_voice_json_t *j, uint32_t *ch)
{
    u_char      digit;
    ngx_uint_t  i;

    if (j->last - j->pos < 5) {
        return NGX_ERROR;
    }

    j->pos++;
    *ch = 0;

    for (i = 0; i < 4; i++) {
        digit = ngx_tolower(*j->pos);
        j->pos++;

        if (digit >= '0' && digit <= '9') {
            *ch = *ch * 16 + (digit - '0');

        } else if (digit >= 'a' && digit <= 'f') {
            *ch = *ch * 16 + (digit - 'a' + 10);

        } else {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_voice_json_number(ngx_voice_json_t *j)
{
    char     text[NGX_VOICE_JSON_NUMBER_LEN + 1];
    u_char  *p;
    double   value;
    size_t   len;

    p = j->pos;

    if (*j->pos == '-') {
        j->pos++;
    }

    if (j->pos < j->last && *j->pos == '0') {
        j->pos++;

    } else if (!ngx_voice_json_digits(j)) {
        return ngx_voice_json_fail(j, p, "invalid number");
    }

    if (j->pos < j->last && *j->pos == '.') {
        j->pos++;

        if (!ngx_voice_json_digits(j)) {
            return ngx_voice_json_fail(j, p, "invalid number");
        }
    }

    if (j->pos < j->last && (*j->pos == 'e' || *j->pos == 'E')) {
        j->pos++;

        if (j->pos < j->last && (*j->pos == '+' || *j->pos == '-')) {
            j->pos++;
        }

        if (!ngx_voice_json_digits(j)) {
            return ngx_voice_json_fail(j, p, "invalid number");
        }
    }

    if (j->pos < j->last
        && ((*j->pos >= '0' && *j->pos <= '9') || *j->pos == '.'))
    {
        return ngx_voice_json_fail(j, p, "invalid number");
    }

    len = j->pos - p;

    if (len > NGX_VOICE_JSON_NUMBER_LEN) {
        return ngx_voice_json_fail(j, p, "number too long");
    }

    ngx_memcpy(text, p, len);
    text[len] = '\0';

    value = strtod(text, NULL);

    if (value > 1.7976931348623157e308 || value < -1.7976931348623157e308) {
        return ngx_voice_json_fail(j, p, "number out of range");
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_voice_json_digits(ngx_voice_json_t *j)
{
    u_char  *p;

    p = j->pos;

    while (j->pos < j->last && *j->pos >= '0' && *j->pos <= '9') {
        j->pos++;
    }

    return j->pos > p;
}


static ngx_int_t
ngx_voice_json_literal(ngx_voice_json_t *j, const char *literal)
{
    size_t  len;

    len = ngx_strlen(literal);

    if ((size_t) (j->last - j->pos) < len
        || ngx_memcmp(j->pos, literal, len) != 0)
    {
        return ngx_voice_json_fail(j, j->pos, "value expected");
    }

    j->pos += len;

    return NGX_OK;
}


static void
ngx_voice_json_blank(ngx_voice_json_t *j)
{
    while (j->pos < j->last
           && (*j->pos == ' ' || *j->pos == '\t' || *j->pos == '\n'
               || *j->pos == '\r'))
    {
        j->pos++;
    }
}


/* adds a character to the pointer, 0: the "/" before a member */

static void
ngx_voice_json_point(ngx_voice_json_t *j, uint32_t ch)
{
    u_char  text[4], *p;

    p = text;

    if (ch == 0) {
        *p++ = '/';

    } else if (ch == '~' || ch == '/') {
        *p++ = '~';
        *p++ = (ch == '~') ? '0' : '1';

    } else if (ch < 0x80) {
        *p++ = (u_char) ch;

    } else if (ch < 0x800) {
        *p++ = (u_char) (0xc0 | ch >> 6);
        *p++ = (u_char) (0x80 | (ch & 0x3f));

    } else if (ch < 0x10000) {
        *p++ = (u_char) (0xe0 | ch >> 12);
        *p++ = (u_char) (0x80 | (ch >> 6 & 0x3f));
        *p++ = (u_char) (0x80 | (ch & 0x3f));

    } else {
        *p++ = (u_char) (0xf0 | ch >> 18);
        *p++ = (u_char) (0x80 | (ch >> 12 & 0x3f));
        *p++ = (u_char) (0x80 | (ch >> 6 & 0x3f));
        *p++ = (u_char) (0x80 | (ch & 0x3f));
    }

    /* a pointer that is too long says where it began */

    if (j->pointer + (p - text) >= NGX_VOICE_JSON_POINTER_LEN) {
        return;
    }

    ngx_memcpy(j->err->pointer + j->pointer, text, p - text);
    j->pointer += p - text;
    j->err->pointer[j->pointer] = '\0';
}


static void
ngx_voice_json_index(ngx_voice_json_t *j, ngx_uint_t index)
{
    u_char      digits[NGX_INT_T_LEN];
    ngx_uint_t  n;

    n = 0;

    do {
        digits[n++] = (u_char) ('0' + index % 10);
        index /= 10;
    } while (index);

    ngx_voice_json_point(j, 0);

    while (n) {
        ngx_voice_json_point(j, digits[--n]);
    }
}


static ngx_int_t
ngx_voice_json_fail(ngx_voice_json_t *j, u_char *where, const char *reason)
{
    u_char  *p;

    j->err->reason = reason;
    j->err->line = 1;
    j->err->column = 1;

    for (p = j->start; p < where; p++) {

        if (*p == '\n') {
            j->err->line++;
            j->err->column = 1;

        } else if ((*p & 0xc0) != 0x80) {
            j->err->column++;
        }
    }

    return NGX_ERROR;
}


/*
 * Is there a name twice in an object?  The names are counted as the scanner
 * counts them, in the order of the text, up to the second of the two.
 */

static ngx_uint_t
ngx_voice_json_duplicate(cJSON *json, ngx_uint_t *names)
{
    cJSON  *item, *other;

    if (!cJSON_IsObject(json) && !cJSON_IsArray(json)) {
        return 0;
    }

    for (item = json->child; item; item = item->next) {

        if (cJSON_IsObject(json)) {
            (*names)++;

            for (other = json->child; other != item; other = other->next) {
                if (ngx_strcmp(other->string, item->string) == 0) {
                    return 1;
                }
            }
        }

        if (ngx_voice_json_duplicate(item, names)) {
            return 1;
        }
    }

    return 0;
}
