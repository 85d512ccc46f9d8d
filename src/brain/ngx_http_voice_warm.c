
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_voice_warm.h"
#include "../call/ngx_voice_wait.h"


/* how often a piece that fails is tried, each time after all others */
#define NGX_HTTP_VOICE_WARM_PASSES   3

/* how many pieces that are there already are passed over without a break */
#define NGX_HTTP_VOICE_WARM_BURST    64


typedef struct {
    ngx_voice_waiter_t           waiter;
    ngx_event_t                  timer;

    ngx_http_voice_warm_conf_t  *conf;
    ngx_array_t                 *agents;
    ngx_voice_zone_t            *zone;
    ngx_log_t                   *log;

    ngx_uint_t                   agent;     /* whose phrase is next */
    ngx_uint_t                   phrase;
    ngx_uint_t                   phrases;   /* of the flow that has most */

    ngx_uint_t                   pass;
    ngx_uint_t                   ready;     /* in this pass */
    ngx_uint_t                   failed;

    u_char                       digest[NGX_VOICE_DIGEST];
    unsigned                     asked:1;
} ngx_http_voice_warm_t;


static void ngx_http_voice_warm_event(ngx_event_t *ev);
static void ngx_http_voice_warm_go_on(ngx_http_voice_warm_t *warm);
static ngx_http_voice_agent_t *ngx_http_voice_warm_next(
    ngx_http_voice_warm_t *warm, ngx_str_t *phrase);
static void ngx_http_voice_warm_look(ngx_http_voice_warm_t *warm);
static void ngx_http_voice_warm_again(ngx_http_voice_warm_t *warm);


ngx_int_t
ngx_http_voice_warm_start(ngx_cycle_t *cycle, ngx_http_voice_warm_conf_t *conf,
    ngx_array_t *agents)
{
    ngx_uint_t               i;
    ngx_http_voice_warm_t   *warm;
    ngx_http_voice_agent_t  *agent;

    if (agents->nelts == 0) {
        return NGX_OK;
    }

    warm = ngx_pcalloc(cycle->pool, sizeof(ngx_http_voice_warm_t));
    if (warm == NULL) {
        return NGX_ERROR;
    }

    warm->conf = conf;
    warm->agents = agents;
    warm->log = cycle->log;

    agent = agents->elts;
    warm->zone = agent->zone;

    for (i = 0; i < agents->nelts; i++) {
        warm->phrases = ngx_max(warm->phrases, agent[i].flow->stock.nelts);

        /* callers come first */
        agent[i].speech.patient = 1;
    }

    warm->timer.handler = ngx_http_voice_warm_event;
    warm->timer.data = warm;
    warm->timer.log = cycle->log;

    /* no worker stays for this */
    warm->timer.cancelable = 1;

    ngx_add_timer(&warm->timer, conf->interval);

    return NGX_OK;
}


static void
ngx_http_voice_warm_event(ngx_event_t *ev)
{
    ngx_http_voice_warm_t  *warm;

    warm = ev->data;

    /* the next worker goes on */

    if (ngx_exiting) {
        ngx_voice_wait_del(&warm->waiter);
        return;
    }

    if (warm->asked) {
        ngx_http_voice_warm_look(warm);
        return;
    }

    ngx_http_voice_warm_go_on(warm);
}


static void
ngx_http_voice_warm_go_on(ngx_http_voice_warm_t *warm)
{
    ngx_str_t                phrase, none;
    ngx_uint_t               n;
    ngx_http_voice_agent_t  *agent;

    for (n = 0; n < NGX_HTTP_VOICE_WARM_BURST; n++) {

        agent = ngx_http_voice_warm_next(warm, &phrase);

        if (agent == NULL) {
            ngx_http_voice_warm_again(warm);
            return;
        }

        ngx_voice_speech_digest(&agent->profile, &phrase, warm->digest);

        if (ngx_voice_speech_state(warm->zone, warm->digest, 0)
            == NGX_VOICE_SPEECH_READY)
        {
            warm->ready++;
            warm->agent++;
            continue;
        }

        /* waits before it asks: no news are lost in between */

        ngx_voice_wait_add(&warm->waiter,
                           ngx_voice_wait_key(warm->digest,
                                              NGX_VOICE_DIGEST),
                           ngx_http_voice_warm_event, warm, warm->log);

        ngx_str_null(&none);

        warm->asked = 1;

        (void) ngx_http_voice_agent_speak(agent, &phrase, warm->digest,
                                          &none);

        ngx_http_voice_warm_look(warm);

        return;
    }

    ngx_add_timer(&warm->timer, 1);
}


/* all first phrases, the greetings, come before all second ones */

static ngx_http_voice_agent_t *
ngx_http_voice_warm_next(ngx_http_voice_warm_t *warm, ngx_str_t *phrase)
{
    ngx_str_t               *stock;
    ngx_http_voice_agent_t  *agent;

    agent = warm->agents->elts;

    for ( /* void */ ; warm->phrase < warm->phrases; warm->phrase++) {

        for ( /* void */ ; warm->agent < warm->agents->nelts; warm->agent++) {

            if (warm->phrase < agent[warm->agent].flow->stock.nelts) {
                stock = agent[warm->agent].flow->stock.elts;
                *phrase = stock[warm->phrase];

                return &agent[warm->agent];
            }
        }

        warm->agent = 0;
    }

    return NULL;
}


/* what has become of the piece that was asked for */

static void
ngx_http_voice_warm_look(ngx_http_voice_warm_t *warm)
{
    ngx_msec_t          timeout;
    ngx_voice_speech_e  state;

    state = ngx_voice_speech_state(warm->zone, warm->digest, 0);

    if (state == NGX_VOICE_SPEECH_FILLING) {

        /* a worker that was killed while it left rings no bell */

        ngx_add_timer(&warm->timer, warm->conf->pause);
        return;
    }

    ngx_voice_wait_del(&warm->waiter);

    if (warm->timer.timer_set) {
        ngx_del_timer(&warm->timer);
    }

    warm->asked = 0;
    timeout = warm->conf->interval;

    switch (state) {

    case NGX_VOICE_SPEECH_NEW:

        /* the worker that made it has gone: the same one again */

        break;

    case NGX_VOICE_SPEECH_FAILED:
        timeout = warm->conf->pause;
        warm->failed++;
        warm->agent++;
        break;

    case NGX_VOICE_SPEECH_READY:
        warm->ready++;
        warm->agent++;
        break;

    default: /* NGX_VOICE_SPEECH_UNKNOWN */

        /* there is no room for it in the zone */

        warm->agent++;
    }

    ngx_add_timer(&warm->timer, timeout);
}


static void
ngx_http_voice_warm_again(ngx_http_voice_warm_t *warm)
{
    if (warm->failed == 0) {
        ngx_log_error(NGX_LOG_INFO, warm->log, 0,
                      "voice stock phrases are ready: %ui", warm->ready);
        return;
    }

    if (++warm->pass == NGX_HTTP_VOICE_WARM_PASSES) {
        ngx_log_error(NGX_LOG_WARN, warm->log, 0,
                      "voice stock phrases: %ui are ready, %ui could not be "
                      "made and are made when they are wanted",
                      warm->ready, warm->failed);
        return;
    }

    warm->agent = 0;
    warm->phrase = 0;
    warm->ready = 0;
    warm->failed = 0;

    ngx_add_timer(&warm->timer, 1);
}
