-- A run of an Airflow DAG: what its tasks belong to. It runs nowhere itself.
--
-- When it ended: ALL times known, at its end. One that was deleted while it was not over is `lost`,
-- and ended when it was last seen. One that still runs was last seen at the extraction.
-- Flaw: a run that was cleared after its end begins anew in Airflow; its tries keep their times.
--
-- grain: one row per DAG run
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from raw.airflow__dag_runs
    where gone_at is not null
    group by x_source, key
),

dag_runs as (
    select *
    from raw.airflow__dag_runs
    where gone_at is null
    qualify row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
),

states as (
    select
        dag_runs.*,
        make_timestamp(dag_runs.start_date) as started_at,
        case
            when dag_runs.state = 'success' then 'succeeded'
            when dag_runs.state = 'failed' then 'failed'
            when make_timestamp(gone.gone_at) > dag_runs.x_version_at then 'lost'
            when dag_runs.state = 'running' then 'running'
            else 'queued'
        end as run_status
    from dag_runs
    left join gone on dag_runs.x_source = gone.x_source and dag_runs.key = gone.key
)

select
    run_key_of(states.x_source, states.key, 1) as run_key,
    states.x_source as source,
    'airflow' as system,
    states.key as native_id,  -- dag/run
    1 as attempt,
    cast(null as varchar) as parent_native_id,
    'pipeline' as kind,
    states.dag_id as run_name,
    states.dag_id as experiment,
    -- whoever triggered it by hand, else the DAG's owner; Anonymous: a server that knows nobody
    coalesce(nullif(states.triggering_user_name, 'Anonymous'), owners.user_raw) as user_raw,
    owners.team_raw,
    owners.project_raw,
    states.run_status as status,
    states.state as status_raw,
    states.started_at,
    case
        when states.run_status = 'lost' then greatest(states.x_version_at, states.started_at)
        when states.run_status in ('succeeded', 'failed')
            then coalesce(make_timestamp(states.end_date), states.started_at)
    end as ended_at,
    case
        when states.run_status in ('succeeded', 'failed')
            then coalesce(make_timestamp(states.end_date), states.started_at)
        else states.x_version_at
    end as last_seen_at,
    case when regexp_full_match(states.bundle_version, '[0-9a-f]{40}') then states.bundle_version end as code_sha,
    cast(null as boolean) as code_is_dirty,
    cast(null as decimal(18, 6)) as gpu_count,
    cast(null as varchar) as cloud_job_arn
from states
left join staging.airflow__owners as owners on states.x_source = owners.source and states.dag_id = owners.dag_id
