-- A caller whose number and name several contacts have is the first of them:
-- each call made one contact more.  No table of the CRM is changed.

set local role voice_owner;


create or replace function voice.crm_contact(c voice.calls, given_name text,
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

            -- the name tells which one, if it is one of them; several of one
            -- name and number are the same person, entered more than once

            select min(p.id) into found_id
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
