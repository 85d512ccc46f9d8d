
#include "tap.h"
#include "ngx_voice_multipart.h"


static u_char  boundary[NGX_VOICE_BOUNDARY];


static ngx_str_t
body(ngx_voice_part_t *parts, ngx_uint_t n)
{
    u_char     *last;
    ngx_str_t   out;

    out.len = ngx_voice_multipart_len(parts, n);

    out.data = malloc(out.len);
    last = ngx_voice_multipart_write(out.data, parts, n, boundary);

    is_int(last - out.data, out.len, "as long as was said");

    return out;
}


static void
write_body(ngx_voice_part_t *parts, ngx_uint_t n, ngx_str_t want,
    const char *what)
{
    ngx_str_t  out;

    memcpy(boundary, "-------------------------------------B",
           NGX_VOICE_BOUNDARY);

    out = body(parts, n);
    is_str(out, want, what);
    free(out.data);
}


#define B  "---------------------------------------B"


static void
bodies(void)
{
    ngx_voice_part_t  parts[] = {
        { S("model"), S(""), S(""), S("whisper-1") },
        { S("file"), S("a.wav"), S("audio/wav"), S("RI\0F\r\n--") },
    };

    ngx_voice_part_t  odd[] = {
        { S("a\"b"), S("c\r\nd\".wav"), S("x\ny"), S("") },
    };

    write_body(parts, 0, S(B "--\r\n"), "nothing");

    write_body(parts, 1,
               S(B "\r\nContent-Disposition: form-data; name=\"model\"\r\n"
                 "\r\nwhisper-1\r\n" B "--\r\n"),
               "a field");

    write_body(parts, 2,
               S(B "\r\nContent-Disposition: form-data; name=\"model\"\r\n"
                 "\r\nwhisper-1\r\n"
                 B "\r\nContent-Disposition: form-data; name=\"file\"; "
                 "filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n"
                 "\r\nRI\0F\r\n--\r\n" B "--\r\n"),
               "a field and a file");

    write_body(odd, 1,
               S(B "\r\nContent-Disposition: form-data; name=\"a%22b\"; "
                 "filename=\"c%0D%0Ad%22.wav\"\r\nContent-Type: x%0Ay\r\n"
                 "\r\n\r\n" B "--\r\n"),
               "nothing gets out of its quotes");
}


static void
boundaries(void)
{
    u_char            first[NGX_VOICE_BOUNDARY], other[NGX_VOICE_BOUNDARY];
    u_char           *data;
    ngx_uint_t        i, good;
    ngx_voice_part_t  part = { S("file"), S(""), S(""), S("nothing") };

    ngx_voice_multipart_boundary(&part, 1, 7, first);
    ngx_voice_multipart_boundary(&part, 1, 7, boundary);
    is_int(memcmp(first, boundary, NGX_VOICE_BOUNDARY), 0, "the same seed");

    ngx_voice_multipart_boundary(&part, 1, 8, other);
    ok(memcmp(first, other, NGX_VOICE_BOUNDARY) != 0, "another seed");

    good = 1;

    for (i = 0; i < NGX_VOICE_BOUNDARY; i++) {
        good &= (first[i] == '-'
                 || (first[i] >= '0' && first[i] <= '9')
                 || (first[i] >= 'a' && first[i] <= 'z'));
    }

    ok(good, "of characters that need no quotes");

    /* wherever it stands in the data, another one is found */

    for (i = 0; i < 5; i++) {
        data = malloc(NGX_VOICE_BOUNDARY + i);
        memset(data, '-', NGX_VOICE_BOUNDARY + i);
        memcpy(data + i, first, NGX_VOICE_BOUNDARY);

        part.value.data = data;
        part.value.len = NGX_VOICE_BOUNDARY + i;

        ngx_voice_multipart_boundary(&part, 1, 7, boundary);
        ok(memcmp(first, boundary, NGX_VOICE_BOUNDARY) != 0,
           "not what is in the data at %d", (int) i);

        part.value.len--;
        ngx_voice_multipart_boundary(&part, 1, 7, boundary);
        is_int(memcmp(first, boundary, NGX_VOICE_BOUNDARY), 0,
               "but one that is cut is none");

        free(data);
    }
}


int
main(void)
{
    bodies();
    boundaries();

    return done_testing();
}
