-- Notes that are stored together and tools that run at the same time do not
-- wait for each other.  No table of the CRM is changed.

set local role voice_owner;


-- Everybody takes locks in this order: rows of calls, by sid; then what a
-- tenant's calls share (tickets' numbers, contacts, leads).  An action in the
-- midst of a batch had a shared one before the next call's row.

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

    insert into voice.calls (sid, updated_at)
        select distinct e.value ->> 'call' collate "C", timestamptz '-infinity'
            from jsonb_array_elements(batch) e
            where length(e.value ->> 'call') between 1 and 50
            and e.value ->> 'kind' in ('call', 'turn', 'step', 'action',
                                       'outcome')
            order by 1
        on conflict do nothing;

    perform from voice.calls t
        where t.sid in (select e.value ->> 'call'
                        from jsonb_array_elements(batch) e)
        order by t.sid collate "C" for update;

    -- What belongs to no call is the same in other batches, by its key: it is
    -- in the order of keys.

    for item in
        select e.value
            from jsonb_array_elements(batch) with ordinality e (value, n),
            lateral (values (
                case when e.value ->> 'kind' in ('utterance', 'job') then 0
                    when e.value ->> 'kind' = 'action'
                        or e.value ->> 'kind' = 'outcome' and e.value ? 'lead'
                        then 2
                    else 1 end)) r (rank)
            order by r.rank, case when r.rank = 0
                then coalesce(e.value ->> 'id', e.value ->> 'key') end
                    collate "C",
                e.value ->> 'call' collate "C" nulls first, e.n
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

    -- calls of which every note was refused

    delete from voice.calls t
        where t.sid in (select e.value ->> 'call'
                        from jsonb_array_elements(batch) e)
        and t.updated_at = '-infinity';

    return jsonb_build_object('acknowledged', done, 'refused', refused);
end
$$;
