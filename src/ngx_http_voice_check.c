
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_conf.h"


/* ms: the least and the most that an answer may take; Twilio waits 15 s */
#define NGX_HTTP_VOICE_WITHIN_MIN  1000
#define NGX_HTTP_VOICE_WITHIN_MAX  12000


/* of nginx, where "worker_connections" is not configured */
#define NGX_HTTP_VOICE_CONNECTIONS       512

/* a webhook, and an ask and its upstream for the model and for speech */
#define NGX_HTTP_VOICE_CALL_CONNECTIONS  5


/* what nginx -t says of a location: where it is, and what is wrong */
#define ngx_http_voice_check_error(cf, place, fmt, ...)                       \
    ngx_log_error(NGX_LOG_EMERG, (cf)->log, 0, fmt " in %s:%ui",              \
                  __VA_ARGS__, (place)->file, (place)->line)


static ngx_int_t ngx_http_voice_check_database(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf);
static ngx_int_t ngx_http_voice_check_connections(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf);
static ngx_int_t ngx_http_voice_check_routes(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf);
static ngx_int_t ngx_http_voice_check_webhook(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf, ngx_http_voice_place_t *place);
static ngx_int_t ngx_http_voice_check_signature(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf, ngx_http_voice_place_t *place);
static ngx_int_t ngx_http_voice_check_numbers(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf, ngx_http_voice_place_t *place);
static ngx_int_t ngx_http_voice_check_models(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf, ngx_http_voice_place_t *place);
static ngx_int_t ngx_http_voice_check_listening(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf, ngx_http_voice_place_t *place);
static ngx_int_t ngx_http_voice_check_body(ngx_conf_t *cf,
    ngx_http_voice_place_t *place);
static ngx_int_t ngx_http_voice_check_location(ngx_conf_t *cf,
    ngx_http_voice_place_t *place, const char *directive, ngx_str_t *uri);
static ngx_http_core_loc_conf_t *ngx_http_voice_check_find(
    ngx_http_core_loc_conf_t *outer, ngx_str_t *uri, ngx_uint_t *regex);
static ngx_http_core_loc_conf_t *ngx_http_voice_check_prefix(
    ngx_http_location_tree_node_t *node, u_char *uri, size_t len);
static ngx_uint_t ngx_http_voice_check_loopback(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *server);
static ngx_uint_t ngx_http_voice_check_local(struct sockaddr *sa);


ngx_int_t
ngx_http_voice_conf_check(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_voice_place_t          *place;
    ngx_http_voice_loc_conf_t       *vlcf;
    ngx_http_voice_main_conf_t      *vmcf;
    ngx_http_voice_webhook_conf_t   *conf;

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_voice_module);

    if (vmcf->zone) {
        vmcf->zone->max_calls = vmcf->max_calls;
    }

    if (vmcf->price) {
        ngx_http_voice_price_init(vmcf->price);
    }

    if (ngx_http_voice_check_database(cf, vmcf) != NGX_OK
        || ngx_http_voice_check_connections(cf, vmcf) != NGX_OK
        || ngx_http_voice_check_routes(cf, vmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    place = vmcf->places.elts;

    for (i = 0; i < vmcf->places.nelts; i++) {

        if (vmcf->zone == NULL) {
            ngx_http_voice_check_error(cf, &place[i],
                                       "\"%s\" is needed by the location",
                                       "voice_zone");
            return NGX_ERROR;
        }

        /* what is written later in a location wins, without a word */

        if (place[i].location->handler != place[i].handler) {
            ngx_http_voice_check_error(cf, &place[i],
                                       "the voice handler of the location is "
                                       "overruled by another one, such as "
                                       "\"%s\"", "proxy_pass");
            return NGX_ERROR;
        }

        vlcf = place[i].conf;
        conf = &vlcf->webhook;
        conf->zone = vmcf->zone;
        conf->keys = &vmcf->keys;
        conf->flows = &vmcf->flows;
        conf->redact = vmcf->redact;
        conf->crm = vmcf->crm;
        conf->price = vmcf->price;

        if (!place[i].webhook && !place[i].audio) {
            continue;
        }

        if (vmcf->keys.nelts == 0) {
            ngx_http_voice_check_error(cf, &place[i],
                                       "\"%s\" is needed by the location",
                                       "voice_key");
            return NGX_ERROR;
        }

        if (conf->tts.len
            && ngx_http_voice_check_location(cf, &place[i], "voice_tts",
                                             &conf->tts)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (place[i].webhook
            && ngx_http_voice_check_webhook(cf, vmcf, &place[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (!place[i].audio) {
            continue;
        }

        if (conf->tts.len == 0) {
            ngx_http_voice_check_error(cf, &place[i],
                                       "\"%s\" is needed by \"voice_audio\"",
                                       "voice_tts");
            return NGX_ERROR;
        }

        vlcf->speech.uri = conf->tts;
        vlcf->speech.ctx = place[i].server->ctx;
        vlcf->speech.zone = vmcf->zone;
        vlcf->speech.timeout = conf->speech_timeout;
        vlcf->speech.limit = conf->tts_limit;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_check_database(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf)
{
    if (vmcf->crm == NULL) {

        if (vmcf->node.len) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"voice_node\" is of no use without "
                          "\"voice_database\", which nodes have in common");
            return NGX_ERROR;
        }

        if (vmcf->job.enable == 1) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"voice_jobs\" is of no use without "
                          "\"voice_database\", which has the jobs");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    vmcf->crm->node = vmcf->node;

    if (vmcf->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"voice_zone\" is needed by \"voice_database\"");
        return NGX_ERROR;
    }

    if (vmcf->spool == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"voice_spool\" is needed by \"voice_database\"");
        return NGX_ERROR;
    }

    vmcf->crm->zone = vmcf->zone;
    vmcf->crm->spool = vmcf->spool;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_check_connections(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf)
{
    void            ***events;
    ngx_uint_t         connections, workers;
    ngx_core_conf_t   *ccf;
    ngx_event_conf_t  *ecf;

    events = cf->cycle->conf_ctx[ngx_events_module.index];

    if (vmcf->max_calls == 0 || events == NULL) {

        /* no bound, or "events" is yet to come */
        return NGX_OK;
    }

    ecf = (*events)[ngx_event_core_module.ctx_index];
    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->worker_processes == NGX_CONF_UNSET) {

        /* it may stand behind, too */
        return NGX_OK;
    }

    connections = ecf->connections;

    if (connections == NGX_CONF_UNSET_UINT) {
        connections = NGX_HTTP_VOICE_CONNECTIONS;
    }

    workers = ccf->worker_processes;

    if (vmcf->max_calls * NGX_HTTP_VOICE_CALL_CONNECTIONS
        <= connections * workers)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"voice_max_calls\" %ui needs %ui \"worker_connections\" "
                  "in each of %ui workers, there are %ui: a call in its turn "
                  "takes up to %d", vmcf->max_calls,
                  (vmcf->max_calls * NGX_HTTP_VOICE_CALL_CONNECTIONS
                   + workers - 1) / workers,
                  workers, connections, NGX_HTTP_VOICE_CALL_CONNECTIONS);

    return NGX_ERROR;
}


/* a flow's routes, once all flows are known */

static ngx_int_t
ngx_http_voice_check_routes(ngx_conf_t *cf, ngx_http_voice_main_conf_t *vmcf)
{
    ngx_uint_t           i, k;
    ngx_voice_flow_t   **flow;
    ngx_voice_route_t   *route;

    flow = vmcf->flows.elts;

    for (i = 0; i < vmcf->flows.nelts; i++) {
        route = flow[i]->routes.elts;

        for (k = 0; k < flow[i]->routes.nelts; k++) {

            if (ngx_voice_flow_find(&vmcf->flows, &route[k].to) == NULL) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "voice flow \"%V\": /routes/%ui/to is an "
                              "unknown flow \"%V\"", &flow[i]->name, k,
                              &route[k].to);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_check_webhook(ngx_conf_t *cf, ngx_http_voice_main_conf_t *vmcf,
    ngx_http_voice_place_t *place)
{
    ngx_http_voice_webhook_conf_t  *conf;

    conf = &place->conf->webhook;

    if (vmcf->flows.nelts == 0) {
        ngx_http_voice_check_error(cf, place,
                                   "\"%s\" is needed by \"voice_webhook\"",
                                   "voice_flow");
        return NGX_ERROR;
    }

    if (conf->peer.len && vmcf->node.len == 0) {
        ngx_http_voice_check_error(cf, place,
                                   "\"%s\" is needed by \"voice_peer\"",
                                   "voice_node");
        return NGX_ERROR;
    }

    if (conf->answer_within < NGX_HTTP_VOICE_WITHIN_MIN
        || conf->answer_within > NGX_HTTP_VOICE_WITHIN_MAX)
    {
        ngx_http_voice_check_error(cf, place,
                                   "\"voice_answer_within\" has to be from %d "
                                   "to %d milliseconds",
                                   NGX_HTTP_VOICE_WITHIN_MIN,
                                   NGX_HTTP_VOICE_WITHIN_MAX);
        return NGX_ERROR;
    }

    if (ngx_http_voice_check_signature(cf, vmcf, place) != NGX_OK
        || ngx_http_voice_check_numbers(cf, vmcf, place) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_voice_check_models(cf, vmcf, place) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voice_check_listening(cf, vmcf, place);
}


static ngx_int_t
ngx_http_voice_check_signature(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf, ngx_http_voice_place_t *place)
{
    ngx_http_voice_webhook_conf_t  *conf;

    conf = &place->conf->webhook;

    if (conf->signature) {

        if (conf->authority.len == 0) {
            ngx_http_voice_check_error(cf, place,
                                       "\"%s\" is needed to verify webhooks",
                                       "voice_public_url");
            return NGX_ERROR;
        }

        if (conf->tokens == NULL) {
            ngx_http_voice_check_error(cf, place,
                                       "\"%s\" is needed to verify webhooks",
                                       "voice_auth_token");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (!ngx_http_voice_check_loopback(cf, place->server)) {
        ngx_http_voice_check_error(cf, place,
                                   "\"voice_signature off\" is only allowed "
                                   "where every \"%s\" of the server is a "
                                   "loopback address", "listen");
        return NGX_ERROR;
    }

    vmcf->signature_off = 1;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "voice webhooks are NOT VERIFIED, \"voice_signature\" is "
                  "off in %s:%ui: anybody who reaches this server can act as "
                  "a caller", place->file, place->line);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_check_numbers(ngx_conf_t *cf, ngx_http_voice_main_conf_t *vmcf,
    ngx_http_voice_place_t *place)
{
    ngx_str_t                       none;
    ngx_uint_t                      i;
    ngx_voice_flow_t              **flow;
    ngx_http_voice_number_t        *number;
    ngx_http_voice_srv_conf_t      *vscf;
    ngx_http_voice_webhook_conf_t  *conf;

    conf = &place->conf->webhook;

    vscf = place->server->ctx->srv_conf[ngx_http_voice_module.ctx_index];
    conf->numbers = vscf->numbers;

    if (conf->numbers == NULL) {

        /* one flow answers every number; several have to be told apart */

        conf->numbers = ngx_array_create(cf->pool, 1,
                                         sizeof(ngx_http_voice_number_t));
        if (conf->numbers == NULL) {
            return NGX_ERROR;
        }

        number = ngx_array_push(conf->numbers);
        if (number == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(number, sizeof(ngx_http_voice_number_t));
        ngx_str_set(&number->given, "{}");
    }

    ngx_str_null(&none);

    number = conf->numbers->elts;

    for (i = 0; i < conf->numbers->nelts; i++) {

        if (number[i].flow_name.len == 0 && vmcf->flows.nelts == 1) {
            flow = vmcf->flows.elts;
            number[i].flow = *flow;
            continue;
        }

        if (number[i].flow_name.len == 0) {
            ngx_http_voice_check_error(cf, place,
                                       "there are %ui flows, which of them "
                                       "answers is said with \"voice_number "
                                       "... flow=\"", vmcf->flows.nelts);
            return NGX_ERROR;
        }

        number[i].flow = ngx_voice_flow_find(&vmcf->flows,
                                             &number[i].flow_name);

        if (number[i].flow == NULL) {
            ngx_http_voice_check_error(cf, place,
                                       "\"voice_number\" names an unknown "
                                       "flow \"%V\"", &number[i].flow_name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voice_check_models(ngx_conf_t *cf, ngx_http_voice_main_conf_t *vmcf,
    ngx_http_voice_place_t *place)
{
    ngx_uint_t                      i, k;
    ngx_voice_flow_t              **flow;
    ngx_http_voice_model_t         *model;
    ngx_http_voice_webhook_conf_t  *conf;

    conf = &place->conf->webhook;

    if (conf->models == NULL) {
        ngx_http_voice_check_error(cf, place,
                                   "\"%s\" is needed by \"voice_webhook\"",
                                   "voice_llm");
        return NGX_ERROR;
    }

    flow = vmcf->flows.elts;
    model = conf->models->elts;

    for (i = 0; i < conf->models->nelts; i++) {

        if (ngx_http_voice_check_location(cf, place, "voice_llm",
                                          &model[i].uri)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        for (k = 0; k < vmcf->flows.nelts; k++) {

            if (model[i].model.len == 0 && flow[k]->model.name.len == 0) {
                ngx_http_voice_check_error(cf, place,
                                           "neither \"voice_llm %V\" nor flow "
                                           "\"%V\" names a model",
                                           &model[i].uri, &flow[k]->name);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* what a flow needs whose callers are recorded */

static ngx_int_t
ngx_http_voice_check_listening(ngx_conf_t *cf,
    ngx_http_voice_main_conf_t *vmcf, ngx_http_voice_place_t *place)
{
    ngx_uint_t                      i;
    ngx_voice_flow_t              **flow;
    ngx_http_voice_media_t         *media;
    ngx_http_voice_webhook_conf_t  *conf;

    conf = &place->conf->webhook;
    flow = vmcf->flows.elts;

    for (i = 0; i < vmcf->flows.nelts; i++) {

        if (flow[i]->listen.mode != NGX_VOICE_LISTEN_WHISPER) {
            continue;
        }

        if (conf->stt.uri.len == 0 || conf->twilio.uri.len == 0) {
            ngx_http_voice_check_error(cf, place,
                                       "\"%s\" is needed by flow \"%V\", "
                                       "which listens with \"whisper\"",
                                       conf->stt.uri.len ? "voice_twilio"
                                                         : "voice_stt",
                                       &flow[i]->name);
            return NGX_ERROR;
        }
    }

    if (conf->stt.uri.len
        && (ngx_http_voice_check_location(cf, place, "voice_stt",
                                          &conf->stt.uri)
            != NGX_OK
            || ngx_http_voice_check_body(cf, place) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (conf->twilio.uri.len
        && ngx_http_voice_check_location(cf, place, "voice_twilio",
                                         &conf->twilio.uri)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->twilio.media == NULL) {
        return NGX_OK;
    }

    media = conf->twilio.media->elts;

    for (i = 0; i < conf->twilio.media->nelts; i++) {
        if (ngx_http_voice_check_location(cf, place, "voice_twilio_media",
                                          &media[i].uri)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the core looks at the size of what we send, too */

static ngx_int_t
ngx_http_voice_check_body(ngx_conf_t *cf, ngx_http_voice_place_t *place)
{
    off_t                           size;
    ngx_uint_t                      regex;
    ngx_http_core_loc_conf_t       *root, *clcf;
    ngx_http_voice_webhook_conf_t  *conf;

    conf = &place->conf->webhook;

    root = place->server->ctx->loc_conf[ngx_http_core_module.ctx_index];

    clcf = ngx_http_voice_check_find(root, &conf->stt.uri, &regex);

    size = ngx_http_voice_transcribe_size(&conf->stt, conf->twilio.max_size);

    if (clcf == NULL
        || clcf->client_max_body_size == 0
        || clcf->client_max_body_size >= size)
    {
        return NGX_OK;
    }

    ngx_http_voice_check_error(cf, place,
                               "\"client_max_body_size\" of the location "
                               "\"%V\" has to be %O at least, for a recording "
                               "of \"voice_recording_max_size\"",
                               &conf->stt.uri, size);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_voice_check_location(ngx_conf_t *cf, ngx_http_voice_place_t *place,
    const char *directive, ngx_str_t *uri)
{
    ngx_uint_t                 regex;
    ngx_http_core_loc_conf_t  *root, *clcf;

    root = place->server->ctx->loc_conf[ngx_http_core_module.ctx_index];

    clcf = ngx_http_voice_check_find(root, uri, &regex);

    /* what a regular expression would catch is not to be known here */

    if (regex && (clcf == NULL || clcf->handler == NULL)) {
        return NGX_OK;
    }

    if (clcf == NULL || clcf->handler == NULL) {
        ngx_http_voice_check_error(cf, place,
                                   "\"%s %V\" needs a location of that name "
                                   "with \"proxy_pass\" in the same server",
                                   directive, uri);
        return NGX_ERROR;
    }

    if (!clcf->internal) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "voice location \"%V\" is open to clients, it should be "
                      "\"internal\"", uri);
    }

    return NGX_OK;
}


/* as the core will find it, also in locations within locations */

static ngx_http_core_loc_conf_t *
ngx_http_voice_check_find(ngx_http_core_loc_conf_t *outer, ngx_str_t *uri,
    ngx_uint_t *regex)
{
    ngx_http_core_loc_conf_t  *found;

    found = NULL;
    *regex = 0;

    while (outer) {

#if (NGX_PCRE)
        if (outer->regex_locations) {
            *regex = 1;
        }
#endif

        outer = ngx_http_voice_check_prefix(outer->static_locations,
                                            uri->data, uri->len);
        if (outer) {
            found = outer;
        }
    }

    return found;
}


/* exact, else the longest prefix */

static ngx_http_core_loc_conf_t *
ngx_http_voice_check_prefix(ngx_http_location_tree_node_t *node, u_char *uri,
    size_t len)
{
    size_t                     n;
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *found;

    found = NULL;

    while (node) {

        n = ngx_min(len, (size_t) node->len);
        rc = ngx_filename_cmp(uri, node->name, n);

        if (rc != 0) {
            node = (rc < 0) ? node->left : node->right;
            continue;
        }

        if (len > (size_t) node->len) {

            if (node->inclusive) {
                found = node->inclusive;
                node = node->tree;
                uri += n;
                len -= n;
                continue;
            }

            node = node->right;
            continue;
        }

        if (len == (size_t) node->len) {
            return node->exact ? node->exact : node->inclusive;
        }

        node = node->left;
    }

    return found;
}


static ngx_uint_t
ngx_http_voice_check_loopback(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *server)
{
    ngx_uint_t                  i, j, k;
    ngx_http_conf_addr_t       *addr;
    ngx_http_conf_port_t       *port;
    ngx_http_core_srv_conf_t  **servers;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return 1;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {

        addr = port[i].addrs.elts;

        for (j = 0; j < port[i].addrs.nelts; j++) {

            servers = addr[j].servers.elts;

            for (k = 0; k < addr[j].servers.nelts; k++) {

                if (servers[k] == server
                    && !ngx_http_voice_check_local(addr[j].opt.sockaddr))
                {
                    return 0;
                }
            }
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_voice_check_local(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;
    }

    return 0;
}
