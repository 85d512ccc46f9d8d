
/*
 * What a transcription says (OpenAI, "Create transcription": the formats
 * "json" and "verbose_json", and servers compatible with it), and whether it
 * is words at all.
 */


#ifndef _NGX_VOICE_TRANSCRIPT_H_INCLUDED_
#define _NGX_VOICE_TRANSCRIPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t  text;                  /* one line of UTF-8, maybe empty */
    double     confidence;            /* 0 to 1, negative: not told */
    double     no_speech;             /* 0 to 1, negative: not told */
} ngx_voice_transcript_t;


/*
 * Reads an answer.  Segments that Whisper itself would not take for speech are
 * left out of the text, which is written over the body.
 *
 * NGX_OK; NGX_DECLINED if it is no JSON object with a text, which an error is
 * not either.
 */
ngx_int_t ngx_voice_transcript_parse(ngx_str_t *body,
    ngx_voice_transcript_t *t);

/*
 * Whether the text is what models write when nobody spoke: nothing, marks
 * without words, a sound that is described, the hints that they were given
 * (prompt, may be empty), or the credits of films that they have learned from.
 */
ngx_uint_t ngx_voice_transcript_silent(ngx_voice_transcript_t *t,
    ngx_str_t *prompt);


#endif /* _NGX_VOICE_TRANSCRIPT_H_INCLUDED_ */
