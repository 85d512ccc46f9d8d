
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_record.h"
#include "../loop/ngx_voice_spool.h"
#include "../wire/ngx_voice_json.h"
#include "../wire/ngx_voice_provider_error.h"
#include "../wire/ngx_voice_sqlstate.h"


/* ms: between two attempts of a batch, doubled each time */
#define NGX_VOICE_RECORD_DELAY_MIN  100
#define NGX_VOICE_RECORD_DELAY_MAX  10000

/* ms: between two looks for files that nobody has */
#define NGX_VOICE_RECORD_SCAN       5000

/* ms: between two attempts to write what is in memory */
#define NGX_VOICE_RECORD_RETRY      1000

/* failures in a row, then notes are sent one by one to find the bad one */
#define NGX_VOICE_RECORD_FAILURES   3

/* looks for files between two attempts of notes that have failed alone */
#define NGX_VOICE_RECORD_AGAIN      12


struct ngx_voice_record_s {
    ngx_event_t           send;       /* posted, or after a pause */
    ngx_event_t           scan;
    ngx_event_t           retry;

    ngx_voice_crm_t      *crm;
    ngx_voice_crm_ask_t  *ask;        /* the batch in flight */
    ngx_voice_zone_t     *zone;
    ngx_voice_spool_t    *spool;
    ngx_log_t            *log;

    ngx_pool_t           *pool;       /* of the batch */
    ngx_str_t             keys[NGX_VOICE_SPOOL_NOTES];
    ngx_uint_t            n;          /* its notes */

    ngx_msec_t            delay;      /* 0: the last one went well */
    ngx_uint_t            failures;   /* of this batch */
    ngx_uint_t            single;     /* notes that are to be sent alone */
    ngx_uint_t            behind;     /* put behind others, in a row */
    ngx_uint_t            scans;
};


static void ngx_voice_record_send(ngx_event_t *ev);
static ngx_int_t ngx_voice_record_batch(ngx_voice_record_t *record,
    ngx_str_t *notes, ngx_uint_t n, ngx_str_t *batch);
static void ngx_voice_record_done(void *data, ngx_voice_crm_rc_e rc,
    ngx_str_t *value);
static ngx_int_t ngx_voice_record_answer(ngx_voice_record_t *record,
    ngx_str_t *value);
static cJSON *ngx_voice_record_refused(cJSON *refused, ngx_str_t *key);
static ngx_uint_t ngx_voice_record_acknowledged(cJSON *acknowledged,
    ngx_str_t *key);
static void ngx_voice_record_complain(ngx_voice_record_t *record,
    ngx_str_t *key, cJSON *reason);
static void ngx_voice_record_failed(ngx_voice_record_t *record);
static void ngx_voice_record_put_behind(ngx_voice_record_t *record);
static void ngx_voice_record_pause(ngx_voice_record_t *record);
static void ngx_voice_record_scan(ngx_event_t *ev);
static void ngx_voice_record_retry(ngx_event_t *ev);
static void ngx_voice_record_tell(ngx_voice_record_t *record);
static void ngx_voice_record_name(ngx_str_t *name, u_char *p, size_t len);
static ngx_int_t ngx_voice_record_key(ngx_pool_t *pool, ngx_str_t *note,
    ngx_str_t *key);


ngx_voice_record_t *
ngx_voice_record_start(ngx_cycle_t *cycle, ngx_voice_crm_t *crm,
    ngx_voice_zone_t *zone, ngx_str_t *folder)
{
    ngx_voice_record_t  *record;

    record = ngx_pcalloc(cycle->pool, sizeof(ngx_voice_record_t));
    if (record == NULL) {
        return NULL;
    }

    record->crm = crm;
    record->zone = zone;
    record->log = cycle->log;

    record->spool = ngx_voice_spool_open(cycle, folder);
    if (record->spool == NULL) {
        return NULL;
    }

    record->send.handler = ngx_voice_record_send;
    record->scan.handler = ngx_voice_record_scan;
    record->retry.handler = ngx_voice_record_retry;

    record->send.data = record;
    record->scan.data = record;
    record->retry.data = record;

    record->send.log = cycle->log;
    record->scan.log = cycle->log;
    record->retry.log = cycle->log;

    /* no worker stays for notes: who stays adopts them */

    record->send.cancelable = 1;
    record->scan.cancelable = 1;
    record->retry.cancelable = 1;

    ngx_add_timer(&record->scan, NGX_VOICE_RECORD_SCAN);
    ngx_post_event(&record->send, &ngx_posted_events);

    ngx_voice_record_tell(record);

    return record;
}


void
ngx_voice_record_stop(ngx_voice_record_t *record)
{
    ngx_event_t  *ev[3];
    ngx_uint_t    i;

    ev[0] = &record->send;
    ev[1] = &record->scan;
    ev[2] = &record->retry;

    for (i = 0; i < 3; i++) {

        if (ev[i]->timer_set) {
            ngx_del_timer(ev[i]);
        }

        if (ev[i]->posted) {
            ngx_delete_posted_event(ev[i]);
        }
    }

    if (record->ask) {
        ngx_voice_crm_drop(record->ask);
        record->ask = NULL;
    }

    if (record->pool) {
        ngx_destroy_pool(record->pool);
        record->pool = NULL;
    }

    ngx_voice_spool_close(record->spool);
}


ngx_int_t
ngx_voice_record_note(ngx_voice_record_t *record, ngx_str_t *note)
{
    u_char       buf[256];
    size_t       i;
    ngx_int_t    rc;
    ngx_str_t    key, clean;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, record->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_voice_record_key(pool, note, &key);

    clean.data = buf;
    clean.len = sizeof(buf);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ALERT, record->log, 0,
                      "voice note of %uz bytes is no JSON object with a "
                      "\"key\"", note->len);
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        goto done;
    }

    ngx_voice_record_name(&clean, key.data, key.len);

    if (note->len > NGX_VOICE_SPOOL_NOTE) {
        ngx_log_error(NGX_LOG_ERR, record->log, 0,
                      "voice note \"%V\" is lost, it has %uz bytes and %d at "
                      "most can be taken",
                      &clean, note->len, NGX_VOICE_SPOOL_NOTE);
        rc = NGX_ERROR;
        goto done;
    }

    /* a line end can stand between values only, where a blank is the same */

    for (i = 0; i < note->len; i++) {
        if (note->data[i] == LF) {
            note->data[i] = ' ';
        }
    }

    rc = ngx_voice_spool_put(record->spool, note);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, record->log, 0,
                      "voice note \"%V\" is lost, there is no room for it on "
                      "the disk nor in memory", &clean);
    }

    ngx_voice_record_tell(record);

    /* notes of the same moment go together */

    if (record->ask == NULL && !record->send.timer_set
        && !record->send.posted)
    {
        ngx_post_event(&record->send, &ngx_posted_events);
    }

done:

    ngx_destroy_pool(pool);

    return rc;
}


void
ngx_voice_record_wake(ngx_voice_record_t *record)
{
    if (record->send.timer_set) {
        ngx_del_timer(&record->send);
    }

    record->delay = 0;

    ngx_voice_spool_again(record->spool);

    if (record->ask == NULL && !record->send.posted) {
        ngx_post_event(&record->send, &ngx_posted_events);
    }
}


static void
ngx_voice_record_send(ngx_event_t *ev)
{
    ngx_int_t            n;
    ngx_str_t           *notes, batch;
    ngx_voice_record_t  *record;

    record = ev->data;

    if (record->ask || record->send.timer_set) {
        return;
    }

    n = ngx_voice_spool_take(record->spool,
                             record->single ? 1 : NGX_VOICE_SPOOL_NOTES,
                             &notes);
    if (n == 0) {
        return;
    }

    if (n > 0) {
        record->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, record->log);

        if (record->pool == NULL) {
            ngx_voice_record_pause(record);
            return;
        }

        n = ngx_voice_record_batch(record, notes, n, &batch);

        if (n == NGX_OK) {
            record->ask = ngx_voice_crm_record(record->crm, &batch,
                                               ngx_voice_record_done, record);
            if (record->ask) {
                return;
            }
        }

        ngx_destroy_pool(record->pool);
        record->pool = NULL;
    }

    if (n != NGX_AGAIN) {
        ngx_voice_record_pause(record);
        return;
    }

    /* something was passed over: others come first, then the next ones */

    ngx_voice_record_tell(record);
    ngx_post_event(&record->send, &ngx_posted_next_events);
}


/* NGX_AGAIN: the first note was none and has left */

static ngx_int_t
ngx_voice_record_batch(ngx_voice_record_t *record, ngx_str_t *notes,
    ngx_uint_t n, ngx_str_t *batch)
{
    u_char      *p;
    size_t       len;
    ngx_int_t    rc;
    ngx_uint_t   i;

    len = 1;

    for (i = 0; i < n; i++) {
        rc = ngx_voice_record_key(record->pool, &notes[i], &record->keys[i]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            break;
        }

        len += notes[i].len + 1;
    }

    if (i == 0) {
        ngx_log_error(NGX_LOG_ERR, record->log, 0,
                      "voice note of %uz bytes in the spool is no JSON object "
                      "with a \"key\" and is thrown away", notes[0].len);

        ngx_voice_spool_done(record->spool, 1);

        return NGX_AGAIN;
    }

    record->n = i;

    batch->data = ngx_pnalloc(record->pool, len);
    if (batch->data == NULL) {
        return NGX_ERROR;
    }

    p = batch->data;

    for (i = 0; i < record->n; i++) {
        *p++ = i ? ',' : '[';
        p = ngx_cpymem(p, notes[i].data, notes[i].len);
    }

    *p++ = ']';

    batch->len = p - batch->data;

    return NGX_OK;
}


static void
ngx_voice_record_done(void *data, ngx_voice_crm_rc_e rc, ngx_str_t *value)
{
    ngx_voice_record_t *record = data;

    record->ask = NULL;

    switch (rc) {

    case NGX_VOICE_CRM_OK:

        if (ngx_voice_record_answer(record, value) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, record->log, 0,
                          "voice database did not say what has become of "
                          "%ui notes, they are sent again", record->n);

            ngx_voice_record_failed(record);
            break;
        }

        ngx_voice_spool_done(record->spool, record->n);

        record->failures = 0;
        record->behind = 0;
        record->delay = 0;

        if (record->single) {
            record->single--;
        }

        ngx_post_event(&record->send, &ngx_posted_events);

        break;

    case NGX_VOICE_CRM_DOWN:
        ngx_voice_record_pause(record);
        break;

    default: /* NGX_VOICE_CRM_REFUSED, NGX_VOICE_CRM_UNKNOWN */
        ngx_voice_record_failed(record);
        break;
    }

    ngx_destroy_pool(record->pool);
    record->pool = NULL;

    ngx_voice_record_tell(record);
}


/* every note of the batch is in one of the two lists, or nothing is believed */

static ngx_int_t
ngx_voice_record_answer(ngx_voice_record_t *record, ngx_str_t *value)
{
    cJSON       *json, *acknowledged, *refused, *reason;
    ngx_uint_t   i, pass;

    json = cJSON_ParseWithLength((char *) value->data, value->len);
    if (json == NULL) {
        return NGX_ERROR;
    }

    acknowledged = cJSON_GetObjectItemCaseSensitive(json, "acknowledged");
    refused = cJSON_GetObjectItemCaseSensitive(json, "refused");

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < record->n; i++) {

            if (ngx_voice_record_acknowledged(acknowledged, &record->keys[i]))
            {
                continue;
            }

            reason = ngx_voice_record_refused(refused, &record->keys[i]);

            if (reason == NULL) {
                cJSON_Delete(json);
                return NGX_ERROR;
            }

            if (pass) {
                ngx_voice_record_complain(record, &record->keys[i], reason);
            }
        }
    }

    cJSON_Delete(json);

    return NGX_OK;
}


static ngx_uint_t
ngx_voice_record_acknowledged(cJSON *acknowledged, ngx_str_t *key)
{
    cJSON  *item;

    cJSON_ArrayForEach(item, acknowledged) {

        if (cJSON_IsString(item)
            && ngx_strcmp(item->valuestring, key->data) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static cJSON *
ngx_voice_record_refused(cJSON *refused, ngx_str_t *key)
{
    cJSON  *item, *name;

    cJSON_ArrayForEach(item, refused) {
        name = cJSON_GetObjectItemCaseSensitive(item, "key");

        if (cJSON_IsString(name)
            && ngx_strcmp(name->valuestring, key->data) == 0)
        {
            return item;
        }
    }

    return NULL;
}


static void
ngx_voice_record_complain(ngx_voice_record_t *record, ngx_str_t *key,
    cJSON *reason)
{
    u_char      buf[3][256];
    cJSON      *item;
    ngx_str_t   name, text[2];
    ngx_uint_t  i;

    static const char  *names[] = { "code", "message" };

    for (i = 0; i < 2; i++) {
        item = cJSON_GetObjectItemCaseSensitive(reason, names[i]);

        ngx_str_null(&text[i]);

        if (cJSON_IsString(item)) {
            text[i].data = buf[i];
            text[i].len = sizeof(buf[i]);

            ngx_voice_provider_clean(&text[i], (u_char *) item->valuestring,
                                     ngx_strlen(item->valuestring));
        }
    }

    name.data = buf[2];
    name.len = sizeof(buf[2]);

    ngx_voice_record_name(&name, key->data, key->len);

    /* voice.refuse() names what is wrong with a note, and quotes no words */

    item = cJSON_GetObjectItemCaseSensitive(reason, "code");

    if (cJSON_IsString(item)
        && (ngx_strcmp(item->valuestring, "invalid_note") == 0
            || ngx_voice_sqlstate_tells(item->valuestring)))
    {
        ngx_log_error(NGX_LOG_ERR, record->log, 0,
                      "voice note \"%V\" is refused by the database: %V, "
                      "\"%V\"", &name, &text[0], &text[1]);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, record->log, 0,
                  "voice note \"%V\" is refused by the database: error %V, "
                  "its own log has the reason", &name, &text[0]);

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, record->log, 0,
                   "voice note \"%V\" is refused: \"%V\"", &name, &text[1]);
}


/*
 * An exception, or no answer.  Mostly it has to do with the state of the
 * database, and the batch comes again.  But one note, of a call whose row is
 * locked by somebody say, must not hold up all others.
 */

static void
ngx_voice_record_failed(ngx_voice_record_t *record)
{
    record->failures++;

    if (record->n > 1) {

        if (record->failures >= NGX_VOICE_RECORD_FAILURES) {
            record->failures = 0;
            record->single = record->n;
        }

    } else if (record->failures >= NGX_VOICE_RECORD_FAILURES
               || record->single || ngx_voice_spool_is_late(record->spool))
    {
        ngx_voice_record_put_behind(record);
    }

    ngx_voice_record_pause(record);
}


static void
ngx_voice_record_put_behind(ngx_voice_record_t *record)
{
    u_char     buf[256];
    ngx_str_t  key;

    if (ngx_voice_spool_put_behind(record->spool) != NGX_OK) {
        return;
    }

    key.data = buf;
    key.len = sizeof(buf);

    ngx_voice_record_name(&key, record->keys[0].data, record->keys[0].len);

    ngx_log_error(NGX_LOG_ERR, record->log, 0,
                  "voice note \"%V\" could not be stored, it is tried again "
                  "after others", &key);

    record->failures = 0;

    if (record->single) {
        record->single--;
    }

    /* others wait for the end of it, until it seems to be the database */

    if (record->behind++ < NGX_VOICE_SPOOL_NOTES) {
        record->delay = 0;
    }
}


static void
ngx_voice_record_pause(ngx_voice_record_t *record)
{
    record->delay = record->delay
                    ? ngx_min(record->delay * 2, NGX_VOICE_RECORD_DELAY_MAX)
                    : NGX_VOICE_RECORD_DELAY_MIN;

    ngx_add_timer(&record->send,
                  record->delay / 2
                  + (ngx_msec_t) ngx_random() % (record->delay / 2 + 1));
}


void
ngx_voice_record_look(ngx_voice_record_t *record)
{
    if (ngx_exiting) {
        return;
    }

    ngx_voice_spool_scan(record->spool);
    ngx_voice_record_tell(record);

    if (record->ask == NULL && !record->send.timer_set
        && !record->send.posted)
    {
        ngx_post_event(&record->send, &ngx_posted_events);
    }
}


static void
ngx_voice_record_scan(ngx_event_t *ev)
{
    ngx_voice_record_t  *record;

    record = ev->data;

    if (ngx_exiting) {
        return;
    }

    if (++record->scans % NGX_VOICE_RECORD_AGAIN == 0) {
        ngx_voice_spool_again(record->spool);
    }

    ngx_voice_record_look(record);

    ngx_add_timer(ev, NGX_VOICE_RECORD_SCAN);
}


static void
ngx_voice_record_retry(ngx_event_t *ev)
{
    ngx_voice_record_t  *record;

    record = ev->data;

    ngx_voice_spool_retry(record->spool);
    ngx_voice_record_tell(record);
}


/* what health wants to know */

static void
ngx_voice_record_tell(ngx_voice_record_t *record)
{
    ngx_voice_spool_state_t  state;

    ngx_voice_spool_state(record->spool, &state);

    ngx_voice_zone_waiting(record->zone, state.notes, state.bytes,
                           state.failing);

    if (state.failing && !record->retry.timer_set) {
        ngx_add_timer(&record->retry, NGX_VOICE_RECORD_RETRY);
    }
}


/* a key as a log line may have it; CallSids in it are no secrets */

static void
ngx_voice_record_name(ngx_str_t *name, u_char *p, size_t len)
{
    size_t  i;

    name->len = ngx_min(name->len, len);

    for (i = 0; i < name->len; i++) {
        name->data[i] = (p[i] > ' ' && p[i] < 0x7f && p[i] != '"') ? p[i]
                                                                   : '?';
    }
}


/* NGX_DECLINED: not a note; the key is zero-terminated */

static ngx_int_t
ngx_voice_record_key(ngx_pool_t *pool, ngx_str_t *note, ngx_str_t *key)
{
    size_t                   len;
    cJSON                   *json, *item;
    ngx_voice_json_error_t   err;

    json = ngx_voice_json_parse(note->data, note->len, &err);
    item = cJSON_GetObjectItemCaseSensitive(json, "key");

    if (!cJSON_IsString(item) || item->valuestring[0] == '\0') {
        cJSON_Delete(json);
        return NGX_DECLINED;
    }

    len = ngx_strlen(item->valuestring);

    key->data = ngx_pnalloc(pool, len + 1);
    if (key->data == NULL) {
        cJSON_Delete(json);
        return NGX_ERROR;
    }

    key->len = len;
    ngx_memcpy(key->data, item->valuestring, len + 1);

    cJSON_Delete(json);

    return NGX_OK;
}
