-- What a configuration says of the numbers that it does not name.  No table of
-- the CRM is changed or written.

set local role voice_owner;


create or replace function voice.number(number text,
    given jsonb default '{}') returns jsonb
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

    -- what is meant for all numbers that nobody else has a word for

    if tenant is null and jsonb_typeof(given -> 'otherwise') = 'object' then
        return voice.number(number,
            (given -> 'otherwise') - 'otherwise' || (given - 'otherwise'));
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
    'the edge''s configuration says: organization, flow, language, timezone, '
    'country; in "otherwise" the same for a number that nothing else names.';
