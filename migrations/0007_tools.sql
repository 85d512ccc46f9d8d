-- What the model can do.  No table of the CRM is changed; rows of
-- public.contacts, leads, deals, activities, support_tickets,
-- support_comments, assignment_audits, call_activities and tasks are written.
--
-- A tool gets the call, whose tenant and contact are all that it touches.

set local role voice_owner;


create function voice.call_link(sid text, links jsonb) returns void
language sql
as $$
    update voice.calls t set
        contact_id = coalesce(v.contact_id, t.contact_id),
        contact_match = coalesce(v.contact_match, t.contact_match),
        lead_id = coalesce(v.lead_id, t.lead_id),
        deal_id = coalesce(v.deal_id, t.deal_id),
        ticket_id = coalesce(v.ticket_id, t.ticket_id),
        outcome = coalesce(v.outcome, t.outcome), updated_at = now()
        from jsonb_populate_record(null::voice.calls, links) v
        where t.sid = call_link.sid
$$;

comment on function voice.call_link is 'Ties a call to rows of the CRM.';


-- contacts -------------------------------------------------------------------

create function voice.crm_contact(c voice.calls, given_name text,
    email text default null, company text default null)
returns integer
language plpgsql
as $$
declare
    phone text := voice.party(c.direction, c.caller, c.called);
    known boolean := not voice.withheld(phone);
    m record;
    how text;
    found_id integer;
begin
    select p.id into found_id from public.contacts p
        where p.id = c.contact_id and p.organization_id = c.organization;

    if found then
        return found_id;
    end if;

    -- another call from this number may be about to create the contact

    if known then
        perform pg_advisory_xact_lock(hashtextextended('voice.contact/'
            || c.organization || '/' || right(voice.digits(phone), 7), 0));

        m := voice.crm_match(c.organization, phone, c.country);
        how := m.match;

        if m.match in ('exact', 'national', 'suffix') then
            found_id := m.contacts[1];

        elsif m.match = 'ambiguous' then
            if given_name is null then
                perform voice.refuse('name_needed', 'several people share this '
                    'number: ask for the caller''s full name');
            end if;

            -- the name tells which one, if it is one of them

            select case count(*) when 1 then min(p.id) end into found_id
                from public.contacts p
                where p.id = any (m.contacts)
                and p.organization_id = c.organization
                and lower(btrim(p.name)) = lower(given_name);

            how := 'named';
        end if;
    end if;

    if found_id is null then
        if given_name is null and not known then
            perform voice.refuse('name_needed',
                'the caller''s number is withheld: ask for the name first');
        end if;

        how := 'created';
        found_id := voice.crm_insert('contacts', jsonb_build_object(
            'name', coalesce(given_name, phone), 'email', coalesce(email, ''),
            'phone', case when known and phone ~ '^\+[0-9]{7,15}$' then phone
                          else '' end,
            'company', coalesce(company, ''), 'owner_id', c.user_id,
            'organization_id', c.organization, 'created_at', voice.utc()));
    end if;

    perform voice.call_link(c.sid, jsonb_build_object(
        'contact_id', found_id, 'contact_match', how));

    return found_id;
end
$$;

comment on function voice.crm_contact is
    'NeuraCRM: the caller''s contact, found or created under a lock.';


create function voice.crm_contact_fill(c voice.calls, contact integer,
    given_name text, email text, company text)
returns jsonb
language plpgsql
as $$
declare
    p record;
    changed text[] := '{}';
    kept text[] := '{}';
    n text;
    e text;
    o text;
begin
    select * into strict p from public.contacts t
        where t.id = contact and t.organization_id = c.organization for update;

    -- What a person typed stays.  A name that is a number is nobody's work.

    n := case when btrim(p.name) ~ '[^0-9 +().-]' then p.name end;
    e := voice.clean(p.email);
    o := voice.clean(p.company);

    changed := array_remove(array[
        case when n is null and given_name is not null then 'name' end,
        case when e is null and email is not null then 'email' end,
        case when o is null and company is not null then 'company' end], null);

    kept := array_remove(array[
        case when lower(n) <> lower(given_name) then 'name' end,
        case when lower(e) <> lower(email) then 'email' end,
        case when lower(o) <> lower(company) then 'company' end], null);

    if cardinality(changed) > 0 then
        update public.contacts t set
            name = coalesce(n, given_name, p.name),
            email = coalesce(e, crm_contact_fill.email, ''),
            company = coalesce(o, crm_contact_fill.company, '')
            where t.id = contact and t.organization_id = c.organization;
    end if;

    return jsonb_build_object(
        'contact', jsonb_build_object('name', coalesce(n, given_name, p.name),
            'email', coalesce(e, email), 'company', coalesce(o, company)),
        'changed', to_jsonb(changed), 'kept', to_jsonb(kept));
end
$$;

comment on function voice.crm_contact_fill is
    'NeuraCRM: fills empty fields of a contact, and says what it left alone.';


create function voice.tool_update_contact(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    given_name text := voice.arg_text(arguments, 'name', 255);
    email text := voice.arg_email(arguments);
    company text := voice.arg_text(arguments, 'company', 255);
    contact integer;
    result jsonb;
begin
    perform voice.arg_known(arguments, '{name,email,company}');

    if coalesce(given_name, email, company) is null then
        perform voice.refuse('invalid_argument',
            'give at least one of name, email, company');
    end if;

    contact := voice.crm_contact(c, given_name, email, company);
    result := voice.crm_contact_fill(c, contact, given_name, email, company);

    if not exists (select from voice.calls t where t.sid = c.sid
                   and t.contact_match = 'created' and c.contact_id is null)
    then
        return result;
    end if;

    return result || jsonb_build_object('created', true, 'changed',
        to_jsonb(array_remove(array[
            case when given_name is not null then 'name' end,
            case when email is not null then 'email' end,
            case when company is not null then 'company' end], null)));
end
$$;

comment on function voice.tool_update_contact is
    'update_contact {name, email, company}: fills what is empty.';


-- leads ----------------------------------------------------------------------

create function voice.crm_lead(c voice.calls, contact integer) returns integer
language plpgsql stable
as $$
begin
    -- the call's, else one of the contact that is still on its way

    return (
        select l.id from public.leads l
            where l.organization_id = c.organization and l.contact_id = contact
            and lower(coalesce(l.status, 'new')) in ('new', 'contacted', 'qualified')
            order by l.id = c.lead_id desc nulls last,
                l.created_at desc nulls last, l.id desc
            limit 1);
end
$$;

comment on function voice.crm_lead is
    'NeuraCRM: the open lead of a contact, or null.';


create function voice.crm_lead_create(c voice.calls, contact integer,
    title text) returns integer
language plpgsql
as $$
declare
    p record;
begin
    select t.name, t.owner_id into strict p from public.contacts t
        where t.id = contact and t.organization_id = c.organization;

    return voice.crm_insert('leads', jsonb_build_object(
        'title', left(coalesce(title, 'Phone enquiry: ' || p.name), 255),
        'contact_id', contact,
        'owner_id', voice.crm_user(c.organization,
                                   coalesce(p.owner_id, c.user_id)),
        'organization_id', c.organization, 'status', 'new',
        'source', 'phone_call', 'score', 0, 'score_updated_at', voice.utc(),
        'score_factors', '{}', 'score_confidence', 0,
        'created_at', voice.utc()));
end
$$;

comment on function voice.crm_lead_create is
    'NeuraCRM: a new lead of a contact.';


create function voice.tool_create_lead(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    title text := voice.arg_text(arguments, 'title', 255);
    given_name text := voice.arg_text(arguments, 'name', 255);
    email text := voice.arg_email(arguments);
    company text := voice.arg_text(arguments, 'company', 255);
    contact integer;
    lead integer;
    existing boolean;
    result jsonb;
begin
    perform voice.arg_known(arguments, '{title,name,email,company}');
    perform voice.crm_need('leads');

    contact := voice.crm_contact(c, given_name, email, company);
    perform voice.crm_contact_fill(c, contact, given_name, email, company);

    -- one lead for one interest, however often it is mentioned

    perform pg_advisory_xact_lock(hashtextextended('voice.lead/' || contact, 0));

    lead := voice.crm_lead(c, contact);
    existing := lead is not null;

    if not existing then
        lead := voice.crm_lead_create(c, contact, title);
    end if;

    perform voice.call_link(c.sid, jsonb_build_object('lead_id', lead));

    select jsonb_build_object('lead', jsonb_build_object('title', l.title,
            'status', l.status, 'score', l.score), 'existing', existing)
        into result from public.leads l where l.id = lead;

    return result;
end
$$;

comment on function voice.tool_create_lead is
    'create_lead {title, name, email, company}: a lead from this call, or the '
    'one that there is.';


create function voice.bant(part text, answer text) returns integer
language sql immutable
as $$
    select points from (values
        ('budget', 'confirmed', 25), ('budget', 'likely', 18),
        ('budget', 'unclear', 8), ('budget', 'none', 0),
        ('authority', 'decision_maker', 25), ('authority', 'influencer', 16),
        ('authority', 'user', 8), ('authority', 'none', 0),
        ('need', 'critical', 25), ('need', 'strong', 20),
        ('need', 'some', 10), ('need', 'none', 0),
        ('timeline', 'now', 25), ('timeline', 'quarter', 18),
        ('timeline', 'year', 8), ('timeline', 'none', 0)
        ) as t (p, a, points) where p = part and a = answer
$$;

comment on function voice.bant is
    'Points of an answer to budget, authority, need or timeline: 0 to 25.';


create function voice.tool_qualify_lead(c voice.calls, arguments jsonb)
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

    lead_id := coalesce(voice.crm_lead(c, contact),
                        voice.crm_lead_create(c, contact, null));

    select l.id, l.status, l.score_factors into strict lead
        from public.leads l where l.id = lead_id for update;

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

comment on function voice.tool_qualify_lead is
    'qualify_lead {budget, authority, need, timeline, notes, name}: BANT; the '
    'score is the sum of voice.bant(), and what was known before counts.';


-- meetings -------------------------------------------------------------------

create function voice.crm_deal(c voice.calls, contact integer, title text)
returns integer
language plpgsql
as $$
declare
    deal integer;
    p record;
begin
    deal := (
        select (d ->> 'id')::integer
            from jsonb_array_elements(voice.crm_open_deals(c.organization,
                                                           contact)) d
            order by (d ->> 'id')::integer = c.deal_id desc nulls last
            limit 1);

    if deal is not null then
        return deal;
    end if;

    select t.name, t.owner_id into strict p from public.contacts t
        where t.id = contact and t.organization_id = c.organization;

    return voice.crm_insert('deals', jsonb_build_object(
        'title', left(coalesce(title, 'Phone enquiry') || ': ' || p.name, 255),
        'value', 0,
        'owner_id', voice.crm_user(c.organization,
                                   coalesce(p.owner_id, c.user_id)),
        'stage_id', voice.crm_stage(),
        'organization_id', c.organization,
        'description', 'From a telephone call, ' || c.sid,
        'contact_id', contact, 'status', 'open', 'created_at', voice.utc()));
end
$$;

comment on function voice.crm_deal is
    'NeuraCRM: the open deal of a contact, made if there is none.';


create function voice.crm_slot_taken(organization integer, starts timestamptz,
    ends timestamptz, but text) returns boolean
language plpgsql stable
as $$
begin
    if exists (
        select from voice.meetings m
            where m.organization = crm_slot_taken.organization
            and not m.cancelled and m.call_sid <> but
            and m.starts_at < ends and m.ends_at > starts)
    then
        return true;
    end if;

    -- a reminder at midnight is a day, not a time; one of this call's own
    -- meeting, or of one that was moved, takes nothing

    return exists (
        select from public.deals d
            where d.organization_id = organization and d.closed_at is null
            and d.reminder_date >= voice.utc(starts)
            and d.reminder_date < voice.utc(ends)
            and d.reminder_date <> date_trunc('day', d.reminder_date)
            and not exists (select from voice.meetings m
                where m.deal_id = d.id
                and voice.utc(m.starts_at) = d.reminder_date
                and (m.cancelled or m.call_sid = but)));
end
$$;

comment on function voice.crm_slot_taken is
    'Whether a tenant has something else at that time.';


create function voice.in_hours(o voice.organizations, zone text,
    starts timestamptz, ends timestamptz) returns boolean
language sql stable
as $$
    select extract(isodow from l)::integer = any (o.meeting_days)
            and l::time >= o.meeting_from and l + (ends - starts)
                <= l::date + o.meeting_to
        from (select pg_catalog.timezone(zone, starts)) t (l)
$$;

comment on function voice.in_hours is
    'Whether a meeting is within the tenant''s hours.';


create function voice.free_slots(o voice.organizations, zone text,
    near timestamptz, length interval, but text) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(to_char(pg_catalog.timezone(zone, s),
                                      'YYYY-MM-DD"T"HH24:MI') order by s), '[]')
    from (
        select s from (
            select pg_catalog.timezone(zone, d + o.meeting_from
                        + make_interval(mins => n * o.meeting_minutes)) as s
                from generate_series(
                    pg_catalog.timezone(zone, greatest(near, now()))::date::timestamp,
                    pg_catalog.timezone(zone, greatest(near, now()))::date + interval '14 days',
                    interval '1 day') d,
                generate_series(0, 1439 / o.meeting_minutes) n
                where d + o.meeting_from
                    + make_interval(mins => n * o.meeting_minutes)
                    < d + o.meeting_to
        ) g
        where s > now() + interval '15 minutes' and s >= near
        and voice.in_hours(o, zone, s, s + length)
        and not voice.crm_slot_taken(o.organization, s, s + length, but)
        order by s limit 3) f
$$;

comment on function voice.free_slots is
    'The next three free starts within two weeks, local time.';


create function voice.tool_schedule_meeting(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    starts timestamptz := voice.arg_local(arguments, 'start', c.timezone);
    topic text := voice.arg_text(arguments, 'topic', 200);
    given_name text := voice.arg_text(arguments, 'name', 255);
    o voice.organizations;
    ends timestamptz;
    length interval;
    contact integer;
    deal integer;
    code text;
    said text;
    who text;
    moved boolean;
begin
    perform voice.arg_known(arguments, '{start,topic,name}');
    perform voice.crm_need('deals');

    select * into o from voice.organizations t
        where t.organization = c.organization;

    if not found then
        o := row(c.organization, null, null, null, null, null,
                 '{1,2,3,4,5}', '09:00', '17:00', 30);
    end if;

    length := make_interval(mins => o.meeting_minutes);

    if starts is null then
        return jsonb_build_object('timezone', c.timezone, 'free',
            voice.free_slots(o, c.timezone, now(), length, c.sid));
    end if;

    ends := starts + length;

    -- two callers may want the same hour

    perform pg_advisory_xact_lock(hashtextextended(
        'voice.meetings/' || c.organization, 0));

    code := case
        when starts <= now() then 'past'
        when starts > now() + interval '1 year' then 'too_far'
        when not voice.in_hours(o, c.timezone, starts, ends)
            then 'out_of_hours'
        when voice.crm_slot_taken(c.organization, starts, ends, c.sid)
            then 'taken' end;

    if code is not null then
        perform voice.refuse(code, case code
            when 'past' then 'that time is over'
            when 'too_far' then 'that is more than a year away'
            when 'out_of_hours' then format(
                'meetings are from %s to %s on other days or times',
                to_char(o.meeting_from, 'HH24:MI'), to_char(o.meeting_to, 'HH24:MI'))
            else 'that time is taken' end || '; offer one of the free times',
            jsonb_build_object('timezone', c.timezone, 'free', voice.free_slots(
                o, c.timezone,
                case when code = 'too_far' then now() else starts end,
                length, c.sid)));
    end if;

    if given_name is null and c.contact_id is null then
        perform voice.refuse('name_needed', 'ask for the caller''s name first');
    end if;

    contact := voice.crm_contact(c, given_name);
    perform voice.crm_contact_fill(c, contact, given_name, null, null);
    deal := voice.crm_deal(c, contact, coalesce(topic, 'Meeting'));

    -- a second date in one call is another date, not a second meeting

    update voice.meetings m set cancelled = true
        where m.call_sid = c.sid and not m.cancelled;
    moved := found;

    insert into voice.meetings (organization, call_sid, contact_id, deal_id,
            starts_at, ends_at)
        values (c.organization, c.sid, contact, deal, starts, ends);

    said := to_char(pg_catalog.timezone(c.timezone, starts),
                    'FMDay, FMDD FMMonth YYYY "at" HH24:MI');

    select p.name into who from public.contacts p where p.id = contact;

    update public.deals d set reminder_date = voice.utc(starts)
        where d.id = deal and d.organization_id = c.organization;

    perform voice.crm_insert('activities', jsonb_build_object(
        'deal_id', deal, 'user_id', c.user_id, 'type', 'Meeting Scheduled',
        'message', format('Meeting with %s on %s (%s)%s. %s by telephone.',
            who, said, c.timezone, coalesce(': ' || topic, ''),
            case when moved then 'Moved' else 'Booked' end),
        'timestamp', voice.utc()));

    perform voice.call_link(c.sid, jsonb_build_object('deal_id', deal,
        'outcome', 'meeting_scheduled'));
    perform voice.crm_meeting_task(c, contact, deal, starts,
        coalesce(topic, 'Meeting') || ' with ' || who);

    return jsonb_build_object('meeting', jsonb_build_object(
        'start', to_char(pg_catalog.timezone(c.timezone, starts),
                         'YYYY-MM-DD"T"HH24:MI'),
        'minutes', o.meeting_minutes, 'timezone', c.timezone,
        'when', said, 'with', who), 'moved', moved);
end
$$;

comment on function voice.tool_schedule_meeting is
    'schedule_meeting {start, topic, name}: start is local time of the '
    'organization; without it, and with every refusal, free times are told.';


create function voice.crm_meeting_task(c voice.calls, contact integer,
    deal integer, starts timestamptz, title text) returns void
language plpgsql
as $$
declare
    marker text := 'Voice edge, call ' || c.sid;
begin
    if not voice.crm_has('tasks') or c.user_id is null then
        return;
    end if;

    -- optional: without it the meeting is still on its deal

    begin
        update public.tasks t set due_date = voice.utc(starts),
            title = crm_meeting_task.title, updated_at = voice.utc()
            where t.organization_id = c.organization and t.deal_id = deal
            and t.description = marker;

        if not found then
            perform voice.crm_insert('tasks', jsonb_build_object(
                'title', left(title, 255), 'description', marker,
                'organization_id', c.organization, 'task_type', 'meeting',
                'status', 'pending', 'priority', 'medium',
                'assigned_to_id', c.user_id, 'created_by_id', c.user_id,
                'deal_id', deal, 'contact_id', contact,
                'due_date', voice.utc(starts), 'created_at', voice.utc(),
                'updated_at', voice.utc()));
        end if;

    exception when others then
        if voice.transient(sqlstate) then
            raise;
        end if;

        raise log 'voice: no task for call %: %', c.sid, sqlerrm;
    end;
end
$$;

comment on function voice.crm_meeting_task is
    'NeuraCRM: the meeting as a task, where there are tasks.';


-- tickets --------------------------------------------------------------------

create function voice.crm_ticket_insert(organization integer, fields jsonb)
returns integer
language plpgsql
as $$
declare
    running integer;
    broken text;
begin
    perform pg_advisory_xact_lock(hashtextextended(
        'voice.ticket/' || organization, 0));

    -- The CRM counts without a lock, and a ticket that was deleted makes the
    -- count too low: a number that is taken is stepped over.

    select count(*) + 1 into running from public.support_tickets t
        where t.organization_id = organization;

    for try in 1 .. 200 loop
        if not exists (select from public.support_tickets t
            where t.ticket_number = voice.crm_ticket_number(organization, running))
        then
            begin
                return voice.crm_insert('support_tickets', fields
                    || jsonb_build_object('organization_id', organization,
                        'ticket_number',
                        voice.crm_ticket_number(organization, running)));

            exception when unique_violation then
                get stacked diagnostics broken = constraint_name;

                if broken not like '%ticket\_number%' then
                    raise;
                end if;
            end;
        end if;

        running := running + 1;
    end loop;

    raise exception 'no free ticket number for organization %', organization;
end
$$;

comment on function voice.crm_ticket_insert is
    'NeuraCRM: inserts a ticket under the next free number.';


create function voice.crm_ticket_number(organization integer, running integer)
returns text
language sql immutable
as $$
    -- lpad() would cut what is longer

    select format('TKT-%s-%s',
        lpad(organization::text, greatest(3, length(organization::text)), '0'),
        lpad(running::text, greatest(6, length(running::text)), '0'))
$$;

comment on function voice.crm_ticket_number is 'NeuraCRM: a ticket''s number.';


create function voice.crm_account(organization integer, contact integer)
returns integer
language plpgsql stable
as $$
begin
    if not voice.crm_has('accounts') then
        return null;
    end if;

    return (
        select a.id from public.customer_accounts a
            join public.deals d on d.id = a.deal_id
            where d.organization_id = organization
            and (a.contact_id = contact
                 or a.contact_id is null and d.contact_id = contact)
            order by a.id desc limit 1);
end
$$;

comment on function voice.crm_account is
    'NeuraCRM: the customer account of a contact.';


create function voice.tool_create_support_ticket(c voice.calls, arguments jsonb)
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

    select t.id, t.name, t.email into p from public.contacts t
        where t.id = contact and t.organization_id = c.organization;

    if p.id is not null then
        perform voice.crm_contact_fill(c, p.id, given_name, email, null);
    end if;

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

comment on function voice.tool_create_support_ticket is
    'create_support_ticket {title, description, category, priority, name, '
    'email, callback}: callback is local time.';


create function voice.crm_ticket_of_caller(c voice.calls, number text)
returns integer
language plpgsql
as $$
declare
    n integer;
    ticket integer;
begin
    -- the caller's own, or that of this call

    select count(*), min(t.id) into n, ticket from public.support_tickets t
        where t.organization_id = c.organization
        and (t.contact_id = c.contact_id or t.id = c.ticket_id)
        and case when number is null then voice.crm_is_open(t.status)
                 else upper(t.ticket_number) = upper(number) end;

    if n > 1 and number is null and c.ticket_id is not null then
        return c.ticket_id;
    end if;

    if n = 0 then
        perform voice.refuse('not_found',
            'the caller has no such ticket; offer to create one');
    elsif n > 1 then
        perform voice.refuse('ambiguous',
            'the caller has several open tickets: ask for which one');
    end if;

    return ticket;
end
$$;

comment on function voice.crm_ticket_of_caller is
    'NeuraCRM: a ticket of the caller, by number, or the only open one.';


create function voice.tool_add_ticket_comment(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    number text := voice.arg_text(arguments, 'ticket', 50);
    comment text := voice.arg_text(arguments, 'comment', 4000, true);
    t record;
    p record;
begin
    perform voice.arg_known(arguments, '{ticket,comment}');
    perform voice.crm_need('tickets');

    select s.id, s.ticket_number, s.status, s.customer_name, s.customer_email
        into strict t from public.support_tickets s
        where s.id = voice.crm_ticket_of_caller(c, number) for update;

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

comment on function voice.tool_add_ticket_comment is
    'add_ticket_comment {ticket, comment}: on a ticket of the caller''s own.';


-- knowledge, people, the end -------------------------------------------------

create function voice.tool_lookup_knowledge(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    query text := voice.arg_text(arguments, 'query', 300, true);
    config regconfig;
    words tsquery;
    articles jsonb;
begin
    perform voice.arg_known(arguments, '{query}');
    perform voice.crm_need('knowledge');

    config := case when coalesce(c.language, 'en') like 'en%'
        then 'pg_catalog.english' else 'pg_catalog.simple' end;

    -- any of the words: callers use more of them than authors

    words := nullif(replace(plainto_tsquery(config, query)::text, '&', '|'),
                    '')::tsquery;

    select coalesce(jsonb_agg(jsonb_build_object('title', f.title,
            'text', f.text) order by f.rank desc, f.id), '[]')
        into articles from (
            select a.id, a.title,
                    left(coalesce(voice.clean(a.summary) || E'\n', '')
                         || coalesce(a.content, ''), 1500) as text,
                    ts_rank(d.doc, words) as rank
                from public.knowledge_base_articles a
                cross join lateral (select
                    setweight(to_tsvector(config, coalesce(a.title, '')), 'A')
                    || setweight(to_tsvector(config, coalesce(a.summary, '')
                        || ' ' || coalesce(a.tags::text, '')), 'B')
                    || to_tsvector(config, coalesce(a.content, ''))) d (doc)
                where a.organization_id = c.organization
                and a.status = 'published'
                and (a.visibility = 'public' or a.visibility = 'customer_only'
                     and c.contact_id is not null)
                and d.doc @@ words
                order by rank desc, a.id limit 3) f;

    return jsonb_build_object('articles', articles);
end
$$;

comment on function voice.tool_lookup_knowledge is
    'lookup_knowledge {query}: up to three published articles of the tenant; '
    'those for customers only where the caller is known.';


create function voice.crm_on_duty(organization integer) returns integer
language plpgsql stable
as $$
begin
    if not voice.crm_has('queues') then
        return null;
    end if;

    return (
        select count(distinct m.user_id) from public.call_queues q
            join public.call_queue_members m on m.queue_id = q.id
            where q.organization_id = organization and q.is_active is not false
            and m.status = 'logged_in' and m.paused is not true);
end
$$;

comment on function voice.crm_on_duty is
    'NeuraCRM: how many people are at a queue, null if nobody can say.';


create function voice.crm_escalate(c voice.calls, reason text) returns void
language plpgsql
as $$
declare
    ticket integer;
begin
    update public.support_tickets t set escalated = true,
        escalated_at = voice.utc(), escalation_reason = left(reason, 255),
        updated_at = voice.utc()
        where t.id = c.ticket_id and t.organization_id = c.organization
        and t.escalated is not true and voice.crm_is_open(t.status)
        returning t.id into ticket;

    if ticket is not null and c.user_id is not null and voice.crm_has('audits')
    then
        perform voice.crm_insert('assignment_audits', jsonb_build_object(
            'ticket_id', ticket, 'assigned_by_id', c.user_id,
            'assignment_type', 'escalation', 'assignment_reason', reason,
            'created_at', voice.utc()));
    end if;
end
$$;

comment on function voice.crm_escalate is
    'NeuraCRM: marks the ticket of this call as escalated, with its audit row.';


create function voice.tool_transfer_to_human(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    reason text := coalesce(voice.arg_text(arguments, 'reason', 500),
                            'The caller asked for a person');
begin
    perform voice.arg_known(arguments, '{reason}');

    if c.ticket_id is not null and voice.crm_has('tickets') then
        perform voice.crm_escalate(c, reason);
    end if;

    -- a user is needed in one of the shapes, so there is one in each

    if voice.crm_has('call_activities') and c.user_id is not null
        and c.crm_id is not null
    then
        begin
            perform voice.crm_insert('call_activities', jsonb_build_object(
                'call_id', c.crm_id, 'user_id', c.user_id,
                'activity_type', 'transfer',
                'activity_data', jsonb_build_object('reason', reason),
                'timestamp', voice.utc(), 'duration', 0,
                'created_at', voice.utc()));

        exception when others then
            if voice.transient(sqlstate) then
                raise;
            end if;

            raise log 'voice: no call activity for %: %', c.sid, sqlerrm;
        end;
    end if;

    perform voice.call_link(c.sid, '{"outcome": "transferred"}');

    return jsonb_build_object('transfer', true, 'reason', reason,
        'on_duty', voice.crm_on_duty(c.organization));
end
$$;

comment on function voice.tool_transfer_to_human is
    'transfer_to_human {reason}: notes it, escalates the call''s ticket, and '
    'tells how many people are on duty. The edge does the transfer.';


create function voice.tool_end_call(c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
declare
    outcome text := voice.arg_text(arguments, 'outcome', 100);
begin
    perform voice.arg_known(arguments, '{outcome}');
    perform voice.call_link(c.sid, jsonb_build_object('outcome', outcome));

    return '{"end": true}';
end
$$;

comment on function voice.tool_end_call is
    'end_call {outcome}: notes what came of the call. The edge hangs up.';


-- the one way in -------------------------------------------------------------

create function voice.run_tool(name text, c voice.calls, arguments jsonb)
returns jsonb
language plpgsql
as $$
begin
    c := voice.crm_current(c);

    -- what the edge does by itself needs no tenant, a record does

    if name not in ('transfer_to_human', 'end_call') then
        perform voice.crm_need('core');

        if c.organization is null then
            perform voice.refuse('crm_unavailable', 'there are no records for '
                'this number; offer to connect the caller');
        end if;
    end if;

    return case name
        when 'update_contact' then voice.tool_update_contact(c, arguments)
        when 'create_lead' then voice.tool_create_lead(c, arguments)
        when 'qualify_lead' then voice.tool_qualify_lead(c, arguments)
        when 'schedule_meeting' then voice.tool_schedule_meeting(c, arguments)
        when 'create_support_ticket'
            then voice.tool_create_support_ticket(c, arguments)
        when 'add_ticket_comment'
            then voice.tool_add_ticket_comment(c, arguments)
        when 'lookup_knowledge' then voice.tool_lookup_knowledge(c, arguments)
        when 'transfer_to_human'
            then voice.tool_transfer_to_human(c, arguments)
        when 'end_call' then voice.tool_end_call(c, arguments)
        else voice.error('unknown_tool',
            format('there is no tool "%s"', left(name, 50))) end;
end
$$;

comment on function voice.run_tool is 'A tool by its name.';


create function voice.tool(name text, description text, part text,
    properties jsonb, required text[] default '{}') returns jsonb
language sql stable
as $$
    -- one that would only ever answer "not available" is not offered

    select jsonb_build_object('type', 'function', 'function',
        jsonb_build_object('name', name, 'description', description,
            'parameters', jsonb_build_object('type', 'object',
                'properties', properties, 'required', to_jsonb(required),
                'additionalProperties', false)))
        where part is null or voice.crm_has('core') and voice.crm_has(part)
$$;

comment on function voice.tool is
    'A tool as the model is offered it; null if its part of the CRM is not there.';


create function voice.tools() returns jsonb
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    with p as (select
        '{"type": "string", "maxLength": 255,
          "description": "The caller''s full name"}'::jsonb as name,
        '{"type": "string", "maxLength": 254,
          "description": "The caller''s e-mail address"}'::jsonb as email,
        '{"type": "string", "maxLength": 255,
          "description": "The caller''s company"}'::jsonb as company
    )
    select coalesce(jsonb_agg(t order by n) filter (where t is not null), '[]')
    from p, lateral (values
        (1, voice.tool('update_contact',
            'Stores the caller''s name, e-mail address or company.', 'core',
            jsonb_build_object('name', p.name, 'email', p.email,
                'company', p.company))),
        (2, voice.tool('create_lead',
            'Notes that the caller is interested in buying.', 'leads',
            jsonb_build_object('name', p.name, 'email', p.email,
                'company', p.company, 'title', '{"type": "string",
                    "maxLength": 255, "description": "In what, in a few words"}'
                    ::jsonb))),
        (3, voice.tool('qualify_lead',
            'Notes what the caller said about budget, authority, need and '
            'timeline. Give only what was said; call again when more is.',
            'leads', jsonb_build_object('name', p.name) || '{
                "budget": {"type": "string",
                    "enum": ["confirmed", "likely", "unclear", "none"]},
                "authority": {"type": "string",
                    "enum": ["decision_maker", "influencer", "user", "none"],
                    "description": "The caller''s part in the decision"},
                "need": {"type": "string",
                    "enum": ["critical", "strong", "some", "none"]},
                "timeline": {"type": "string",
                    "enum": ["now", "quarter", "year", "none"],
                    "description": "When they want to buy, at the latest"},
                "notes": {"type": "string", "maxLength": 500}}'::jsonb)),
        (4, voice.tool('schedule_meeting',
            'Books a meeting. Without start it books nothing and tells free '
            'times.', 'deals', jsonb_build_object('name', p.name) || '{
                "start": {"type": "string",
                    "description": "Local date and time, YYYY-MM-DDTHH:MM"},
                "topic": {"type": "string", "maxLength": 200}}'::jsonb)),
        (5, voice.tool('create_support_ticket',
            'Opens a support ticket for a problem that the caller has.',
            'tickets', jsonb_build_object('name', p.name, 'email', p.email)
            || '{
                "title": {"type": "string", "maxLength": 200},
                "description": {"type": "string", "maxLength": 4000},
                "category": {"type": "string",
                    "enum": ["technical", "billing", "feature_request",
                             "bug_report", "general"]},
                "priority": {"type": "string",
                    "enum": ["low", "medium", "high", "urgent", "critical"]},
                "callback": {"type": "string",
                    "description": "When the caller wants to be called back, local date and time, YYYY-MM-DDTHH:MM"}
                }'::jsonb, '{title,description}')),
        (6, voice.tool('add_ticket_comment',
            'Adds what the caller says to one of the caller''s open tickets.',
            'tickets', '{
                "ticket": {"type": "string", "maxLength": 50,
                    "description": "Its number; may be left out if there is one"},
                "comment": {"type": "string", "maxLength": 4000}}'::jsonb,
            '{comment}')),
        (7, voice.tool('lookup_knowledge',
            'Searches the articles that may be told to callers.', 'knowledge',
            '{"query": {"type": "string", "maxLength": 300}}'::jsonb,
            '{query}')),
        (8, voice.tool('transfer_to_human',
            'Connects the caller with a person.', null,
            '{"reason": {"type": "string", "maxLength": 500}}'::jsonb)),
        (9, voice.tool('end_call',
            'Ends the call after the goodbye.', null,
            '{"outcome": {"type": "string", "maxLength": 100,
                "description": "What came of the call, in two or three words"}
                }'::jsonb))
        ) v (n, t)
$$;

comment on function voice.tools is
    'The tools that voice.act() has here, as the model is offered them.';


create function voice.error(code text, message text, more jsonb default '{}')
returns jsonb
language sql immutable
as $$
    select jsonb_build_object('error', more
        || jsonb_build_object('code', code, 'message', message))
$$;

comment on function voice.error is 'A failure as the model is told it.';


create function voice.act(call_sid text, key text, name text, arguments jsonb,
    call jsonb default null)
returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    a voice.actions;
    c voice.calls;
    answer jsonb;
    message text;
    code text;
    more text;
begin
    if coalesce(length(key), 0) not between 1 and 200
        or coalesce(length(call_sid), 0) not between 1 and 50
        or name is null
    then
        return voice.error('invalid_call', 'a call, a key and a name are needed');
    end if;

    if call is null
        and not exists (select from voice.calls t where t.sid = call_sid)
        and not exists (select from voice.actions t where t.key = act.key)
    then
        return voice.error('unknown_call', 'there is no such call');
    end if;

    -- Duplicates wait here for the first one, whose result is then there.

    c := voice.call_open(call_sid, coalesce(call, '{}'));

    update voice.calls t set updated_at = now(),
        status = voice.call_status(t.status, 'in-progress')
        where t.sid = call_sid;

    insert into voice.actions as t (key, call_sid, name, arguments)
        values (key, act.call_sid, act.name,
                coalesce(act.arguments, 'null'::jsonb))
        on conflict do nothing;

    if not found then
        select * into strict a from voice.actions t where t.key = act.key;

        if a.call_sid <> act.call_sid or a.name <> act.name then
            return voice.error('key_conflict',
                'the key belongs to another action');
        end if;

        return a.result;
    end if;

    begin
        answer := voice.run_tool(name, c, coalesce(arguments, 'null'));

    exception
        when sqlstate 'VE001' then
            get stacked diagnostics message = message_text,
                code = pg_exception_detail, more = pg_exception_hint;
            answer := voice.error(code, message,
                coalesce(voice.try_json(more), '{}'));

        when others then
            -- what may go well another time is not answered for ever

            if voice.transient(sqlstate) then
                raise;
            end if;

            raise log 'voice: % of call % failed: % (%)', name, call_sid,
                sqlerrm, sqlstate;
            answer := voice.error('failed', 'this did not work; say so, and '
                'offer to connect the caller');
    end;

    update voice.actions t set result = answer where t.key = act.key;

    perform voice.crm_call(call_sid);
    perform voice.notify('action', call_sid, jsonb_build_object('name', name,
        'ok', not answer ? 'error', 'organization', c.organization));

    return answer;
end
$$;

comment on function voice.act is
    'Runs a tool once: the result is stored with the effect, and a repetition '
    'gets it. Errors of the model are results. "call" tells who calls, for an '
    'action that comes before the call''s note. An exception means that '
    'nothing happened and the same key may be tried again.';


-- the contract ---------------------------------------------------------------

grant execute on function
    voice.crm_probe(),
    voice.number(text, jsonb),
    voice.caller(integer, text, text),
    voice.record(jsonb),
    voice.resume(text),
    voice.tools(),
    voice.act(text, text, text, jsonb, jsonb),
    voice.utterance_put(text, jsonb),
    voice.utterance_get(text),
    voice.put_job(jsonb),
    voice.claim_jobs(integer, text, interval),
    voice.finish_job(bigint, integer, jsonb),
    voice.close_stale_calls(interval, integer)
    to voice_edge;
