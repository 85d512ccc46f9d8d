
#include "ngx_voice_flow_format.h"
#include "ngx_voice_flow.h"

#include <stdio.h>


typedef struct {
    const char                  *name;
    const char                  *extension;
} ngx_voice_flow_format_t;


static const ngx_voice_flow_format_t *ngx_voice_flow_find_format(
    u_char *name, size_t len);


static const ngx_voice_flow_format_t  ngx_voice_flow_formats[] = {

    { "mp3_22050_32",  "mp3" },
    { "mp3_44100_32",  "mp3" },
    { "mp3_44100_64",  "mp3" },
    { "mp3_44100_96",  "mp3" },
    { "mp3_44100_128", "mp3" },
    { "wav_8000",      "wav" },
    { "wav_16000",     "wav" },

    { NULL, NULL }
};


ngx_int_t
ngx_voice_flow_read_format(ngx_voice_flow_ctx_t *ctx,
    const ngx_voice_flow_row_t *row, cJSON *item, void *conf)
{
    size_t                          n;
    char                            names[200];
    const ngx_voice_flow_format_t  *f;

    if (cJSON_IsString(item)) {

        if (ngx_voice_flow_find_format((u_char *) item->valuestring,
                                       strlen(item->valuestring)))
        {
            return ngx_voice_flow_copy(ctx, item->valuestring,
                                       (ngx_str_t *)
                                           ((char *) conf + row->offset));
        }

        /* Twilio's <Play> wants a WAV header that this format has not */

        if (strcmp(item->valuestring, "ulaw_8000") == 0) {
            return ngx_voice_flow_fail(ctx, "must not be \"ulaw_8000\": it "
                                       "has no header, and Twilio plays "
                                       "files; \"wav_8000\" is as fast");
        }
    }

    n = 0;
    names[0] = '\0';

    for (f = ngx_voice_flow_formats; f->name && n < sizeof(names); f++) {
        n += snprintf(names + n, sizeof(names) - n, "%s%s",
                      n ? ", " : "", f->name);
    }

    return ngx_voice_flow_fail(ctx, "must be one of %s", names);
}


ngx_str_t
ngx_voice_flow_extension(ngx_str_t *format)
{
    ngx_str_t                       value;
    const ngx_voice_flow_format_t  *f;

    f = ngx_voice_flow_find_format(format->data, format->len);

    value.data = (u_char *) (f ? f->extension : "");
    value.len = strlen((char *) value.data);

    return value;
}


static const ngx_voice_flow_format_t *
ngx_voice_flow_find_format(u_char *name, size_t len)
{
    const ngx_voice_flow_format_t  *f;

    for (f = ngx_voice_flow_formats; f->name; f++) {
        if (strlen(f->name) == len && ngx_memcmp(f->name, name, len) == 0) {
            return f;
        }
    }

    return NULL;
}
