
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_voice_chat_call.h"


/* bytes of a name (OpenAI, "Create chat completion") */
#define NGX_VOICE_CHAT_NAME  64


static const char *ngx_voice_chat_calls_part(ngx_voice_chat_calls_t *calls,
    ngx_voice_chat_part_t *part);
static ngx_int_t ngx_voice_chat_calls_find(ngx_voice_chat_calls_t *calls,
    ngx_voice_chat_part_t *part);
static const char *ngx_voice_chat_calls_append(ngx_voice_chat_calls_t *calls,
    ngx_uint_t i, ngx_str_t *fragment);
static ngx_int_t ngx_voice_chat_calls_keep(ngx_voice_chat_calls_t *calls,
    ngx_str_t *to, ngx_str_t *from);


const char *
ngx_voice_chat_calls_add(ngx_voice_chat_calls_t *calls,
    ngx_voice_chat_delta_t *d)
{
    ngx_uint_t   i;
    const char  *cause;

    for (i = 0; i < d->nparts; i++) {
        cause = ngx_voice_chat_calls_part(calls, &d->parts[i]);

        if (cause) {
            return cause;
        }
    }

    return d->excess ? "too_many_calls" : NULL;
}


const char *
ngx_voice_chat_calls_end(ngx_voice_chat_calls_t *calls)
{
    u_char      *p, *last;
    ngx_str_t   *name;
    ngx_uint_t   i;

    for (i = 0; i < calls->n; i++) {
        name = &calls->calls[i].name;

        if (name->len == 0 || name->len > NGX_VOICE_CHAT_NAME) {
            return "malformed_call";
        }

        last = name->data + name->len;

        for (p = name->data; p < last; p++) {
            if ((*p < '0' || *p > '9')
                && ((*p | 0x20) < 'a' || (*p | 0x20) > 'z')
                && *p != '_' && *p != '-')
            {
                return "malformed_call";
            }
        }
    }

    return NULL;
}


static const char *
ngx_voice_chat_calls_part(ngx_voice_chat_calls_t *calls,
    ngx_voice_chat_part_t *part)
{
    ngx_int_t               i;
    ngx_voice_chat_call_t  *call;

    i = ngx_voice_chat_calls_find(calls, part);

    if (i == NGX_DECLINED) {

        if (calls->n == NGX_VOICE_CHAT_CALLS) {
            return "too_many_calls";
        }

        i = calls->n++;
        calls->index[i] = part->index;
    }

    call = &calls->calls[i];

    if (ngx_voice_chat_calls_keep(calls, &call->id, &part->id) != NGX_OK
        || ngx_voice_chat_calls_keep(calls, &call->name, &part->name)
           != NGX_OK)
    {
        return "no_memory";
    }

    return ngx_voice_chat_calls_append(calls, i, &part->arguments);
}


/* the call that a part goes on with, NGX_DECLINED: a new one */

static ngx_int_t
ngx_voice_chat_calls_find(ngx_voice_chat_calls_t *calls,
    ngx_voice_chat_part_t *part)
{
    ngx_int_t               i;
    ngx_voice_chat_call_t  *call;

    for (i = (ngx_int_t) calls->n - 1; i >= 0; i--) {
        if (part->index == -1 || calls->index[i] == part->index) {
            break;
        }
    }

    if (i < 0) {
        return NGX_DECLINED;
    }

    call = &calls->calls[i];

    if (part->id.len && call->id.len) {

        /* an index that all calls share tells nothing, another id does */

        return (part->id.len == call->id.len
                && ngx_memcmp(part->id.data, call->id.data, part->id.len)
                   == 0)
               ? i : NGX_DECLINED;
    }

    /* nothing to tell calls by: whole ones, each with its name */

    if (part->index == -1 && part->id.len == 0 && call->id.len == 0
        && part->name.len && call->arguments.len)
    {
        return NGX_DECLINED;
    }

    return i;
}


static const char *
ngx_voice_chat_calls_append(ngx_voice_chat_calls_t *calls, ngx_uint_t i,
    ngx_str_t *fragment)
{
    u_char     *p;
    size_t      room;
    ngx_str_t  *arguments;

    if (fragment->len == 0) {
        return NULL;
    }

    arguments = &calls->calls[i].arguments;

    if (fragment->len > NGX_VOICE_CHAT_ARGUMENTS - arguments->len) {
        return "call_too_large";
    }

    if (arguments->len + fragment->len > calls->room[i]) {

        room = ngx_max(2 * calls->room[i], 512);
        room = ngx_max(room, arguments->len + fragment->len);

        p = ngx_pnalloc(calls->pool, room);
        if (p == NULL) {
            return "no_memory";
        }

        if (arguments->len) {
            ngx_memcpy(p, arguments->data, arguments->len);
        }

        arguments->data = p;
        calls->room[i] = room;
    }

    ngx_memcpy(arguments->data + arguments->len, fragment->data,
               fragment->len);
    arguments->len += fragment->len;

    return NULL;
}


/* id and name come once; who repeats them, or sends nothing, adds nothing */

static ngx_int_t
ngx_voice_chat_calls_keep(ngx_voice_chat_calls_t *calls, ngx_str_t *to,
    ngx_str_t *from)
{
    if (to->len || from->len == 0) {
        return NGX_OK;
    }

    to->data = ngx_pstrdup(calls->pool, from);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    to->len = from->len;

    return NGX_OK;
}
