
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_voice_speech_store.h"
#include "ngx_voice_wait.h"
#include "../wire/ngx_voice_audio_id.h"


/* bytes before the samples of a WAV file */
#define NGX_VOICE_SPEECH_WAV_HEADER  44


/* the words of a voice are kept once, whatever the number of pieces */

typedef struct {
    ngx_queue_t            queue;
    u_char                 digest[NGX_VOICE_DIGEST];
    ngx_uint_t             used;      /* pieces that point here */
    uint16_t               len[4];    /* voice, model, format, settings */
    u_char                 data[1];
} ngx_voice_profile_node_t;


typedef struct {
    ngx_str_node_t         sn;
    ngx_queue_t            lru;
    u_char                 digest[NGX_VOICE_DIGEST];

    uint64_t               owner;
    ngx_msec_t             retry_at;  /* FAILED is over then */
    ngx_voice_profile_node_t  *profile;
    ngx_voice_chunk_t     *text;
    uint32_t               size;      /* bytes of audio, once READY */

    unsigned               state:3;
} ngx_voice_speech_node_t;


static ngx_voice_speech_node_t *ngx_voice_speech_find(ngx_voice_zone_t *zone,
    u_char *digest);
static ngx_voice_speech_node_t *ngx_voice_speech_create(
    ngx_voice_zone_t *zone, u_char *digest);
static void ngx_voice_speech_destroy(ngx_voice_zone_t *zone,
    ngx_voice_speech_node_t *sp);
static ngx_voice_speech_e ngx_voice_speech_now(ngx_voice_zone_t *zone,
    ngx_voice_speech_node_t *sp);
static ngx_voice_profile_node_t *ngx_voice_profile_intern(
    ngx_voice_zone_t *zone, ngx_voice_profile_t *profile);


void
ngx_voice_speech_digest(ngx_voice_profile_t *profile, ngx_str_t *text,
    u_char digest[NGX_VOICE_DIGEST])
{
    ngx_str_t  parts[5];

    parts[0] = profile->voice;
    parts[1] = profile->model;
    parts[2] = profile->format;
    parts[3] = profile->settings;
    parts[4] = *text;

    ngx_voice_audio_digest(parts, 5, digest);
}


ngx_int_t
ngx_voice_speech_put(ngx_voice_zone_t *zone, u_char digest[NGX_VOICE_DIGEST],
    ngx_voice_profile_t *profile, ngx_str_t *text)
{
    ngx_int_t                 rc;
    ngx_voice_speech_node_t  *sp;

    rc = NGX_ERROR;

    ngx_voice_zone_lock(zone);

    sp = ngx_voice_speech_find(zone, digest);

    if (sp == NULL) {
        sp = ngx_voice_speech_create(zone, digest);
        if (sp == NULL) {
            goto done;
        }
    }

    ngx_queue_remove(&sp->lru);
    ngx_queue_insert_head(&zone->sh->speeches_lru, &sp->lru);

    rc = NGX_OK;

    if (sp->text) {
        goto done;
    }

    /* what makes room for the words must not take their own record */

    ngx_queue_remove(&sp->lru);

    sp->profile = ngx_voice_profile_intern(zone, profile);

    if (sp->profile) {
        sp->text = ngx_voice_chunk_store(zone, text->data, text->len);
    }

    ngx_queue_insert_head(&zone->sh->speeches_lru, &sp->lru);

    if (sp->text == NULL) {
        ngx_voice_speech_destroy(zone, sp);
        rc = NGX_ERROR;

    } else if (sp->state == NGX_VOICE_SPEECH_FAILED) {

        /* it was sought without its words */
        sp->state = NGX_VOICE_SPEECH_NEW;
    }

done:

    ngx_voice_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_voice_speech_open(ngx_voice_zone_t *zone, u_char digest[NGX_VOICE_DIGEST])
{
    ngx_voice_speech_node_t  *sp;

    ngx_voice_zone_lock(zone);

    sp = ngx_voice_speech_find(zone, digest);

    if (sp == NULL) {
        sp = ngx_voice_speech_create(zone, digest);
    }

    ngx_voice_zone_unlock(zone);

    return sp ? NGX_OK : NGX_ERROR;
}


ngx_voice_speech_e
ngx_voice_speech_state(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST], ngx_uint_t claim)
{
    ngx_voice_speech_e        state;
    ngx_voice_speech_node_t  *sp;

    ngx_voice_zone_lock(zone);

    sp = ngx_voice_speech_find(zone, digest);

    if (sp == NULL) {
        state = NGX_VOICE_SPEECH_UNKNOWN;

    } else {
        state = ngx_voice_speech_now(zone, sp);

        if (state == NGX_VOICE_SPEECH_NEW && claim) {
            sp->state = NGX_VOICE_SPEECH_FILLING;
            sp->owner = ngx_voice_zone_self();
        }

        ngx_queue_remove(&sp->lru);
        ngx_queue_insert_head(&zone->sh->speeches_lru, &sp->lru);
    }

    ngx_voice_zone_unlock(zone);

    return state;
}


ngx_int_t
ngx_voice_speech_reset(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST])
{
    ngx_int_t                 rc;
    ngx_voice_speech_node_t  *sp;

    rc = NGX_DECLINED;

    ngx_voice_zone_lock(zone);

    sp = ngx_voice_speech_find(zone, digest);

    if (sp) {

        if (sp->state == NGX_VOICE_SPEECH_READY) {
            sp->state = NGX_VOICE_SPEECH_NEW;
        }

        rc = sp->text ? NGX_OK : NGX_DECLINED;
    }

    ngx_voice_zone_unlock(zone);

    return rc;
}


ngx_voice_speech_e
ngx_voice_speech_state_locked(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST])
{
    ngx_voice_speech_node_t  *sp;

    sp = ngx_voice_speech_find(zone, digest);

    return sp ? ngx_voice_speech_now(zone, sp) : NGX_VOICE_SPEECH_UNKNOWN;
}


ngx_msec_t
ngx_voice_speech_length_locked(ngx_voice_zone_t *zone,
    u_char digest[NGX_VOICE_DIGEST])
{
    u_char                   *p, *digits, *last;
    size_t                    size;
    ngx_int_t                 n;
    ngx_voice_speech_node_t  *sp;

    sp = ngx_voice_speech_find(zone, digest);

    if (sp == NULL || sp->profile == NULL || sp->size == 0) {
        return 0;
    }

    size = sp->size;

    p = sp->profile->data + sp->profile->len[0] + sp->profile->len[1];
    last = p + sp->profile->len[2];

    /* the last number: kilobits a second, or the rate of 16-bit samples */

    for (digits = last; digits > p && digits[-1] != '_'; digits--) {
        /* void */
    }

    n = ngx_atoi(digits, last - digits);

    if (n == NGX_ERROR || n == 0) {
        return 0;
    }

    if (last - p > 4 && ngx_strncmp(p, "wav_", 4) == 0) {
        size -= ngx_min(size, NGX_VOICE_SPEECH_WAV_HEADER);
        return (ngx_msec_t) size * 1000 / (2 * n);
    }

    return (ngx_msec_t) size * 8 / n;
}


void
ngx_voice_speech_done(ngx_voice_zone_t *zone, u_char digest[NGX_VOICE_DIGEST],
    ngx_uint_t ok, size_t size, ngx_msec_t retry, ngx_log_t *log)
{
    ngx_voice_speech_node_t  *sp;

    ngx_voice_zone_lock(zone);

    sp = ngx_voice_speech_find(zone, digest);

    if (sp) {
        sp->state = ok ? NGX_VOICE_SPEECH_READY : NGX_VOICE_SPEECH_FAILED;
        sp->owner = 0;
        sp->size = ok ? size : 0;
        sp->retry_at = ngx_current_msec + retry;
    }

    ngx_voice_wait_notify(zone, ngx_voice_wait_key(digest,
                                                   NGX_VOICE_DIGEST));

    ngx_voice_zone_unlock(zone);

    ngx_voice_wait_ring(log);
}


ngx_int_t
ngx_voice_speech_get(ngx_voice_zone_t *zone, u_char digest[NGX_VOICE_DIGEST],
    ngx_pool_t *pool, ngx_voice_profile_t *profile, ngx_str_t *text)
{
    u_char                   *p, *scratch;
    size_t                    size, len[5];
    ngx_uint_t                i;
    ngx_str_t                *field[4];
    ngx_voice_speech_node_t  *sp;

    size = 0;
    scratch = ngx_voice_zone_scratch();

    ngx_memzero(len, sizeof(len));

    ngx_voice_zone_lock(zone);

    sp = ngx_voice_speech_find(zone, digest);

    if (sp && sp->text) {

        for (i = 0; i < 4; i++) {
            len[i] = sp->profile->len[i];
            size += len[i];
        }

        len[4] = sp->text->total;

        if (size + len[4] <= NGX_VOICE_SCRATCH) {
            p = ngx_cpymem(scratch, sp->profile->data, size);
            (void) ngx_voice_chunk_copy(p, sp->text);
            size += len[4];

        } else {
            size = 0;
        }
    }

    ngx_voice_zone_unlock(zone);

    if (size == 0) {
        ngx_str_null(text);
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, scratch, size);

    field[0] = &profile->voice;
    field[1] = &profile->model;
    field[2] = &profile->format;
    field[3] = &profile->settings;

    for (i = 0; i < 4; i++) {
        field[i]->data = p;
        field[i]->len = len[i];
        p += len[i];
    }

    text->data = p;
    text->len = len[4];

    return NGX_OK;
}


ngx_int_t
ngx_voice_speech_evict(ngx_voice_zone_t *zone)
{
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_voice_speech_node_t  *sp;

    n = 0;

    for (q = ngx_queue_last(&zone->sh->speeches_lru);
         q != ngx_queue_sentinel(&zone->sh->speeches_lru) && n < 16;
         q = ngx_queue_prev(q), n++)
    {
        sp = ngx_queue_data(q, ngx_voice_speech_node_t, lru);

        if (sp->state == NGX_VOICE_SPEECH_FILLING
            && ngx_voice_zone_alive(zone, sp->owner))
        {
            continue;
        }

        ngx_voice_speech_destroy(zone, sp);

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_voice_speech_node_t *
ngx_voice_speech_find(ngx_voice_zone_t *zone, u_char *digest)
{
    ngx_str_t  key;

    key.len = NGX_VOICE_DIGEST;
    key.data = digest;

    return (ngx_voice_speech_node_t *)
               ngx_str_rbtree_lookup(&zone->sh->speeches, &key,
                              ngx_voice_wait_key(digest, NGX_VOICE_DIGEST));
}


static ngx_voice_speech_node_t *
ngx_voice_speech_create(ngx_voice_zone_t *zone, u_char *digest)
{
    ngx_voice_speech_node_t  *sp;

    sp = ngx_voice_zone_calloc(zone, sizeof(ngx_voice_speech_node_t));
    if (sp == NULL) {
        return NULL;
    }

    sp->state = NGX_VOICE_SPEECH_NEW;

    ngx_memcpy(sp->digest, digest, NGX_VOICE_DIGEST);

    sp->sn.str.len = NGX_VOICE_DIGEST;
    sp->sn.str.data = sp->digest;
    sp->sn.node.key = ngx_voice_wait_key(digest, NGX_VOICE_DIGEST);

    ngx_queue_insert_head(&zone->sh->speeches_lru, &sp->lru);
    ngx_rbtree_insert(&zone->sh->speeches, &sp->sn.node);

    return sp;
}


static void
ngx_voice_speech_destroy(ngx_voice_zone_t *zone, ngx_voice_speech_node_t *sp)
{
    ngx_rbtree_delete(&zone->sh->speeches, &sp->sn.node);
    ngx_queue_remove(&sp->lru);

    ngx_voice_chunk_free(zone, sp->text);

    if (sp->profile && --sp->profile->used == 0) {
        ngx_queue_remove(&sp->profile->queue);
        ngx_voice_zone_free(zone, sp->profile);
    }

    ngx_voice_zone_free(zone, sp);
}


static ngx_voice_speech_e
ngx_voice_speech_now(ngx_voice_zone_t *zone, ngx_voice_speech_node_t *sp)
{
    if (sp->state == NGX_VOICE_SPEECH_FILLING
        && !ngx_voice_zone_alive(zone, sp->owner))
    {
        sp->state = NGX_VOICE_SPEECH_NEW;
    }

    if (sp->state == NGX_VOICE_SPEECH_FAILED
        && (ngx_msec_int_t) (ngx_current_msec - sp->retry_at) >= 0)
    {
        sp->state = NGX_VOICE_SPEECH_NEW;
    }

    return sp->state;
}


static ngx_voice_profile_node_t *
ngx_voice_profile_intern(ngx_voice_zone_t *zone, ngx_voice_profile_t *profile)
{
    u_char                     digest[NGX_VOICE_DIGEST], *p;
    size_t                     size;
    ngx_str_t                  parts[4];
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_voice_profile_node_t  *pn;

    parts[0] = profile->voice;
    parts[1] = profile->model;
    parts[2] = profile->format;
    parts[3] = profile->settings;

    ngx_voice_audio_digest(parts, 4, digest);

    for (q = ngx_queue_head(&zone->sh->profiles);
         q != ngx_queue_sentinel(&zone->sh->profiles);
         q = ngx_queue_next(q))
    {
        pn = ngx_queue_data(q, ngx_voice_profile_node_t, queue);

        if (ngx_memcmp(pn->digest, digest, NGX_VOICE_DIGEST) == 0) {
            pn->used++;
            return pn;
        }
    }

    size = offsetof(ngx_voice_profile_node_t, data);

    for (i = 0; i < 4; i++) {
        size += parts[i].len;
    }

    pn = ngx_voice_zone_alloc(zone, size);
    if (pn == NULL) {
        return NULL;
    }

    pn->used = 1;
    ngx_memcpy(pn->digest, digest, NGX_VOICE_DIGEST);

    p = pn->data;

    for (i = 0; i < 4; i++) {
        pn->len[i] = parts[i].len;

        if (parts[i].len) {
            p = ngx_cpymem(p, parts[i].data, parts[i].len);
        }
    }

    ngx_queue_insert_head(&zone->sh->profiles, &pn->queue);

    return pn;
}
