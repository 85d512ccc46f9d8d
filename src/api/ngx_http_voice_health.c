
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <cjson/cJSON.h>

#include "ngx_http_voice_health.h"
#include "../ask/ngx_http_voice_header.h"
#include "../call/ngx_voice_gate.h"


/* seconds that a failure is told of after the last one */
#define NGX_HTTP_VOICE_HEALTH_MEMORY   300

/* failures of the model in a row from which calls should go elsewhere */
#define NGX_HTTP_VOICE_HEALTH_FAILING  5

/* notes for the database that wait, beyond what a busy second leaves */
#define NGX_HTTP_VOICE_HEALTH_WAITING  1000

/* closed provider locations that are told of at most */
#define NGX_HTTP_VOICE_HEALTH_GATES    8


/* what is copied out of the zone at once */

typedef struct {
    ngx_uint_t                  calls;
    size_t                      free;     /* pages, in bytes */
    size_t                      size;
    ngx_voice_provider_state_t  providers[NGX_VOICE_PROVIDERS];
    ngx_voice_counters_t        counters;
    ngx_uint_t                  notes;    /* in the spools of all workers */
    uint64_t                    bytes;
    ngx_uint_t                  failing;  /* workers that cannot write it */
    ngx_uint_t                  ngates;
    ngx_voice_gate_view_t       gates[NGX_HTTP_VOICE_HEALTH_GATES];
} ngx_http_voice_health_t;


static void ngx_http_voice_health_look(ngx_voice_zone_t *zone,
    ngx_http_voice_health_t *health);
static cJSON *ngx_http_voice_health_json(ngx_http_voice_health_t *health,
    ngx_uint_t unsigned_webhooks, ngx_uint_t *failing);
static ngx_uint_t ngx_http_voice_health_reason(cJSON *reasons,
    const char *code, const char *message);
static ngx_uint_t ngx_http_voice_health_spool(cJSON *reasons,
    ngx_http_voice_health_t *health);
static ngx_uint_t ngx_http_voice_health_provider(cJSON *reasons,
    ngx_uint_t provider, ngx_voice_provider_state_t *state);
static ngx_uint_t ngx_http_voice_health_gate(cJSON *reasons,
    ngx_voice_gate_view_t *gate);
static ngx_uint_t ngx_http_voice_health_has(cJSON *reasons,
    const char *code);
static void ngx_http_voice_health_counters(cJSON *root,
    ngx_http_voice_health_t *health);
static ngx_int_t ngx_http_voice_health_send(ngx_http_request_t *r,
    ngx_uint_t status, char *text);


static const char  *ngx_http_voice_health_names[] = {
    "model", "speech", "transcription", "recording", "database"
};


ngx_int_t
ngx_http_voice_health(ngx_http_request_t *r, ngx_voice_zone_t *zone,
    ngx_uint_t unsigned_webhooks)
{
    static ngx_str_t  allow = ngx_string("GET, HEAD");

    char                     *text;
    cJSON                    *root;
    ngx_int_t                 rc;
    ngx_uint_t                failing;
    ngx_http_voice_health_t   health;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_voice_header_add(r, "Allow", &allow)
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_voice_health_look(zone, &health);

    root = ngx_http_voice_health_json(&health, unsigned_webhooks, &failing);
    if (root == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text = cJSON_PrintUnformatted(root);

    cJSON_Delete(root);

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_voice_health_send(r, failing
                                       ? NGX_HTTP_SERVICE_UNAVAILABLE
                                       : NGX_HTTP_OK, text);
    cJSON_free(text);

    return rc;
}


static void
ngx_http_voice_health_look(ngx_voice_zone_t *zone,
    ngx_http_voice_health_t *health)
{
    ngx_uint_t           i;
    ngx_voice_worker_t  *worker;

    health->notes = 0;
    health->bytes = 0;
    health->failing = 0;

    ngx_voice_zone_lock(zone);

    health->calls = zone->sh->ncalls;
    health->free = zone->shpool->pfree * ngx_pagesize;
    health->counters = zone->sh->counters;

    ngx_memcpy(health->providers, zone->sh->providers,
               sizeof(health->providers));

    for (i = 0; i < NGX_VOICE_WORKERS; i++) {
        worker = &zone->sh->workers[i];

        if (worker->id) {
            health->notes += worker->notes;
            health->bytes += worker->bytes;
            health->failing += worker->failing;
        }
    }

    ngx_voice_zone_unlock(zone);

    health->size = zone->shm_zone->shm.size;

    health->ngates = ngx_voice_gate_look(zone, health->gates,
                                         NGX_HTTP_VOICE_HEALTH_GATES,
                                         NGX_HTTP_VOICE_HEALTH_MEMORY);
}


static cJSON *
ngx_http_voice_health_json(ngx_http_voice_health_t *health,
    ngx_uint_t unsigned_webhooks, ngx_uint_t *failing)
{
    cJSON       *root, *status, *reasons;
    ngx_uint_t   i, n;

    *failing = 0;
    n = 0;

    root = cJSON_CreateObject();
    if (root == NULL) {
        return NULL;
    }

    status = cJSON_AddStringToObject(root, "status", "ready");
    reasons = cJSON_AddArrayToObject(root, "reasons");

    if (status == NULL || reasons == NULL) {
        cJSON_Delete(root);
        return NULL;
    }

    if (unsigned_webhooks) {
        n += ngx_http_voice_health_reason(reasons, "signature_off",
                           "webhooks are not verified: \"voice_signature\" "
                           "is off, anybody who reaches this server can act "
                           "as a caller");
    }

    /* these name the location, and stay when another one stands in */

    for (i = 0; i < health->ngates; i++) {
        n += ngx_http_voice_health_gate(reasons, &health->gates[i]);
    }

    for (i = 0; i < NGX_VOICE_PROVIDERS; i++) {

        if (!ngx_http_voice_health_provider(reasons, i,
                                            &health->providers[i]))
        {
            continue;
        }

        n++;

        if (i == NGX_VOICE_MODEL
            && health->providers[i].failures >= NGX_HTTP_VOICE_HEALTH_FAILING)
        {
            *failing = 1;
        }
    }

    n += ngx_http_voice_health_spool(reasons, health);

    if (n) {
        (void) cJSON_SetValuestring(status, *failing ? "failing"
                                                     : "degraded");
    }

    ngx_http_voice_health_counters(root, health);

    return root;
}


static ngx_uint_t
ngx_http_voice_health_spool(cJSON *reasons, ngx_http_voice_health_t *health)
{
    char        message[256];
    ngx_uint_t  n;

    n = 0;

    if (health->failing) {
        (void) snprintf(message, sizeof(message),
                        "the folder of \"voice_spool\" cannot be written by "
                        "%u workers: notes for the database wait in memory "
                        "only, and only some of them",
                        (unsigned) health->failing);

        n += ngx_http_voice_health_reason(reasons, "spool_failing", message);
    }

    if (health->notes > NGX_HTTP_VOICE_HEALTH_WAITING) {
        (void) snprintf(message, sizeof(message),
                        "%lu notes, %llu bytes, wait for the database",
                        (unsigned long) health->notes,
                        (unsigned long long) health->bytes);

        n += ngx_http_voice_health_reason(reasons, "spool_waiting", message);
    }

    return n;
}


static ngx_uint_t
ngx_http_voice_health_provider(cJSON *reasons, ngx_uint_t provider,
    ngx_voice_provider_state_t *state)
{
    char  code[96], message[256];

    if (state->failures == 0
        || ngx_time() - state->failed > NGX_HTTP_VOICE_HEALTH_MEMORY)
    {
        return 0;
    }

    (void) snprintf(code, sizeof(code), "%s_%s",
                    ngx_http_voice_health_names[provider], state->cause);

    (void) snprintf(message, sizeof(message),
                    "the %s%s failed %u times in a row, last %ld seconds "
                    "ago: %s", ngx_http_voice_health_names[provider],
                    (provider == NGX_VOICE_DATABASE) ? "" : " provider",
                    state->failures,
                    (long) (ngx_time() - state->failed), state->cause);

    if (ngx_http_voice_health_has(reasons, code)) {
        return 1;
    }

    return ngx_http_voice_health_reason(reasons, code, message);
}


static ngx_uint_t
ngx_http_voice_health_gate(cJSON *reasons, ngx_voice_gate_view_t *gate)
{
    char  code[96], message[256];

    (void) snprintf(code, sizeof(code), "%s_%s",
                    ngx_http_voice_health_names[gate->provider], gate->cause);

    (void) snprintf(message, sizeof(message),
                    "the %s provider of \"%s\" is not asked for another %ld "
                    "seconds: %s",
                    ngx_http_voice_health_names[gate->provider], gate->uri,
                    (long) (gate->left + 999) / 1000, gate->cause);

    return ngx_http_voice_health_reason(reasons, code, message);
}


static ngx_uint_t
ngx_http_voice_health_has(cJSON *reasons, const char *code)
{
    cJSON  *reason, *other;

    cJSON_ArrayForEach(reason, reasons) {
        other = cJSON_GetObjectItemCaseSensitive(reason, "code");

        if (cJSON_IsString(other) && strcmp(other->valuestring, code) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_voice_health_reason(cJSON *reasons, const char *code,
    const char *message)
{
    cJSON  *reason;

    reason = cJSON_CreateObject();

    if (reason) {
        (void) cJSON_AddStringToObject(reason, "code", code);
        (void) cJSON_AddStringToObject(reason, "message", message);
        (void) cJSON_AddItemToArray(reasons, reason);
    }

    return 1;
}


static void
ngx_http_voice_health_counters(cJSON *root, ngx_http_voice_health_t *health)
{
    char                   name[48];
    cJSON                 *zone, *spool, *counters;
    ngx_uint_t             i;
    ngx_voice_counters_t  *c;

    c = &health->counters;

    (void) cJSON_AddNumberToObject(root, "calls", health->calls);

    zone = cJSON_AddObjectToObject(root, "zone");
    (void) cJSON_AddNumberToObject(zone, "size", health->size);
    (void) cJSON_AddNumberToObject(zone, "free", health->free);

    spool = cJSON_AddObjectToObject(root, "spool");
    (void) cJSON_AddNumberToObject(spool, "notes", health->notes);
    (void) cJSON_AddNumberToObject(spool, "bytes", health->bytes);

    counters = cJSON_AddObjectToObject(root, "counters");
    (void) cJSON_AddNumberToObject(counters, "calls", c->started);
    (void) cJSON_AddNumberToObject(counters, "turns", c->turns);
    (void) cJSON_AddNumberToObject(counters, "failed_turns", c->failed_turns);
    (void) cJSON_AddNumberToObject(counters, "replayed", c->replayed);
    (void) cJSON_AddNumberToObject(counters, "taken_over", c->taken_over);
    (void) cJSON_AddNumberToObject(counters, "resumed", c->resumed);
    (void) cJSON_AddNumberToObject(counters, "refused", c->refused);
    (void) cJSON_AddNumberToObject(counters, "no_room", c->full);

    /* the database is no provider that is asked: it has its connections */

    for (i = 0; i < NGX_VOICE_DATABASE; i++) {
        (void) snprintf(name, sizeof(name), "%s_requests",
                        ngx_http_voice_health_names[i]);
        (void) cJSON_AddNumberToObject(counters, name,
                                       health->providers[i].asked);

        (void) snprintf(name, sizeof(name), "%s_errors",
                        ngx_http_voice_health_names[i]);
        (void) cJSON_AddNumberToObject(counters, name,
                                       health->providers[i].errors);
    }
}


static ngx_int_t
ngx_http_voice_health_send(ngx_http_request_t *r, ngx_uint_t status,
    char *text)
{
    static ngx_str_t  no_store = ngx_string("no-store");

    size_t        len;
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    len = ngx_strlen(text);

    b = ngx_create_temp_buf(r->pool, len);

    if (b == NULL
        || ngx_http_voice_header_add(r, "Cache-Control", &no_store) == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->pos, text, len);
    b->last_buf = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
