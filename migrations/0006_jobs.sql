-- Jobs and utterances.  Nothing of the CRM is touched.

set local role voice_owner;


create function voice.utterance_put(id text, utterance jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if coalesce(length(id), 0) not between 1 and 100
        or jsonb_typeof(utterance) is distinct from 'object'
    then
        return '{"error": {"code": "invalid_utterance", "message": "an id and '
            'an object are needed"}}';
    end if;

    insert into voice.utterances as u (id, utterance) values (id, utterance)
        on conflict do nothing;

    return jsonb_build_object('stored', found);
end
$$;

comment on function voice.utterance_put is
    'Keeps the words behind an audio id for a day. The id is made of the '
    'content: what is there is the same.';


create function voice.utterance_get(id text) returns jsonb
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select u.utterance from voice.utterances u where u.id = $1 $$;

comment on function voice.utterance_get is
    'The words behind an audio id, or null.';


create function voice.put_job(job jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    job_id bigint;
    j voice.jobs;
begin
    j := jsonb_populate_record(null::voice.jobs, job);

    if j.kind is null or j.kind !~ '^[a-z][a-z0-9_]{0,63}$' then
        return '{"error": {"code": "invalid_job", "message": "the job has no '
            'kind"}}';
    end if;

    insert into voice.jobs as t (key, kind, organization, call_sid, payload,
            run_at, max_attempts)
        values (j.key, j.kind, j.organization,
            coalesce(j.call_sid, job ->> 'call'),
            coalesce(j.payload, '{}'), coalesce(j.run_at, now()),
            coalesce(j.max_attempts, 5))
        on conflict do nothing
        returning t.id into job_id;

    if job_id is null then
        return jsonb_build_object('queued', false,
            'job', (select t.id from voice.jobs t where t.key = j.key));
    end if;

    perform voice.notify('job', coalesce(j.call_sid, job ->> 'call'),
                         jsonb_build_object('job', job_id));

    return jsonb_build_object('queued', true, 'job', job_id);
end
$$;

comment on function voice.put_job is
    'Queues {"kind","key","organization","call","payload","run_at",'
    '"max_attempts"}; the same key is queued once.';


create function voice.claim_jobs(most integer, node text default '',
    lease interval default '2 minutes')
returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    jobs jsonb;
begin
    -- whose worker died too often has failed, not hangs

    update voice.jobs t set state = 'failed', updated_at = now(),
        error = coalesce(t.error, 'the claim ran out')
        where t.id in (
            select j.id from voice.jobs j
                where j.state = 'running' and j.run_at <= now()
                and j.attempts >= j.max_attempts
                order by j.id limit 100 for update skip locked);

    with due as (
        select j.id from voice.jobs j
            where j.state in ('queued', 'running') and j.run_at <= now()
            order by j.run_at, j.id limit greatest(most, 0)
            for update skip locked
    ), claimed as (
        update voice.jobs t set state = 'running', attempts = t.attempts + 1,
            claimed_by = node, run_at = now() + lease, updated_at = now()
            from due where t.id = due.id
            returning t.*
    )
    select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'key', c.key,
            'kind', c.kind, 'organization', c.organization,
            'call', c.call_sid, 'payload', c.payload, 'attempt', c.attempts,
            'last', c.attempts >= c.max_attempts) order by c.id), '[]')
        into jobs from claimed c;

    return jobs;
end
$$;

comment on function voice.claim_jobs is
    'Takes due jobs, for so long; after that another may take them. No two '
    'nodes get the same claim.';


create function voice.finish_job(id bigint, attempt integer, outcome jsonb)
returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    j voice.jobs;
    wait integer;
begin
    select * into j from voice.jobs t where t.id = finish_job.id for update;

    if not found or j.state <> 'running' or j.attempts <> attempt then
        return jsonb_build_object('finished', false, 'state', j.state);
    end if;

    if coalesce((outcome ->> 'ok')::boolean, false) then
        j.state := 'done';
        j.error := null;

    else
        j.error := left(coalesce(outcome ->> 'error', 'failed'), 1000);
        j.state := case when j.attempts >= j.max_attempts
                or coalesce((outcome ->> 'final')::boolean, false)
            then 'failed' else 'queued' end;

        -- four times longer each time, at most an hour

        wait := least(coalesce((outcome ->> 'retry_in')::integer,
            (5 * 4 ^ least(j.attempts - 1, 6))::integer), 3600);
        j.run_at := now() + make_interval(secs => wait);
    end if;

    update voice.jobs t set state = j.state, error = j.error,
        run_at = j.run_at, result = outcome -> 'result', updated_at = now()
        where t.id = finish_job.id;

    perform voice.notify('job', j.call_sid,
        jsonb_build_object('job', j.id, 'state', j.state));

    return jsonb_build_object('finished', true, 'state', j.state);
end
$$;

comment on function voice.finish_job is
    'Ends a claim: {"ok":true,"result":…}, or {"ok":false,"error":…,'
    '"retry_in":seconds,"final":bool}. A claim that is void changes nothing.';
