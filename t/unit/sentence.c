
#include "tap.h"
#include "ngx_voice_sentence.h"


static u_char     log_text[65536];
static size_t     log_len, longest;
static ngx_int_t  answer;


static ngx_int_t
piece(void *data, ngx_str_t *text)
{
    if (log_len) {
        log_text[log_len++] = '|';
    }

    memcpy(log_text + log_len, text->data, text->len);
    log_len += text->len;
    longest = ngx_max(longest, text->len);

    return answer;
}


static ngx_int_t
split(ngx_str_t text, size_t chunk, size_t first_min, size_t min, size_t max)
{
    size_t                 i, n;
    u_char                *buf, *part;
    ngx_int_t              rc;
    ngx_voice_sentence_t   s;

    log_len = 0;
    longest = 0;
    buf = malloc(max + 8);

    ngx_voice_sentence_init(&s, buf, max + 8, first_min, min, max);

    for (i = 0; i < text.len; i += n) {
        n = ngx_min(chunk, text.len - i);
        part = tap_copy(text.data + i, n);
        ngx_voice_sentence_feed(&s, part, n, piece, NULL);
        free(part);
    }

    rc = ngx_voice_sentence_end(&s, piece, NULL);
    free(buf);

    return rc;
}


static void
pieces(size_t first_min, size_t min, size_t max, ngx_str_t text,
    ngx_str_t want)
{
    size_t     chunk;
    ngx_str_t  got;

    for (chunk = 1; chunk <= text.len + 1; chunk++) {
        if (split(text, chunk, first_min, min, max) != NGX_OK
            || log_len != want.len
            || memcmp(log_text, want.data, log_len) != 0)
        {
            break;
        }
    }

    if (!ok(chunk == text.len + 2, "%s", (char *) want.data)) {
        printf("# in chunks of %zu\n", chunk);
        got.data = log_text;
        got.len = log_len;
        is_str(got, want, "pieces");
    }
}


/* each sentence by itself, clauses never */

static void
sentences(ngx_str_t text, ngx_str_t want)
{
    pieces(200, 1, 200, text, want);
}


static void
ends(void)
{
    sentences(S("One. Two! Three? Four"), S("One.|Two!|Three?|Four"));
    sentences(S("  One.   Two.  "), S("One.|Two."));
    sentences(S("Really?! Yes... no. Well\xe2\x80\xa6 fine."),
              S("Really?!|Yes...|no.|Well\xe2\x80\xa6|fine."));
    sentences(S("He said \"Go.\" She went. (True.) **Bold.** End."),
              S("He said \"Go.\"|She went.|(True.)|**Bold.**|End."));
    sentences(S("\xe2\x80\x9cGo.\xe2\x80\x9d Then."),
              S("\xe2\x80\x9cGo.\xe2\x80\x9d|Then."));
    sentences(S("\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82\xe5\x86\x8d\xe8\xa7\x81"
                "\xef\xbc\x81\xe5\x97\xaf"),
              S("\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82|\xe5\x86\x8d\xe8\xa7\x81"
                "\xef\xbc\x81|\xe5\x97\xaf"));
    sentences(S("Line one\nLine two\r\n\r\nLine three"),
              S("Line one|Line two|Line three"));
    sentences(S("We have:\n- red ones\n- blue ones\n1. First\n2. Second. Yes"),
              S("We have:|- red ones|- blue ones|1. First|2. Second.|Yes"));
    sentences(S("7. Anything else?"), S("7. Anything else?"));
    sentences(S("I have 5. Then go."), S("I have 5.|Then go."));
    sentences(S(""), S(""));
    sentences(S(" \n "), S(""));
    sentences(S("..."), S("..."));
    sentences(S("caf\xc3\xa9. \xc3\x89t\xc3\xa9."),
              S("caf\xc3\xa9.|\xc3\x89t\xc3\xa9."));
}


static void
abbreviations(void)
{
    sentences(S("Mr. Smith and Dr. Jones of St. Ives. Yes."),
              S("Mr. Smith and Dr. Jones of St. Ives.|Yes."));
    sentences(S("Tools, e.g. a saw, i.e. this. Yes."),
              S("Tools, e.g. a saw, i.e. this.|Yes."));
    sentences(S("It is 3.14 or 10.30. Yes."), S("It is 3.14 or 10.30.|Yes."));
    sentences(S("At 9 a.m. on Monday. At 5 p.m. We close."),
              S("At 9 a.m. on Monday.|At 5 p.m.|We close."));
    sentences(S("The U.S. Army. In the U.S. we do."),
              S("The U.S. Army.|In the U.S. we do."));
    sentences(S("Call J. Smith. So do I. Good."),
              S("Call J. Smith.|So do I.|Good."));
    sentences(S("Acme Inc. is here. It was Acme Inc. We know."),
              S("Acme Inc. is here.|It was Acme Inc.|We know."));
    sentences(S("Pens, paper, etc. are there. Pens, etc. Fine."),
              S("Pens, paper, etc. are there.|Pens, etc.|Fine."));
    sentences(S("No. We are closed. See No. 5 there."),
              S("No.|We are closed.|See No. 5 there."));
    sentences(S("On Jan. 3 we open. It is cold in Jan. Yes."),
              S("On Jan. 3 we open.|It is cold in Jan.|Yes."));
    sentences(S("See www.example.com/a?b=c or mail a.b@example.org. Yes."),
              S("See www.example.com/a?b=c or mail a.b@example.org.|Yes."));
    sentences(S("Version 2.0.1 vs. node.js. Yes."),
              S("Version 2.0.1 vs. node.js.|Yes."));
    sentences(S("Talk to a sales rep. We care."),
              S("Talk to a sales rep.|We care."));
    sentences(S("At 9 a.m.\nMonday"), S("At 9 a.m.|Monday"));
}


static void
sizes(void)
{
    /* the first piece is short */

    pieces(10, 20, 100, S("Sure, I can help you with that, one moment."),
           S("Sure, I can help you with that,|one moment."));
    pieces(5, 20, 100, S("Sure, I can help you with that, one moment."),
           S("Sure,|I can help you with that, one moment."));
    pieces(5, 20, 100, S("Yes. It is open. It closes at nine. Bye."),
           S("Yes.|It is open. It closes at nine.|Bye."));
    pieces(5, 1, 100, S("On May 5, 2027, at 10:30, or 1,000; fine"),
           S("On May 5, 2027, at 10:30, or 1,000; fine"));
    pieces(5, 1, 100, S("Right now \xe2\x80\x94 we are open"),
           S("Right now \xe2\x80\x94|we are open"));
    pieces(5, 1, 100, S("Right now - we are well-known - yes"),
           S("Right now -|we are well-known - yes"));
    pieces(5, 1, 100, S("A well-known shop"), S("A well-known shop"));

    /* short ones are joined, but not beyond the largest */

    pieces(50, 20, 30, S("A b c. D e f. G h i. J k l. M n o."),
           S("A b c.|D e f. G h i. J k l.|M n o."));
    pieces(50, 25, 30, S("A b c. D e f. G h i. Jjjjjjjjjjj kkkkkkkkkkk l."),
           S("A b c.|D e f. G h i.|Jjjjjjjjjjj kkkkkkkkkkk l."));

    /* nothing to end at */

    pieces(50, 10, 24, S("one two three four five six seven eight nine"),
           S("one two three four five|six seven eight nine"));
    pieces(50, 10, 24, S("one two three, four five six seven eight nine"),
           S("one two three,|four five six seven|eight nine"));
    pieces(50, 10, 24, S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
           S("aaaaaaaaaaaaaaaaaaaaaaaa|aaaaaaaaaaaaaaaaaaaaaaaa|aa"));
    pieces(50, 10, 25, S("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                         "\xc3\xa4"),
           S("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
             "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
             "|\xc3\xa4"));
}


/* "|" apart, what comes out is what went in, however it was cut */

static void
random_texts(void)
{
    u_char              text[512], first[8192];
    size_t              i, j, k, len, first_len, lost, differs, large, max;
    ngx_str_t           s;
    ngx_uint_t          run;

    static const char *const  parts[] = {
        " ", " ", " ", "\n", ".", "!", "?", ",", "Mr", "e.g", "a.m", "No",
        "word", "I", "3", "1", "\"", ")", "*", "-", "\xe2\x80\xa6",
        "\xe3\x80\x82", "\xc3\xa4", "\xe2\x80\x94", "longerword", "U.S", "\xff"
    };

    srand(1);
    lost = 0;
    differs = 0;
    large = 0;

    for (run = 0; run < 2000; run++) {
        len = 0;
        k = rand() % 100;

        for (i = 0; i < k; i++) {
            j = rand() % (sizeof(parts) / sizeof(parts[0]));
            memcpy(text + len, parts[j], strlen(parts[j]));
            len += strlen(parts[j]);

            if (len > sizeof(text) - 16) {
                break;
            }
        }

        s.data = text;
        s.len = len;
        max = 24 + rand() % 100;

        split(s, len + 1, 10, 20, max);
        memcpy(first, log_text, log_len);
        first_len = log_len;
        large += longest > max;

        for (i = 0, j = 0; i < len || j < log_len; ) {

            if (i < len && (text[i] == ' ' || text[i] == '\n')) {
                i++;

            } else if (j < log_len && (log_text[j] == ' '
                                       || log_text[j] == '|'))
            {
                j++;

            } else if (i < len && j < log_len && text[i] == log_text[j]) {
                i++;
                j++;

            } else {
                lost++;
                break;
            }
        }

        split(s, 1 + rand() % 5, 10, 20, max);
        differs += first_len != log_len
                   || memcmp(first, log_text, log_len) != 0;
    }

    is_int(lost, 0, "no text is lost");
    is_int(differs, 0, "however it arrives");
    is_int(large, 0, "no piece is too large");
}


/* a text that broke off: what is whole is spoken, the rest is not */

static void
broken(ngx_str_t text, ngx_str_t want)
{
    ngx_str_t              got;
    u_char                 buf[108];
    ngx_voice_sentence_t   s;

    log_len = 0;

    ngx_voice_sentence_init(&s, buf, sizeof(buf), 10, 40, 100);
    ngx_voice_sentence_feed(&s, text.data, text.len, piece, NULL);
    ngx_voice_sentence_abort(&s, piece, NULL);

    got.data = log_text;
    got.len = log_len;

    is_str(got, want, (char *) text.data);
}


static void
broken_off(void)
{
    broken(S("We began small. Two sis"), S("We began small."));
    broken(S("Hello there! It is good. You said that"),
           S("Hello there!|It is good."));
    broken(S("It costs 3."), S("It costs 3."));
    broken(S("It costs 3.50 and Dr. Sm"), S(""));
    broken(S("One line\nand a ha"), S("One line"));
    broken(S("Nothing is whole"), S(""));
    broken(S(""), S(""));
    broken(S("First one is long enough to go. Short. Mor"),
           S("First one is long enough to go.|Short."));
}


int
main(void)
{
    ends();
    broken_off();
    abbreviations();
    sizes();
    random_texts();

    answer = NGX_DONE;
    is_int(split(S("One. Two. Three."), 1, 1, 1, 50), NGX_DONE,
           "the handler stops it");
    is_int(log_len, 4, "after the first piece");

    return done_testing();
}
