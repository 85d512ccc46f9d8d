-- Free times for a meeting, found without looking at all of two weeks: a
-- caller waits for them.  No table of the CRM is changed or written.

set local role voice_owner;


create or replace function voice.free_slots(o voice.organizations, zone text,
    near timestamptz, length interval, but text) returns jsonb
language plpgsql stable
as $$
declare
    day timestamp := pg_catalog.timezone(zone,
        greatest(near, now()))::date::timestamp;
    last timestamp := day + interval '14 days';
    at timestamp;
    s timestamptz;
    free jsonb := '[]';
begin
    while day <= last loop
        at := day + o.meeting_from;

        while at < day + o.meeting_to loop
            s := pg_catalog.timezone(zone, at);

            if s > now() + interval '15 minutes' and s >= near
                and voice.in_hours(o, zone, s, s + length)
                and not voice.crm_slot_taken(o.organization, s, s + length, but)
            then
                free := free || to_jsonb(to_char(pg_catalog.timezone(zone, s),
                                                 'YYYY-MM-DD"T"HH24:MI'));

                if jsonb_array_length(free) = 3 then
                    return free;
                end if;
            end if;

            at := at + make_interval(mins => o.meeting_minutes);
        end loop;

        day := day + interval '1 day';
    end loop;

    return free;
end
$$;

comment on function voice.free_slots is
    'The next three free starts within two weeks, local time.';
