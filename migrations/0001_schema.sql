-- The edge's own schema and its roles.  Nothing of the CRM is touched.
--
-- voice_owner  owns what is in the schema and can not log in.  The functions
--              run with its rights, which on the CRM's tables are those that
--              voice.crm_adopt() grants, column by column.
-- voice_edge   is who NGINX logs in as.  It owns nothing, reads no table and
--              may execute the functions of the contract.  It gets no
--              password here: "alter role voice_edge password '…'", or a
--              line for it in pg_hba.conf.

do $$
begin
    -- roles belong to all databases: another one may have them, or make them
    -- this very moment

    begin
        if to_regrole('voice_owner') is null then
            create role voice_owner nologin;
        end if;
    exception when duplicate_object or unique_violation then
        null;
    end;

    begin
        if to_regrole('voice_edge') is null then
            create role voice_edge login;
        end if;
    exception when duplicate_object or unique_violation then
        null;
    end;

    -- whoever creates a role can not become it by that alone

    begin
        set local role voice_owner;
        set local role none;
    exception when insufficient_privilege then
        execute format('grant voice_owner to %I', current_user);
    end;

exception when insufficient_privilege then
    raise exception 'role "%" may not create roles: have "create role '
        'voice_owner nologin; create role voice_edge login; grant voice_owner '
        'to %" done first', current_user, quote_ident(current_user);
end
$$;

grant usage, create on schema voice to voice_owner;
grant usage on schema voice to voice_edge;
grant select on voice.migrations to voice_owner;

set local role voice_owner;

-- a function is nobody's until it is granted

alter default privileges revoke execute on functions from public;


create table voice.countries (
    iso      text primary key check (iso ~ '^[A-Z]{2}$'),
    calling  text not null check (calling ~ '^[1-9][0-9]{0,3}$'),
    trunk    text not null default '0' check (trunk ~ '^[0-9]{0,2}$'),
    digits   integer not null default 9 check (digits between 7 and 12)
);

comment on table voice.countries is
    'How national telephone numbers are written; the operator may add rows.';
comment on column voice.countries.iso is 'ISO 3166 code.';
comment on column voice.countries.calling is
    'Country calling code.';
comment on column voice.countries.trunk is
    'What is dialled before a national number, empty for none.';
comment on column voice.countries.digits is
    'How many last digits make two numbers the same as a last resort.';

insert into voice.countries (iso, calling, trunk, digits)
values ('US', '1', '1', 10), ('CA', '1', '1', 10), ('GB', '44', '0', 10),
    ('IE', '353', '0', 9), ('DE', '49', '0', 9), ('AT', '43', '0', 9),
    ('CH', '41', '0', 9), ('FR', '33', '0', 9), ('ES', '34', '', 9),
    ('PT', '351', '', 9), ('IT', '39', '', 9), ('NL', '31', '0', 9),
    ('BE', '32', '0', 9), ('DK', '45', '', 8), ('SE', '46', '0', 9),
    ('NO', '47', '', 8), ('FI', '358', '0', 9), ('PL', '48', '', 9),
    ('CZ', '420', '', 9), ('GR', '30', '', 10), ('TR', '90', '0', 10),
    ('AE', '971', '0', 9), ('SA', '966', '0', 9), ('QA', '974', '', 8),
    ('KW', '965', '', 8), ('BH', '973', '', 8), ('OM', '968', '', 8),
    ('JO', '962', '0', 9), ('EG', '20', '0', 10), ('IL', '972', '0', 9),
    ('IN', '91', '0', 10), ('PK', '92', '0', 10), ('SG', '65', '', 8),
    ('JP', '81', '0', 9), ('AU', '61', '0', 9), ('NZ', '64', '0', 8),
    ('ZA', '27', '0', 9), ('NG', '234', '0', 10), ('KE', '254', '0', 9),
    ('BR', '55', '0', 10), ('MX', '52', '', 10), ('AR', '54', '0', 10);


create table voice.organizations (
    organization     integer primary key,
    timezone         text,
    country          text references voice.countries,
    language         text,
    user_id          integer,
    provider_id      integer,
    meeting_days     integer[] not null default '{1,2,3,4,5}',
    meeting_from     time not null default '09:00',
    meeting_to       time not null default '17:00',
    meeting_minutes  integer not null default 30
                     check (meeting_minutes between 5 and 480),

    check (meeting_from < meeting_to),
    check (meeting_days <@ '{1,2,3,4,5,6,7}'::integer[])
);

comment on table voice.organizations is
    'What the CRM does not say of a tenant; every row and value is optional.';
comment on column voice.organizations.organization is
    'The CRM''s organization.';
comment on column voice.organizations.timezone is
    'IANA name; default: "timezone" in the CRM''s settings, else UTC.';
comment on column voice.organizations.country is
    'Of national numbers; default: that of the called number.';
comment on column voice.organizations.language is
    'BCP 47; default: the flow''s.';
comment on column voice.organizations.user_id is
    'Acts for the edge; default: the first admin, manager, then any user.';
comment on column voice.organizations.provider_id is
    'Provider of call rows; default: the primary, active, Twilio one first.';
comment on column voice.organizations.meeting_days is
    'Days with meetings, 1 Monday to 7 Sunday.';
comment on column voice.organizations.meeting_from is
    'First start, local time.';
comment on column voice.organizations.meeting_to is 'Last end, local time.';
comment on column voice.organizations.meeting_minutes is
    'Length of a meeting and distance of the offered slots.';


create table voice.numbers (
    number        text primary key check (number ~ '^\+[0-9]{7,15}$'),
    organization  integer not null,
    flow          text check (flow ~ '^[a-z][a-z0-9_]{0,31}$'),
    language      text,
    timezone      text,
    country       text references voice.countries,
    user_id       integer,
    provider_id   integer
);

comment on table voice.numbers is
    'Whose a called number is; wins over the CRM''s own number table.';
comment on column voice.numbers.number is 'E.164.';
comment on column voice.numbers.organization is 'The CRM''s organization.';
comment on column voice.numbers.flow is
    'Flow that answers; default: the edge''s.';
comment on column voice.numbers.language is 'Wins over the organization''s.';
comment on column voice.numbers.timezone is 'Wins over the organization''s.';
comment on column voice.numbers.country is 'Wins over the organization''s.';
comment on column voice.numbers.user_id is 'Wins over the organization''s.';
comment on column voice.numbers.provider_id is
    'Wins over the organization''s.';


create table voice.calls (
    sid            text primary key check (length(sid) between 1 and 50),
    organization   integer,
    direction      text not null default 'inbound'
                   check (direction in ('inbound', 'outbound')),
    caller         text not null default '',
    called         text not null default '',
    flow           text,
    language       text,
    timezone       text not null default 'UTC',
    country        text,
    user_id        integer,
    provider_id    integer,
    node           text,
    contact_id     integer,
    contact_match  text,
    lead_id        integer,
    deal_id        integer,
    ticket_id      integer,
    status         text not null default 'queued',
    started_at     timestamptz not null default now(),
    answered_at    timestamptz,
    ended_at       timestamptz,
    duration       integer,
    disposition    text,
    outcome        text,
    summary        text,
    sentiment      text,
    next_step      text,
    recording_url  text,
    failures       integer not null default 0,
    cost           numeric,
    crm_id         integer,
    crm_record_id  integer,
    crm_activity   integer,
    crm_pending    boolean not null default false,
    crm_error      text,
    noted          jsonb not null default '{}',
    updated_at     timestamptz not null default now()
);

create index calls_live on voice.calls (updated_at) where ended_at is null;
create index calls_pending on voice.calls (updated_at) where crm_pending;
create index calls_contact
    on voice.calls (organization, contact_id, started_at);
create index calls_caller on voice.calls (organization, caller, started_at);
create index calls_called on voice.calls (organization, called, started_at);

comment on table voice.calls is 'Every call that the edge had a part in.';
comment on column voice.calls.sid is 'Twilio''s CallSid.';
comment on column voice.calls.organization is
    'Tenant; null: a number of nobody.';
comment on column voice.calls.direction is 'inbound or outbound.';
comment on column voice.calls.caller is 'Calling number as Twilio gave it.';
comment on column voice.calls.called is 'Called number as Twilio gave it.';
comment on column voice.calls.flow is 'The flow that speaks.';
comment on column voice.calls.language is 'BCP 47.';
comment on column voice.calls.timezone is 'IANA name; what "tomorrow" is.';
comment on column voice.calls.country is 'Of national numbers.';
comment on column voice.calls.user_id is
    'The user of the CRM in whose name the edge writes.';
comment on column voice.calls.provider_id is 'The CRM''s provider row.';
comment on column voice.calls.node is 'The edge that has the call.';
comment on column voice.calls.contact_id is
    'The caller, when exactly one contact.';
comment on column voice.calls.contact_match is
    'How: exact, national, suffix, named, created; or ambiguous, none, withheld.';
comment on column voice.calls.lead_id is 'The lead of this call.';
comment on column voice.calls.deal_id is 'The deal of this call.';
comment on column voice.calls.ticket_id is 'The ticket of this call.';
comment on column voice.calls.status is 'Twilio''s CallStatus.';
comment on column voice.calls.started_at is 'First webhook.';
comment on column voice.calls.answered_at is 'When the conversation began.';
comment on column voice.calls.ended_at is 'Null while the call lives.';
comment on column voice.calls.duration is 'Seconds, as Twilio bills them.';
comment on column voice.calls.disposition is
    'The CRM''s word for how it ended.';
comment on column voice.calls.outcome is 'What came of it, one word or two.';
comment on column voice.calls.summary is 'In a few sentences, by the model.';
comment on column voice.calls.sentiment is 'Of the caller.';
comment on column voice.calls.next_step is 'What somebody should do.';
comment on column voice.calls.recording_url is 'Where the recording is.';
comment on column voice.calls.failures is 'Failed turns in a row.';
comment on column voice.calls.cost is 'US dollars, all providers.';
comment on column voice.calls.crm_id is 'Row of the CRM''s calls.';
comment on column voice.calls.crm_record_id is
    'Row of the CRM''s call_records.';
comment on column voice.calls.crm_activity is 'The call''s entry on its deal.';
comment on column voice.calls.crm_pending is
    'The CRM does not have this row''s last state.';
comment on column voice.calls.crm_error is 'Why not.';
comment on column voice.calls.noted is
    'Since when each field is as it is: notes come in any order.';
comment on column voice.calls.updated_at is 'Last change.';


create table voice.turns (
    call_sid    text not null references voice.calls on delete cascade,
    turn        integer not null check (turn >= 0),
    flow        text,
    input       text,
    heard       text,
    confidence  numeric,
    said        text,
    estimated   boolean not null default false,
    failed      boolean not null default false,
    started_at  timestamptz,
    timings     jsonb,
    usage       jsonb,
    cost        numeric,
    node        text,
    noted       jsonb not null default '{}',

    primary key (call_sid, turn)
);

comment on table voice.turns is
    'What was heard and said, turn by turn; turn 0 is the greeting.';
comment on column voice.turns.call_sid is 'The call.';
comment on column voice.turns.turn is 'Counts what the caller said, from 1.';
comment on column voice.turns.flow is 'The flow that answered.';
comment on column voice.turns.input is 'speech, dtmf, recording or silence.';
comment on column voice.turns.heard is 'The caller''s words.';
comment on column voice.turns.confidence is 'Of the recognition, 0 to 1.';
comment on column voice.turns.said is 'The agent''s words.';
comment on column voice.turns.estimated is
    'How much of "said" the caller heard is a guess.';
comment on column voice.turns.failed is 'No answer came.';
comment on column voice.turns.started_at is
    'When the caller''s words arrived.';
comment on column voice.turns.timings is 'Milliseconds by stage.';
comment on column voice.turns.usage is 'Tokens and characters by provider.';
comment on column voice.turns.cost is 'US dollars.';
comment on column voice.turns.node is 'The edge that answered.';
comment on column voice.turns.noted is
    'Since when each field is as it is: notes come in any order.';


create table voice.steps (
    call_sid  text not null references voice.calls on delete cascade,
    route     text not null,
    turn      integer not null,
    step      integer not null,
    twiml     text not null,
    state     jsonb,
    at        timestamptz not null default now(),

    primary key (call_sid, route, turn, step)
);

comment on table voice.steps is
    'The newest answers of live calls, for repeated webhooks on another node.';
comment on column voice.steps.call_sid is 'The call.';
comment on column voice.steps.route is 'Last segment of the webhook''s path.';
comment on column voice.steps.turn is 'The turn that it belongs to.';
comment on column voice.steps.step is 'Its number within the turn.';
comment on column voice.steps.twiml is 'The bytes that Twilio got.';
comment on column voice.steps.state is 'What the edge wants back with it.';
comment on column voice.steps.at is 'When.';


create table voice.actions (
    key         text primary key check (length(key) between 1 and 200),
    call_sid    text not null references voice.calls on delete cascade,
    name        text not null,
    arguments   jsonb not null,
    result      jsonb,
    created_at  timestamptz not null default now()
);

create index actions_call on voice.actions (call_sid, created_at);

comment on table voice.actions is
    'Tools that ran: the result is stored in the transaction of the effect.';
comment on column voice.actions.key is 'Call, turn and tool call.';
comment on column voice.actions.call_sid is 'The call.';
comment on column voice.actions.name is 'The tool.';
comment on column voice.actions.arguments is 'As the model gave them.';
comment on column voice.actions.result is
    'What the model was told; every repetition is told the same.';
comment on column voice.actions.created_at is 'When.';


create table voice.meetings (
    id            bigint generated always as identity primary key,
    organization  integer not null,
    call_sid      text not null references voice.calls,
    contact_id    integer not null,
    deal_id       integer not null,
    starts_at     timestamptz not null,
    ends_at       timestamptz not null check (ends_at > starts_at),
    cancelled     boolean not null default false
);

create index meetings_slot on voice.meetings (organization, starts_at)
    where not cancelled;

comment on table voice.meetings is
    'Booked times: the CRM has no calendar, and a deal no time of day.';
comment on column voice.meetings.id is 'Key.';
comment on column voice.meetings.organization is 'Tenant.';
comment on column voice.meetings.call_sid is 'The call that booked it.';
comment on column voice.meetings.contact_id is 'With whom.';
comment on column voice.meetings.deal_id is 'The deal that reminds of it.';
comment on column voice.meetings.starts_at is 'Start.';
comment on column voice.meetings.ends_at is 'End.';
comment on column voice.meetings.cancelled is 'Moved within the call.';


create table voice.utterances (
    id          text primary key check (length(id) between 1 and 100),
    utterance   jsonb not null,
    created_at  timestamptz not null default now()
);

create index utterances_age on voice.utterances (created_at);

comment on table voice.utterances is
    'Words behind an audio id, so that any node can speak them.';
comment on column voice.utterances.id is 'The name in the audio URL.';
comment on column voice.utterances.utterance is
    'Text, voice, model, format and settings.';
comment on column voice.utterances.created_at is 'When.';


create table voice.jobs (
    id            bigint generated always as identity primary key,
    key           text unique,
    kind          text not null,
    organization  integer,
    call_sid      text,
    payload       jsonb not null default '{}',
    state         text not null default 'queued'
                  check (state in ('queued', 'running', 'done', 'failed')),
    run_at        timestamptz not null default now(),
    attempts      integer not null default 0,
    max_attempts  integer not null default 5 check (max_attempts > 0),
    claimed_by    text,
    result        jsonb,
    error         text,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);

create index jobs_due on voice.jobs (run_at)
    where state in ('queued', 'running');
create index jobs_call on voice.jobs (call_sid);

comment on table voice.jobs is 'Work that no caller waits for.';
comment on column voice.jobs.id is 'Key.';
comment on column voice.jobs.key is 'The same work is queued once.';
comment on column voice.jobs.kind is 'What to do.';
comment on column voice.jobs.organization is 'Tenant.';
comment on column voice.jobs.call_sid is 'The call, if of one.';
comment on column voice.jobs.payload is 'With what.';
comment on column voice.jobs.state is 'queued, running, done or failed.';
comment on column voice.jobs.run_at is
    'Not before this; of a running one: when its claim is void.';
comment on column voice.jobs.attempts is 'Claims so far; names the claim.';
comment on column voice.jobs.max_attempts is 'After so many it has failed.';
comment on column voice.jobs.claimed_by is 'The node that runs it.';
comment on column voice.jobs.result is 'What came of it.';
comment on column voice.jobs.error is 'The last failure.';
comment on column voice.jobs.created_at is 'When it was queued.';
comment on column voice.jobs.updated_at is 'Last change.';


create table voice.recorded (
    key  text primary key check (length(key) between 1 and 200),
    at   timestamptz not null default now()
);

create index recorded_age on voice.recorded (at);

comment on table voice.recorded is
    'Keys of notes that voice.record() has merged.';
comment on column voice.recorded.key is 'The key.';
comment on column voice.recorded.at is 'When.';


create table voice.crm_shape (
    single    boolean primary key default true check (single),
    shape     jsonb not null,
    read_at   timestamptz not null default now()
);

comment on table voice.crm_shape is
    'What the CRM''s tables are like here: voice.crm_probe() writes it.';
comment on column voice.crm_shape.single is 'There is one row.';
comment on column voice.crm_shape.shape is 'See voice.crm_probe().';
comment on column voice.crm_shape.read_at is 'When it was read.';
