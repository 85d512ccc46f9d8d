
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_RECORD_H_INCLUDED_
#define _NGX_VOICE_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_crm.h"


/*
 * Notes on their way to voice.record(): into the spool first, then in
 * batches, one at a time, in their order.  What the database has acknowledged
 * or refused for good leaves the spool; all else is sent again, which does no
 * harm: a note is merged once by its key.
 */

/* worker; NULL without memory.  _stop() comes before the connections end. */
ngx_voice_record_t *ngx_voice_record_start(ngx_cycle_t *cycle,
    ngx_voice_crm_t *crm, ngx_voice_zone_t *zone, ngx_str_t *folder);
void ngx_voice_record_stop(ngx_voice_record_t *record);

/*
 * A JSON object with a "key".  NGX_ERROR, and a log line, when it is none or
 * when there was no room for it.
 */
ngx_int_t ngx_voice_record_note(ngx_voice_record_t *record, ngx_str_t *note);

/* the connection is up: what has failed is sent again without waiting */
void ngx_voice_record_wake(ngx_voice_record_t *record);

/* files of workers that have left are taken over now, not within seconds */
void ngx_voice_record_look(ngx_voice_record_t *record);


#endif /* _NGX_VOICE_RECORD_H_INCLUDED_ */
