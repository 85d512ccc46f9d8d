
/*
 * What is written is as long as was said, and a reader that knows only the
 * boundary finds each value again, whatever its bytes are.
 */

#include "fuzz.h"
#include "ngx_voice_multipart.h"


#define PARTS  4


static const u_char *
find(const u_char *p, const u_char *last, const u_char *what, size_t len)
{
    return (size_t) (last - p) < len ? NULL : memmem(p, last - p, what, len);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char            *copy, *out, *last, boundary[NGX_VOICE_BOUNDARY];
    u_char             mark[NGX_VOICE_BOUNDARY + 4];
    size_t             size, at;
    uint64_t           seed;
    ngx_uint_t         i, n;
    const u_char      *p, *end;
    ngx_voice_part_t   parts[PARTS];

    if (len < 2) {
        return 0;
    }

    n = data[0] % (PARTS + 1);
    seed = data[1];
    len -= 2;
    copy = fuzz_copy(data + 2, len);

    ngx_memzero(parts, sizeof(parts));
    at = 0;

    for (i = 0; i < n; i++) {
        parts[i].name.data = copy + at;
        parts[i].name.len = ngx_min(i, len - at);
        parts[i].filename = parts[i].name;
        parts[i].type = parts[i].name;

        parts[i].value.data = copy + at;
        parts[i].value.len = (len - at) / 2;
        at += parts[i].value.len;
    }

    ngx_voice_multipart_boundary(parts, n, seed, boundary);

    size = ngx_voice_multipart_len(parts, n);
    out = malloc(size);
    CHECK(out != NULL);

    last = ngx_voice_multipart_write(out, parts, n, boundary);
    CHECK(last == out + size);

    memcpy(mark, "\r\n--", 4);
    memcpy(mark + 4, boundary, NGX_VOICE_BOUNDARY);

    CHECK(memcmp(out, mark + 2, NGX_VOICE_BOUNDARY + 2) == 0);

    p = out + NGX_VOICE_BOUNDARY + 2;

    for (i = 0; i < n; i++) {
        p = find(p, last, (u_char *) "\r\n\r\n", 4);
        CHECK(p != NULL);
        p += 4;

        /* an empty value ends with the line break of the boundary */

        end = find(p, last, mark, sizeof(mark));
        CHECK(end != NULL);
        CHECK((size_t) (end - p) == parts[i].value.len);
        CHECK(memcmp(p, parts[i].value.data, parts[i].value.len) == 0);

        p = end + sizeof(mark);
    }

    CHECK(last - p == 4 && memcmp(p, "--\r\n", 4) == 0);

    free(out);
    free(copy);

    return 0;
}
