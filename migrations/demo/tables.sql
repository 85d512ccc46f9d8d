-- Tables in the shape of NeuraCRM's ORM, for a machine without a CRM: those
-- that the edge reads and writes.  The CRM has no default but the id's, and
-- neither have these.  The comment on organizations tells them from a CRM.

select to_regclass('public.organizations') is null as fresh,
    coalesce(obj_description(to_regclass('public.organizations')), '')
        = 'voice edge demo' as demo \gset

\if :fresh

create table public.organizations (
    id serial primary key, name varchar not null, domain varchar unique,
    settings varchar, created_at timestamp
);

comment on table public.organizations is 'voice edge demo';

create table public.users (
    id serial primary key, name varchar not null, email varchar not null,
    password_hash varchar not null, avatar_url varchar, role varchar,
    organization_id integer not null references public.organizations,
    created_at timestamp
);

create table public.contacts (
    id serial primary key, name varchar not null, email varchar,
    phone varchar, company varchar, owner_id integer references public.users,
    organization_id integer not null references public.organizations,
    created_at timestamp
);

create table public.leads (
    id serial primary key, title varchar not null,
    contact_id integer references public.contacts,
    owner_id integer references public.users,
    organization_id integer not null references public.organizations,
    status varchar, source varchar, utm_source varchar, utm_medium varchar,
    utm_campaign varchar, utm_term varchar, utm_content varchar,
    referrer_url varchar, landing_page_url varchar, gclid varchar,
    fbclid varchar, created_at timestamp, score integer,
    score_updated_at timestamp, score_factors varchar,
    score_confidence double precision
);

create table public.stages (
    id serial primary key, name varchar not null, "order" integer,
    wip_limit integer
);

create table public.deals (
    id serial primary key, title varchar not null, value double precision,
    owner_id integer references public.users,
    stage_id integer references public.stages,
    organization_id integer not null references public.organizations,
    description varchar, created_at timestamp, closed_at timestamp,
    reminder_date timestamp, contact_id integer references public.contacts,
    status varchar, outcome_reason varchar, customer_account_id integer
);

create table public.activities (
    id serial primary key, deal_id integer references public.deals,
    user_id integer references public.users, type varchar, message varchar,
    "timestamp" timestamp
);

create table public.customer_accounts (
    id serial primary key, deal_id integer not null references public.deals,
    account_name varchar not null,
    contact_id integer references public.contacts, account_type varchar,
    onboarding_status varchar, success_manager_id integer references public.users,
    health_score double precision, engagement_level varchar,
    created_at timestamp, updated_at timestamp
);

alter table public.deals
    add foreign key (customer_account_id) references public.customer_accounts;

create table public.pbx_providers (
    id serial primary key,
    organization_id integer not null references public.organizations,
    name varchar not null, provider_type varchar not null,
    display_name varchar not null, description varchar, host varchar not null,
    port integer, username varchar not null, password varchar not null,
    api_endpoint varchar, api_key varchar, api_secret varchar,
    webhook_url varchar, webhook_secret varchar, did_numbers text,
    caller_id_field varchar, dialplan_context varchar,
    recording_enabled boolean, recording_path varchar,
    transcription_enabled boolean, cdr_enabled boolean, cdr_path varchar,
    is_active boolean, is_primary boolean, auto_assign_calls boolean,
    last_sync timestamp, created_by integer not null references public.users,
    created_at timestamp, updated_at timestamp
);

create table public.call_queues (
    id serial primary key,
    organization_id integer not null references public.organizations,
    provider_id integer not null references public.pbx_providers,
    name varchar not null, queue_number varchar not null, is_active boolean
);

create table public.call_queue_members (
    id serial primary key,
    queue_id integer not null references public.call_queues,
    user_id integer not null references public.users, paused boolean,
    status varchar
);

create table public.support_queues (
    id serial primary key,
    organization_id integer not null references public.organizations,
    name varchar not null
);

create table public.support_tickets (
    id serial primary key, ticket_number varchar not null unique,
    organization_id integer not null references public.organizations,
    title varchar not null, description text not null, priority varchar,
    status varchar, category varchar not null, subcategory varchar,
    customer_account_id integer references public.customer_accounts,
    contact_id integer references public.contacts,
    customer_email varchar not null, customer_name varchar not null,
    assigned_to_id integer references public.users, assigned_at timestamp,
    assignment_reason text, assignment_type varchar,
    queue_id integer references public.support_queues,
    sla_deadline timestamp, first_response_at timestamp,
    resolution_deadline timestamp, resolution text, resolution_notes text,
    resolved_at timestamp, resolved_by_id integer references public.users,
    closure_reason varchar, closure_category varchar,
    follow_up_required boolean, follow_up_date timestamp,
    follow_up_notes text, customer_satisfied boolean, internal_notes text,
    escalated boolean, escalated_at timestamp,
    escalated_to_id integer references public.users,
    escalation_reason varchar, satisfaction_rating integer,
    satisfaction_feedback text, satisfaction_survey_sent boolean,
    satisfaction_survey_sent_at timestamp, ai_summary text,
    ai_summary_generated_at timestamp, ai_summary_model varchar,
    created_by integer references public.users, created_at timestamp,
    updated_at timestamp, closed_at timestamp
);

create table public.support_comments (
    id serial primary key,
    ticket_id integer not null references public.support_tickets,
    author_id integer references public.users, author_name varchar not null,
    author_email varchar not null, author_type varchar, content text not null,
    is_internal boolean, comment_type varchar, created_at timestamp,
    updated_at timestamp
);

create table public.assignment_audits (
    id serial primary key,
    ticket_id integer not null references public.support_tickets,
    assigned_to_id integer references public.users,
    assigned_by_id integer not null references public.users,
    assignment_type varchar not null, assignment_reason text,
    previous_assigned_to_id integer references public.users,
    queue_id integer references public.support_queues, created_at timestamp
);

create table public.knowledge_base_articles (
    id serial primary key,
    organization_id integer not null references public.organizations,
    title varchar not null, content text not null, summary text,
    category varchar, tags json, status varchar, visibility varchar,
    view_count integer, created_at timestamp, updated_at timestamp
);

create table public.calls (
    id serial primary key,
    organization_id integer not null references public.organizations,
    provider_id integer not null references public.pbx_providers,
    extension_id integer, unique_id varchar not null unique,
    pbx_call_id varchar, session_id varchar, caller_id varchar not null,
    caller_name varchar, called_number varchar not null, called_name varchar,
    direction varchar not null, call_type varchar,
    contact_id integer references public.contacts,
    lead_id integer references public.leads,
    deal_id integer references public.deals,
    agent_id integer references public.users,
    queue_id integer references public.call_queues, status varchar not null,
    start_time timestamp not null, answer_time timestamp, end_time timestamp,
    duration integer, talk_time integer, hold_time integer, wait_time integer,
    quality_score double precision, recording_url varchar,
    recording_duration integer, transcription_url varchar,
    transcription_text text, disposition varchar, hangup_cause varchar,
    notes text, cost double precision, cost_currency varchar, cdr_data json,
    created_at timestamp, updated_at timestamp
);

create table public.call_activities (
    id serial primary key, call_id integer not null references public.calls,
    user_id integer references public.users, activity_type varchar not null,
    activity_data json, "timestamp" timestamp not null, duration integer,
    created_at timestamp
);

create table public.call_records (
    id serial primary key, external_call_id varchar not null unique,
    agent_id varchar not null, to_number varchar not null,
    from_number varchar, scenario varchar not null, direction varchar,
    status varchar, start_time timestamp, end_time timestamp,
    duration integer, recording_url varchar, transcript text,
    cost double precision, lead_id integer references public.leads,
    contact_id integer references public.contacts,
    user_id integer references public.users, call_metadata json,
    created_at timestamp, updated_at timestamp
);

\warn migrate: created tables in the shape of the CRM

\elif :demo
\else

do $$
begin
    raise exception 'this database has a CRM of its own: --demo leaves it alone';
end
$$;

\endif
