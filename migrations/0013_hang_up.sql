-- What one memory takes for a call's last words while the call goes on in
-- another one.  No table of the CRM is changed.

set local role voice_owner;


create or replace function voice.record_turn(sid text, note jsonb, at timestamptz)
returns void
language plpgsql
as $$
declare
    c voice.calls := voice.call_open(sid, note);
    n integer := note ->> 'turn';
    started timestamptz := coalesce(voice.try_time(note ->> 'started_at'), at);
    t voice.turns;
    m record;
begin
    insert into voice.turns (call_sid, turn) values (sid, n)
        on conflict do nothing;

    select * into strict t from voice.turns o
        where o.call_sid = sid and o.turn = n;

    -- What was said when the caller hung up counts while no later turn is
    -- known.  Until then what it replaces is kept, with its time.

    if not coalesce((note ->> 'hung_up')::boolean, false) then
        if t.noted ? 'hung_up' and note ? 'said'
            and extract(epoch from at)
                >= coalesce((t.noted #>> '{hung_up,at}')::numeric, 0)
        then
            t.noted := jsonb_set(t.noted, '{hung_up}', jsonb_build_object(
                'said', note ->> 'said',
                'estimated', coalesce((note ->> 'estimated')::boolean, false),
                'at', extract(epoch from at)));
        end if;

    elsif exists (select from voice.turns o
        where o.call_sid = sid and o.turn > n)
    then
        note := note - '{said,estimated}'::text[];

    else
        t.noted := jsonb_build_object('hung_up', jsonb_build_object(
            'said', t.said, 'estimated', t.estimated,
            'at', t.noted -> 'said')) || t.noted;
    end if;

    m := voice.merge(t.noted, note, at, '{flow,input,heard,confidence,said,'
        'estimated,failed,timings,usage,cost,node}');

    update voice.turns o set
        flow = v.flow, input = v.input, heard = v.heard,
        confidence = v.confidence, said = v.said, estimated = v.estimated,
        failed = v.failed, started_at = least(o.started_at, started),
        timings = v.timings, usage = v.usage, cost = v.cost, node = v.node,
        noted = m.since
        from jsonb_populate_record(t, m.wins) v
        where o.call_sid = sid and o.turn = n;

    update voice.turns o set said = o.noted #>> '{hung_up,said}',
        estimated = (o.noted #>> '{hung_up,estimated}')::boolean,
        noted = (o.noted - '{hung_up,estimated}'::text[])
            || jsonb_build_object('said',
                coalesce((o.noted #>> '{hung_up,at}')::numeric, 0))
        where o.call_sid = sid and o.turn < n and o.noted ? 'hung_up';

    -- a turn that another flow answers moves the call there

    m := voice.merge(c.noted, note, at, '{flow,node}');

    update voice.calls o set updated_at = now(),
        status = voice.call_status(o.status, 'in-progress'),
        started_at = least(o.started_at, started),
        answered_at = least(o.answered_at, started),
        flow = v.flow, node = v.node, noted = m.since,
        failures = (select count(*) from voice.turns x
            where x.call_sid = record_turn.sid and x.failed
            and x.turn > coalesce((select max(y.turn) from voice.turns y
                where y.call_sid = record_turn.sid and not y.failed), -1))
        from jsonb_populate_record(c, m.wins) v
        where o.sid = record_turn.sid;

    -- the text of a call that is over is in the CRM already

    if c.ended_at is not null then
        c.answered_at := coalesce(c.answered_at, started);
        perform voice.call_ended(c);
        perform voice.crm_call(sid);
    end if;

    perform voice.notify('turn', sid, jsonb_build_object('turn', n,
        'organization', c.organization));
end
$$;

comment on column voice.turns.noted is
    'Since when each field is as it is: notes come in any order. And what the '
    'note of a hang-up has replaced.';
