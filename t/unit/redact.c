
#include "tap.h"
#include "ngx_voice_redact.h"


static ngx_voice_redact_t  redact;


static void
rules(const char *name, ...)
{
    size_t      offset;
    va_list     args;
    ngx_str_t  *n, *pattern;
    u_char      error[120];

    static ngx_str_t  names[NGX_VOICE_REDACT_RULES][2];

    if (redact.data) {
        ngx_voice_redact_free(&redact);
    }

    if (ngx_voice_redact_init(&redact) != NGX_OK) {
        abort();
    }

    va_start(args, name);

    while (name) {
        n = &names[redact.n][0];
        pattern = &names[redact.n][1];

        n->data = (u_char *) name;
        n->len = strcspn(name, " ");

        if (name[n->len] == '\0') {
            ok(ngx_voice_redact_add(&redact, n) == NGX_OK, "adds %s", name);

        } else {
            pattern->data = (u_char *) name + n->len + 1;
            pattern->len = strlen(name) - n->len - 1;

            ok(ngx_voice_redact_add_pattern(&redact, n, pattern, error,
                                            sizeof(error), &offset)
               == NGX_OK, "adds %s", name);
        }

        name = va_arg(args, const char *);
    }

    va_end(args);
}


static void
mask(ngx_str_t text, ngx_str_t want, ngx_int_t rc)
{
    u_char     *p, *mark, *end;
    size_t      size;
    ngx_str_t   got;

    p = tap_copy(text.data, text.len);
    mark = tap_copy(text.data, text.len);

    is_int(ngx_voice_redact_mark(&redact, p, text.len, mark, &size), rc,
           "return code");

    if (rc == NGX_DECLINED) {
        is_int(size, text.len, "the size stays");
    }

    got.data = malloc(size ? size : 1);
    if (got.data == NULL) {
        abort();
    }

    if (rc != NGX_DECLINED) {
        end = ngx_voice_redact_write(&redact, got.data, p, text.len, mark);
        is_int(end - got.data, size, "the size is right");

    } else if (size) {
        memcpy(got.data, p, size);
    }

    got.len = size;

    is_str(got, want, (char *) text.data);

    free(got.data);
    free(mark);
    free(p);
}


#define masked(text, want)  mask(S(text), S(want), NGX_OK)
#define stays(text)         mask(S(text), S(text), NGX_DECLINED)


static void
cards(void)
{
    rules("card", NULL);

    stays("");
    stays("no digits at all");

    masked("4242424242424242", "[card]");
    masked("It is 4242 4242 4242 4242.", "It is [card].");
    masked("4242-4242-4242-4242, thanks", "[card], thanks");
    masked("4242.4242.4242.4242", "[card]");
    masked("4242 - 4242 - 4242 - 4242", "[card]");
    masked("4242, 4242, 4242, 4242", "[card]");
    masked("4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2", "[card]");
    masked("card4242424242424242x", "card[card]x");
    masked("4242\xc2\xa0" "4242\xe2\x80\x93" "4242 4242", "[card]");
    masked("a 4242 4242 4242 4242 b 5555 5555 5555 4444 c",
           "a [card] b [card] c");
    masked("4222222222222", "[card]");
    masked("3782 822463 10005", "[card]");
    masked("3056 9309 0259 04", "[card]");
    masked("6304 0000 0000 0000 000", "[card]");

    /* the check digit is wrong */

    stays("4242424242424241");
    stays("4242 4242 4242 4241");
    stays("4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 1");
    stays("4242 4242 4242 4224");

    /* too short, too long, no number of digits that belong together */

    stays("424242424242");
    stays("42424242424242424242424242424242");
    stays("4242 4242 4242: 4242");
    stays("4242 4242 or 4242 4242");
    stays("4242 4242 4242      4242");
    stays("My number is +1 500 555 0006.");

    /* right by chance, on its own and as a part */

    masked("9999999999999995", "[card]");
    stays("12 9999999999999995 12");

    /* with other digits around */

    masked("4242 4242 4242 4242 12 29 123", "[card] 12 29 123");
    masked("one 4242 4242 4242 4242", "one [card]");
    masked("4242 4242 4242 4242 5555 5555 5555 4444", "[card] [card]");

    /* words */

    masked("four two four two four two four two four two four two four two "
           "four two", "[card]");
    masked("It's Four Two four two, four two four two four two four two, "
           "um, four two four two. Okay?", "It's [card]. Okay?");
    masked("four triple one one triple one and then one one one one dash 1 "
           "triple 1", "[card]");
    masked("five double five 5 double five double five double five double 5 "
           "double four 4 four", "[card]");
    masked("forty-two forty two 42 forty-two forty two forty two 42 forty two",
           "[card]");
    masked("for to for to for too for two for two for two for two for two",
           "[card]");
    masked("thirty fifty-six nine three oh nine o two fifty nine nought four",
           "[card]");
    stays("four two four two four two four two four two four two four two "
          "four one");
    stays("fourtwo four's two o'clock double double triple");
    stays("double");
    stays("forty-");

    /* other scripts */

    masked("\xd9\xa4\xd9\xa2\xd9\xa4\xd9\xa2 4242 \xef\xbc\x94\xef\xbc\x92"
           "42 4242", "[card]");
    masked("\xff" "4242424242424242\xe2\x80", "\xff[card]\xe2\x80");
}


static void
emails(void)
{
    rules("email", NULL);

    stays("");
    stays("nothing at all");

    masked("john.smith@example.com", "[email]");
    masked("It is john.smith+news@mail.example.co.uk.", "It is [email].");
    masked("<j_s@example.com>, \"a@b.org\"", "<[email]>, \"[email]\"");
    masked("j\xc3\xb6rg@b\xc3\xbc" "cher.example", "[email]");
    masked("john@localhost", "[email]");
    masked("john @ example.com", "[email]");
    masked("john at example.com, please", "[email], please");

    masked("My mail is john dot smith at example dot com thanks",
           "My mail is [email] thanks");
    masked("John Dot Smith At Example Dot Com", "[email]");
    masked("it is j o h n underscore s at g mail dot com",
           "it is [email]");
    masked("it is john one two three at example dot co dot uk",
           "it is [email]");
    masked("it is john 123 at my dash shop dot com. Bye",
           "it is [email]. Bye");
    masked("it is ann, at blue sky, dot c o m. Yes", "it is [email]. Yes");
    masked("it is ann dot b. At example dot com", "it is [email]");
    masked("john dot smith@example dot com", "[email]");
    masked("a@b.org and c at d dot org", "[email] and [email]");
    masked("write to mary-ann at example hyphen shop dot com now",
           "write to [email] now");

    stays("Meet me at 5.30 or at five.");
    stays("at example dot com");
    stays("I am at home. Dot will call.");
    stays("@john and john@ and dot at dot com");
    stays("look at the big red shiny new dot com");
    stays("at at at at dot dot dot");
    stays("@");
    stays("ann (at) example (dot) com");
    stays("ann at example dot 5");
    stays("ann at example dot");
    stays("ann at");
}


static void
ibans(void)
{
    rules("iban", NULL);

    stays("");
    masked("DE89370400440532013000", "[iban]");
    masked("My IBAN is DE89 3704 0044 0532 0130 00, please",
           "My IBAN is [iban], please");
    masked("de89-3704-0044-0532-0130-00 please", "[iban] please");
    masked("GB82 WEST 1234 5698 7654 32", "[iban]");
    masked("FR1420041010050500013M02606", "[iban]");
    masked("N O 9 3 8 6 0 1 1 1 1 7 9 4 7", "[iban]");
    masked("it is D E eight nine three seven zero four oh oh double four "
           "oh five three two oh one three triple oh", "it is [iban]");

    stays("DE88370400440532013000");
    stays("DE8937040044053201300");
    stays("DE893704004405320130000");
    stays("XX89370400440532013000");
    stays("xDE89370400440532013000");
    stays("DE89370400440532013000x");
    stays("de und deutlich, no 93 please, is");
    stays("DE89 3704: 0044 0532 0130 00");
    stays("DE");
}


static void
patterns(void)
{
    size_t      offset;
    u_char      error[120];
    ngx_str_t   name, pattern;

    rules("ssn \\b\\d{3}-\\d\\d-\\d{4}\\b", "word \\bsecret\\w*",
          "behind (?<=pin )\\d+", NULL);

    masked("123-45-6789 SECRETLY pin 12", "[ssn] [word] pin [behind]");
    masked("secret\xc3\xa9!", "[word]!");
    masked("\xff" "secret\xc3 secret\xc3", "\xff[word]\xc3 [word]\xc3");
    stays("1123-45-6789");

    /* the first rule has what several want; a mask is not looked at again */

    rules("a bcd", "b abcde", "card", "c card|\\[", NULL);

    masked("abcdef", "[b][a][b]f");
    masked("4242424242424242 card [", "[card] [c] [c]");

    rules("x x", NULL);

    masked("xxx x", "[x] [x]");

    /* work without end: what was not seen is not passed on */

    rules("slow (x+x+)+y", "b b", NULL);

    mask(S("b xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx z b y"),
         S("[slow]"), NGX_ABORT);
    is_int(redact.gave_up, 0, "the rule that gave up");
    mask(S("xxy xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx z y"),
         S("[slow]"), NGX_ABORT);
    masked("xxy b", "[slow] [b]");

    /* what is no pattern */

    name = S("bad");

    pattern = S("ab(c");
    is_int(ngx_voice_redact_add_pattern(&redact, &name, &pattern, error,
                                        sizeof(error), &offset),
           NGX_DECLINED, "no pattern");
    is_int(offset, 4, "where");
    ok(strcmp((char *) error, "missing closing parenthesis") == 0, "why");

    pattern = S("x*");
    is_int(ngx_voice_redact_add_pattern(&redact, &name, &pattern, error,
                                        sizeof(error), &offset),
           NGX_DECLINED, "matches an empty text");

    pattern = S("\\b");
    is_int(ngx_voice_redact_add_pattern(&redact, &name, &pattern, error,
                                        sizeof(error), &offset),
           NGX_DECLINED, "matches a place");

    pattern = S("x\\C");
    is_int(ngx_voice_redact_add_pattern(&redact, &name, &pattern, error,
                                        sizeof(error), &offset),
           NGX_DECLINED, "would cut characters");

    name = S("nothing");
    is_int(ngx_voice_redact_add(&redact, &name), NGX_DECLINED, "not built in");

    is_int(redact.n, 2, "none of them was added");

    ok(ngx_voice_redact_is_name(&S("tax_id2")), "a name");
    ok(!ngx_voice_redact_is_name(&S("")), "no name");
    ok(!ngx_voice_redact_is_name(&S("2x")), "a digit first");
    ok(!ngx_voice_redact_is_name(&S("a]b")), "a bracket");
    ok(!ngx_voice_redact_is_name(&S("Card")), "a capital");
    ok(!ngx_voice_redact_is_name(&S("a123456789012345678901234567890123")),
       "too long");
}


int
main(void)
{
    cards();
    emails();
    ibans();
    patterns();

    ngx_voice_redact_free(&redact);

    return done_testing();
}
