-- Small functions that the others are made of.  Nothing of the CRM is touched.

set local role voice_owner;


create function voice.utc(at timestamptz default now()) returns timestamp
language sql stable
as $$ select pg_catalog.timezone('utc', at) $$;

comment on function voice.utc is
    'The CRM''s kind of time: UTC without zone, whatever the session''s zone is.';


create function voice.iso(at timestamp) returns text
language sql immutable
as $$ select pg_catalog.to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;

comment on function voice.iso is 'A time of the CRM''s, in JSON.';


create function voice.try_json(value text) returns jsonb
language plpgsql immutable
as $$
begin
    return value::jsonb;
exception when others then
    return null;
end
$$;

comment on function voice.try_json is 'JSON that people typed, or null.';


create function voice.try_time(value text) returns timestamptz
language plpgsql stable
as $$
begin
    if value !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|[+-][0-9:]+)$' then
        return null;
    end if;

    return value::timestamptz;
exception when others then
    return null;
end
$$;

comment on function voice.try_time is
    'An RFC 3339 time with its zone, or null.';


create function voice.try_zone(name text) returns text
language plpgsql stable
as $$
begin
    -- a name, not a POSIX rule, which would be taken for any word

    if name !~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$' then
        return null;
    end if;

    perform pg_catalog.timezone(name, now());

    return name;
exception when invalid_parameter_value then
    return null;
end
$$;

comment on function voice.try_zone is 'The name of a time zone, or null.';


create function voice.transient(state text) returns boolean
language sql immutable
as $$ select left(state, 2) in ('08', '25', '40', '53', '55', '57', '58') $$;

comment on function voice.transient is
    'Whether trying again later may help: locks, limits, connections.';


create function voice.notify(kind text, sid text, more jsonb default '{}')
returns void
language sql volatile
as $$
    select pg_catalog.pg_notify('voice_events', left(
        (jsonb_build_object('kind', kind, 'call', sid) || more)::text, 2000))
$$;

comment on function voice.notify is 'Tells who listens on voice_events.';


-- arguments of the model -----------------------------------------------------

create function voice.refuse(code text, message text, more jsonb default '{}')
returns void
language plpgsql
as $$
begin
    raise exception using errcode = 'VE001', message = message, detail = code,
        hint = more::text;
end
$$;

comment on function voice.refuse is
    'Ends a tool: voice.act() makes {"error":{"code","message",…}} of it.';


create function voice.arg_known(arguments jsonb, names text[]) returns void
language plpgsql
as $$
declare
    unknown text;
begin
    if jsonb_typeof(arguments) is distinct from 'object' then
        perform voice.refuse('invalid_argument',
            'the arguments must be a JSON object');
    end if;

    select k into unknown from jsonb_object_keys(arguments) k
        where k <> all (names) order by k limit 1;

    if found then
        perform voice.refuse('invalid_argument', format(
            'there is no argument "%s"; known are %s', left(unknown, 50),
            array_to_string(names, ', ')));
    end if;
end
$$;

comment on function voice.arg_known is
    'Refuses arguments that a tool does not have.';


create function voice.clean(value text) returns text
language sql immutable
as $$
    select nullif(btrim(regexp_replace(value,
        '[\x01-\x09\x0b-\x1f\x7f]+', ' ', 'g'), E' \n'), '')
$$;

comment on function voice.clean is
    'Text without control characters; empty is null.';


create function voice.arg_text(arguments jsonb, name text, most integer,
    required boolean default false) returns text
language plpgsql
as $$
declare
    value text := voice.clean(arguments ->> name);
begin
    if value is not null and jsonb_typeof(arguments -> name) <> 'string' then
        perform voice.refuse('invalid_argument',
            format('"%s" must be a string', name));
    end if;

    if value is null and required then
        perform voice.refuse('invalid_argument', format('"%s" is missing', name));
    end if;

    if length(value) > most then
        perform voice.refuse('invalid_argument', format(
            '"%s" is longer than %s characters', name, most));
    end if;

    return value;
end
$$;

comment on function voice.arg_text is 'A text argument; empty is missing.';


create function voice.arg_choice(arguments jsonb, name text, choices text[])
returns text
language plpgsql
as $$
declare
    value text := voice.arg_text(arguments, name, 100);
begin
    if value <> all (choices) then
        perform voice.refuse('invalid_argument', format('"%s" must be one of %s',
            name, array_to_string(choices, ', ')));
    end if;

    return value;
end
$$;

comment on function voice.arg_choice is 'An argument out of a list, or null.';


create function voice.arg_email(arguments jsonb) returns text
language plpgsql
as $$
declare
    value text := voice.arg_text(arguments, 'email', 254);
begin
    if value !~ '^[^@\s<>"]+@[^@\s<>"]+\.[^@\s<>".]+$' then
        perform voice.refuse('invalid_argument',
            '"email" is no e-mail address; ask the caller to spell it');
    end if;

    return value;
end
$$;

comment on function voice.arg_email is 'The argument "email", or null.';


create function voice.arg_local(arguments jsonb, name text, zone text)
returns timestamptz
language plpgsql
as $$
declare
    value text := voice.arg_text(arguments, name, 40);
    at timestamptz;
begin
    if value is null then
        return null;
    end if;

    if value !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:00)?$' then
        perform voice.refuse('invalid_argument', format('"%s" must be a local '
            'date and time such as 2026-01-31T14:30, without a zone', name));
    end if;

    begin
        at := pg_catalog.timezone(zone, value::timestamp);
    exception when datetime_field_overflow or invalid_datetime_format then
        perform voice.refuse('invalid_argument',
            format('"%s" is no date that exists', name));
    end;

    -- an hour that clocks leap over when summer begins

    if pg_catalog.timezone(zone, at) <> value::timestamp then
        perform voice.refuse('invalid_argument',
            format('"%s" does not exist: the clocks change', name));
    end if;

    return at;
end
$$;

comment on function voice.arg_local is 'A local date and time, or null.';


-- telephone numbers ----------------------------------------------------------

create function voice.digits(phone text) returns text
language sql immutable
as $$
    select regexp_replace(regexp_replace(regexp_replace(
        phone, '[xX].*$', ''), '\D', '', 'g'), '^00', '')
$$;

comment on function voice.digits is
    'Digits of a number as people write it, without extension and leading 00.';


create function voice.withheld(phone text) returns boolean
language sql immutable
as $$
    -- the last five are words on a keypad: ANONYMOUS, RESTRICTED,
    -- UNAVAILABLE, UNKNOWN, BLOCKED

    select coalesce(phone !~ '^\s*\+?[0-9][0-9 ().-]*$'
        or length(voice.digits(phone)) not between 7 and 15
        or voice.digits(phone) in ('266696687', '7378742833', '86282452253',
                                   '8656696', '2562533'), true)
$$;

comment on function voice.withheld is
    'A caller''s number that identifies nobody.';


create function voice.country(code text) returns text
language sql stable
as $$
    select c.iso from voice.countries c
        where c.iso = upper(btrim(code)) or c.calling = ltrim(btrim(code), '+')
        order by c.iso = upper(btrim(code)) desc, c.iso desc limit 1
$$;

comment on function voice.country is
    'ISO code of a country, by that or calling code.';


create function voice.country_of(phone text) returns text
language sql stable
as $$
    select c.iso from voice.countries c
        where phone like '+%' and voice.digits(phone) like c.calling || '%'
        order by length(c.calling) desc, c.iso desc limit 1
$$;

comment on function voice.country_of is
    'ISO code of the country of an E.164 number.';


create function voice.national(phone text, country text) returns text
language plpgsql stable
as $$
declare
    digits text := voice.digits(phone);
    c voice.countries;
begin
    select * into c from voice.countries where iso = country;

    if not found then
        return null;
    end if;

    if phone ~ '^\s*(\+|00)' then
        if digits not like c.calling || '%' then
            return null;
        end if;

        digits := substr(digits, length(c.calling) + 1);

    elsif digits like c.calling || '%'
        and length(digits) >= length(c.calling) + c.digits
    then
        digits := substr(digits, length(c.calling) + 1);
    end if;

    -- "+44 (0)20 …" too

    if c.trunk <> '' and digits like c.trunk || '%' then
        digits := substr(digits, length(c.trunk) + 1);
    end if;

    return digits;
end
$$;

comment on function voice.national is
    'A number as it is within a country, null if it is of another one.';
