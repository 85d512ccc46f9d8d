
#include "tap.h"
#include "ngx_voice_text.h"


static void
speak(ngx_str_t text, ngx_str_t want)
{
    u_char     *p;
    size_t      n;
    ngx_str_t   got;

    p = tap_copy(text.data, text.len);

    got.data = p;
    got.len = ngx_voice_text_speakable(p, text.len);
    is_str(got, want, (char *) text.data);

    n = ngx_voice_text_speakable(p, got.len);
    is_int(n, got.len, "a second time changes nothing");

    free(p);
}


static void
speakable(void)
{
    speak(S(""), S(""));
    speak(S("  Hello,\n\n  world \t"), S("Hello, world"));

    /* what must survive */

    speak(S("That's $3.50, 50% off & R&D."), S("That's $3.50, 50% off & R&D."));
    speak(S("\xe2\x82\xac" "5, \xc2\xa3" "6, caf\xc3\xa9, \xe4\xbd\xa0"),
          S("\xe2\x82\xac" "5, \xc2\xa3" "6, caf\xc3\xa9, \xe4\xbd\xa0"));
    speak(S("Call +1 500 555 0006 (mornings)."),
          S("Call +1 500 555 0006 (mornings)."));
    speak(S("You are #1, and C# too."), S("You are #1, and C# too."));
    speak(S("~5 minutes, 3-4 days - or so"), S("~5 minutes, 3-4 days - or so"));
    speak(S("well\xe2\x80\x94yes\xe2\x80\xa6"),
          S("well\xe2\x80\x94yes\xe2\x80\xa6"));

    /* Markdown */

    speak(S("**Bold** and *it* and __b__ and _i_"),
          S("Bold and it and b and i"));
    speak(S("un**believ**able"), S("unbelievable"));
    speak(S("2*3 and order_id"), S("2 3 and order id"));
    speak(S("# Title\n## Next\ntext"), S("Title Next text"));
    speak(S("- one\n* two\n+ three\n\xe2\x80\xa2 four"),
          S("one two three four"));
    speak(S("1. one\n2. two"), S("1. one 2. two"));
    speak(S("`code` and ```more```"), S("code and more"));
    speak(S("~~gone~~ here"), S("gone here"));
    speak(S("> quoted"), S("quoted"));
    speak(S("a\n---\nb\n***\nc"), S("a b c"));
    speak(S("| a | b |\n|---|---|"), S("a b"));
    speak(S("see [our page](https://example.org/a_(b)?c) now"),
          S("see our page now"));
    speak(S("![logo](x.png) [1] [note] (really)"),
          S("logo 1 note (really)"));
    speak(S("[[a](b)](c)"), S("a"));
    speak(S("[a] (b)"), S("a (b)"));
    speak(S("[a](b"), S("a(b"));
    speak(S("\\*kept\\*"), S("kept"));
    speak(S("at https://example.org/x or http://b.example"),
          S("at example.org/x or b.example"));

    /* tags */

    speak(S("a <b>bold</b>, a<br>b<br/>c"), S("a bold, a b c"));
    speak(S("say <break time=\"1s\"/> x"), S("say x"));
    speak(S("5 < 6 and 7 > 3"), S("5 6 and 7 3"));
    speak(S("a <unfinished"), S("a unfinished"));
    speak(S("x <!-- no --> y"), S("x y"));

    /* what is no text */

    speak(S("Great \xf0\x9f\x98\x80\xf0\x9f\x8f\xbd thanks"),
          S("Great thanks"));
    speak(S("\xe2\x9c\x85 done \xe2\x86\x92 next 1\xef\xb8\x8f\xe2\x83\xa3"),
          S("done next 1"));
    speak(S("\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9 x"), S("x"));
    speak(S("a\0b\x01" "c\x7f" "d\xc2\x80"), S("abcd"));
    speak(S("a\xff\xfe" "b\xe2\x82"), S("ab"));
    speak(S("a\xc2\xa0" "b\xe3\x80\x80" "c"), S("a b c"));
    speak(S("a\xef\xbb\xbf\xe2\x80\x8b" "b"), S("ab"));
    speak(S("\xf0\x9f\x98\x80"), S(""));

    /* what one removal brings together */

    speak(S("#* x"), S("x"));
    speak(S("+|\xe2\x80\x8dx"), S("x"));
    speak(S("a\t#|x"), S("a x"));
    speak(S("~*~x"), S("x"));
    speak(S("-*-*- x"), S("x"));
}


static void
wordless(void)
{
    ok(ngx_voice_text_is_wordless(&S("")), "nothing");
    ok(ngx_voice_text_is_wordless(&S("... - !?")), "marks");
    ok(ngx_voice_text_is_wordless(&S("\xe2\x80\xa6 \xe2\x80\x94 -")),
       "an ellipsis and a dash");
    ok(!ngx_voice_text_is_wordless(&S("... a")), "a letter");
    ok(!ngx_voice_text_is_wordless(&S("-Z-")), "a capital");
    ok(!ngx_voice_text_is_wordless(&S("(0)")), "a digit");
    ok(!ngx_voice_text_is_wordless(&S("\xe2\x80\x94 \xc3\xa9")),
       "a letter that is no ASCII");
    ok(!ngx_voice_text_is_wordless(&S("\xe2\x82\xac")), "a sign of money");
    ok(!ngx_voice_text_is_wordless(&S("\xe2\x80")), "half a mark");
}


static void
numbers(void)
{
    ok(ngx_voice_text_is_e164(&S("+15005550006")), "a number");
    ok(ngx_voice_text_is_e164(&S("+123456789012345")), "fifteen digits");
    ok(!ngx_voice_text_is_e164(&S("+1234567890123456")), "sixteen");
    ok(!ngx_voice_text_is_e164(&S("+123456")), "too short");
    ok(!ngx_voice_text_is_e164(&S("15005550006")), "no plus");
    ok(!ngx_voice_text_is_e164(&S("+05005550006")), "leading zero");
    ok(!ngx_voice_text_is_e164(&S("+1500555000a")), "a letter");
    ok(!ngx_voice_text_is_e164(&S("+1 500555000")), "a space");
    ok(!ngx_voice_text_is_e164(&S("")), "nothing");

    ok(ngx_voice_text_is_number(&S("+15005550006")), "a number");
    ok(ngx_voice_text_is_number(&S("611")), "a short one");
    ok(ngx_voice_text_is_number(&S("05005550006")), "a national one");
    ok(!ngx_voice_text_is_number(&S("+")), "a plus");
    ok(!ngx_voice_text_is_number(&S("")), "nothing");
    ok(!ngx_voice_text_is_number(&S("1234567890123456")), "too long");
    ok(!ngx_voice_text_is_number(&S("sip:611@voice.test")), "an address");
    ok(!ngx_voice_text_is_number(&S("611 or else")), "words");

    ok(ngx_voice_text_withheld(&S("anonymous")), "anonymous");
    ok(ngx_voice_text_withheld(&S("Restricted")), "in any case");
    ok(ngx_voice_text_withheld(&S("+266696687")), "typed on a keypad");
    ok(ngx_voice_text_withheld(&S("+7378742833")), "another");
    ok(ngx_voice_text_withheld(&S("+86282452253")), "another");
    ok(ngx_voice_text_withheld(&S("+8656696")), "another");
    ok(ngx_voice_text_withheld(&S("+2562533")), "another");
    ok(ngx_voice_text_withheld(&S("")), "nothing at all");
    ok(!ngx_voice_text_withheld(&S("+15005550006")), "a number");
    ok(!ngx_voice_text_withheld(&S("+2666966871")), "a longer number");
    ok(!ngx_voice_text_withheld(&S("client:ann")), "a client");
}


static void
cut(ngx_str_t text, size_t max, size_t want)
{
    u_char  *p;

    p = tap_copy(text.data, text.len);
    is_int(ngx_voice_text_utf8_cut(p, text.len, max), want,
           (char *) text.data);
    free(p);
}


int
main(void)
{
    speakable();
    wordless();
    numbers();

    cut(S("abc"), 5, 3);
    cut(S("abc"), 3, 3);
    cut(S("abc"), 2, 2);
    cut(S("abc"), 0, 0);
    cut(S("a\xc3\xa4" "b"), 1, 1);
    cut(S("a\xc3\xa4" "b"), 2, 1);
    cut(S("a\xc3\xa4" "b"), 3, 3);
    cut(S("\xe2\x82\xac\xe2\x82\xac"), 4, 3);
    cut(S("\xe2\x82\xac\xe2\x82\xac"), 5, 3);
    cut(S("\xf0\x9f\x98\x80"), 3, 0);
    cut(S("\xf0\x9f\x98\x80"), 1, 0);
    cut(S("\x80\x80\x80\x80\x80\x80"), 5, 5);
    cut(S("\xff\x80\x80\x80\x80\x80"), 2, 2);

    return done_testing();
}
