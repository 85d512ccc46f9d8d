
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <libpq-fe.h>

#include "ngx_voice_pg.h"


#define NGX_VOICE_PG_CONNINFO    4096
#define NGX_VOICE_PG_HOSTS       16


/* lists that libpq wants of one length: one entry for each address */

typedef struct {
    u_char      host[NGX_VOICE_PG_CONNINFO];
    u_char      hostaddr[NGX_VOICE_PG_CONNINFO];
    u_char      port[NGX_VOICE_PG_CONNINFO];
    ngx_uint_t  n;
} ngx_voice_pg_hosts_t;


static const char *ngx_voice_pg_resolve(ngx_voice_pg_hosts_t *hosts,
    const char *host, const char *port);
static const char *ngx_voice_pg_resolve_one(ngx_voice_pg_hosts_t *hosts,
    const char *host, size_t host_len, const char *port, size_t port_len);
static const char *ngx_voice_pg_host(ngx_voice_pg_hosts_t *hosts,
    const char *host, size_t host_len, const char *addr, const char *port,
    size_t port_len);
static u_char *ngx_voice_pg_option(u_char *p, u_char *last, const char *name,
    const char *value);
static const char *ngx_voice_pg_value(PQconninfoOption *options,
    const char *name);


char *
ngx_voice_pg_conninfo(ngx_pool_t *pool, ngx_str_t *conninfo,
    ngx_str_t *password, const char **reason)
{
    char                  *errors;
    u_char                *p, *last, *text, *out, *copy;
    const char            *host, *secret;
    PQconninfoOption      *options, *option;
    ngx_voice_pg_hosts_t  *hosts;

    out = NULL;
    errors = NULL;
    options = NULL;
    *reason = "no memory";

    text = ngx_pnalloc(pool, NGX_VOICE_PG_CONNINFO);
    hosts = ngx_pcalloc(pool, sizeof(ngx_voice_pg_hosts_t));

    if (text == NULL || hosts == NULL) {
        return NULL;
    }

    if (conninfo->len >= NGX_VOICE_PG_CONNINFO) {
        *reason = "it is too long";
        return NULL;
    }

    (void) ngx_cpystrn(text, conninfo->data, conninfo->len + 1);

    options = PQconninfoParse((char *) text, &errors);

    if (options == NULL) {

        /* libpq shows what it stumbles over, which may be the secret */

        if (strstr((char *) text, "password") || strstr((char *) text, "://"))
        {
            *reason = "it is malformed, and not shown as a password may be in "
                      "it";

        } else if (errors) {
            p = ngx_pnalloc(pool, ngx_strlen(errors) + 1);

            if (p) {
                last = ngx_cpymem(p, errors, ngx_strlen(errors));

                while (last > p && last[-1] <= ' ') {
                    last--;
                }

                *last = '\0';
                *reason = (char *) p;
            }
        }

        PQfreemem(errors);

        return NULL;
    }

    /* its host would be found, and its name resolved, by a worker */

    if (ngx_voice_pg_value(options, "service")) {
        *reason = "\"service\" can not be used here, name the host";
        goto done;
    }

    host = ngx_voice_pg_value(options, "host");

    if (host && ngx_voice_pg_value(options, "hostaddr") == NULL) {
        *reason = ngx_voice_pg_resolve(hosts, host,
                                     ngx_voice_pg_value(options, "port"));
        if (*reason) {
            goto done;
        }
    }

    *reason = "it is too long";

    p = text;
    last = text + NGX_VOICE_PG_CONNINFO;

    for (option = options; option->keyword; option++) {

        if (option->val == NULL
            || ngx_strcmp(option->keyword, "password") == 0
            || (hosts->n
                && (ngx_strcmp(option->keyword, "host") == 0
                    || ngx_strcmp(option->keyword, "port") == 0)))
        {
            continue;
        }

        p = ngx_voice_pg_option(p, last, option->keyword, option->val);
    }

    if (hosts->n) {
        p = ngx_voice_pg_option(p, last, "host", (char *) hosts->host);
        p = ngx_voice_pg_option(p, last, "hostaddr",
                                (char *) hosts->hostaddr);
        p = ngx_voice_pg_option(p, last, "port", (char *) hosts->port);
    }

    if (ngx_voice_pg_value(options, "user") == NULL) {
        p = ngx_voice_pg_option(p, last, "user", "voice_edge");
    }

    if (ngx_voice_pg_value(options, "application_name") == NULL) {
        p = ngx_voice_pg_option(p, last, "application_name", "voice-edge");
    }

    /* asking a ticket service is one more thing that can block */

    if (ngx_voice_pg_value(options, "gssencmode") == NULL) {
        p = ngx_voice_pg_option(p, last, "gssencmode", "disable");
    }

    secret = ngx_voice_pg_value(options, "password");

    if (password->len) {
        copy = ngx_pnalloc(pool, password->len + 1);
        if (copy == NULL) {
            goto done;
        }

        (void) ngx_cpystrn(copy, password->data, password->len + 1);
        secret = (char *) copy;
    }

    if (secret) {
        p = ngx_voice_pg_option(p, last, "password", secret);
    }

    if (p < last) {
        *p = '\0';
        out = text;
    }

done:

    PQconninfoFree(options);

    return (char *) out;
}


static const char *
ngx_voice_pg_resolve(ngx_voice_pg_hosts_t *hosts, const char *host,
    const char *port)
{
    size_t       len, port_len;
    const char  *reason;

    if (port == NULL) {
        port = "";
    }

    for ( ;; ) {
        len = strcspn(host, ",");
        port_len = strcspn(port, ",");

        reason = ngx_voice_pg_resolve_one(hosts, host, len, port, port_len);

        if (reason || host[len] == '\0') {
            return reason;
        }

        host += len + 1;

        /* one port is for all hosts */

        if (port[port_len]) {
            port += port_len + 1;
        }
    }
}


static const char *
ngx_voice_pg_resolve_one(ngx_voice_pg_hosts_t *hosts, const char *host,
    size_t host_len, const char *port, size_t port_len)
{
    int               rc;
    char              name[NI_MAXHOST], addr[NI_MAXHOST];
    const char       *reason;
    struct addrinfo   hints, *list, *ai;

    if (host_len == 0 || host[0] == '/' || host[0] == '@') {
        return ngx_voice_pg_host(hosts, host, host_len, "", port, port_len);
    }

    if (host_len >= NI_MAXHOST) {
        return "a host's name is too long";
    }

    (void) ngx_cpystrn((u_char *) name, (u_char *) host, host_len + 1);

    ngx_memzero(&hints, sizeof(struct addrinfo));

    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;

    if (getaddrinfo(name, NULL, &hints, &list) != 0) {
        return "a host is not found";
    }

    reason = NULL;

    for (ai = list; ai && reason == NULL; ai = ai->ai_next) {

        rc = getnameinfo(ai->ai_addr, ai->ai_addrlen, addr, sizeof(addr),
                         NULL, 0, NI_NUMERICHOST);
        if (rc == 0) {
            reason = ngx_voice_pg_host(hosts, host, host_len, addr, port,
                                       port_len);
        }
    }

    freeaddrinfo(list);

    return reason;
}


static const char *
ngx_voice_pg_host(ngx_voice_pg_hosts_t *hosts, const char *host,
    size_t host_len, const char *addr, const char *port, size_t port_len)
{
    const char  *comma;

    if (hosts->n == NGX_VOICE_PG_HOSTS) {
        return "there are too many hosts";
    }

    comma = hosts->n++ ? "," : "";

    (void) snprintf((char *) hosts->host + ngx_strlen(hosts->host),
                    NGX_VOICE_PG_CONNINFO - ngx_strlen(hosts->host),
                    "%s%.*s", comma, (int) host_len, host);
    (void) snprintf((char *) hosts->hostaddr + ngx_strlen(hosts->hostaddr),
                    NGX_VOICE_PG_CONNINFO - ngx_strlen(hosts->hostaddr),
                    "%s%s", comma, addr);
    (void) snprintf((char *) hosts->port + ngx_strlen(hosts->port),
                    NGX_VOICE_PG_CONNINFO - ngx_strlen(hosts->port),
                    "%s%.*s", comma, (int) port_len, port);

    return NULL;
}


/* keyword='value', as libpq reads it; at last there is no room any more */

static u_char *
ngx_voice_pg_option(u_char *p, u_char *last, const char *name,
    const char *value)
{
    const char  *s;

    p = ngx_slprintf(p, last, "%s='", name);

    for (s = value; *s; s++) {

        if (last - p < 4) {
            return last;
        }

        if (*s == '\\' || *s == '\'') {
            *p++ = '\\';
        }

        *p++ = *s;
    }

    return ngx_slprintf(p, last, "' ");
}


static const char *
ngx_voice_pg_value(PQconninfoOption *options, const char *name)
{
    PQconninfoOption  *option;

    for (option = options; option->keyword; option++) {
        if (ngx_strcmp(option->keyword, name) == 0) {
            return option->val;
        }
    }

    return NULL;
}
