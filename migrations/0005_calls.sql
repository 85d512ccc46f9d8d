-- Calls and turns, and the CRM's row of each call.  No table of the CRM is
-- changed; rows of public.calls, call_records, activities and support_tickets
-- are written.

set local role voice_owner;


create function voice.crm_provider_create(organization integer, user_id integer)
returns integer
language plpgsql
as $$
declare
    id integer;
begin
    perform pg_advisory_xact_lock(hashtextextended(
        'voice.provider/' || organization, 0));

    id := voice.crm_provider(organization, null);

    if id is not null or user_id is null then
        return id;
    end if;

    return voice.crm_insert('pbx_providers', jsonb_build_object(
        'organization_id', organization, 'name', 'twilio-voice-edge',
        'provider_type', 'twilio', 'display_name', 'Voice edge (Twilio)',
        'description', 'Calls answered by the voice edge',
        'host', 'api.twilio.com', 'port', 443, 'username', '', 'password', '',
        'caller_id_field', 'CallerID', 'dialplan_context', 'default',
        'context', 'default', 'recording_enabled', false,
        'recording_path', '', 'transcription_enabled', true,
        'cdr_enabled', false, 'cdr_path', '', 'is_active', true,
        'is_primary', false, 'auto_assign_calls', false,
        'created_by', user_id, 'created_at', voice.utc(),
        'updated_at', voice.utc()));
end
$$;

comment on function voice.crm_provider_create is
    'NeuraCRM: a provider row for a tenant that has none: calls need one.';


create function voice.crm_status(c voice.calls) returns text
language sql stable
as $$
    select case
        when c.ended_at is null then
            case when c.status in ('queued', 'initiated', 'ringing')
                then 'ringing' else 'answered' end
        when c.status in ('busy', 'failed') then c.status
        when c.status = 'canceled' then 'failed'
        when c.status = 'no-answer' then
            coalesce((select s.shape ->> 'no_answer' from voice.crm_shape s),
                     'failed')
        else 'completed' end
$$;

comment on function voice.crm_status is 'NeuraCRM: calls.status of a call.';


create function voice.transcript(sid text) returns text
language sql stable
as $$
    select string_agg(line, E'\n' order by turn, part) from (
        select t.turn, 1 as part, 'Caller: ' || t.heard as line
            from voice.turns t where t.call_sid = sid and t.heard <> ''
        union all
        select t.turn, 2, 'Agent: ' || t.said
                || case when t.estimated then ' [not known how much was heard]'
                        else '' end
            from voice.turns t where t.call_sid = sid and t.said <> '') l
$$;

comment on function voice.transcript is
    'A call as text, a line for each who spoke.';


create function voice.crm_notes(c voice.calls) returns text
language sql immutable
as $$
    select nullif(concat_ws(E'\n', c.summary,
        'Outcome: ' || c.outcome, 'Sentiment: ' || c.sentiment,
        'Next step: ' || c.next_step), '')
$$;

comment on function voice.crm_notes is 'What people read about a call.';


create function voice.crm_call_row(c voice.calls) returns integer
language plpgsql
as $$
declare
    row_id integer := c.crm_id;
    seconds integer;
    fields jsonb;
begin
    if c.provider_id is null then
        c.provider_id := voice.crm_provider_create(c.organization, c.user_id);
    end if;

    -- unique_id need not be unique here: look first, under a lock

    perform pg_advisory_xact_lock(hashtextextended('voice.call/' || c.sid, 0));

    if row_id is null then
        select p.id into row_id from public.calls p
            where p.unique_id = c.sid and p.organization_id = c.organization
            order by p.id limit 1;
    end if;

    seconds := coalesce(c.duration, greatest(0, round(extract(epoch
        from c.ended_at - coalesce(c.answered_at, c.started_at)))), 0);

    fields := jsonb_build_object(
        'status', voice.crm_status(c),
        'answer_time', voice.utc(c.answered_at),
        'end_time', voice.utc(c.ended_at),
        'duration', seconds,
        'talk_time', case when c.answered_at is null then 0 else seconds end,
        'contact_id', c.contact_id, 'lead_id', c.lead_id, 'deal_id', c.deal_id,
        'disposition', case when c.ended_at is not null then coalesce(
            left(c.disposition, 50), case c.status when 'completed' then 'answered'
                when 'canceled' then 'abandoned' else c.status end) end,
        'recording_url', case when length(c.recording_url) <= 500
            then c.recording_url end,
        'transcription_text', case when c.ended_at is not null
            then voice.transcript(c.sid) end,
        'notes', voice.crm_notes(c),
        'cost', coalesce(c.cost, 0),
        'cdr_data', jsonb_strip_nulls(jsonb_build_object('source', 'voice-edge',
            'flow', c.flow, 'outcome', c.outcome, 'sentiment', c.sentiment,
            'next_step', c.next_step, 'match', c.contact_match)),
        'updated_at', voice.utc());

    if row_id is null then
        -- who calls may be any text: what every shape takes

        return voice.crm_insert('calls', fields || jsonb_build_object(
            'organization_id', c.organization, 'provider_id', c.provider_id,
            'unique_id', c.sid, 'caller_id', left(c.caller, 50),
            'called_number', left(c.called, 50), 'direction', c.direction,
            'call_type', 'voice', 'start_time', voice.utc(c.started_at),
            'hold_time', 0, 'wait_time', 0, 'cost_currency', 'USD',
            'created_at', voice.utc()));
    end if;

    -- null is "nothing new", and what is there stays

    update public.calls p set
        status = r.status,
        answer_time = coalesce(r.answer_time, p.answer_time),
        end_time = coalesce(r.end_time, p.end_time),
        duration = r.duration, talk_time = r.talk_time,
        contact_id = coalesce(r.contact_id, p.contact_id),
        lead_id = coalesce(r.lead_id, p.lead_id),
        deal_id = coalesce(r.deal_id, p.deal_id),
        disposition = coalesce(r.disposition, p.disposition),
        recording_url = coalesce(r.recording_url, p.recording_url),
        transcription_text = coalesce(r.transcription_text,
                                      p.transcription_text),
        notes = coalesce(r.notes, p.notes),
        cost = r.cost, cdr_data = r.cdr_data, updated_at = r.updated_at
        from jsonb_populate_record(null::public.calls, fields) r
        where p.id = row_id and p.organization_id = c.organization;

    return row_id;
end
$$;

comment on function voice.crm_call_row is
    'NeuraCRM: writes public.calls for a call, and returns its id.';


create function voice.crm_call_record(c voice.calls) returns integer
language plpgsql
as $$
declare
    row_id integer := c.crm_record_id;
    word text;
begin
    word := case when voice.crm_status(c) = 'completed' then 'completed'
        when c.status = 'no-answer' then 'no_answer'
        when c.status = 'canceled' then 'cancelled'
        else voice.crm_status(c) end;

    if row_id is null then
        perform pg_advisory_xact_lock(hashtextextended(
            'voice.call/' || c.sid, 0));

        select r.id into row_id from public.call_records r
            where r.external_call_id = c.sid limit 1;
    end if;

    if row_id is null then
        return voice.crm_insert('call_records', jsonb_build_object(
            'external_call_id', c.sid,
            'agent_id', coalesce(c.flow, 'voice-edge'),
            'to_number', left(c.called, 50), 'from_number', left(c.caller, 50),
            'scenario', case
                when exists (select from voice.meetings m
                    where m.call_sid = c.sid) then 'appointment_booking'
                when c.flow = 'support' then 'customer_support'
                when c.direction = 'outbound' then 'sales_outbound'
                when c.flow = 'sales' then 'lead_qualification'
                else 'customer_support' end,
            'direction', c.direction, 'status', word,
            'start_time', voice.utc(c.started_at),
            'end_time', voice.utc(c.ended_at), 'duration', c.duration,
            'recording_url', c.recording_url,
            'transcript', voice.transcript(c.sid), 'cost', coalesce(c.cost, 0),
            'lead_id', c.lead_id, 'contact_id', c.contact_id,
            'user_id', c.user_id,
            'call_metadata', jsonb_build_object('source', 'voice-edge',
                'organization', c.organization),
            'created_at', voice.utc(), 'updated_at', voice.utc()));
    end if;

    update public.call_records r set status = word,
        end_time = voice.utc(c.ended_at), duration = c.duration,
        transcript = voice.transcript(c.sid), cost = coalesce(c.cost, 0),
        lead_id = coalesce(c.lead_id, r.lead_id),
        contact_id = coalesce(c.contact_id, r.contact_id),
        updated_at = voice.utc()
        where r.id = row_id;

    return row_id;
end
$$;

comment on function voice.crm_call_record is
    'NeuraCRM: writes public.call_records for a call that is over.';


create function voice.crm_call_extras(c voice.calls) returns voice.calls
language plpgsql
as $$
begin
    if voice.crm_has('call_records') then
        c.crm_record_id := voice.crm_call_record(c);
    end if;

    if c.deal_id is not null and c.crm_activity is null
        and c.summary is not null and voice.crm_has('deals')
    then
        c.crm_activity := voice.crm_insert('activities', jsonb_build_object(
            'deal_id', c.deal_id, 'user_id', c.user_id, 'type', 'Call Made',
            'message', left(format('%s call: %s', initcap(c.direction),
                voice.crm_notes(c)), 2000),
            'timestamp', voice.utc(c.ended_at)));
    end if;

    if c.ticket_id is not null and c.summary is not null
        and voice.crm_has('ai_summary')
    then
        execute 'update public.support_tickets set ai_summary = $1,
            ai_summary_generated_at = $2, ai_summary_model = $3,
            updated_at = $2
            where id = $4 and organization_id = $5
            and ai_summary is distinct from $1'
            using c.summary, voice.utc(), 'voice-edge', c.ticket_id,
                c.organization;
    end if;

    return c;
end
$$;

comment on function voice.crm_call_extras is
    'NeuraCRM: what else is written when a call is over: the record, the '
    'deal''s activity, the ticket''s summary.';


create function voice.crm_own(relation text, wanted integer,
    organization integer) returns integer
language plpgsql stable
as $$
declare
    id integer;
begin
    if wanted is not null
        and voice.crm_missing(relation, '{id,organization_id}') is null
    then
        execute format('select id from public.%I where id = $1 '
            'and organization_id = $2', relation)
            using wanted, organization into id;
    end if;

    return id;
end
$$;

comment on function voice.crm_own is
    'NeuraCRM: a row''s id if it is still there and of the tenant, else null.';


create function voice.crm_current(c voice.calls) returns voice.calls
language plpgsql stable
as $$
begin
    -- since the call began, people may have deleted what it points at

    c.contact_id := voice.crm_own('contacts', c.contact_id, c.organization);
    c.lead_id := voice.crm_own('leads', c.lead_id, c.organization);
    c.deal_id := voice.crm_own('deals', c.deal_id, c.organization);
    c.ticket_id := voice.crm_own('support_tickets', c.ticket_id, c.organization);
    c.user_id := voice.crm_own('users', c.user_id, c.organization);
    c.provider_id := voice.crm_own('pbx_providers', c.provider_id,
                                   c.organization);
    c.crm_id := voice.crm_own('calls', c.crm_id, c.organization);

    return c;
end
$$;

comment on function voice.crm_current is
    'NeuraCRM: a call without what is not there any more, or not the tenant''s.';


create function voice.crm_call(sid text) returns void
language plpgsql
as $$
declare
    c voice.calls;
    problem text;
begin
    select * into c from voice.calls t where t.sid = crm_call.sid for update;

    if c.organization is null or not voice.crm_has('calls') then
        return;
    end if;

    c := voice.crm_current(c);

    -- A call is not lost because the CRM takes no row of it: that is tried
    -- again by voice.close_stale_calls().  A lock or a time limit is the
    -- whole batch's matter.

    begin
        c.crm_id := voice.crm_call_row(c);

    exception when others then
        if voice.transient(sqlstate) then
            raise;
        end if;

        problem := sqlerrm;
        raise log 'voice: call % is not in the CRM: %', sid, problem;
    end;

    if c.ended_at is not null and c.crm_id is not null then
        begin
            c := voice.crm_call_extras(c);

        exception when others then
            if voice.transient(sqlstate) then
                raise;
            end if;

            raise log 'voice: call % is not complete in the CRM: %', sid, sqlerrm;
        end;
    end if;

    update voice.calls t set crm_id = c.crm_id, crm_record_id = c.crm_record_id,
        crm_activity = c.crm_activity, crm_pending = problem is not null,
        crm_error = problem
        where t.sid = crm_call.sid;
end
$$;

comment on function voice.crm_call is
    'NeuraCRM: brings a call''s rows up to date.';


create function voice.call_status(old text, new text) returns text
language sql immutable
as $$
    -- forward only: notes come in any order

    select case when coalesce(array_position(r, new), 0)
                     > coalesce(array_position(r, old), 0)
                then new else old end
        from (values (array['queued', 'initiated', 'ringing', 'in-progress',
            'canceled', 'no-answer', 'busy', 'failed', 'completed'])) v (r)
$$;

comment on function voice.call_status is
    'The later one of two of Twilio''s CallStatus.';


create function voice.call_is_over(status text) returns boolean
language sql immutable
as $$
    select coalesce(status in ('canceled', 'no-answer', 'busy', 'failed',
                               'completed'), false)
$$;

comment on function voice.call_is_over is
    'Whether a CallStatus is a final one.';


create function voice.call_open(sid text, note jsonb) returns voice.calls
language plpgsql
as $$
declare
    c voice.calls;
    n jsonb;
    m record;
begin
    insert into voice.calls (sid) values (sid) on conflict do nothing;

    select * into strict c from voice.calls t
        where t.sid = call_open.sid for update;

    -- whose the call is, is said once

    if c.organization is not null or note ->> 'called' is null then
        return c;
    end if;

    c.direction := case note ->> 'direction' when 'outbound' then 'outbound'
        else 'inbound' end;
    c.caller := left(coalesce(note ->> 'caller', ''), 255);
    c.called := left(note ->> 'called', 255);

    n := voice.number(case c.direction when 'outbound' then c.caller
        else c.called end, note);

    if n ? 'error' then
        raise log 'voice: call %: %', sid, n #>> '{error,message}';
        n := '{"timezone": "UTC"}';
    end if;

    c.organization := n ->> 'organization';
    c.timezone := n ->> 'timezone';
    c.country := n ->> 'country';
    c.user_id := n ->> 'user';
    c.provider_id := n ->> 'provider';
    c.flow := coalesce(c.flow, n ->> 'flow');
    c.language := coalesce(c.language, n ->> 'language');

    if c.organization is not null then
        m := voice.crm_match(c.organization,
            voice.party(c.direction, c.caller, c.called), c.country);
        c.contact_match := m.match;

        if m.match in ('exact', 'national', 'suffix') then
            c.contact_id := m.contacts[1];
            c.deal_id := voice.crm_open_deals(c.organization, c.contact_id)
                -> 0 ->> 'id';
        end if;
    end if;

    update voice.calls t set organization = c.organization,
        direction = c.direction, caller = c.caller, called = c.called,
        timezone = c.timezone, country = c.country, user_id = c.user_id,
        provider_id = c.provider_id, flow = c.flow, language = c.language,
        contact_id = c.contact_id, contact_match = c.contact_match,
        deal_id = c.deal_id
        where t.sid = call_open.sid;

    return c;
end
$$;

comment on function voice.call_open is
    'The call''s row, locked; made, and given to its tenant, when it is new.';


create function voice.call_ended(c voice.calls) returns void
language plpgsql
as $$
begin
    delete from voice.steps s where s.call_sid = c.sid;

    -- Its last turns may still be on their way.  The key makes it one job,
    -- whoever says that the call is over, and however often.

    if c.summary is null and c.answered_at is not null then
        perform voice.put_job(jsonb_build_object('kind', 'summary',
            'key', c.sid || '/summary', 'call', c.sid,
            'organization', c.organization,
            'run_at', now() + interval '10 seconds'));
    end if;
end
$$;

comment on function voice.call_ended is
    'Forgets the answers of a call that is over, and queues its summary.';


create function voice.merge(noted jsonb, note jsonb, at timestamptz,
    fields text[], out wins jsonb, out since jsonb)
language sql stable
as $$
    -- of two values the one that was noted later wins, whichever comes first

    select coalesce(jsonb_object_agg(e.key, e.value), '{}'),
            noted || coalesce(jsonb_object_agg(e.key, m.at), '{}')
        from jsonb_each(jsonb_strip_nulls(note)) e,
            (select extract(epoch from at)) m (at)
        where e.key = any (fields)
        and m.at >= coalesce((noted ->> e.key)::numeric, '-infinity')
$$;

comment on function voice.merge is
    'Which fields of a note are news, and since when each field is what it is.';


create function voice.record_call(sid text, note jsonb, at timestamptz)
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
        duration = v.duration, disposition = v.disposition,
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

comment on function voice.record_call is 'Merges a note about a call.';


create function voice.record_turn(sid text, note jsonb, at timestamptz)
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

comment on function voice.record_turn is 'Merges a note about a turn.';


create function voice.record_step(sid text, note jsonb, at timestamptz)
returns void
language plpgsql
as $$
declare
    c voice.calls := voice.call_open(sid, note);
begin
    if c.ended_at is not null then
        return;
    end if;

    insert into voice.steps (call_sid, route, turn, step, twiml, state, at)
        values (sid, note ->> 'route', (note ->> 'turn')::integer,
            (note ->> 'step')::integer, note ->> 'twiml', note -> 'state', at)
        on conflict do nothing;

    -- Twilio repeats what it has just asked, not what was long ago

    delete from voice.steps s where s.call_sid = sid and (s.route, s.turn, s.step)
        in (select o.route, o.turn, o.step from voice.steps o
                where o.call_sid = sid
                order by o.turn desc, o.at desc, o.step desc offset 8);

    update voice.calls t set updated_at = now() where t.sid = record_step.sid;
end
$$;

comment on function voice.record_step is
    'Keeps an answer for repeated webhooks.';


create function voice.record_note(kind text, sid text, key text, note jsonb,
    at timestamptz)
returns void
language plpgsql
as $$
declare
    c voice.calls;
    result jsonb;
begin
    if kind = 'utterance' then
        result := voice.utterance_put(note ->> 'id', note -> 'utterance');
    elsif kind = 'job' then
        result := voice.put_job(coalesce(note -> 'job', '{}')
            || jsonb_build_object('key', key, 'call', sid));
    elsif kind not in ('call', 'turn', 'step', 'action', 'outcome') then
        perform voice.refuse('invalid_note',
            format('there is no kind "%s"', left(kind, 50)));
    elsif sid is null or length(sid) not between 1 and 50 then
        perform voice.refuse('invalid_note', 'the note names no call');
    end if;

    if result ? 'error' then
        perform voice.refuse('invalid_note', result #>> '{error,message}');
    end if;

    case kind
    when 'call' then
        perform voice.record_call(sid, note, at);
    when 'turn' then
        perform voice.record_turn(sid, note, at);
    when 'step' then
        perform voice.record_step(sid, note, at);
    when 'outcome' then
        perform voice.record_call(sid, note, at);
    else
        null;
    end case;

    -- What acts on the CRM must know whose the call is.  Such a note may come
    -- before the call's, and therefore brings caller and called itself.

    if kind = 'action' or kind = 'outcome' and note ? 'lead' then
        c := voice.call_open(sid, note);

        if c.called = '' then
            perform voice.refuse('invalid_note',
                'nobody has said who called whom: send caller and called');
        end if;
    end if;

    if kind = 'action' then
        perform voice.act(sid, key, note ->> 'name', note -> 'arguments');

    elsif jsonb_typeof(note -> 'lead') = 'object' and kind = 'outcome'
        and c.lead_id is null and c.deal_id is null
    then
        -- who showed interest and is nobody's lead yet

        perform voice.act(sid, sid || '/outcome/lead', 'create_lead',
                          note -> 'lead');
    end if;
end
$$;

comment on function voice.record_note is 'One note of voice.record().';


create function voice.record(batch jsonb) returns jsonb
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
            -- a note that can never be stored must not hold up the others

            if voice.transient(sqlstate) then
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

comment on function voice.record is
    'Stores notes of calls, turns, steps, outcomes, actions, jobs and '
    'utterances, each once by its key, in any order. An exception means that '
    'nothing was stored and the batch should come again.';


create function voice.resume(call_sid text) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c voice.calls;
begin
    select * into c from voice.calls t where t.sid = call_sid;

    if not found then
        return '{"found": false}';
    end if;

    return jsonb_build_object(
        'found', true,
        'over', c.ended_at is not null,
        'call', jsonb_build_object('sid', c.sid, 'direction', c.direction,
            'caller', c.caller, 'called', c.called, 'status', c.status,
            'organization', c.organization, 'flow', c.flow,
            'language', c.language, 'timezone', c.timezone,
            'country', c.country, 'contact', c.contact_id,
            'match', c.contact_match, 'node', c.node, 'outcome', c.outcome,
            'started_at', voice.iso(voice.utc(c.started_at))),
        'failures', c.failures,
        'turn', (select coalesce(max(t.turn), 0) from voice.turns t
            where t.call_sid = c.sid),
        'history', (
            select coalesce(jsonb_agg(jsonb_build_object('turn', h.turn,
                    'role', h.role, 'text', h.text) order by h.turn, h.part), '[]')
                from (
                    select t.turn, 1 as part, 'user' as role, t.heard as text
                        from voice.turns t where t.call_sid = c.sid
                    union all
                    select t.turn, 2, 'assistant', t.said
                        from voice.turns t where t.call_sid = c.sid
                ) h where h.text <> ''),
        'steps', (
            select coalesce(jsonb_agg(jsonb_build_object('route', s.route,
                    'turn', s.turn, 'step', s.step, 'twiml', s.twiml,
                    'state', s.state) order by s.turn, s.at, s.step), '[]')
                from voice.steps s where s.call_sid = c.sid),
        'actions', (
            select coalesce(jsonb_agg(jsonb_build_object('key', a.key,
                    'name', a.name, 'arguments', a.arguments,
                    'result', a.result) order by a.created_at, a.key), '[]')
                from voice.actions a where a.call_sid = c.sid));
end
$$;

comment on function voice.resume is
    'All that a node needs to go on with a call that another one had.';


create function voice.close_stale_calls(older interval default '4 hours',
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
            disposition = coalesce(t.disposition, 'abandoned'),
            outcome = coalesce(t.outcome, 'lost'), updated_at = now()
            where t.sid = stale.sid
            returning t.* into c;

        perform voice.call_ended(c);
        perform voice.crm_call(stale.sid);
        perform voice.notify('end', stale.sid);

        closed := closed || to_jsonb(stale.sid);
    end loop;

    for stale in select t.sid from voice.calls t where t.crm_pending
        order by t.sid limit most for update skip locked
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

comment on function voice.close_stale_calls is
    'Ends calls of which nothing was heard for so long, writes CRM rows that '
    'could not be written, and forgets old utterances, keys and jobs.';
