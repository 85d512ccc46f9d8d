-- NeuraCRM: what its tables are like here, and the edge's rights on them.
--
-- Changes in the CRM's tables, by voice.crm_adopt():
--
--   index voice_contacts_phone on public.contacts, so that looking up a
--   caller does not read all contacts;
--   grants to voice_owner, see there.
--
-- No table, column, row, constraint or default of the CRM is changed.

set local role voice_owner;


create function voice.crm_missing(relation text, columns text[]) returns text[]
language sql stable
as $$
    select array_agg(relation || '.' || c order by c) from unnest(columns) c
        where not exists (
            select from pg_catalog.pg_attribute a
                where a.attrelid = to_regclass('public.' || quote_ident(relation))
                and a.attname = c and a.attnum > 0 and not a.attisdropped)
$$;

comment on function voice.crm_missing is
    'Columns that a table does not have, or null.';


create function voice.crm_lag(relation text) returns integer
language plpgsql stable
as $$
declare
    sequence text := pg_get_serial_sequence('public.' || quote_ident(relation),
                                            'id');
    highest bigint;
begin
    -- a sequence that nobody "owns" has the name that the ORM gives it

    sequence := coalesce(sequence, to_regclass(
        format('public.%I', relation || '_id_seq'))::text);

    if sequence is null then
        return null;
    end if;

    execute format('select max(id) from public.%I', relation) into highest;

    return greatest(0, coalesce(highest, 0)
        - coalesce(pg_sequence_last_value(sequence::regclass), 0));
end
$$;

comment on function voice.crm_lag is
    'How far a table''s sequence is behind its highest id; null without one.';


create function voice.crm_strays() returns text[]
language plpgsql stable
as $$
begin
    -- what the operator wrote into the edge's tables must fit the CRM's

    return array(
        with said as (
            select 'voice.numbers ' || n.number as who, n.organization,
                    n.user_id from voice.numbers n
            union all
            select 'voice.organizations ' || o.organization, o.organization,
                    o.user_id from voice.organizations o
        )
        select s.who || case
                when o.id is null
                    then format(': there is no organization %s', s.organization)
                when s.user_id is not null and u.id is null
                    then format(': user %s is not of organization %s', s.user_id,
                                s.organization)
                else format(': organization %s has no user to act for the edge',
                            s.organization) end
            from said s
            left join public.organizations o on o.id = s.organization
            left join public.users u
                on u.organization_id = o.id and u.id = s.user_id
            where o.id is null or s.user_id is not null and u.id is null
            or not exists (select from public.users a
                where a.organization_id = o.id)
            order by 1);
end
$$;

comment on function voice.crm_strays is
    'NeuraCRM: numbers and organizations of the edge that do not fit the CRM''s.';


create function voice.crm_stage() returns integer
language plpgsql stable
as $$
begin
    -- by name: the order of "Lost" is 0 in some sets

    return (
        select s.id from public.stages s
            where lower(btrim(s.name)) not in ('won', 'lost')
            order by lower(btrim(s.name)) in ('new', 'qualification') desc,
                s."order" nulls last, s.id
            limit 1);
end
$$;

comment on function voice.crm_stage is 'NeuraCRM: where a new deal begins.';


create function voice.crm_probe() returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    part record;
    missing text[];
    problems text[] := '{}';
    shape jsonb := '{}';
    checked text;
    relation text;
    lag integer;
begin
    -- what a part needs; the first one is what there must be for any writing

    for part in select * from (values
        ('core', 'organizations', '{id,name,settings}'),
        ('core', 'users', '{id,name,email,role,organization_id}'),
        ('core', 'contacts',
            '{id,name,email,phone,company,owner_id,organization_id,
              created_at}'),
        ('leads', 'leads',
            '{id,title,contact_id,owner_id,organization_id,status,source,score,
              score_updated_at,score_factors,score_confidence,created_at}'),
        ('deals', 'deals',
            '{id,title,value,owner_id,stage_id,organization_id,description,
              created_at,closed_at,reminder_date,contact_id,status}'),
        ('deals', 'stages', '{id,name,order}'),
        ('deals', 'activities', '{id,deal_id,user_id,type,message,timestamp}'),
        ('accounts', 'customer_accounts',
            '{id,deal_id,account_name,contact_id,account_type,health_score,
              engagement_level}'),
        ('tickets', 'support_tickets',
            '{id,ticket_number,organization_id,title,description,priority,
              status,category,contact_id,customer_email,customer_name,
              sla_deadline,resolution_deadline,escalated,created_at,
              updated_at}'),
        ('tickets', 'support_comments',
            '{id,ticket_id,author_name,author_email,author_type,content,
              is_internal,comment_type,created_at,updated_at}'),
        ('audits', 'assignment_audits',
            '{id,ticket_id,assigned_by_id,assignment_type,created_at}'),
        ('knowledge', 'knowledge_base_articles',
            '{id,organization_id,title,content,summary,category,status,
              visibility}'),
        ('calls', 'pbx_providers',
            '{id,organization_id,name,provider_type,is_active,is_primary,
              created_by}'),
        ('calls', 'calls',
            '{id,organization_id,provider_id,unique_id,caller_id,called_number,
              direction,call_type,status,start_time,answer_time,end_time,
              duration,talk_time,hold_time,wait_time,contact_id,lead_id,
              deal_id,recording_url,transcription_text,disposition,
              hangup_cause,notes,cost,cost_currency,cdr_data,created_at,
              updated_at}'),
        ('queues', 'call_queues', '{id,organization_id,name,is_active}'),
        ('queues', 'call_queue_members',
            '{id,queue_id,user_id,paused,status}'),
        ('call_activities', 'call_activities',
            '{id,call_id,user_id,activity_type,activity_data,timestamp}'),
        ('call_records', 'call_records',
            '{id,external_call_id,agent_id,to_number,scenario,direction,status,
              lead_id,contact_id,user_id,cost,created_at,updated_at}'),
        ('tasks', 'tasks',
            '{id,title,organization_id,task_type,status,priority,
              assigned_to_id,created_by_id,deal_id,contact_id,due_date,
              created_at,updated_at}'),
        ('ai_summary', 'support_tickets',
            '{ai_summary,ai_summary_generated_at,ai_summary_model}'),
        ('did_numbers', 'pbx_providers', '{did_numbers}')
        ) as t (name, relation, columns)
    loop
        missing := voice.crm_missing(part.relation, part.columns::text[]);

        if missing is null then
            shape := jsonb_build_object(part.name, true) || shape;
            continue;
        end if;

        shape := shape || jsonb_build_object(part.name, false);

        if part.name in ('core', 'leads', 'deals', 'tickets', 'calls') then
            problems := problems || format('%s: off, there is no %s', part.name,
                array_to_string(missing, ', '));
        end if;
    end loop;

    -- which "no answer" a check lets in

    select string_agg(pg_get_constraintdef(c.oid), ' ') into checked
        from pg_constraint c
        where c.conrelid = to_regclass('public.calls') and c.contype = 'c'
        and pg_get_constraintdef(c.oid) ~ '\mstatus\M';

    shape := shape || jsonb_build_object(
        'no_answer', case
            when checked is null or checked like '%''no-answer''%' then 'no-answer'
            when checked like '%''no_answer''%' then 'no_answer'
            else 'failed' end,
        'unique_id', exists (
            select from pg_index i
                join pg_attribute a on a.attrelid = i.indrelid
                    and a.attnum = i.indkey[0]
                where i.indrelid = to_regclass('public.calls') and i.indisunique
                and i.indnatts = 1 and i.indpred is null
                and a.attname = 'unique_id'));

    for relation in select t from unnest(
        '{contacts,leads,deals,activities,support_tickets,support_comments,
          calls}'::text[]) t
        where to_regclass('public.' || t) is not null
    loop
        begin
            lag := voice.crm_lag(relation);
        exception when insufficient_privilege then
            lag := 0;
            problems := problems || format(
                '%s: voice_owner may not read it, run scripts/migrate', relation);
        end;

        if lag > 0 then
            problems := problems || format('%s: its sequence is %s behind, '
                'reset it: select setval(''public.%1$s_id_seq'', max(id)) '
                'from public.%1$s', relation, lag);
        end if;
    end loop;

    if (shape ->> 'core')::boolean then
        problems := problems || voice.crm_strays();
    end if;

    if (shape ->> 'deals')::boolean then
        if voice.crm_stage() is null then
            problems := problems || 'deals: there is no stage for a new one'::text;
        end if;
    end if;

    shape := shape || jsonb_build_object('problems', to_jsonb(problems));

    insert into voice.crm_shape as s (shape) values (shape)
        on conflict (single) do update set shape = excluded.shape, read_at = now();

    return shape;
end
$$;

comment on function voice.crm_probe is
    'Reads the CRM''s catalog again: which parts can be used, which spelling of '
    '"no answer" is taken, and "problems", for the log.';


create function voice.crm_has(part text) returns boolean
language sql stable
as $$
    select coalesce((select (s.shape -> part)::boolean from voice.crm_shape s),
                    false)
$$;

comment on function voice.crm_has is 'Whether a part of the CRM is there.';


create function voice.crm_need(part text) returns void
language plpgsql
as $$
begin
    if not voice.crm_has(part) then
        perform voice.refuse('crm_unavailable',
            'this is not available here; offer to connect the caller');
    end if;
end
$$;

comment on function voice.crm_need is
    'Ends a tool whose part of the CRM is not there.';


create procedure voice.crm_adopt()
language plpgsql
as $$
declare
    g record;
    columns text;
    sequence text;
begin
    -- Runs with the rights of who migrates, who owns the CRM's tables.
    -- A null stands for all columns, an empty list for none.

    if has_schema_privilege('voice_owner', 'public', 'usage') is not true then
        grant usage on schema public to voice_owner;
    end if;

    for g in select * from (values
        ('organizations', '{id,name,settings}', false, '{}'),
        ('users', '{id,name,email,role,organization_id}', false, '{}'),
        ('contacts', null, true, '{name,email,phone,company,owner_id}'),
        ('leads', null, true,
            '{status,score,score_updated_at,score_factors,score_confidence}'),
        ('deals', null, true, '{reminder_date}'),
        ('stages', null, false, '{}'),
        ('activities', null, true, '{}'),
        ('customer_accounts', null, false, '{}'),
        ('support_tickets', null, true,
            '{assigned_to_id,assigned_at,assignment_type,escalated,
              escalated_at,escalated_to_id,escalation_reason,ai_summary,
              ai_summary_generated_at,ai_summary_model,updated_at}'),
        ('support_comments', null, true, '{}'),
        ('assignment_audits', null, true, '{}'),
        ('knowledge_base_articles', null, false, '{}'),
        ('pbx_providers',
            '{id,organization_id,name,provider_type,did_numbers,is_active,
              is_primary}', true, '{}'),
        ('calls', null, true,
            '{status,answer_time,end_time,duration,talk_time,contact_id,
              lead_id,deal_id,agent_id,disposition,hangup_cause,
              transcription_text,recording_url,recording_duration,notes,cost,
              cdr_data,updated_at}'),
        ('call_queues', null, false, '{}'),
        ('call_queue_members', null, false, '{}'),
        ('call_activities', null, true, '{}'),
        ('call_records', null, true,
            '{status,end_time,duration,recording_url,transcript,cost,lead_id,
              contact_id,user_id,call_metadata,updated_at}'),
        ('tasks', null, true, '{title,description,due_date,status,updated_at}')
        ) as t (relation, readable, writable, updatable)
        where to_regclass('public.' || relation) is not null
    loop
        if g.readable is null then
            execute format('grant select on public.%I to voice_owner', g.relation);
        else
            select string_agg(quote_ident(attname), ', ') into columns
                from pg_catalog.pg_attribute
                where attrelid = to_regclass('public.' || g.relation)
                and attname = any (g.readable::text[]) and not attisdropped;

            execute format('grant select (%s) on public.%I to voice_owner',
                columns, g.relation);
        end if;

        if g.writable then
            execute format('grant insert on public.%I to voice_owner', g.relation);

            sequence := coalesce(
                pg_get_serial_sequence('public.' || g.relation, 'id'),
                to_regclass('public.' || g.relation || '_id_seq')::text);

            if sequence is not null then
                execute 'grant usage on sequence ' || sequence
                    || ' to voice_owner';
            end if;
        end if;

        select string_agg(quote_ident(attname), ', ') into columns
            from pg_catalog.pg_attribute
            where attrelid = to_regclass('public.' || g.relation)
            and attname = any (g.updatable::text[]) and not attisdropped;

        if columns is not null then
            execute format('grant update (%s) on public.%I to voice_owner',
                columns, g.relation);
        end if;
    end loop;

    -- Seven digits serve every comparison of voice.crm_match().  Functions of
    -- PostgreSQL only: who writes contacts needs no right on the edge's.

    if voice.crm_missing('contacts', '{organization_id,phone}') is null
        and to_regclass('public.voice_contacts_phone') is null
    then
        create index voice_contacts_phone on public.contacts (
            organization_id,
            "right"(regexp_replace(regexp_replace(phone, '[xX].*$', ''),
                                   '\D', '', 'g'), 7));
        analyze public.contacts;
    end if;

    perform voice.crm_probe();
end
$$;

comment on procedure voice.crm_adopt is
    'Gives voice_owner its rights on the CRM''s tables, and creates the index.';


create function voice.crm_insert(relation text, fields jsonb) returns integer
language plpgsql
as $$
declare
    columns text;
    broken text;
    sequence text;
    id integer;
begin
    -- columns that this CRM does not have are left out, null is the default

    select string_agg(quote_ident(attname), ', ') into columns
        from pg_catalog.pg_attribute
        where attrelid = to_regclass('public.' || quote_ident(relation))
        and attnum > 0 and not attisdropped and attname <> 'id'
        and fields ->> attname is not null;

    for try in 1 .. 3 loop
        begin
            execute format('insert into public.%1$I (%2$s) select %2$s '
                'from jsonb_populate_record(null::public.%1$I, $1) '
                'returning id', relation, columns)
                using fields into strict id;

            return id;

        exception when unique_violation then
            get stacked diagnostics broken = constraint_name;

            if broken <> relation || '_pkey' or try = 3 then
                raise;
            end if;
        end;

        -- Rows came with ids of their own and the sequence does not know.
        -- Drawing from it repairs it, and needs no more rights than using it.

        sequence := coalesce(
            pg_get_serial_sequence('public.' || quote_ident(relation), 'id'),
            format('public.%I', relation || '_id_seq'));

        raise log 'voice: sequence % was behind its table', sequence;

        perform nextval(sequence::regclass)
            from generate_series(1, least(voice.crm_lag(relation), 1000000));
    end loop;
end
$$;

comment on function voice.crm_insert is
    'Inserts a row of the CRM and returns its id; repairs a sequence that lags.';
