
/*
 * The text that is written has the size that was announced, and what was not
 * marked is in it byte by byte.
 */

#include "fuzz.h"
#include "ngx_voice_redact.h"


static ngx_voice_redact_t  redact;

static ngx_str_t  names[] = {
    ngx_string("iban"),
    ngx_string("card"),
    ngx_string("email"),
    ngx_string("pin"),
    ngx_string("loop")
};

static ngx_str_t  patterns[] = {
    ngx_string("\\bpin (?:is )?\\K\\d{4}(?!\\d)"),
    ngx_string("(?:a+b?)+c")
};


static void
init(void)
{
    u_char      error[120];
    size_t      offset;
    ngx_uint_t  i;

    CHECK(ngx_voice_redact_init(&redact) == NGX_OK);

    for (i = 0; i < 3; i++) {
        CHECK(ngx_voice_redact_add(&redact, &names[i]) == NGX_OK);
    }

    for (i = 0; i < 2; i++) {
        CHECK(ngx_voice_redact_add_pattern(&redact, &names[3 + i],
                                           &patterns[i], error,
                                           sizeof(error), &offset)
              == NGX_OK);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    u_char      *p, *mark, *text, *end;
    size_t       i, size, kept;
    ngx_int_t    rc;

    if (redact.n == 0) {
        init();
    }

    p = fuzz_copy(data, len);
    mark = fuzz_copy(data, len);

    rc = ngx_voice_redact_mark(&redact, p, len, mark, &size);

    CHECK(len == 0 || memcmp(p, data, len) == 0);

    if (rc == NGX_DECLINED) {
        CHECK(size == len);
        goto done;
    }

    CHECK(rc == NGX_OK || (rc == NGX_ABORT && redact.gave_up >= 3));

    text = malloc(size);
    CHECK(text != NULL);

    end = ngx_voice_redact_write(&redact, text, p, len, mark);
    CHECK(end == text + size);

    kept = 0;
    end = text;

    for (i = 0; i < len; i++) {
        CHECK(mark[i] <= redact.n);

        if (mark[i] == 0) {
            CHECK(*end == p[i]);
            end++;
            kept++;
            continue;
        }

        if (i == 0 || mark[i] != mark[i - 1]) {
            CHECK(*end == '[');
            end += names[mark[i] - 1].len + 2;
            CHECK(end[-1] == ']');
        }
    }

    CHECK(end == text + size);
    CHECK(kept < len);

    free(text);

done:

    free(mark);
    free(p);

    return 0;
}
