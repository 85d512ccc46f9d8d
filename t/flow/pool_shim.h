
/*
 * The few pool functions that the flow loader needs, on malloc(), so that it
 * is checked and fuzzed without NGINX and a sanitizer sees every allocation.
 */


#ifndef _POOL_SHIM_H_INCLUDED_
#define _POOL_SHIM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* allocations of all pools so far; the one that fails, 0: none does */

extern ngx_uint_t  pool_shim_count;
extern ngx_uint_t  pool_shim_fail;


#endif /* _POOL_SHIM_H_INCLUDED_ */
