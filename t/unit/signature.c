
#include "tap.h"
#include "ngx_voice_signature.h"

#include <cjson/cJSON.h>


#define MAX  512


static ngx_voice_param_t   params[MAX];
static ngx_voice_param_t  *scratch[MAX];


static cJSON *
load(const char *path)
{
    char    *text;
    long     size;
    FILE    *file;
    cJSON   *json;

    file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(2);
    }

    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);

    text = malloc(size);
    if (text == NULL || fread(text, 1, size, file) != (size_t) size) {
        exit(2);
    }

    fclose(file);
    json = cJSON_ParseWithLength(text, size);
    free(text);

    if (json == NULL) {
        exit(2);
    }

    return json;
}


static ngx_str_t
get(cJSON *json, const char *name)
{
    cJSON      *item;
    ngx_str_t   text;

    item = name ? cJSON_GetObjectItemCaseSensitive(json, name) : json;

    text.data = item ? (u_char *) item->valuestring : NULL;
    text.len = item ? strlen(item->valuestring) : 0;

    return text;
}


static ngx_int_t
check(cJSON *vector, ngx_str_t token, ngx_str_t signature)
{
    cJSON       *pair;
    u_char      *form;
    ngx_int_t    rc;
    ngx_str_t    scheme, authority, target, body;
    ngx_uint_t   n;

    n = 0;
    form = NULL;
    scheme = get(vector, "scheme");
    authority = get(vector, "authority");
    target = get(vector, "target");

    cJSON_ArrayForEach(pair, cJSON_GetObjectItem(vector, "params")) {
        params[n].name = get(pair->child, NULL);
        params[n++].value = get(pair->child->next, NULL);
    }

    body = get(vector, "form");

    if (body.len) {
        form = tap_copy(body.data, body.len);
        ngx_voice_form_decode(form, body.len, params, MAX, &n);
    }

    rc = ngx_voice_signature_check(&scheme, &authority, &target, params, n,
                                   scratch, &token, &signature);

    body = get(vector, "json");

    if (rc == NGX_OK && body.len) {
        rc = ngx_voice_signature_body_sha256(&target, body.data, body.len);
    }

    free(form);

    return rc;
}


static void
vectors(const char *path)
{
    u_char      *wrong;
    cJSON       *json, *vector;
    size_t       i, bad;
    ngx_str_t    token, signature, changed;
    ngx_uint_t   accept;

    json = load(path);

    cJSON_ArrayForEach(vector, json) {
        token = get(vector, "token");
        signature = get(vector, "signature");
        accept = cJSON_IsTrue(cJSON_GetObjectItem(vector, "accept"));

        ok((check(vector, token, signature) == NGX_OK) == accept, "%s: %s",
           get(vector, "name").data, accept ? "accepted" : "refused");

        if (!accept) {
            continue;
        }

        ok(check(vector, S("12346"), signature) == NGX_DECLINED,
           "another token");

        wrong = tap_copy(signature.data, signature.len);
        changed.data = wrong;
        changed.len = signature.len;
        bad = 0;

        for (i = 0; i < signature.len; i++) {
            wrong[i] ^= 1;
            bad += check(vector, token, changed) == NGX_OK;
            wrong[i] ^= 1;
        }

        changed.len--;
        bad += check(vector, token, changed) == NGX_OK;

        ok(bad == 0, "each character of the signature counts");
        free(wrong);
    }

    cJSON_Delete(json);
}


static ngx_int_t
sha256(ngx_str_t target, ngx_str_t body)
{
    return ngx_voice_signature_body_sha256(&target, body.data, body.len);
}


static void
bodies(void)
{
#define HASH  "4062edaf750fb8074e7e83e0c9028c94e32468a8b6f1614774328ef045150f93"
#define UPPER "4062EDAF750FB8074E7E83E0C9028C94E32468A8B6F1614774328EF045150F93"
#define NONE  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    ngx_str_t  body;

    body = S("{\"ok\":true}");

    is_int(sha256(S("/?bodySHA256=" HASH), body), NGX_OK, "hash alone");
    is_int(sha256(S("/?a=b&bodySHA256=" HASH "&c"), body), NGX_OK,
           "hash among others");
    is_int(sha256(S("/?bodySHA256=" NONE), S("")), NGX_OK, "empty body");
    is_int(sha256(S("/?bodySHA256=" NONE), body), NGX_DECLINED, "other hash");
    is_int(sha256(S("/?bodySHA256=" UPPER), body), NGX_DECLINED,
           "upper case");
    is_int(sha256(S("/?bodySHA256=" HASH "0"), body), NGX_DECLINED,
           "too long");
    is_int(sha256(S("/?bodySHA256="), body), NGX_DECLINED, "empty hash");
    is_int(sha256(S("/?bodySHA256=" HASH "&bodySHA256=" HASH), body),
           NGX_DECLINED, "given twice");
    is_int(sha256(S("/?bodySHA256"), body), NGX_ABORT, "name alone");
    is_int(sha256(S("/bodySHA256=" HASH), body), NGX_ABORT, "in the path");
    is_int(sha256(S("/?xbodySHA256=" HASH), body), NGX_ABORT,
           "end of another name");
    is_int(sha256(S("/?"), body), NGX_ABORT, "empty query");
    is_int(sha256(S(""), body), NGX_ABORT, "no target");
}


static void
many(void)
{
    char               name[MAX][8];
    size_t             i;
    ngx_str_t          s;
    ngx_uint_t         sorted;

    /* the signature is of no matter: the order in scratch is */

    for (i = 0; i < MAX; i++) {
        snprintf(name[i], sizeof(name[i]), "%zu", i * 7919 % MAX);
        params[i].name.data = (u_char *) name[i];
        params[i].name.len = strlen(name[i]);
        params[i].value = S("");
    }

    s = S("AKbCjp/w8L6NIyje6Z586we4GdM=");

    is_int(ngx_voice_signature_check(&S("https"), &S("a"), &S("/"), params,
                                     MAX, scratch, &S("t"), &s),
           NGX_DECLINED, "many parameters");

    sorted = 1;

    for (i = 1; i < MAX; i++) {
        if (strcmp((char *) scratch[i - 1]->name.data,
                   (char *) scratch[i]->name.data) >= 0)
        {
            sorted = 0;
        }
    }

    ok(sorted, "are sorted");

    is_int(ngx_voice_signature_check(&S("https"), &S("a"), &S("/"), params, 0,
                                     scratch, &S(""), &s),
           NGX_DECLINED, "an empty token verifies nothing");
}


static void
macs(void)
{
    u_char      one[32], two[32];
    ngx_str_t   key, none, parts[2], other[2];

    /* computed with openssl dgst over the bytes with their lengths */

    static const u_char  known[] = {
        0x67, 0x92, 0xa6, 0x85, 0x70, 0x18, 0x81, 0xd3
    };

    key = S("key");
    none = S("");
    parts[0] = S("ab");
    parts[1] = S("c");
    other[0] = S("a");
    other[1] = S("bc");

    ngx_voice_mac(&key, parts, 2, one);
    ok(memcmp(one, known, sizeof(known)) == 0, "a known MAC");

    ngx_voice_mac(&key, parts, 2, two);
    ok(memcmp(one, two, 32) == 0, "the same again");

    ngx_voice_mac(&key, other, 2, two);
    ok(memcmp(one, two, 32) != 0, "lengths are part of it");

    ngx_voice_mac(&none, parts, 2, two);
    ok(memcmp(one, two, 32) != 0, "an empty key is a key of its own");

    ngx_voice_mac(&key, parts, 1, two);
    ok(memcmp(one, two, 32) != 0, "fewer parts");
}


int
main(int argc, char **argv)
{
    vectors(argc > 1 ? argv[1] : VECTORS);
    bodies();
    many();
    macs();

    return done_testing();
}
