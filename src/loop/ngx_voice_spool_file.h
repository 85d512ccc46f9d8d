
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_SPOOL_FILE_H_INCLUDED_
#define _NGX_VOICE_SPOOL_FILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "../wire/ngx_voice_spool_line.h"


/*
 * One file of a spool, open and locked: a header, then a line for each note
 * (wire/ngx_voice_spool_line.h).  It lies on the heap.
 */

#define NGX_VOICE_SPOOL_SUFFIX  ".spool"

typedef struct {
    ngx_queue_t   queue;
    ngx_fd_t      fd;
    off_t         head;         /* of what has not left yet */
    off_t         tail;         /* behind the last whole line */
    ngx_uint_t    notes;        /* that we wrote and that have not left */
    ngx_log_t    *log;
    unsigned      adopted:1;
    unsigned      late:1;       /* of notes that were put behind */
    unsigned      damaged:1;    /* it holds what cannot be read */
    u_char        path[1];      /* zero-terminated */
} ngx_voice_spool_file_t;


/* a new one; seq makes names different; NULL and ngx_errno */
ngx_voice_spool_file_t *ngx_voice_spool_file_create(ngx_str_t *folder,
    ngx_uint_t *seq, ngx_log_t *log);

/*
 * That of a worker that is gone.  NULL: somebody has it, it is none (a log
 * line if loud), or it was empty and is not there any more.
 */
ngx_voice_spool_file_t *ngx_voice_spool_file_adopt(ngx_str_t *folder,
    ngx_str_t *name, ngx_log_t *log, ngx_uint_t loud);

/* NGX_ERROR and ngx_errno: nothing was written */
ngx_int_t ngx_voice_spool_file_write(ngx_voice_spool_file_t *file,
    u_char *data, size_t len);

/*
 * The notes at the head, max and limit bytes of them at most, though one note
 * always is; they lie in the buffer.  NGX_AGAIN: something damaged was passed
 * over.  NGX_ERROR: it cannot be read.
 */
ngx_int_t ngx_voice_spool_file_read(ngx_voice_spool_file_t *file,
    u_char *buffer, size_t size, ngx_str_t *notes, ngx_uint_t max,
    size_t limit);

/* all notes have left: it becomes small again */
void ngx_voice_spool_file_empty(ngx_voice_spool_file_t *file);

/* the file goes; what could not be read is kept under another name */
void ngx_voice_spool_file_remove(ngx_voice_spool_file_t *file);

/* the file stays, and can be adopted */
void ngx_voice_spool_file_close(ngx_voice_spool_file_t *file);


#endif /* _NGX_VOICE_SPOOL_FILE_H_INCLUDED_ */
