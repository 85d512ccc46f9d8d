
/*
 * Writes a body of type multipart/form-data (RFC 7578).  Values are any bytes;
 * names, file names and types are text, and what would end them too early is
 * escaped as browsers do it (HTML, "Multipart form data").
 */


#ifndef _NGX_VOICE_MULTIPART_H_INCLUDED_
#define _NGX_VOICE_MULTIPART_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes; RFC 2046 allows 70 */
#define NGX_VOICE_BOUNDARY       38


typedef struct {
    ngx_str_t  name;
    ngx_str_t  filename;              /* empty: no file */
    ngx_str_t  type;                  /* empty: no Content-Type */
    ngx_str_t  value;
} ngx_voice_part_t;


/*
 * A boundary that occurs in no part.  seed: any number, best a random one, so
 * that who makes the data cannot know the first try.
 */
void ngx_voice_multipart_boundary(ngx_voice_part_t *parts, ngx_uint_t n,
    uint64_t seed, u_char boundary[NGX_VOICE_BOUNDARY]);

/* bytes of the whole body */
size_t ngx_voice_multipart_len(ngx_voice_part_t *parts, ngx_uint_t n);

/* writes exactly that many bytes, returns their end */
u_char *ngx_voice_multipart_write(u_char *p, ngx_voice_part_t *parts,
    ngx_uint_t n, u_char boundary[NGX_VOICE_BOUNDARY]);


#endif /* _NGX_VOICE_MULTIPART_H_INCLUDED_ */
