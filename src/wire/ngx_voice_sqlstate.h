
/*
 * Which of a database's errors may be told: PostgreSQL, appendix A, "Error
 * Codes".
 */


#ifndef _NGX_VOICE_SQLSTATE_H_INCLUDED_
#define _NGX_VOICE_SQLSTATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Whether the message that the server has for this SQLSTATE speaks of itself,
 * of rights and of the names of things only.  All others may quote a value,
 * which may be what a caller said.  What a function raises with a code of its
 * choice is no such message.
 */

ngx_uint_t ngx_voice_sqlstate_tells(const char *state);


#endif /* _NGX_VOICE_SQLSTATE_H_INCLUDED_ */
