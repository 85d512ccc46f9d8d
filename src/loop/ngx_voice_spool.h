
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_SPOOL_H_INCLUDED_
#define _NGX_VOICE_SPOOL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "../wire/ngx_voice_spool_line.h"


/*
 * Notes wait here until somebody has taken them over: first in, first out, in
 * append-only files of this worker (wire/ngx_voice_spool_line.h).  Nothing is
 * synced: what was put survives the death of the process, and a power failure
 * may lose the last seconds of it.
 *
 * A file is locked with flock() by the worker that has it.  One that can be
 * locked has none: whoever finds it adopts it, sends its notes and removes it.
 *
 * While the files cannot be written, notes are kept in memory, up to a bound.
 */


/* what is taken at once at most, though one note always is */
#define NGX_VOICE_SPOOL_NOTES   64
#define NGX_VOICE_SPOOL_BYTES   131072

/* bytes of a note, at most */
#define NGX_VOICE_SPOOL_NOTE    (262144 - NGX_VOICE_SPOOL_LINE_MORE)


typedef struct ngx_voice_spool_s  ngx_voice_spool_t;

typedef struct {
    ngx_uint_t   notes;     /* of adopted files: guessed from their size */
    off_t        bytes;
    ngx_uint_t   failing;   /* the files cannot be written */
} ngx_voice_spool_state_t;


/*
 * Worker; NULL without memory only.  A folder that cannot be written is a log
 * line and a state.
 */
ngx_voice_spool_t *ngx_voice_spool_open(ngx_cycle_t *cycle,
    ngx_str_t *folder);

/* what was not taken over stays for others, an empty file goes */
void ngx_voice_spool_close(ngx_voice_spool_t *spool);

/*
 * Puts a note at the end: no line ends in it, NGX_VOICE_SPOOL_NOTE bytes at
 * most.  NGX_ERROR when there is no room, neither on disk nor in memory.
 */
ngx_int_t ngx_voice_spool_put(ngx_voice_spool_t *spool, ngx_str_t *note);

/*
 * The notes whose turn it is, max at most (NGX_VOICE_SPOOL_NOTES if more),
 * valid until the next call of any function but _put(); returns how many, 0:
 * none, NGX_AGAIN: something damaged was passed over, ask again.  They stay,
 * until _done() says that the first n of them may leave.
 */
ngx_int_t ngx_voice_spool_take(ngx_voice_spool_t *spool, ngx_uint_t max,
    ngx_str_t **notes);
void ngx_voice_spool_done(ngx_voice_spool_t *spool, ngx_uint_t n);

/*
 * The first note that was taken goes out of the way of the others, to a file
 * that is not read before _again(); NGX_ERROR: it stays where it is.
 * _is_late() tells whether what was taken comes from there.
 */
ngx_int_t ngx_voice_spool_put_behind(ngx_voice_spool_t *spool);
void ngx_voice_spool_again(ngx_voice_spool_t *spool);
ngx_uint_t ngx_voice_spool_is_late(ngx_voice_spool_t *spool);

/* from time to time: adopts files of workers that are gone */
void ngx_voice_spool_scan(ngx_voice_spool_t *spool);

/*
 * While it is failing, every second or so: writes what is in memory, as soon
 * as that is possible
 */
void ngx_voice_spool_retry(ngx_voice_spool_t *spool);

void ngx_voice_spool_state(ngx_voice_spool_t *spool,
    ngx_voice_spool_state_t *state);


#endif /* _NGX_VOICE_SPOOL_H_INCLUDED_ */
