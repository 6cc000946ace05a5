-- A run of Dagster, or an attempt of one of its steps.
--
-- A step's id is `run/step`, and its run is its parent. An attempt but the last has failed; the last is
-- what the step is. What was deleted while it was not over is `lost`, and ended when it was last seen;
-- a step that its run left behind ended with the run.
-- Flaw: a second attempt that goes on is not told of until it is over.
--
-- grain: one row per run and per attempt of a step
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

runs as (
    select
        *,
        case
            when status = 'SUCCESS' then 'succeeded'
            when status = 'FAILURE' then 'failed'
            when status in ('CANCELED', 'CANCELING') then 'cancelled'
            when is_gone then 'lost'
            when status in ('STARTED', 'STARTING') then 'running'
            else 'queued'
        end as run_status
    from staging.dagster__newest_runs
),

steps as (
    select
        *,
        unnest(steps) as step
    from runs
),

-- an attempt that goes on is not listed with those that are over
tried_steps as (
    select
        *,
        case
            when len(step.attempts) > 0 then step.attempts
            when step.begun is not null then [{ begun: step.begun, ended: cast(null as bigint) }]
            else []
        end as tries
    from steps
),

attempts as (
    select
        *,
        unnest(generate_series(1, len(tries))) as attempt
    from tried_steps
),

records as (
    select
        run_key,
        source,
        native_id,
        1 as attempt,
        cast(null as varchar) as parent_native_id,
        'pipeline' as kind,
        job_name as run_name,
        job_name as experiment,
        tags,
        run_status,
        status as status_raw,
        started_at,
        ended_at,
        seen_at
    from runs
    union all
    select
        run_key_of(source, concat_ws('|', native_id, step.step), attempt) as run_key,
        source,
        native_id || '/' || step.step as native_id,
        attempt,
        native_id as parent_native_id,
        'job' as kind,
        job_name || '.' || step.step as run_name,
        job_name as experiment,
        tags,
        case
            when attempt < len(tries) then 'failed'
            when step.status in ('SUCCESS', 'SKIPPED') then 'succeeded'
            when step.status = 'FAILURE' or tries[attempt].ended is not null then 'failed'
            else run_status
        end as run_status,
        step.status as status_raw,
        make_timestamp(tries[attempt].begun) as started_at,
        coalesce(make_timestamp(tries[attempt].ended), ended_at) as ended_at,
        seen_at
    from attempts
)

select
    run_key,
    source,
    'dagster' as system,
    native_id,
    cast(attempt as integer) as attempt,
    parent_native_id,
    kind,
    run_name,
    experiment,
    coalesce(nullif(tags['user'], ''), nullif(tags['owner'], '')) as user_raw,
    nullif(tags['team'], '') as team_raw,
    nullif(tags['project'], '') as project_raw,
    run_status as status,
    status_raw,
    started_at,
    case
        when run_status = 'lost' then greatest(seen_at, started_at)
        when run_status not in ('queued', 'running') then coalesce(ended_at, started_at)
    end as ended_at,
    case
        when run_status in ('queued', 'running', 'lost') then seen_at
        else coalesce(ended_at, started_at)
    end as last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    try_cast(tags['gpu_count'] as decimal(18, 6)) as gpu_count,
    cast(null as varchar) as cloud_job_arn
from records
