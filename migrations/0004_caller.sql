-- Whose a number is, and who is calling.  Only reads the CRM's tables.

set local role voice_owner;


create function voice.crm_organization(organization integer) returns jsonb
language plpgsql stable
as $$
begin
    if not voice.crm_has('core') then
        return null;
    end if;

    return (
        select jsonb_build_object('id', o.id, 'name', o.name,
            'timezone', voice.try_zone(voice.try_json(o.settings) ->> 'timezone'))
        from public.organizations o where o.id = organization);
end
$$;

comment on function voice.crm_organization is
    'NeuraCRM: a tenant, null if unknown.';


create function voice.crm_number(number text) returns integer
language plpgsql stable
as $$
declare
    owners integer[];
begin
    if not voice.crm_has('did_numbers') then
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

comment on function voice.crm_number is
    'NeuraCRM: the tenant with a number in pbx_providers.did_numbers.';


create function voice.crm_user(organization integer, wanted integer)
returns integer
language plpgsql stable
as $$
begin
    return (
        select u.id from public.users u where u.organization_id = organization
            order by u.id = wanted desc nulls last,
                array_position('{admin,manager}', lower(u.role)::text), u.id
            limit 1);
end
$$;

comment on function voice.crm_user is
    'NeuraCRM: who acts: the wanted user if of the tenant, else the first admin, '
    'manager, then any.';


create function voice.crm_provider(organization integer, wanted integer)
returns integer
language plpgsql stable
as $$
begin
    if not voice.crm_has('calls') then
        return null;
    end if;

    return (
        select p.id from public.pbx_providers p
            where p.organization_id = organization
            order by p.id = wanted desc nulls last,
                p.is_active is not false desc,
                p.provider_type = 'twilio' desc nulls last,
                p.is_primary is true desc, p.id
            limit 1);
end
$$;

comment on function voice.crm_provider is
    'NeuraCRM: the provider of call rows: the wanted one if of the tenant, else '
    'active before not, Twilio before others, primary before not.';


create function voice.number(number text, given jsonb default '{}')
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    e164 text := '+' || voice.digits(number);
    n voice.numbers;
    o voice.organizations;
    tenant integer;
    crm jsonb;
    source text;
begin
    given := coalesce(given, '{}');

    select * into n from voice.numbers t where t.number = e164;

    if given ->> 'organization' ~ '^[0-9]{1,9}$' then
        tenant := (given ->> 'organization')::integer;
        source := 'configuration';

        -- the row may be of another tenant, of whom nothing is taken

        if n.organization <> tenant then
            n := null;
        end if;

    elsif n.organization is not null then
        tenant := n.organization;
        source := 'numbers';

    else
        tenant := voice.crm_number(e164);
        source := case when tenant is not null then 'crm' end;
    end if;

    crm := voice.crm_organization(tenant);

    if tenant is not null and crm is null then
        return jsonb_build_object('error', jsonb_build_object(
            'code', 'unknown_organization', 'message', format(
                'number %s belongs to organization %s (%s), which the CRM does '
                'not have', e164, tenant, source)));
    end if;

    select * into o from voice.organizations t
        where t.organization = tenant;

    return jsonb_build_object(
        'number', e164,
        'organization', tenant,
        'organization_name', crm -> 'name',
        'source', source,
        'flow', coalesce(given ->> 'flow', n.flow),
        'language', coalesce(given ->> 'language', n.language, o.language),
        'timezone', coalesce(voice.try_zone(given ->> 'timezone'),
            voice.try_zone(n.timezone), voice.try_zone(o.timezone),
            crm ->> 'timezone', 'UTC'),
        'country', coalesce(voice.country(given ->> 'country'), n.country,
            o.country, voice.country_of(e164)),
        'user', case when tenant is not null then voice.crm_user(
            tenant, coalesce(n.user_id, o.user_id)) end,
        'provider', case when tenant is not null then voice.crm_provider(
            tenant, coalesce(n.provider_id, o.provider_id)) end);
end
$$;

comment on function voice.number is
    'Whose a called number is, with every default filled in. "given" is what '
    'the edge''s configuration says: organization, flow, language, timezone, country.';


create function voice.crm_match(organization integer, phone text, country text,
    out match text, out contacts integer[])
language plpgsql stable
as $$
declare
    wanted text := voice.digits(phone);
    local text := voice.national(phone, country);
    n integer;
begin
    if voice.withheld(phone) then
        match := 'withheld';
        return;
    end if;

    -- Numbers that are the same in any way end in the same seven digits.  A
    -- suffix says nothing where both numbers are whole.

    select c.digits into n from voice.countries c where c.iso = country;

    with candidates as (
        select c.id, c.phone, voice.digits(c.phone) as digits
            from public.contacts c
            where c.organization_id = crm_match.organization
            and "right"(regexp_replace(regexp_replace(c.phone, '[xX].*$', ''),
                                       '\D', '', 'g'), 7)
                = right(wanted, 7)
    ), ways as (
        select c.id, case
            when c.digits = wanted then 1
            when voice.national(c.phone, country) = local then 2
            when length(c.digits) >= n and length(wanted) >= n
                and right(c.digits, n) = right(wanted, n)
                and not (c.phone ~ '^\s*(\+|00)' and crm_match.phone ~ '^\s*(\+|00)')
                then 3
            end as way
        from candidates c
    ), best as (
        select way, array_agg(id order by id) as ids
            from ways where way is not null
            group by way order by way limit 1
    )
    select case when cardinality(ids) > 1 then 'ambiguous'
                else (array['exact', 'national', 'suffix'])[way] end, ids
        into match, contacts from best;

    match := coalesce(match, 'none');
end
$$;

comment on function voice.crm_match is
    'NeuraCRM: contacts of a tenant with a number: all digits, else the '
    'national form, else the last digits; more than one is "ambiguous".';


create function voice.party(direction text, caller text, called text)
returns text
language sql immutable
as $$ select case direction when 'outbound' then called else caller end $$;

comment on function voice.party is
    'The number of the person that the edge talks to.';


create function voice.crm_is_open(status text) returns boolean
language sql immutable
as $$ select status in ('open', 'in_progress', 'pending_customer') $$;

comment on function voice.crm_is_open is
    'NeuraCRM: whether a ticket counts as open.';


create function voice.crm_open_deals(organization integer, contact integer)
returns jsonb
language plpgsql stable
as $$
begin
    if not voice.crm_has('deals') then
        return '[]';
    end if;

    return (
        select coalesce(jsonb_agg(to_jsonb(t) - 'at' order by at desc nulls last, id desc), '[]')
        from (
            select d.id, d.title, d.value, s.name as stage,
                    voice.iso(d.reminder_date) as reminder, d.created_at as at
                from public.deals d
                left join public.stages s on s.id = d.stage_id
                where d.organization_id = organization
                and d.contact_id = contact and d.closed_at is null
                and lower(coalesce(d.status, 'open')) not in ('won', 'lost')
                and lower(coalesce(s.name, '')) not in ('won', 'lost')
                order by d.created_at desc nulls last, d.id desc limit 5
        ) t);
end
$$;

comment on function voice.crm_open_deals is
    'NeuraCRM: the open deals of a contact, the newest first.';


create function voice.crm_about(organization integer, contact integer)
returns jsonb
language plpgsql stable
as $$
declare
    about jsonb;
    part jsonb;
begin
    select jsonb_build_object(
        'contact', jsonb_build_object(
            'id', c.id, 'name', c.name,
            'first_name', split_part(btrim(c.name), ' ', 1),
            'email', c.email, 'phone', c.phone, 'company', c.company,
            'owner', u.name),
        'company', nullif(btrim(c.company), ''))
        into about
        from public.contacts c
        left join public.users u on u.id = c.owner_id
            and u.organization_id = c.organization_id
        where c.id = contact and c.organization_id = organization;

    if about is null then
        return null;
    end if;

    about := about || jsonb_build_object('account', null, 'leads', '[]'::jsonb,
        'activities', '[]'::jsonb, 'tickets', '[]'::jsonb,
        'deals', voice.crm_open_deals(organization, contact));

    if voice.crm_has('accounts') and voice.crm_has('deals') then
        select jsonb_build_object('name', a.account_name,
            'type', a.account_type, 'health', a.health_score,
            'engagement', a.engagement_level)
            into part
            from public.customer_accounts a
            join public.deals d on d.id = a.deal_id
            where d.organization_id = organization
            and (a.contact_id = contact
                 or a.contact_id is null and d.contact_id = contact)
            order by a.id desc limit 1;

        about := about || jsonb_build_object('account', part);
    end if;

    if voice.crm_has('leads') then
        select coalesce(jsonb_agg(to_jsonb(t)), '[]') into part from (
            select l.id, l.title, lower(l.status) as status, l.score
                from public.leads l
                where l.organization_id = organization and l.contact_id = contact
                and lower(coalesce(l.status, '')) not in ('converted', 'won', 'lost')
                order by l.created_at desc nulls last, l.id desc limit 3) t;

        about := about || jsonb_build_object('leads', part);
    end if;

    if voice.crm_has('deals') then
        select coalesce(jsonb_agg(to_jsonb(t)), '[]') into part from (
            select a.type, left(a.message, 300) as message,
                    voice.iso(a.timestamp) as at, d.title as deal
                from public.activities a
                join public.deals d on d.id = a.deal_id
                where d.organization_id = organization
                and d.contact_id = contact
                order by a.timestamp desc nulls last, a.id desc limit 5) t;

        about := about || jsonb_build_object('activities', part);
    end if;

    if voice.crm_has('tickets') then
        select coalesce(jsonb_agg(to_jsonb(t)), '[]') into part from (
            select s.ticket_number as number, s.title, s.status, s.priority,
                    s.category, voice.iso(s.created_at) as created,
                    voice.iso(s.updated_at) as updated
                from public.support_tickets s
                where s.organization_id = organization
                and s.contact_id = contact and voice.crm_is_open(s.status)
                order by s.created_at desc nulls last, s.id desc limit 5) t;

        about := about || jsonb_build_object('tickets', part);
    end if;

    return about;
end
$$;

comment on function voice.crm_about is
    'NeuraCRM: what is known of a contact of a tenant.';


create function voice.caller(organization integer, phone text,
    country text default null)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    m record;
    contact integer;
    about jsonb;
    earlier jsonb;
begin
    about := jsonb_build_object('contact', null, 'company', null,
        'account', null, 'leads', '[]'::jsonb, 'deals', '[]'::jsonb,
        'activities', '[]'::jsonb, 'tickets', '[]'::jsonb);

    if organization is null or not voice.crm_has('core') then
        select case when voice.withheld(phone) then 'withheld' else 'none' end
                as match, null::integer[] as contacts into m;
    else
        country := coalesce(voice.country(country),
            (select o.country from voice.organizations o
                where o.organization = caller.organization),
            voice.country_of(phone));

        m := voice.crm_match(organization, phone, country);
    end if;

    if m.match in ('exact', 'national', 'suffix') then
        contact := m.contacts[1];
        about := coalesce(voice.crm_about(organization, contact), about);
    end if;

    -- who is not known may still have called before, from this very number

    select coalesce(jsonb_agg(to_jsonb(t)), '[]') into earlier from (
        select voice.iso(voice.utc(c.started_at)) as at, c.direction, c.flow,
                c.duration, c.outcome, c.summary, c.sentiment, c.next_step
            from voice.calls c
            where c.organization = caller.organization
            and c.ended_at is not null and c.summary is not null
            and (c.contact_id = contact
                 or m.match = 'none' and c.contact_id is null
                    and (c.caller = phone and c.direction = 'inbound'
                         or c.called = phone and c.direction = 'outbound'))
            order by c.started_at desc limit 3) t;

    return about || jsonb_build_object('calls', earlier,
        'match', m.match, 'matches', coalesce(cardinality(m.contacts), 0));
end
$$;

comment on function voice.caller is
    'Who is calling: the contact, only when it is exactly one, with company, '
    'account, leads, open deals, last activities, open tickets and earlier calls.';
