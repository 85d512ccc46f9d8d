
/*
 * Form bodies, application/x-www-form-urlencoded.  Names and values are bytes,
 * decoded exactly once, because that is what the sender signs (Twilio,
 * "Validating requests").
 */


#ifndef _NGX_VOICE_FORM_H_INCLUDED_
#define _NGX_VOICE_FORM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t  name;
    ngx_str_t  value;
} ngx_voice_param_t;


/*
 * Decodes data in place and points the parameters into it: "+" is a space,
 * "%XX" a byte, a malformed "%" stays as it is, "a" equals "a=", empty pairs
 * are skipped.  NULs and invalid UTF-8 are kept.
 *
 * NGX_OK, or NGX_DECLINED if there are more than max parameters; *n counts
 * those that were decoded in both cases.
 */

ngx_int_t ngx_voice_form_decode(u_char *data, size_t len,
    ngx_voice_param_t *params, ngx_uint_t max, ngx_uint_t *n);

/* The first value of that name, case-sensitive; NULL if there is none. */

ngx_str_t *ngx_voice_form_value(ngx_voice_param_t *params, ngx_uint_t n,
    const char *name, size_t len);


#endif /* _NGX_VOICE_FORM_H_INCLUDED_ */
