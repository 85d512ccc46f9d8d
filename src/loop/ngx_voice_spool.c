
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_voice_spool.h"
#include "ngx_voice_spool_file.h"


#define NGX_VOICE_SPOOL_BUFFER   262144

/* a file is followed by another one from this size on */
#define NGX_VOICE_SPOOL_ROTATE   8388608

/* files that are open at once, own ones and adopted ones each */
#define NGX_VOICE_SPOOL_FILES    16

/* bytes of notes in memory while files cannot be written */
#define NGX_VOICE_SPOOL_MEMORY   2097152

/* bytes of a note when nobody has counted */
#define NGX_VOICE_SPOOL_GUESS    512

/* s: between two loud lines of a disk that comes and goes */
#define NGX_VOICE_SPOOL_QUIET    60


typedef struct {
    ngx_queue_t              queue;
    size_t                   len;
    u_char                   data[1];
} ngx_voice_spool_kept_t;


struct ngx_voice_spool_s {
    ngx_str_t                folder;
    ngx_log_t               *log;

    ngx_queue_t              own;       /* files, the oldest first */
    ngx_uint_t               nown;
    ngx_queue_t              adopted;
    ngx_uint_t               nadopted;
    ngx_voice_spool_file_t  *current;   /* last of own, is written; or NULL */
    ngx_voice_spool_file_t  *late;      /* in no list, not read yet; or NULL */

    ngx_queue_t              kept;      /* in memory, younger than all files */
    ngx_uint_t               nkept;
    size_t                   kept_size;

    ngx_str_t                notes[NGX_VOICE_SPOOL_NOTES];
    ngx_uint_t               taken;     /* of them, 0: none are out */
    ngx_voice_spool_file_t  *from;      /* where they are, NULL: in memory */

    u_char                  *buffer;
    ngx_uint_t               seq;       /* of file names */
    time_t                   told;      /* when the disk was complained of */

    unsigned                 failing:1;
    unsigned                 loud:1;    /* this failure was told */
    unsigned                 turn:1;    /* adopted files come next */
    unsigned                 single:1;  /* the turn stays */
    unsigned                 scanned:1;
};


static ngx_int_t ngx_voice_spool_create(ngx_voice_spool_t *spool);
static ngx_int_t ngx_voice_spool_write(ngx_voice_spool_t *spool,
    u_char *data, size_t len);
static void ngx_voice_spool_rotate(ngx_voice_spool_t *spool);
static ngx_int_t ngx_voice_spool_keep(ngx_voice_spool_t *spool,
    ngx_str_t *note);
static void ngx_voice_spool_unkeep(ngx_voice_spool_t *spool);
static ngx_voice_spool_file_t *ngx_voice_spool_next(ngx_voice_spool_t *spool);
static void ngx_voice_spool_trim(ngx_voice_spool_t *spool,
    ngx_voice_spool_file_t *file);
static void ngx_voice_spool_unlist(ngx_voice_spool_t *spool,
    ngx_voice_spool_file_t *file);
static void ngx_voice_spool_check(ngx_voice_spool_t *spool);
static void ngx_voice_spool_failed(ngx_voice_spool_t *spool, ngx_err_t err);


ngx_voice_spool_t *
ngx_voice_spool_open(ngx_cycle_t *cycle, ngx_str_t *folder)
{
    ngx_voice_spool_t  *spool;

    spool = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_spool_t));
    if (spool == NULL) {
        return NULL;
    }

    spool->buffer = ngx_palloc(cycle->pool, NGX_VOICE_SPOOL_BUFFER);
    if (spool->buffer == NULL) {
        return NULL;
    }

    spool->folder = *folder;
    spool->log = cycle->log;

    ngx_queue_init(&spool->own);
    ngx_queue_init(&spool->adopted);
    ngx_queue_init(&spool->kept);

    /* a mistake in the folder is told now, not with the first call */

    (void) ngx_voice_spool_create(spool);

    ngx_voice_spool_scan(spool);

    return spool;
}


void
ngx_voice_spool_close(ngx_voice_spool_t *spool)
{
    ngx_queue_t             *q;
    ngx_voice_spool_file_t  *file;

    ngx_voice_spool_retry(spool);

    if (spool->nkept) {
        ngx_log_error(NGX_LOG_CRIT, spool->log, 0,
                      "voice spool \"%V\": %ui notes for the database are "
                      "lost, they were only in memory",
                      &spool->folder, spool->nkept);
    }

    while (!ngx_queue_empty(&spool->kept)) {
        ngx_voice_spool_unkeep(spool);
    }

    ngx_voice_spool_again(spool);

    while (!ngx_queue_empty(&spool->own)) {
        q = ngx_queue_head(&spool->own);
        file = ngx_queue_data(q, ngx_voice_spool_file_t, queue);

        ngx_voice_spool_unlist(spool, file);

        if (file->head == file->tail) {
            ngx_voice_spool_file_remove(file);

        } else {
            ngx_voice_spool_file_close(file);
        }
    }

    while (!ngx_queue_empty(&spool->adopted)) {
        q = ngx_queue_head(&spool->adopted);
        file = ngx_queue_data(q, ngx_voice_spool_file_t, queue);

        ngx_voice_spool_unlist(spool, file);
        ngx_voice_spool_file_close(file);
    }
}


ngx_int_t
ngx_voice_spool_put(ngx_voice_spool_t *spool, ngx_str_t *note)
{
    if (!spool->failing
        && ngx_voice_spool_write(spool, note->data, note->len) == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_voice_spool_keep(spool, note);
}


ngx_int_t
ngx_voice_spool_take(ngx_voice_spool_t *spool, ngx_uint_t max,
    ngx_str_t **notes)
{
    size_t                   size;
    ngx_int_t                rc;
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_voice_spool_file_t  *file;
    ngx_voice_spool_kept_t  *kept;

    max = ngx_min(max, NGX_VOICE_SPOOL_NOTES);

    *notes = spool->notes;
    spool->taken = 0;
    spool->single = (max == 1);

    file = ngx_voice_spool_next(spool);

    if (file) {
        rc = ngx_voice_spool_file_read(file, spool->buffer,
                                       NGX_VOICE_SPOOL_BUFFER, spool->notes,
                                       max, NGX_VOICE_SPOOL_BYTES);

        if (rc == NGX_ERROR) {

            /* out of the way of the others */

            ngx_voice_spool_unlist(spool, file);
            ngx_voice_spool_file_remove(file);

            return NGX_AGAIN;
        }

        if (rc == NGX_AGAIN) {
            ngx_voice_spool_trim(spool, file);
            return NGX_AGAIN;
        }

        spool->from = file;
        spool->taken = rc;

        return rc;
    }

    size = 0;
    n = 0;

    for (q = ngx_queue_head(&spool->kept);
         q != ngx_queue_sentinel(&spool->kept) && n < max;
         q = ngx_queue_next(q))
    {
        kept = ngx_queue_data(q, ngx_voice_spool_kept_t, queue);

        size += kept->len;

        if (n && size > NGX_VOICE_SPOOL_BYTES) {
            break;
        }

        spool->notes[n].data = kept->data;
        spool->notes[n++].len = kept->len;
    }

    spool->from = NULL;
    spool->taken = n;

    return n;
}


void
ngx_voice_spool_done(ngx_voice_spool_t *spool, ngx_uint_t n)
{
    ngx_uint_t               i;
    ngx_voice_spool_file_t  *file;

    /* what was in memory may have gone to the disk in between */

    n = ngx_min(n, spool->taken);
    file = spool->from;

    spool->taken = 0;

    if (n && !spool->single) {
        spool->turn = !spool->turn;
    }

    if (file == NULL) {
        while (n--) {
            ngx_voice_spool_unkeep(spool);
        }

        return;
    }

    for (i = 0; i < n; i++) {
        file->head += spool->notes[i].len + NGX_VOICE_SPOOL_LINE_MORE;
    }

    file->notes -= ngx_min(file->notes, n);

    ngx_voice_spool_trim(spool, file);
}


ngx_int_t
ngx_voice_spool_put_behind(ngx_voice_spool_t *spool)
{
    ngx_str_t  *note;

    if (spool->taken == 0) {
        return NGX_ERROR;
    }

    if (spool->late == NULL) {
        spool->late = ngx_voice_spool_file_create(&spool->folder, &spool->seq,
                                                  spool->log);
        if (spool->late == NULL) {
            ngx_voice_spool_failed(spool, ngx_errno);
            return NGX_ERROR;
        }

        spool->late->late = 1;
    }

    note = &spool->notes[0];

    if (ngx_voice_spool_file_write(spool->late, note->data, note->len)
        != NGX_OK)
    {
        ngx_voice_spool_failed(spool, ngx_errno);
        return NGX_ERROR;
    }

    ngx_voice_spool_done(spool, 1);

    return NGX_OK;
}


void
ngx_voice_spool_again(ngx_voice_spool_t *spool)
{
    ngx_voice_spool_file_t  *late;

    late = spool->late;

    if (late == NULL) {
        return;
    }

    spool->late = NULL;

    late->adopted = 1;

    ngx_queue_insert_tail(&spool->adopted, &late->queue);
    spool->nadopted++;

    ngx_voice_spool_trim(spool, late);
}


ngx_uint_t
ngx_voice_spool_is_late(ngx_voice_spool_t *spool)
{
    return spool->taken && spool->from && spool->from->late;
}


void
ngx_voice_spool_retry(ngx_voice_spool_t *spool)
{
    ngx_queue_t             *q;
    ngx_voice_spool_kept_t  *kept;

    if (!spool->failing) {
        return;
    }

    if (spool->current == NULL && ngx_voice_spool_create(spool) != NGX_OK) {
        return;
    }

    while (!ngx_queue_empty(&spool->kept)) {
        q = ngx_queue_head(&spool->kept);
        kept = ngx_queue_data(q, ngx_voice_spool_kept_t, queue);

        if (ngx_voice_spool_write(spool, kept->data, kept->len) != NGX_OK) {
            return;
        }

        /* if it is being sent it will be sent again, which is allowed */

        if (spool->from == NULL) {
            spool->taken = 0;
        }

        ngx_voice_spool_unkeep(spool);
    }

    spool->failing = 0;

    if (spool->loud) {
        spool->loud = 0;

        ngx_log_error(NGX_LOG_NOTICE, spool->log, 0,
                      "voice spool \"%V\" can be written again",
                      &spool->folder);
    }
}


void
ngx_voice_spool_state(ngx_voice_spool_t *spool,
    ngx_voice_spool_state_t *state)
{
    off_t                    size;
    ngx_queue_t             *q;
    ngx_voice_spool_file_t  *file;

    state->notes = spool->nkept;
    state->bytes = spool->kept_size;
    state->failing = spool->failing;

    for (q = ngx_queue_head(&spool->own);
         q != ngx_queue_sentinel(&spool->own);
         q = ngx_queue_next(q))
    {
        file = ngx_queue_data(q, ngx_voice_spool_file_t, queue);

        state->notes += file->notes;
        state->bytes += file->tail - file->head;
    }

    for (q = ngx_queue_head(&spool->adopted);
         q != ngx_queue_sentinel(&spool->adopted);
         q = ngx_queue_next(q))
    {
        file = ngx_queue_data(q, ngx_voice_spool_file_t, queue);
        size = file->tail - file->head;

        if (file->notes) {
            state->notes += file->notes;

        } else {
            state->notes += (size + NGX_VOICE_SPOOL_GUESS - 1)
                            / NGX_VOICE_SPOOL_GUESS;
        }

        state->bytes += size;
    }

    if (spool->late) {
        state->notes += spool->late->notes;
        state->bytes += spool->late->tail - spool->late->head;
    }
}


/* makes the file that is written from now on; the one before stays in own */

static ngx_int_t
ngx_voice_spool_create(ngx_voice_spool_t *spool)
{
    ngx_voice_spool_file_t  *file;

    file = ngx_voice_spool_file_create(&spool->folder, &spool->seq,
                                       spool->log);
    if (file == NULL) {
        ngx_voice_spool_failed(spool, ngx_errno);
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&spool->own, &file->queue);
    spool->nown++;
    spool->current = file;

    return NGX_OK;
}


static ngx_int_t
ngx_voice_spool_write(ngx_voice_spool_t *spool, u_char *data, size_t len)
{
    if (spool->current == NULL) {
        if (ngx_voice_spool_create(spool) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (spool->current->tail >= NGX_VOICE_SPOOL_ROTATE) {

        /* without another file this one grows on */
        ngx_voice_spool_rotate(spool);
    }

    if (ngx_voice_spool_file_write(spool->current, data, len) != NGX_OK) {
        ngx_voice_spool_failed(spool, ngx_errno);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_voice_spool_rotate(ngx_voice_spool_t *spool)
{
    ngx_voice_spool_file_t  *old;

    old = spool->current;

    if (ngx_voice_spool_create(spool) != NGX_OK) {
        return;
    }

    if (old->head == old->tail) {
        ngx_voice_spool_trim(spool, old);
        return;
    }

    /*
     * Descriptors are bounded: beyond, what waits is as safe in a file that
     * is adopted when there is time for it.  The oldest ones stay, they are
     * sent in part.
     */

    if (spool->nown > NGX_VOICE_SPOOL_FILES) {
        ngx_voice_spool_unlist(spool, old);
        ngx_voice_spool_file_close(old);
    }
}


static ngx_int_t
ngx_voice_spool_keep(ngx_voice_spool_t *spool, ngx_str_t *note)
{
    ngx_voice_spool_kept_t  *kept;

    if (spool->kept_size + note->len > NGX_VOICE_SPOOL_MEMORY) {
        return NGX_ERROR;
    }

    kept = ngx_alloc(sizeof(ngx_voice_spool_kept_t) + note->len, spool->log);
    if (kept == NULL) {
        return NGX_ERROR;
    }

    kept->len = note->len;
    ngx_memcpy(kept->data, note->data, note->len);

    ngx_queue_insert_tail(&spool->kept, &kept->queue);
    spool->nkept++;
    spool->kept_size += kept->len;

    return NGX_OK;
}


static void
ngx_voice_spool_unkeep(ngx_voice_spool_t *spool)
{
    ngx_queue_t             *q;
    ngx_voice_spool_kept_t  *kept;

    q = ngx_queue_head(&spool->kept);
    kept = ngx_queue_data(q, ngx_voice_spool_kept_t, queue);

    ngx_queue_remove(q);
    spool->nkept--;
    spool->kept_size -= kept->len;

    ngx_free(kept);
}


/* files of others take turns with our own: neither waits for all of them */

static ngx_voice_spool_file_t *
ngx_voice_spool_next(ngx_voice_spool_t *spool)
{
    ngx_queue_t             *q;
    ngx_voice_spool_file_t  *own, *adopted;

    own = NULL;
    adopted = NULL;

    if (!ngx_queue_empty(&spool->own)) {
        q = ngx_queue_head(&spool->own);
        own = ngx_queue_data(q, ngx_voice_spool_file_t, queue);

        if (own->head == own->tail) {
            own = NULL;
        }
    }

    if (!ngx_queue_empty(&spool->adopted)) {
        q = ngx_queue_head(&spool->adopted);
        adopted = ngx_queue_data(q, ngx_voice_spool_file_t, queue);
    }

    if (adopted && (spool->turn || (own == NULL && spool->nkept == 0))) {
        return adopted;
    }

    return own;
}


/* an empty file goes, the current one becomes small again */

static void
ngx_voice_spool_trim(ngx_voice_spool_t *spool, ngx_voice_spool_file_t *file)
{
    if (file->head != file->tail) {
        return;
    }

    if (file == spool->current) {
        ngx_voice_spool_file_empty(file);
        return;
    }

    ngx_voice_spool_unlist(spool, file);
    ngx_voice_spool_file_remove(file);
}


static void
ngx_voice_spool_unlist(ngx_voice_spool_t *spool, ngx_voice_spool_file_t *file)
{
    if (file->adopted) {
        spool->nadopted--;

    } else {
        spool->nown--;
    }

    if (file == spool->current) {
        spool->current = NULL;
    }

    ngx_queue_remove(&file->queue);
}


void
ngx_voice_spool_scan(ngx_voice_spool_t *spool)
{
    size_t                   suffix;
    ngx_dir_t                dir;
    ngx_str_t                name;
    ngx_voice_spool_file_t  *file;

    ngx_voice_spool_check(spool);

    if (ngx_open_dir(&spool->folder, &dir) == NGX_ERROR) {

        /* who makes files there complains */
        return;
    }

    suffix = sizeof(NGX_VOICE_SPOOL_SUFFIX) - 1;

    while (spool->nadopted < NGX_VOICE_SPOOL_FILES
           && ngx_read_dir(&dir) == NGX_OK)
    {
        name.data = ngx_de_name(&dir);
        name.len = ngx_de_namelen(&dir);

        if (name.len <= suffix || name.data[0] < '0' || name.data[0] > '9'
            || ngx_memcmp(name.data + name.len - suffix,
                          NGX_VOICE_SPOOL_SUFFIX, suffix)
               != 0)
        {
            continue;
        }

        file = ngx_voice_spool_file_adopt(&spool->folder, &name, spool->log,
                                          !spool->scanned);
        if (file) {
            ngx_queue_insert_tail(&spool->adopted, &file->queue);
            spool->nadopted++;
        }
    }

    spool->scanned = 1;

    if (ngx_close_dir(&dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, spool->log, ngx_errno,
                      "voice spool closedir() \"%V\" failed", &spool->folder);
    }
}


/* somebody has removed the file that is written: nobody would find it */

static void
ngx_voice_spool_check(ngx_voice_spool_t *spool)
{
    ngx_file_info_t          fi;
    ngx_voice_spool_file_t  *file;

    file = spool->current;

    if (file == NULL || ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR
        || fi.st_nlink > 0)
    {
        return;
    }

    ngx_log_error(NGX_LOG_CRIT, spool->log, 0,
                  "voice spool file \"%s\" was removed by somebody, the %O "
                  "bytes that wait in it are lost if this worker dies",
                  file->path, file->tail - file->head);

    spool->current = NULL;

    (void) ngx_voice_spool_create(spool);

    ngx_voice_spool_trim(spool, file);
}


/* one line for a while, a disk may come and go with every note */

static void
ngx_voice_spool_failed(ngx_voice_spool_t *spool, ngx_err_t err)
{
    if (spool->failing) {
        return;
    }

    spool->failing = 1;

    if (spool->told && ngx_time() - spool->told < NGX_VOICE_SPOOL_QUIET) {
        return;
    }

    spool->told = ngx_time();
    spool->loud = 1;

    ngx_log_error(NGX_LOG_CRIT, spool->log, err,
                  "voice spool \"%V\" cannot be written: notes for the "
                  "database wait in memory only, and only %d kB of them; make "
                  "room on its disk, and look at its rights",
                  &spool->folder, NGX_VOICE_SPOOL_MEMORY / 1024);
}
