
#include "tap.h"
#include "ngx_voice_summary.h"


static u_char  reason[NGX_VOICE_SCHEMA_REASON];


#define HEAD  "{\"summary\":\"A call.\",\"sentiment\":\"neutral\","
#define REST  "\"outcome\":\"resolved\",\"interest\":false"


static cJSON *
parse(ngx_str_t text)
{
    cJSON   *root;
    u_char  *memory;

    reason[0] = '\0';

    memory = tap_copy(text.data, text.len);
    root = ngx_voice_summary_parse(memory, text.len, reason);
    free(memory);

    return root;
}


static void
good(ngx_str_t text, const char *want, const char *what)
{
    char   *got;
    cJSON  *root;

    root = parse(text);
    got = root ? cJSON_PrintUnformatted(root) : NULL;

    ok(got && strcmp(got, want) == 0, "%s: %s", what,
       got ? got : (char *) reason);

    cJSON_free(got);
    cJSON_Delete(root);
}


static void
bad(ngx_str_t text, const char *want, const char *what)
{
    cJSON  *root;

    root = parse(text);

    ok(root == NULL && strstr((char *) reason, want), "%s: %s", what,
       (char *) reason);

    cJSON_Delete(root);
}


int
main(void)
{
    ngx_str_t  text;

    good(S(HEAD REST "}"), HEAD REST "}", "the least");
    good(S("```json\n" HEAD REST "}\n```\n"), HEAD REST "}", "a fence");
    good(S("Sure!\n\n" HEAD REST "}"), HEAD REST "}", "words before");
    good(S(HEAD REST ",\"next_step\":null,\"lead\":null}"), HEAD REST "}",
         "null is nothing");
    good(S(HEAD REST ",\"next_step\":\" \\n \",\"lead\":{\"name\":\"\"}}"),
         HEAD REST ",\"lead\":{}}", "nor is what is empty");
    good(S("{\"summary\":\"  Two\\nlines,\\t\\u0007 one. \","
           "\"sentiment\":\"positive\",\"outcome\":\"Call-back later\","
           "\"interest\":true,\"lead\":{\"title\":\"Two\\nbikes\","
           "\"name\":\"Zo\\u00eb\",\"email\":null}}"),
         "{\"summary\":\"Two lines, one.\",\"sentiment\":\"positive\","
         "\"outcome\":\"call_back_later\",\"interest\":true,"
         "\"lead\":{\"title\":\"Two bikes\",\"name\":\"Zo\xc3\xab\"}}",
         "one line, one word");

    bad(S(""), "no JSON object", "nothing");
    bad(S("I can not do that."), "no JSON object", "words");
    bad(S("}{"), "no JSON object", "braces");
    bad(S(HEAD), "", "cut");
    ok(reason[0] != '\0', "with a reason");
    bad(S(HEAD REST "} and {\"more\":1}"), "", "two objects");
    bad(S(HEAD REST ",\"outcome\":\"lead\"}"), "", "a name twice");
    bad(S("{" REST "}"), "summary", "no summary");
    bad(S("{\"summary\":\"\",\"sentiment\":\"neutral\"," REST "}"), "summary",
        "an empty one");
    bad(S("{\"summary\":\"x\",\"sentiment\":\"jolly\"," REST "}"),
        "sentiment", "another sentiment");
    bad(S("{\"summary\":7,\"sentiment\":\"neutral\"," REST "}"), "summary",
        "no string");
    bad(S(HEAD "\"outcome\":\"<b>\",\"interest\":false}"), "no word",
        "no word");
    bad(S(HEAD "\"outcome\":\"x\",\"interest\":\"yes\"}"), "interest",
        "no boolean");
    bad(S(HEAD REST ",\"lead\":{\"phone\":\"1\"}}"), "phone",
        "a lead with a number of its own");
    bad(S(HEAD REST ",\"mood\":\"x\"}"), "mood", "more than was asked for");

    text.data = malloc(2048);

    if (text.data) {
        text.len = snprintf((char *) text.data, 2048, "{\"summary\":\"%01300d"
                            "\",\"sentiment\":\"neutral\"," REST "}", 7);
        bad(text, "summary", "too long");
    }

    free(text.data);

    return done_testing();
}
