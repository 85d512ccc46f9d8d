
#include "tap.h"
#include "ngx_voice_schema.h"


static u_char  reason[NGX_VOICE_SCHEMA_REASON];


/* what is left of the value, or the reason in parentheses */

static void
check(const char *schema, const char *value, const char *want)
{
    char       got[512], *text;
    cJSON     *s, *v;
    ngx_int_t  rc;

    s = cJSON_Parse(schema);
    v = cJSON_Parse(value);

    ok(s != NULL && v != NULL, "%s %s", schema, value);

    rc = ngx_voice_schema_check(s, v, reason);

    if (rc == NGX_OK) {
        text = cJSON_PrintUnformatted(v);
        snprintf(got, sizeof(got), "%s", text);
        cJSON_free(text);

    } else {
        snprintf(got, sizeof(got), "(%s)", reason);
    }

    is_str((ngx_str_t) { strlen(got), (u_char *) got },
           (ngx_str_t) { strlen(want), (u_char *) want }, "the same");

    cJSON_Delete(s);
    cJSON_Delete(v);
}


/* as voice.tools() describes a ticket */

#define TICKET                                                                \
    "{\"type\":\"object\",\"additionalProperties\":false,"                    \
    "\"required\":[\"title\"],\"properties\":{"                               \
    "\"title\":{\"type\":\"string\",\"maxLength\":5},"                        \
    "\"priority\":{\"type\":\"string\",\"enum\":[\"low\",\"high\"]},"         \
    "\"nothing\":{\"type\":[\"string\",\"null\"]}}}"


int
main(void)
{
    cJSON   *s, *v;
    char     name[400];
    size_t   i;

    check(TICKET, "{\"title\":\"abc\"}", "{\"title\":\"abc\"}");
    check(TICKET, "{\"title\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}",
          "{\"title\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}");
    check(TICKET, "{\"title\":\"abcdef\"}",
          "(\"title\" must be at most 5 characters)");
    check(TICKET, "{\"title\":5}", "(\"title\" must be of type string)");
    check(TICKET, "{\"title\":null}", "(\"title\" must be of type string)");
    check(TICKET, "{}", "(\"title\" is missing)");
    check(TICKET, "{\"title\":\"a\",\"Title\":\"b\"}",
          "(\"Title\" is not known here)");
    check(TICKET, "{\"title\":\"a\",\"priority\":\"low\"}",
          "{\"title\":\"a\",\"priority\":\"low\"}");
    check(TICKET, "{\"title\":\"a\",\"priority\":\"urgent\"}",
          "(\"priority\" must be one of: low, high)");
    check(TICKET, "{\"priority\":null,\"title\":\"a\"}", "{\"title\":\"a\"}");
    check(TICKET, "{\"title\":\"a\",\"nothing\":null}",
          "{\"title\":\"a\",\"nothing\":null}");
    check(TICKET, "{\"title\":\"a\",\"other\":null}",
          "(\"other\" is not known here)");
    check(TICKET, "[]", "(the arguments must be of type object)");
    check(TICKET, "\"title\"", "(the arguments must be of type object)");

    check("{\"type\":\"integer\",\"minimum\":1,\"maximum\":3}", "2", "2");
    check("{\"type\":\"integer\"}", "2.0", "2");
    check("{\"type\":\"integer\"}", "2.5",
          "(the arguments must be of type integer)");
    check("{\"type\":\"integer\"}", "1e300",
          "(the arguments must be of type integer)");
    check("{\"type\":\"number\",\"minimum\":1}", "0.5",
          "(the arguments must be at least 1)");
    check("{\"type\":\"number\",\"maximum\":3}", "3.5",
          "(the arguments must be at most 3)");
    check("{\"type\":[\"number\",\"boolean\"]}", "true", "true");
    check("{\"type\":[\"number\",\"boolean\"]}", "\"true\"",
          "(the arguments must be of another type)");
    check("{\"minLength\":2}", "\"a\"",
          "(the arguments must be at least 2 characters)");
    check("{\"enum\":[1,null]}", "null", "null");
    check("{\"enum\":[1,null]}", "2", "(the arguments must be one of: )");
    check("{\"type\":\"array\",\"maxItems\":2,\"items\":{\"type\":\"null\"}}",
          "[null]", "[null]");
    check("{\"type\":\"array\",\"maxItems\":2}", "[1,2,3]",
          "(the arguments must be at most 2 items)");
    check("{\"items\":{\"type\":\"string\"}}", "[\"a\",1]",
          "(the arguments must be of type string)");
    check("{\"properties\":{\"a\":{\"properties\":{\"b\":{\"type\":"
          "\"string\"}}}}}", "{\"a\":{\"b\":1}}",
          "(\"b\" must be of type string)");
    check("{\"format\":\"date\",\"pattern\":\"x\"}", "\"a\"", "\"a\"");
    check("true", "1", "1");
    check("{\"type\":5,\"enum\":5,\"properties\":5,\"required\":[5]}",
          "{\"a\":1}", "{\"a\":1}");

    /* a long name is cut between characters */

    for (i = 0; i + 2 < sizeof(name); i += 2) {
        memcpy(name + i, "\xc3\xa4", 2);
    }

    name[i] = '\0';

    s = cJSON_Parse("{\"additionalProperties\":false}");
    v = cJSON_CreateObject();
    cJSON_AddNullToObject(v, name);

    is_int(ngx_voice_schema_check(s, v, reason), NGX_DECLINED, "a long name");
    i = strlen((char *) reason);
    ok(i < NGX_VOICE_SCHEMA_REASON && (reason[i - 1] & 0xc0) == 0x80
       && reason[i - 2] == 0xc3, "is cut between characters");

    cJSON_Delete(s);
    cJSON_Delete(v);

    return done_testing();
}
