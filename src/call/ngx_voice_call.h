
/*
 * Copyright (C) 2026 the voice edge authors
 */


#ifndef _NGX_VOICE_CALL_H_INCLUDED_
#define _NGX_VOICE_CALL_H_INCLUDED_


#include "ngx_voice_zone.h"
#include "ngx_voice_speech_store.h"


/*
 * A live call in the zone: who calls, how far the conversation is, what was
 * said, the answer in the making, and the steps that were answered.
 *
 * Turns count what the caller said, from 1; turn 0 is the greeting.  A step
 * is one webhook: its route, the turn it belongs to, and a number within the
 * turn.  A step is claimed before anything happens for it, so that a repeated
 * webhook gets the bytes of the first and causes nothing.
 *
 * News of a call are waited for with ngx_voice_wait_key(sid).
 */

#define NGX_VOICE_SID_LEN        34
#define NGX_VOICE_PARTY_LEN      64
#define NGX_VOICE_FLOW_LEN       32
#define NGX_VOICE_LANGUAGE_LEN   16
#define NGX_VOICE_TIMEZONE_LEN   64
#define NGX_VOICE_COUNTRY_LEN    8
#define NGX_VOICE_PIECES         24
#define NGX_VOICE_BILLIONTHS     1000000000.0


typedef enum {
    NGX_VOICE_STEP_OPEN = 0,          /* the call comes in */
    NGX_VOICE_STEP_PROMPT,            /* asks for the words of its turn */
    NGX_VOICE_STEP_INPUT,             /* brings them: the turn begins */
    NGX_VOICE_STEP_REST               /* fetches more of the turn's answer */
} ngx_voice_step_kind_e;


/*
 * token: of a webhook without a step of ours in its URL, the same when it is
 * repeated; 0 if there is none.  Such a webhook is whatever comes next.
 */

typedef struct {
    ngx_uint_t             route;     /* the mouth's number for it */
    ngx_uint_t             kind;
    ngx_uint_t             turn;
    ngx_uint_t             step;
    uint64_t               token;
} ngx_voice_step_t;


typedef enum {
    NGX_VOICE_CLAIM_RUN = 0,          /* the caller's to answer */
    NGX_VOICE_CLAIM_REPLAY,           /* answered: these are the bytes */
    NGX_VOICE_CLAIM_WAIT,             /* another request is at it */
    NGX_VOICE_CLAIM_STALE,            /* the call is past it */
    NGX_VOICE_CLAIM_ENDED,            /* the call is over */
    NGX_VOICE_CLAIM_UNKNOWN,          /* not here, and not to be created */
    NGX_VOICE_CLAIM_FULL              /* no room for one more call */
} ngx_voice_claim_e;


/* a call as the webhook tells it; strings are the caller's */

typedef struct {
    ngx_str_t              sid;
    ngx_str_t              from;
    ngx_str_t              to;
    ngx_str_t              flow;
    ngx_str_t              language;
} ngx_voice_call_new_t;


/* whether it is known who calls, and whose the number is */

typedef enum {
    NGX_VOICE_KNOWN_NOT = 0,          /* nobody has asked */
    NGX_VOICE_KNOWN_ASKED,            /* the answer is to come */
    NGX_VOICE_KNOWN_FAILED,           /* and came not */
    NGX_VOICE_KNOWN_YES
} ngx_voice_known_e;


/* the answer; empty is "nothing new", strings are the caller's */

typedef struct {
    ngx_str_t              flow;
    ngx_str_t              language;
    ngx_str_t              timezone;
    ngx_str_t              country;
    ngx_int_t              organization;
    ngx_int_t              offset;
    ngx_str_t              about;     /* JSON, up to 16 kB */
} ngx_voice_call_known_t;


/* a copy of what is known of a call */

typedef struct {
    u_char                 sid[NGX_VOICE_SID_LEN];
    u_char                 from[NGX_VOICE_PARTY_LEN];
    u_char                 to[NGX_VOICE_PARTY_LEN];
    u_char                 flow[NGX_VOICE_FLOW_LEN];
    u_char                 language[NGX_VOICE_LANGUAGE_LEN];
    u_char                 timezone[NGX_VOICE_TIMEZONE_LEN];
    u_char                 country[NGX_VOICE_COUNTRY_LEN];
    size_t                 from_len;
    size_t                 to_len;
    size_t                 flow_len;
    size_t                 language_len;
    size_t                 timezone_len;
    size_t                 country_len;

    ngx_int_t              organization; /* 0: nobody's, or not known yet */
    ngx_int_t              offset;    /* seconds east of UTC */
    ngx_voice_known_e      known;     /* who calls */

    time_t                 started;
    uint64_t               cost;      /* so far, in billionths */
    ngx_uint_t             turn;      /* the last that began */
    ngx_uint_t             failures;  /* failed turns in a row */
    ngx_uint_t             fillers;   /* spoken so far */
    uint32_t               filler;    /* words of the one just heard, or 0 */
    ngx_uint_t             misheard;  /* turns in a row */
    ngx_uint_t             rest;      /* the step that fetches more of it */
    unsigned               answering:1;  /* part of an answer is to come */
    unsigned               consent:1;    /* the flow's consent line was said */
} ngx_voice_call_view_t;


typedef enum {
    NGX_VOICE_ANSWER_NONE = 0,        /* nothing (more) to say in this turn */
    NGX_VOICE_ANSWER_RUNNING,
    NGX_VOICE_ANSWER_ORPHANED,        /* who wrote it died */
    NGX_VOICE_ANSWER_DONE,
    NGX_VOICE_ANSWER_FAILED,

    /* of a recording, instead of an answer */

    NGX_VOICE_ANSWER_SILENT,          /* nothing was said */
    NGX_VOICE_ANSWER_UNCLEAR,         /* it is not known what */
    NGX_VOICE_ANSWER_RULE             /* a rule of the flow answers it */
} ngx_voice_answer_e;


/* what comes when an answer was given */

typedef enum {
    NGX_VOICE_AFTER_LISTEN = 0,
    NGX_VOICE_AFTER_DIAL,             /* a human */
    NGX_VOICE_AFTER_HANGUP
} ngx_voice_after_e;


typedef struct {
    u_char                 digest[NGX_VOICE_DIGEST];
    ngx_str_t              text;
    ngx_voice_speech_e     speech;
} ngx_voice_piece_t;


/* what was not yet spoken; texts are in the scratch buffer */

typedef struct {
    ngx_voice_answer_e     state;
    ngx_voice_after_e      after;
    ngx_uint_t             spoken;    /* number of the first one here */
    ngx_uint_t             rung;      /* of the silence ladder */
    ngx_uint_t             rule;      /* where the state is RULE */
    ngx_str_t              recording; /* to be transcribed, or empty */
    u_char                 recording_buf[NGX_VOICE_SID_LEN];
    unsigned               busy:1;    /* a tool was called, no words since */
    unsigned               soothed:1; /* and the caller was told so */
    u_char                 flow[NGX_VOICE_FLOW_LEN];  /* the call's, now */
    size_t                 flow_len;
    ngx_uint_t             n;
    ngx_voice_piece_t      pieces[NGX_VOICE_PIECES];
} ngx_voice_answer_view_t;


typedef enum {
    NGX_VOICE_ROLE_USER = 0,
    NGX_VOICE_ROLE_ASSISTANT,
    NGX_VOICE_ROLE_TOOL               /* a call and its result, as JSON */
} ngx_voice_role_e;


typedef struct {
    ngx_voice_role_e       role;
    ngx_uint_t             turn;
    ngx_uint_t             number;    /* of a tool's in the turn, from 1 */
    ngx_str_t              text;      /* in the scratch buffer */
    unsigned               estimated:1;  /* cut to what was probably heard */
} ngx_voice_said_t;


/*
 * The last answer as it was given out, to find out how much of it was heard.
 * Texts are in the scratch buffer, and not redacted.
 */

typedef struct {
    ngx_str_t              text;
    ngx_msec_t             length;    /* of its audio, 0: not known */
} ngx_voice_given_piece_t;


typedef struct {
    ngx_uint_t               turn;
    ngx_uint_t               n;       /* pieces of the answer */
    ngx_uint_t               given;   /* of them given out */
    ngx_uint_t               before;  /* the last document */
    ngx_msec_t               elapsed; /* since that was given out */
    unsigned                 whole:1; /* nothing more was to come */
    ngx_voice_given_piece_t  pieces[NGX_VOICE_PIECES];
} ngx_voice_given_t;


/*
 * Claims a step.  create: unknown calls are created from *call.  The view is
 * filled for RUN, REPLAY, WAIT and STALE, twiml (scratch buffer) for REPLAY.
 * A claim whose worker died is taken over.  A token that is known makes the
 * step that of the webhook which brought it first.
 */
ngx_voice_claim_e ngx_voice_call_claim(ngx_voice_zone_t *zone,
    ngx_voice_call_new_t *call, ngx_voice_step_t *step, ngx_uint_t create,
    ngx_voice_call_view_t *view, ngx_str_t *twiml);

/*
 * The answer to a claimed step.  spoken: number of pieces of the turn's answer
 * that were given out so far; last: nothing more of it is to come.  Wakes who
 * waits for the step.
 */
void ngx_voice_call_done(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_step_t *step, ngx_str_t *twiml, ngx_uint_t spoken,
    ngx_uint_t last, ngx_log_t *log);

/* the claim is given back unanswered */
void ngx_voice_call_release(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_step_t *step, ngx_log_t *log);

/* a call of which nothing is known but what the webhook tells */
void ngx_voice_call_introduce(ngx_voice_call_new_t *new,
    ngx_voice_call_view_t *view);

/* NGX_DECLINED: no such call, or it is over */
ngx_int_t ngx_voice_call_look(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_call_view_t *view);

/* the call is over; only a trace of it is kept for late webhooks */
ngx_int_t ngx_voice_call_end(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_log_t *log);

/*
 * Who calls.  _ask() is NGX_OK for the one who is to find out, NGX_DECLINED
 * where somebody is at it or it is known.  _know() has the answer, NULL that
 * there is none, and wakes who waits for it.
 */
ngx_int_t ngx_voice_call_ask(ngx_voice_zone_t *zone, ngx_str_t *sid);
void ngx_voice_call_know(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_call_known_t *known, ngx_log_t *log);

/* what is known about the caller, a copy in pool; empty if nothing is */
ngx_int_t ngx_voice_call_about(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_pool_t *pool, ngx_str_t *about);

/*
 * Counts words that were not understood, or forgets them once some were; how
 * many it is now, this one included.
 */
ngx_uint_t ngx_voice_call_misheard(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t understood);

/* the flow's consent line was said */
void ngx_voice_call_consent(ngx_voice_zone_t *zone, ngx_str_t *sid);

/* it has cost so much more, in billionths */
void ngx_voice_call_cost(ngx_voice_zone_t *zone, ngx_str_t *sid,
    uint64_t cost);

/* the call goes on with another flow */
void ngx_voice_call_route(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_str_t *flow);

/* counts a filler line, and keeps in mind which one it was */
void ngx_voice_call_filler(ngx_voice_zone_t *zone, ngx_str_t *sid,
    uint32_t words);

/*
 * History.  Words of one role and turn are noted once, however often they
 * come; beyond limit bytes the oldest are forgotten.
 */
void ngx_voice_call_said(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_voice_role_e role, ngx_str_t *text, size_t limit);

/*
 * The caller is gone: what was given out of an answer is all that is heard of
 * it.  ngx_voice_call_given() has it afterwards.
 */
void ngx_voice_call_leave(ngx_voice_zone_t *zone, ngx_str_t *sid);

/*
 * What was given out of the answer before the words that have just come, once
 * they are claimed; NGX_DECLINED: nothing that could have been interrupted.
 * _heard() ends that: text, masked by the caller, is what was probably heard
 * of it, and takes the place of the answer in the history; NULL: all was.
 */
ngx_int_t ngx_voice_call_given(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_given_t *given);
void ngx_voice_call_heard(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_str_t *text, size_t limit);

/* at most n entries, the newest; returns their number, the oldest first */
ngx_uint_t ngx_voice_call_history(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_voice_said_t *said, ngx_uint_t n);


/*
 * The answer of a turn, written by one worker and read by all.  _begin()
 * claims it: NGX_OK, NGX_DECLINED when it is claimed by a living worker or
 * complete, NGX_ERROR without memory or call.  _add() and _end() return
 * NGX_DECLINED when the answer is not this worker's any more, and the writer
 * then stops; _add() returns NGX_ERROR when the answer is as long as can be.
 */
ngx_int_t ngx_voice_answer_begin(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn);

/*
 * The same for words that are still in a recording, whose RecordingSid stands
 * with the answer until _heard(): who takes over finds it there.  rung is the
 * caller's on the silence ladder.
 */
ngx_int_t ngx_voice_answer_record(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_str_t *recording, ngx_uint_t rung);

/*
 * What became of the recording: RUNNING, its words are in the history and the
 * answer is still this worker's; SILENT, UNCLEAR or RULE, there is none to be
 * made.  NGX_DECLINED: it is not this worker's any more.
 */
ngx_int_t ngx_voice_answer_heard(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_voice_answer_e state, ngx_uint_t rule,
    ngx_log_t *log);

ngx_int_t ngx_voice_answer_add(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, u_char digest[NGX_VOICE_DIGEST], ngx_str_t *text,
    ngx_log_t *log);

/*
 * ok: the turn counts as answered, otherwise it is one more failure in a row.
 * text, what was written as others may see it, becomes history.
 */
ngx_int_t ngx_voice_answer_end(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_uint_t ok, ngx_str_t *text, size_t limit,
    ngx_log_t *log);

/*
 * A tool is called: who waits for the answer looks again, and may say so
 * until there are words.  _soothed() notes that it did.
 */
void ngx_voice_answer_busy(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_log_t *log);
void ngx_voice_answer_soothed(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn);

/*
 * What a tool was asked and has answered becomes history, also when the answer
 * is not wanted any more: it has happened.  number counts the turn's tools
 * from 1; after is what the answer ends with from now on.  NGX_ERROR: there is
 * no room for it, and the model would not know that it has happened.
 */
ngx_int_t ngx_voice_answer_tool(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_uint_t number, ngx_str_t *text,
    ngx_voice_after_e after, size_t limit);

/* whether this worker is still wanted to write the answer */
ngx_uint_t ngx_voice_answer_mine(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn);

void ngx_voice_answer_look(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_voice_answer_view_t *view);

/*
 * All text of the turn's answer so far, spoken or not, in the scratch buffer:
 * what a writer that takes over must not say again.  since is where the words
 * after the last tool begin.
 */
void ngx_voice_answer_text(ngx_voice_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t turn, ngx_str_t *text, size_t *since);


ngx_int_t ngx_voice_call_evict(ngx_voice_zone_t *zone);


#endif /* _NGX_VOICE_CALL_H_INCLUDED_ */
