-- What went wrong in the functions that are there: each is the same but for
-- the place that its first comment names.  No table of the CRM is changed.

set local role voice_owner;

create or replace function voice.crm_number(number text) returns integer
language plpgsql stable
as $$
declare
    owners integer[];
begin
    if not voice.crm_has('did_numbers') then
        return null;
    end if;

    -- an address without a number is not that of who has written words there

    if length(voice.digits(number)) < 7 then
        return null;
    end if;

    -- a number that two tenants claim is nobody's

    select array_agg(distinct p.organization_id) into owners
        from public.pbx_providers p
        cross join lateral jsonb_array_elements_text(
            case jsonb_typeof(voice.try_json(p.did_numbers))
                when 'array' then voice.try_json(p.did_numbers)
                else '[]' end) d
        where p.is_active is not false and p.did_numbers like '%[%'
        and voice.digits(d) = voice.digits(number);

    return case cardinality(owners) when 1 then owners[1] end;
end
$$;


create function voice.disposition(status text) returns text
language sql immutable
as $$
    select case status when 'completed' then 'answered'
        when 'canceled' then 'abandoned' else status end
$$;

comment on function voice.disposition is
    'The CRM''s word for how a call ended, by its CallStatus.';


create or replace function voice.record_call(sid text, note jsonb, at timestamptz)
returns void
language plpgsql
as $$
declare
    c voice.calls := voice.call_open(sid, note);
    over boolean := voice.call_is_over(note ->> 'status');
    m record;
begin
    m := voice.merge(c.noted, note, at, '{flow,language,node,ended_at,duration,'
        'disposition,outcome,summary,sentiment,next_step,recording_url,cost}');

    -- how a call ended, unless that is said, is what its last status says

    update voice.calls t set
        status = voice.call_status(t.status, coalesce(note ->> 'status',
            case note ->> 'kind' when 'call' then 'in-progress' end)),
        started_at = least(t.started_at, at,
            voice.try_time(note ->> 'started_at')),
        answered_at = least(t.answered_at,
            voice.try_time(note ->> 'answered_at')),
        ended_at = case when m.wins ? 'ended_at' then v.ended_at
            when t.noted ? 'ended_at' or not over then t.ended_at
            else least(t.ended_at, at) end,
        flow = v.flow, language = v.language, node = v.node,
        duration = v.duration,
        disposition = case
            when m.wins ? 'disposition' or t.noted ? 'disposition' or not over
                then v.disposition
            else voice.disposition(voice.call_status(t.status,
                                                     note ->> 'status')) end,
        outcome = v.outcome, summary = v.summary, sentiment = v.sentiment,
        next_step = v.next_step, recording_url = v.recording_url,
        cost = v.cost, noted = m.since, updated_at = now()
        from jsonb_populate_record(c, m.wins) v
        where t.sid = record_call.sid
        returning t.* into c;

    if c.ended_at is not null then
        perform voice.call_ended(c);
    end if;

    perform voice.crm_call(sid);
    perform voice.notify(case when c.ended_at is null then 'call' else 'end' end,
        sid, jsonb_build_object('organization', c.organization));
end
$$;


create or replace function voice.record(batch jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    item jsonb;
    key text;
    done jsonb := '[]';
    refused jsonb := '[]';
begin
    if jsonb_typeof(batch) is distinct from 'array' then
        return jsonb_build_object('acknowledged', done, 'refused',
            jsonb_build_array(jsonb_build_object('key', null,
                'code', 'invalid_batch', 'message', 'not an array')));
    end if;

    -- in the order of calls, so that two batches never wait for each other

    for item in select e.value
        from jsonb_array_elements(batch) with ordinality e (value, n)
        order by e.value ->> 'call' collate "C" nulls first, e.n
    loop
        key := item ->> 'key';

        begin
            if key is null or length(key) not between 1 and 200 then
                perform voice.refuse('invalid_note', 'the note has no key');
            end if;

            insert into voice.recorded as r (key) values (key)
                on conflict do nothing;

            if found then
                perform voice.record_note(coalesce(item ->> 'kind', ''),
                    item ->> 'call', key, item,
                    coalesce(least(voice.try_time(item ->> 'at'),
                                   now() + interval '1 day'), now()));
            end if;

            done := done || to_jsonb(key);

        exception when others then
            -- A note that can never be stored must not hold up the others.  A
            -- table, a column or a right that is missing is not the note's
            -- fault: it waits until somebody has put that right.

            if voice.transient(sqlstate)
                or left(sqlstate, 2) in ('3F', '42', 'XX')
            then
                raise;
            end if;

            raise log 'voice: note % was refused: % (%)', key, sqlerrm, sqlstate;

            refused := refused || jsonb_build_object('key', key,
                'code', case sqlstate when 'VE001' then 'invalid_note'
                        else sqlstate end,
                'message', left(sqlerrm, 300));
        end;
    end loop;

    return jsonb_build_object('acknowledged', done, 'refused', refused);
end
$$;


create or replace function voice.close_stale_calls(older interval default '4 hours',
    most integer default 100)
returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    stale record;
    c voice.calls;
    closed jsonb := '[]';
    synced integer := 0;
begin
    -- over since the last that was heard of it, whenever that is noticed

    for stale in select t.sid, t.updated_at, t.answered_at from voice.calls t
        where t.ended_at is null and t.updated_at < now() - older
        order by t.sid limit most for update skip locked
    loop
        update voice.calls t set
            status = case when stale.answered_at is null then 'failed'
                          else 'completed' end,
            ended_at = greatest(stale.updated_at, t.started_at),
            duration = coalesce(t.duration, round(extract(epoch
                from greatest(stale.updated_at, t.started_at)
                    - coalesce(t.answered_at, t.started_at)))),
            disposition = coalesce(t.disposition, 'abandoned'),
            outcome = coalesce(t.outcome, 'lost'), updated_at = now()
            where t.sid = stale.sid
            returning t.* into c;

        perform voice.call_ended(c);
        perform voice.crm_call(stale.sid);
        perform voice.notify('end', stale.sid);

        closed := closed || to_jsonb(stale.sid);
    end loop;

    -- any of them: those that the CRM never takes must not keep out others

    for stale in select t.sid from voice.calls t where t.crm_pending
        order by random() limit most for update skip locked
    loop
        perform voice.crm_call(stale.sid);
        synced := synced + 1;
    end loop;

    delete from voice.utterances u where u.created_at < now() - interval '1 day';
    delete from voice.recorded r where r.at < now() - interval '30 days';
    delete from voice.jobs j where j.state in ('done', 'failed')
        and j.updated_at < now() - interval '30 days';

    return jsonb_build_object('closed', closed, 'retried', synced);
end
$$;


create or replace function voice.tool_qualify_lead(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    parts jsonb := jsonb_strip_nulls(jsonb_build_object(
        'budget', voice.arg_choice(arguments, 'budget',
            '{confirmed,likely,unclear,none}'),
        'authority', voice.arg_choice(arguments, 'authority',
            '{decision_maker,influencer,user,none}'),
        'need', voice.arg_choice(arguments, 'need',
            '{critical,strong,some,none}'),
        'timeline', voice.arg_choice(arguments, 'timeline',
            '{now,quarter,year,none}')));
    notes text := voice.arg_text(arguments, 'notes', 500);
    given_name text := voice.arg_text(arguments, 'name', 255);
    contact integer;
    lead_id integer;
    lead record;
    factors jsonb;
    total integer;
    answered integer;
    next_status text;
begin
    perform voice.arg_known(arguments,
        '{budget,authority,need,timeline,notes,name}');
    perform voice.crm_need('leads');

    if parts = '{}' then
        perform voice.refuse('invalid_argument',
            'give at least one of budget, authority, need, timeline');
    end if;

    contact := voice.crm_contact(c, given_name);
    perform voice.crm_contact_fill(c, contact, given_name, null, null);

    perform pg_advisory_xact_lock(hashtextextended('voice.lead/' || contact, 0));

    -- who in the CRM has just won, lost or converted it has the last word

    lead_id := voice.crm_lead(c, contact);

    select l.id, l.status, l.score_factors into lead
        from public.leads l where l.id = lead_id
        and lower(coalesce(l.status, 'new')) in ('new', 'contacted', 'qualified')
        for update;

    if not found then
        lead_id := voice.crm_lead_create(c, contact, null);

        select l.id, l.status, l.score_factors into strict lead
            from public.leads l where l.id = lead_id for update;
    end if;

    -- what was answered before, in this call or another, still counts

    factors := voice.try_json(lead.score_factors);
    factors := case jsonb_typeof(factors) when 'object' then factors
                    else '{}' end;
    parts := coalesce((
        select jsonb_object_agg(e.key, e.value ->> 'answer')
            from jsonb_each(factors) e
            where e.key in ('budget', 'authority', 'need', 'timeline')
            and jsonb_typeof(e.value) = 'object'
            and voice.bant(e.key, e.value ->> 'answer') is not null), '{}')
        || parts;

    select sum(voice.bant(key, value)), count(*),
            factors || jsonb_object_agg(key, jsonb_build_object(
                'answer', value, 'points', voice.bant(key, value)))
        into total, answered, factors
        from jsonb_each_text(parts);

    if notes is not null then
        factors := factors || jsonb_build_object('notes', notes);
    end if;

    -- forward only

    next_status := case
        when lower(lead.status) = 'qualified' then lead.status
        when total >= 60 then 'qualified'
        else 'contacted' end;

    update public.leads l set status = next_status, score = total,
        score_factors = factors::text, score_confidence = answered / 4.0,
        score_updated_at = voice.utc()
        where l.id = lead.id and l.organization_id = c.organization;

    perform voice.call_link(c.sid, jsonb_build_object('lead_id', lead.id));

    return jsonb_build_object('score', total, 'band', case
            when total >= 80 then 'Hot' when total >= 60 then 'Warm'
            when total >= 40 then 'Lukewarm' else 'Cold' end,
        'status', next_status, 'known', parts, 'missing', (
            select coalesce(jsonb_agg(p), '[]')
                from unnest('{budget,authority,need,timeline}'::text[]) p
                where not parts ? p));
end
$$;


create or replace function voice.tool_create_support_ticket(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    title text := voice.arg_text(arguments, 'title', 200, true);
    description text := voice.arg_text(arguments, 'description', 4000, true);
    category text := coalesce(voice.arg_choice(arguments, 'category',
        '{technical,billing,feature_request,bug_report,general}'), 'general');
    priority text := coalesce(voice.arg_choice(arguments, 'priority',
        '{low,medium,high,urgent,critical}'), 'medium');
    given_name text := voice.arg_text(arguments, 'name', 255);
    email text := voice.arg_email(arguments);
    callback timestamptz := voice.arg_local(arguments, 'callback', c.timezone);
    phone text := voice.party(c.direction, c.caller, c.called);
    p record;
    contact integer := c.contact_id;
    hours integer;
    ticket integer;
    number text;
begin
    perform voice.arg_known(arguments,
        '{title,description,category,priority,name,email,callback}');
    perform voice.crm_need('tickets');

    if callback <= now() then
        perform voice.refuse('past', 'the time of the call-back is over');
    end if;

    -- a ticket may be nobody's, an unnamed contact helps nobody

    if contact is null and given_name is not null then
        contact := voice.crm_contact(c, given_name, email);
    end if;

    if contact is not null then
        perform voice.crm_contact_fill(c, contact, given_name, email, null);
    end if;

    -- as the contact is now: it may have got its name a moment ago

    select t.id, t.name, t.email into p from public.contacts t
        where t.id = contact and t.organization_id = c.organization;

    hours := case priority when 'low' then 72 when 'medium' then 24
        when 'high' then 8 when 'urgent' then 4 else 1 end;

    ticket := voice.crm_ticket_insert(c.organization, jsonb_build_object(
        'title', title,
        'description', format(E'%s\n\nCaller: %s\nCall: %s', description,
            case when voice.withheld(phone) then 'number withheld'
                 else phone end, c.sid),
        'priority', priority, 'status', 'open', 'category', category,
        'contact_id', p.id,
        'customer_account_id', voice.crm_account(c.organization, p.id),
        'customer_email', coalesce(email, voice.clean(p.email), ''),
        'customer_name', coalesce(voice.clean(p.name), given_name,
                                  'Unknown caller'),
        'assignment_type', 'manual',
        'sla_deadline', voice.utc() + make_interval(hours => hours),
        'resolution_deadline', voice.utc() + make_interval(hours => 2 * hours),
        'follow_up_required', callback is not null,
        'follow_up_date', voice.utc(callback),
        'follow_up_notes', case when callback is not null
            then 'The caller asked to be called back at this time.' end,
        'escalated', false, 'satisfaction_survey_sent', false,
        'created_by', c.user_id, 'created_at', voice.utc(),
        'updated_at', voice.utc()));

    select t.ticket_number into number from public.support_tickets t
        where t.id = ticket;

    perform voice.call_link(c.sid, jsonb_build_object('ticket_id', ticket,
        'outcome', 'ticket_created'));

    return jsonb_build_object('ticket', jsonb_build_object('number', number,
        'title', title, 'priority', priority, 'category', category,
        'answer_within_hours', hours), 'callback', case
            when callback is not null then to_char(pg_catalog.timezone(
                c.timezone, callback), 'FMDay, FMDD FMMonth "at" HH24:MI') end);
end
$$;


create or replace function voice.tool_add_ticket_comment(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    number text := voice.arg_text(arguments, 'ticket', 50);
    comment text := voice.arg_text(arguments, 'comment', 4000, true);
    ticket integer;
    t record;
    p record;
begin
    perform voice.arg_known(arguments, '{ticket,comment}');
    perform voice.crm_need('tickets');

    -- once, not for each ticket that there is

    ticket := voice.crm_ticket_of_caller(c, number);

    select s.id, s.ticket_number, s.status, s.customer_name, s.customer_email
        into strict t from public.support_tickets s
        where s.id = ticket for update;

    if voice.crm_is_open(t.status) is not true then
        perform voice.refuse('closed', format('ticket %s is %s; offer to '
            'create a new one', t.ticket_number, t.status));
    end if;

    select o.name, o.email into p from public.contacts o
        where o.id = c.contact_id and o.organization_id = c.organization;

    perform voice.crm_insert('support_comments', jsonb_build_object(
        'ticket_id', t.id, 'author_id', null,
        'author_name', coalesce(voice.clean(p.name), t.customer_name),
        'author_email', coalesce(voice.clean(p.email), t.customer_email, ''),
        'author_type', 'customer', 'content', comment, 'is_internal', false,
        'comment_type', 'comment', 'created_at', voice.utc(),
        'updated_at', voice.utc()));

    update public.support_tickets s set updated_at = voice.utc()
        where s.id = t.id and s.organization_id = c.organization;

    perform voice.call_link(c.sid, jsonb_build_object('ticket_id', t.id));

    return jsonb_build_object('ticket', jsonb_build_object(
        'number', t.ticket_number, 'status', t.status), 'added', true);
end
$$;
