
/*
 * Flow files: what one agent says, knows and may do, read from JSON.
 *
 * Everything a flow holds lives in the pool given to the parser, except the
 * compiled patterns of its rules, which PCRE2 allocates (their JIT code is
 * mapped memory): ngx_voice_flow_free() gives these back, so whoever loads a
 * flow into a configuration pool registers it as a cleanup.
 *
 * Flows are read only after loading, but ngx_voice_flow_match() uses a
 * scratch area of the flow: one thread at a time, as in a worker.
 */


#ifndef _NGX_VOICE_FLOW_H_INCLUDED_
#define _NGX_VOICE_FLOW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_voice_line.h"

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH  8
#endif
#include <pcre2.h>


#define NGX_VOICE_FLOW_MAX      (256 * 1024)  /* bytes of a flow file */
#define NGX_VOICE_LINE_MAX      500           /* bytes of a spoken line */
#define NGX_VOICE_PROMPT_MAX    16384         /* bytes of the prompt */


typedef enum {
    NGX_VOICE_ACTION_NONE = 0,
    NGX_VOICE_ACTION_GOODBYE,
    NGX_VOICE_ACTION_HUMAN,
    NGX_VOICE_ACTION_WAIT
} ngx_voice_action_e;


typedef struct ngx_voice_flow_s  ngx_voice_flow_t;


typedef struct {
    ngx_str_t               text;            /* as written */
    pcre2_code             *code;
} ngx_voice_pattern_t;


typedef struct {
    ngx_voice_pattern_t     when;
    ngx_voice_action_e      action;
    ngx_voice_line_t       *say;             /* NULL: not in the file */
} ngx_voice_rule_t;


/* to another flow, by words or by the model */

typedef struct {
    ngx_str_t               to;
    ngx_voice_pattern_t     when;            /* code is NULL: not by words */
    ngx_str_t               description;     /* for the model, may be empty */
    ngx_voice_line_t       *say;             /* NULL: not in the file */
} ngx_voice_route_t;


/* what a flow wants to find out */

typedef struct {
    ngx_str_t               name;
    ngx_str_t               description;     /* may be empty */
} ngx_voice_slot_t;


typedef struct {
    ngx_str_t               name;            /* empty: the location's model */
    double                  temperature;     /* only if has_temperature */
    ngx_uint_t              max_tokens;
    unsigned                has_temperature:1;
} ngx_voice_flow_model_t;


typedef struct {
    ngx_str_t               id;              /* empty: no voice in the file */
    ngx_str_t               model;
    ngx_str_t               format;
    ngx_str_t               settings;        /* compact JSON, or empty */
    ngx_str_t               say;             /* the voice of <Say> */
} ngx_voice_flow_voice_t;


typedef enum {
    NGX_VOICE_LISTEN_GATHER = 0,             /* Twilio recognizes */
    NGX_VOICE_LISTEN_WHISPER                 /* recorded, then transcribed */
} ngx_voice_listen_e;


typedef struct {
    ngx_voice_listen_e      mode;
    ngx_str_t               hints;           /* comma list, may be empty */
    ngx_uint_t              timeout;         /* seconds */
    ngx_uint_t              speech_timeout;  /* seconds, 0: "auto" */
    ngx_str_t               speech_model;    /* empty: not in the file */
    ngx_flag_t              profanity_filter;
    double                  confidence;      /* below it: asked again */
    ngx_uint_t              patience;        /* seconds after "wait" */
    ngx_flag_t              delete_recordings;
} ngx_voice_flow_listen_t;


typedef struct {
    ngx_uint_t              after;           /* failed turns in a row */
    ngx_voice_line_t        say;
    ngx_str_t               number;          /* E.164, empty: no human */
} ngx_voice_flow_fallback_t;


/* when no call can be taken any more */

typedef struct {
    ngx_voice_line_t        say;
    ngx_voice_action_e      action;          /* goodbye or human */
} ngx_voice_flow_busy_t;


typedef struct {
    ngx_uint_t              days;            /* bits, Sunday is 1 */
    ngx_uint_t              from;            /* minutes of the day */
    ngx_uint_t              to;
} ngx_voice_flow_hours_t;


typedef struct {
    ngx_str_t               number;          /* empty: that of fallback */
    ngx_voice_flow_hours_t  hours;           /* days is 0: always */
} ngx_voice_flow_escalation_t;


typedef struct {
    ngx_uint_t              turns;           /* of one call */
    ngx_uint_t              duration;        /* seconds of one call */
    ngx_uint_t              misheard;        /* in a row */
    ngx_uint_t              history;         /* bytes sent to the model */
    ngx_uint_t              answer;          /* characters of one answer */
    ngx_uint_t              rounds;          /* of tools in one turn */
} ngx_voice_flow_limits_t;


struct ngx_voice_flow_s {
    ngx_str_t                   name;
    ngx_str_t                   company;
    ngx_str_t                   agent;       /* may be empty */
    ngx_str_t                   language;

    ngx_voice_line_t            consent;     /* empty: none */
    ngx_voice_line_t            greeting;
    ngx_voice_line_t            opening;
    ngx_voice_line_t            opening_known;  /* empty: none */
    ngx_voice_line_t            prompt;      /* lines joined with LF */
    ngx_voice_line_t            apology;
    ngx_voice_line_t            goodbye;
    ngx_voice_line_t            patience;

    ngx_array_t                 silence;     /* of ngx_voice_line_t, >= 1 */
    ngx_array_t                 fillers;     /* of ngx_voice_line_t, >= 1 */
    ngx_array_t                 tool_fillers; /* of ngx_voice_line_t, >= 1 */
    ngx_array_t                 misheard;    /* of ngx_voice_line_t, >= 1 */
    ngx_array_t                 rules;       /* of ngx_voice_rule_t */
    ngx_array_t                 routes;      /* of ngx_voice_route_t */
    ngx_array_t                 slots;       /* of ngx_voice_slot_t */
    ngx_array_t                 tools;       /* of ngx_str_t: names */
    ngx_array_t                 stock;       /* ngx_str_t: fixed lines */

    ngx_voice_action_e          keys[12];    /* 0-9, '*', '#' */

    ngx_voice_flow_model_t      model;
    ngx_voice_flow_voice_t      voice;
    ngx_voice_flow_listen_t     listen;
    ngx_voice_flow_fallback_t   fallback;
    ngx_voice_flow_busy_t       busy;
    ngx_voice_flow_escalation_t escalation;
    ngx_voice_flow_limits_t     limits;

    pcre2_match_context        *match_context;
    pcre2_match_data           *match_data;
};


/*
 * A syntax error, a key written twice among them, has a line and a column,
 * from 1, and the pointer of the place as far as it is known; an error of
 * meaning has line 0 and the JSON Pointer (RFC 6901) of the value, "" for the
 * whole file.  Pointer and reason are printed with a space between.
 */

typedef struct {
    ngx_uint_t              line;
    ngx_uint_t              column;
    char                    pointer[256];
    char                    reason[384];
} ngx_voice_flow_error_t;


/*
 * NGX_OK; NGX_DECLINED with *err set when the file is wrong; NGX_ERROR, and
 * a reason too, when memory ran out.  The text is neither changed nor kept.
 */
ngx_int_t ngx_voice_flow_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_voice_flow_t **flow, ngx_voice_flow_error_t *err);

/* gives back what is not the pool's; the flow is not usable afterwards */
void ngx_voice_flow_free(ngx_voice_flow_t *flow);

/*
 * The first rule that matches, or NULL; invalid UTF-8 and a pattern that
 * reaches its match limit do not match.
 */
ngx_voice_rule_t *ngx_voice_flow_match(ngx_voice_flow_t *flow,
    ngx_str_t *words);

/* the same of routes */
ngx_voice_route_t *ngx_voice_flow_route(ngx_voice_flow_t *flow,
    ngx_str_t *words);

/* of an array of ngx_voice_flow_t *, by its name; NULL: there is none */
ngx_voice_flow_t *ngx_voice_flow_find(ngx_array_t *flows, ngx_str_t *name);

/* whether the flow names the tool */
ngx_uint_t ngx_voice_flow_has_tool(ngx_voice_flow_t *flow, ngx_str_t *name);

/* whom the model may connect with; empty: nobody */
ngx_str_t *ngx_voice_flow_escalate(ngx_voice_flow_t *flow);

/* whether there is somebody: weekday 0 is Sunday, minutes of the day */
ngx_uint_t ngx_voice_flow_open(ngx_voice_flow_t *flow, ngx_uint_t weekday,
    ngx_uint_t minutes);

ngx_voice_action_e ngx_voice_flow_key(ngx_voice_flow_t *flow, u_char digit);

/* of an audio format that a flow may name: "mp3" */
ngx_str_t ngx_voice_flow_extension(ngx_str_t *format);


#endif /* _NGX_VOICE_FLOW_H_INCLUDED_ */
