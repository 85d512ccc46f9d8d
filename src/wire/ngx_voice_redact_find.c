
/*
 * Copyright (C) 2026 the voice edge authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_voice_redact_find.h"


void
ngx_voice_redact_set(u_char *mark, size_t len, u_char rule)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (mark[i] == 0) {
            mark[i] = rule;
        }
    }
}
