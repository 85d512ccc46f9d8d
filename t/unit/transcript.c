
#include "tap.h"
#include "ngx_voice_transcript.h"


static ngx_voice_transcript_t   t;
static u_char                  *memory;


static ngx_int_t
parse(ngx_str_t text)
{
    ngx_str_t  body;

    free(memory);
    memory = tap_copy(text.data, text.len);

    body.data = memory;
    body.len = text.len;

    return ngx_voice_transcript_parse(&body, &t);
}


static void
words(ngx_str_t text, ngx_str_t want, const char *what)
{
    is_int(parse(text), NGX_OK, what);
    is_str(t.text, want, "its words");
}


static void
near(double got, double want, const char *what)
{
    ok(got > want - 0.005 && got < want + 0.005, "%s: %g is about %g", what,
       got, want);
}


static void
silent(ngx_str_t text, double no_speech, ngx_uint_t want)
{
    ngx_str_t  none = S("");

    t.text = text;
    t.no_speech = no_speech;

    ok(ngx_voice_transcript_silent(&t, &none) == want, "%s: \"%.*s\"",
       want ? "silence" : "words", (int) text.len, text.data);
}


static void
answers(void)
{
    words(S("{\"text\":\"Do you open on Sunday?\"}"),
          S("Do you open on Sunday?"), "json");
    ok(t.confidence < 0 && t.no_speech < 0, "which tells no more");

    words(S("{\"text\":\"  Two\\n lines,\\t\\u00a0and\\u2028more \\u0007\","
            "\"usage\":{\"type\":\"duration\",\"seconds\":4.2}}"),
          S("Two lines, and more"), "one line of it");
    words(S("{\"text\":\"\"}"), S(""), "nothing");
    words(S("{\"text\":\"a\xff\xc3 b\xe2\x82\"}"), S("a b"),
          "no bytes that are no text");
    words(S("{\"text\":\"\\ud83c\\udfb5 caf\\u00e9\"}"),
          S("\xf0\x9f\x8e\xb5 caf\xc3\xa9"), "escapes");
    words(S("{\"text\":\"x\",\"segments\":[]}"), S("x"), "no segments");
    words(S("{\"text\":\"x\",\"segments\":[{\"id\":0}]}"), S("x"),
          "segments without words");
    words(S("{\"text\":\"x\",\"segments\":[{\"text\":\" a\"},"
            "{\"text\":\" b.\"}]}"), S("a b."),
          "segments that tell no more");

    is_int(parse(S("")), NGX_DECLINED, "no bytes");
    is_int(parse(S("Hello.\n")), NGX_DECLINED, "plain text");
    is_int(parse(S("{\"text\":\"cut")), NGX_DECLINED, "cut");
    is_int(parse(S("[\"text\"]")), NGX_DECLINED, "no object");
    is_int(parse(S("{\"text\":1}")), NGX_DECLINED, "no string");
    is_int(parse(S("{\"text\":null}")), NGX_DECLINED, "null");
    is_int(parse(S("{\"error\":{\"message\":\"no\"}}")), NGX_DECLINED,
           "an error");
    is_int(parse(S("{\"text\":\"\",\"error\":{\"message\":\"no\"}}")),
           NGX_DECLINED, "an error beside a text");
}


static void
sure(void)
{
    words(S("{\"text\":\" Yes. Thank you.\",\"segments\":["
            "{\"start\":0,\"end\":3,\"text\":\" Yes.\",\"avg_logprob\":-0.2,"
            "\"no_speech_prob\":0.02},"
            "{\"start\":3,\"end\":4,\"text\":\" Thank you.\","
            "\"avg_logprob\":-1.2,\"no_speech_prob\":0.7}]}"),
          S("Yes."), "what is no speech is left out");
    near(t.no_speech, (3 * 0.02 + 0.7) / 4, "no speech");
    near(t.confidence, 0.637628, "confidence");

    words(S("{\"text\":\" Thank you.\",\"segments\":["
            "{\"text\":\" Thank you.\",\"avg_logprob\":-0.3,"
            "\"no_speech_prob\":0.95}]}"),
          S(""), "or what is surely none");

    words(S("{\"text\":\" Hm\",\"segments\":["
            "{\"text\":\" Hm\",\"avg_logprob\":-99,"
            "\"no_speech_prob\":0.1}]}"), S("Hm"), "words, badly heard");
    near(t.confidence, 0, "confidence at its least");

    words(S("{\"text\":\"a\",\"segments\":[{\"text\":\"a\",\"avg_logprob\":"
            "0.5,\"no_speech_prob\":0}]}"), S("a"), "odd");
    near(t.confidence, 1, "confidence at its most");

    words(S("{\"text\":\"a b\",\"logprobs\":[{\"token\":\"a\",\"logprob\":"
            "-0.1},{\"token\":\" b\",\"logprob\":-0.3},{}]}"), S("a b"),
          "tokens");
    near(t.confidence, 0.818731, "their confidence");
    ok(t.no_speech < 0, "which is all they tell");
}


static void
silence(void)
{
    ngx_str_t  hints = S("Larkspur,derailleur");
    ngx_str_t  one = S("Larkspur");

    silent(S(""), -1, 1);
    silent(S(". . ."), -1, 1);
    silent(S(" \xe2\x80\xa6 \xe2\x80\x93"), -1, 1);
    silent(S("\xe2\x99\xaa"), -1, 1);
    silent(S("\xe2\x99\xaa la la la \xe2\x99\xaa"), -1, 1);
    silent(S("\xf0\x9f\x8e\xb5\xf0\x9f\x8e\xb5"), -1, 1);
    silent(S("[Music]"), -1, 1);
    silent(S("(applause) [BLANK_AUDIO]"), -1, 1);
    silent(S("*sighs*"), -1, 1);
    silent(S("\xe3\x80\x82"), -1, 1);
    silent(S("\xef\xbc\x88\xe6\x8b\x8d\xe6\x89\x8b\xef\xbc\x89"), -1, 1);
    silent(S("Thank you for watching!"), -1, 1);
    silent(S("Thanks for watching."), -1, 1);
    silent(S("Please subscribe!"), -1, 1);
    silent(S("Subtitles by the Amara.org community"), -1, 1);
    silent(S("Untertitel im Auftrag des ZDF, 2017"), -1, 1);
    silent(S("Sous-titrage ST' 501"), -1, 1);
    silent(S("Subt\xc3\xadtulos realizados por la comunidad"), -1, 1);
    silent(S("\xe5\xad\x97\xe5\xb9\x95\xe7\x94\xb1"), -1, 1);
    silent(S("Thank you."), 0.55, 1);
    silent(S("Bye bye!"), 0.9, 1);

    silent(S("Thank you."), -1, 0);
    silent(S("Thank you."), 0.2, 0);
    silent(S("Thank you, that is all."), 0.6, 0);
    silent(S("Yes"), 0.6, 0);
    silent(S("7"), -1, 0);
    silent(S("\xd0\xb4\xd0\xb0"), -1, 0);
    silent(S("\xe3\x81\xaf\xe3\x81\x84"), -1, 0);
    silent(S("\xc2\xaa"), -1, 0);
    silent(S("I (still) have a question"), -1, 0);
    silent(S("[inaudible] on Friday"), -1, 0);
    silent(S("I am watching it"), -1, 0);
    silent(S("I'd like to subscribe to the newsletter"), -1, 0);

    t.text = S("Larkspur, derailleur.");
    ok(ngx_voice_transcript_silent(&t, &hints), "the hints themselves");
    t.text = S("Larkspur.");
    ok(!ngx_voice_transcript_silent(&t, &hints), "one of them is an answer");
    ok(!ngx_voice_transcript_silent(&t, &one), "also if it is the only one");
}


static void
lengths(void)
{
    u_char      text[400];
    ngx_str_t   hints;
    ngx_uint_t  i, n, good;

    memset(text, 'a', sizeof(text));
    text[1] = ',';

    good = 1;
    hints.data = text;

    for (i = 3; i <= sizeof(text); i++) {
        hints.len = i;
        t.text = hints;
        t.no_speech = -1;

        n = ngx_voice_transcript_silent(&t, &hints);
        good &= (n == (i <= 160));
    }

    ok(good, "texts of every length, as far as one is compared");
}


int
main(void)
{
    answers();
    sure();
    silence();
    lengths();

    free(memory);

    return done_testing();
}
