
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <sys/file.h>
#include <sys/uio.h>

#include "ngx_voice_spool_file.h"


/* names that are tried for a new file */
#define NGX_VOICE_SPOOL_NAMES  16

#define NGX_VOICE_SPOOL_ASIDE  ".damaged"


static ngx_voice_spool_file_t *ngx_voice_spool_file_alloc(ngx_str_t *folder,
    ngx_str_t *name, ngx_log_t *log);
static ngx_int_t ngx_voice_spool_file_lock(ngx_voice_spool_file_t *file);
static ngx_int_t ngx_voice_spool_file_known(ngx_voice_spool_file_t *file,
    ngx_uint_t loud);
static ngx_int_t ngx_voice_spool_file_lines(ngx_voice_spool_file_t *file,
    ngx_str_t *text, ngx_str_t *notes, ngx_uint_t max, size_t limit);
static void ngx_voice_spool_file_skip(ngx_voice_spool_file_t *file,
    size_t len, ngx_uint_t torn);


ngx_voice_spool_file_t *
ngx_voice_spool_file_create(ngx_str_t *folder, ngx_uint_t *seq,
    ngx_log_t *log)
{
    u_char                   buf[128];
    ngx_err_t                err;
    ngx_str_t                name;
    ngx_uint_t               n;
    ngx_voice_spool_file_t  *file;

    name.data = buf;

    for (n = 0; n < NGX_VOICE_SPOOL_NAMES; n++) {

        name.len = ngx_slprintf(buf, buf + sizeof(buf), "%P-%xT-%xui%s",
                                ngx_pid, ngx_time(), (*seq)++,
                                NGX_VOICE_SPOOL_SUFFIX)
                   - buf;

        file = ngx_voice_spool_file_alloc(folder, &name, log);
        if (file == NULL) {
            return NULL;
        }

        file->fd = open((const char *) file->path,
                        O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

        if (file->fd == NGX_INVALID_FILE) {
            err = ngx_errno;
            ngx_free(file);

            if (err == NGX_EEXIST) {
                continue;
            }

            ngx_set_errno(err);
            return NULL;
        }

        /* who looks for files may have found it before it was locked */

        if (ngx_voice_spool_file_lock(file) != NGX_OK) {
            ngx_voice_spool_file_close(file);
            continue;
        }

        if (pwrite(file->fd, NGX_VOICE_SPOOL_HEAD, NGX_VOICE_SPOOL_HEAD_LEN,
                   0)
            == (ssize_t) NGX_VOICE_SPOOL_HEAD_LEN)
        {
            file->head = NGX_VOICE_SPOOL_HEAD_LEN;
            file->tail = NGX_VOICE_SPOOL_HEAD_LEN;

            return file;
        }

        err = ngx_errno ? ngx_errno : NGX_ENOSPC;

        ngx_voice_spool_file_remove(file);

        ngx_set_errno(err);
        return NULL;
    }

    ngx_set_errno(NGX_EEXIST);
    return NULL;
}


ngx_voice_spool_file_t *
ngx_voice_spool_file_adopt(ngx_str_t *folder, ngx_str_t *name,
    ngx_log_t *log, ngx_uint_t loud)
{
    ngx_voice_spool_file_t  *file;

    file = ngx_voice_spool_file_alloc(folder, name, log);
    if (file == NULL) {
        return NULL;
    }

    file->adopted = 1;

    file->fd = open((const char *) file->path,
                    O_RDWR|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC);

    if (file->fd == NGX_INVALID_FILE) {

        if (loud && ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                          "voice spool file \"%s\" cannot be opened",
                          file->path);
        }

        ngx_free(file);
        return NULL;
    }

    if (ngx_voice_spool_file_lock(file) != NGX_OK
        || ngx_voice_spool_file_known(file, loud) != NGX_OK)
    {
        ngx_voice_spool_file_close(file);
        return NULL;
    }

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "voice spool file \"%s\" of a worker that is gone is taken "
                  "over, %O bytes", file->path, file->tail - file->head);

    return file;
}


static ngx_voice_spool_file_t *
ngx_voice_spool_file_alloc(ngx_str_t *folder, ngx_str_t *name, ngx_log_t *log)
{
    u_char                  *p;
    ngx_voice_spool_file_t  *file;

    file = ngx_alloc(sizeof(ngx_voice_spool_file_t) + folder->len + 1
                     + name->len, log);
    if (file == NULL) {
        return NULL;
    }

    ngx_memzero(file, sizeof(ngx_voice_spool_file_t));

    file->log = log;

    p = ngx_cpymem(file->path, folder->data, folder->len);
    *p++ = '/';
    p = ngx_cpymem(p, name->data, name->len);
    *p = '\0';

    return file;
}


/* what was removed before it was locked is nobody's */

static ngx_int_t
ngx_voice_spool_file_lock(ngx_voice_spool_file_t *file)
{
    ngx_file_info_t  fi;

    if (flock(file->fd, LOCK_EX|LOCK_NB) == -1
        || ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR
        || !ngx_is_file(&fi)
        || fi.st_nlink == 0)
    {
        return NGX_DECLINED;
    }

    file->tail = ngx_file_size(&fi);

    return NGX_OK;
}


/* whether there are notes in it; an empty one goes */

static ngx_int_t
ngx_voice_spool_file_known(ngx_voice_spool_file_t *file, ngx_uint_t loud)
{
    u_char   head[NGX_VOICE_SPOOL_HEAD_LEN];
    ssize_t  n;

    n = pread(file->fd, head, NGX_VOICE_SPOOL_HEAD_LEN, 0);

    if (n == -1 || ngx_memcmp(head, NGX_VOICE_SPOOL_HEAD, n) != 0) {

        if (loud) {
            ngx_log_error(NGX_LOG_WARN, file->log, (n == -1) ? ngx_errno : 0,
                          "voice spool file \"%s\" is none, it is left alone",
                          file->path);
        }

        return NGX_DECLINED;
    }

    if (file->tail <= (off_t) NGX_VOICE_SPOOL_HEAD_LEN) {
        (void) ngx_delete_file(file->path);
        return NGX_DECLINED;
    }

    file->head = NGX_VOICE_SPOOL_HEAD_LEN;

    return NGX_OK;
}


ngx_int_t
ngx_voice_spool_file_write(ngx_voice_spool_file_t *file, u_char *data,
    size_t len)
{
    u_char        mark[NGX_VOICE_SPOOL_MARK_LEN];
    size_t        size;
    ssize_t       n;
    ngx_err_t     err;
    ngx_str_t     note;
    struct iovec  iov[3];

    note.data = data;
    note.len = len;

    ngx_voice_spool_line_mark(mark, &note);

    iov[0].iov_base = (void *) mark;
    iov[0].iov_len = NGX_VOICE_SPOOL_MARK_LEN;
    iov[1].iov_base = (void *) data;
    iov[1].iov_len = len;
    iov[2].iov_base = (void *) "\n";
    iov[2].iov_len = 1;

    size = len + NGX_VOICE_SPOOL_LINE_MORE;

    n = pwritev(file->fd, iov, 3, file->tail);

    if (n == (ssize_t) size) {
        file->tail += size;
        file->notes++;

        return NGX_OK;
    }

    err = (n == -1) ? ngx_errno : NGX_ENOSPC;

    /* if the half line stays, the next one is written over it */

    if (n > 0 && ftruncate(file->fd, file->tail) == -1) {
        ngx_log_error(NGX_LOG_ERR, file->log, ngx_errno,
                      "voice spool ftruncate() \"%s\" failed", file->path);
    }

    ngx_set_errno(err);

    return NGX_ERROR;
}


ngx_int_t
ngx_voice_spool_file_read(ngx_voice_spool_file_t *file, u_char *buffer,
    size_t size, ngx_str_t *notes, ngx_uint_t max, size_t limit)
{
    ssize_t    n;
    ngx_str_t  text;

    n = pread(file->fd, buffer, ngx_min(size, (size_t) (file->tail
                                                        - file->head)),
              file->head);

    if (n == -1) {
        ngx_log_error(NGX_LOG_CRIT, file->log, ngx_errno,
                      "voice spool file \"%s\" cannot be read, %O bytes of it "
                      "are not sent", file->path, file->tail - file->head);

        file->damaged = 1;

        return NGX_ERROR;
    }

    if (n == 0) {
        ngx_log_error(NGX_LOG_ERR, file->log, 0,
                      "voice spool file \"%s\" was cut by somebody, %O bytes "
                      "are lost", file->path, file->tail - file->head);

        file->tail = file->head;

        /* without its first line nobody would take what is written next */

        if (pwrite(file->fd, NGX_VOICE_SPOOL_HEAD, NGX_VOICE_SPOOL_HEAD_LEN,
                   0)
            != (ssize_t) NGX_VOICE_SPOOL_HEAD_LEN)
        {
            file->damaged = 1;
        }

        return NGX_AGAIN;
    }

    text.data = buffer;
    text.len = n;

    return ngx_voice_spool_file_lines(file, &text, notes, max, limit);
}


static ngx_int_t
ngx_voice_spool_file_lines(ngx_voice_spool_file_t *file, ngx_str_t *text,
    ngx_str_t *notes, ngx_uint_t max, size_t limit)
{
    u_char      *p, *begin, *last;
    size_t       size, bad;
    ngx_int_t    rc;
    ngx_str_t    note;
    ngx_uint_t   n, torn;

    p = text->data;
    last = p + text->len;

    size = 0;
    bad = 0;
    torn = 0;
    n = 0;

    while (n < max) {
        begin = p;
        rc = ngx_voice_spool_line_read(&p, last, &note);

        if (rc == NGX_OK) {
            size += note.len;

            if (bad || (n && size > limit)) {
                break;
            }

            notes[n++] = note;
            continue;
        }

        /* what is damaged is passed over when it comes first */

        if (n) {
            break;
        }

        if (rc == NGX_DECLINED) {
            bad += p - begin;
            continue;
        }

        if (file->head + (off_t) text->len == file->tail) {
            torn = (bad == 0);
            bad += last - begin;

        } else if (bad == 0) {

            /* longer than any note */
            bad = text->len;
        }

        break;
    }

    if (bad) {
        ngx_voice_spool_file_skip(file, bad, torn);
        return NGX_AGAIN;
    }

    return n;
}


static void
ngx_voice_spool_file_skip(ngx_voice_spool_file_t *file, size_t len,
    ngx_uint_t torn)
{
    if (torn) {
        ngx_log_error(NGX_LOG_WARN, file->log, 0,
                      "voice spool file \"%s\": its last note was not written "
                      "to the end, %uz bytes are passed over",
                      file->path, len);

    } else {
        ngx_log_error(NGX_LOG_ERR, file->log, 0,
                      "voice spool file \"%s\": %uz bytes at %O are damaged "
                      "and passed over", file->path, len, file->head);

        file->damaged = 1;
    }

    file->head += len;
}


void
ngx_voice_spool_file_empty(ngx_voice_spool_file_t *file)
{
    file->notes = 0;

    if (ftruncate(file->fd, NGX_VOICE_SPOOL_HEAD_LEN) == -1) {
        ngx_log_error(NGX_LOG_ERR, file->log, ngx_errno,
                      "voice spool ftruncate() \"%s\" failed", file->path);
        return;
    }

    file->head = NGX_VOICE_SPOOL_HEAD_LEN;
    file->tail = NGX_VOICE_SPOOL_HEAD_LEN;
}


void
ngx_voice_spool_file_remove(ngx_voice_spool_file_t *file)
{
    u_char     to[NGX_MAX_PATH], *p;
    ngx_int_t  rc;

    if (file->damaged) {
        p = ngx_slprintf(to, to + sizeof(to) - 1, "%s%s", file->path,
                         NGX_VOICE_SPOOL_ASIDE);
        *p = '\0';

        rc = ngx_rename_file(file->path, to);

    } else {
        rc = ngx_delete_file(file->path);
    }

    if (rc == NGX_FILE_ERROR && ngx_errno != NGX_ENOENT) {
        ngx_log_error(NGX_LOG_CRIT, file->log, ngx_errno,
                      "voice spool file \"%s\" cannot be removed, its notes "
                      "will be sent again", file->path);
    }

    ngx_voice_spool_file_close(file);
}


void
ngx_voice_spool_file_close(ngx_voice_spool_file_t *file)
{
    if (ngx_close_file(file->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, file->log, ngx_errno,
                      "voice spool close() \"%s\" failed", file->path);
    }

    ngx_free(file);
}
