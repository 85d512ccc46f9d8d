
/*
 * What a flow file may hold: one row a key.
 */


#ifndef _NGX_VOICE_FLOW_TABLE_H_INCLUDED_
#define _NGX_VOICE_FLOW_TABLE_H_INCLUDED_


#include "ngx_voice_flow_read.h"


extern const ngx_voice_flow_row_t  ngx_voice_flow_rows[];


#endif /* _NGX_VOICE_FLOW_TABLE_H_INCLUDED_ */
