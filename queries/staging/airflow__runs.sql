-- A try of a task of an Airflow DAG.
--
-- Each try is a row of its own, with its own times and place: a task that failed twice has cost
-- thrice. ALL tries that began are here; a task that was skipped, or whose predecessor failed, never
-- did. One that was deleted while it was not over is `lost`, and ended when it was last seen.
-- A deferred task waits without a worker; Airflow does not say for how long, so that it counts as running.
--
-- grain: one row per try
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

states as (
    select
        *,
        case
            when state in ('success', 'skipped') then 'succeeded'
            when state in ('failed', 'up_for_retry', 'upstream_failed') then 'failed'
            when state = 'removed' then 'cancelled'
            when is_gone then 'lost'
            when state in ('running', 'restarting', 'deferred') then 'running'
            else 'queued'
        end as run_status
    from staging.airflow__newest_tries
    where
        -- a task that its predecessors kept from beginning has the number 0, and times all the same
        try_number > 0
        and (started_at is not null or coalesce(state, '') not in ('skipped', 'upstream_failed', 'removed', ''))
)

select
    states.run_key,
    states.source,
    'airflow' as system,
    states.native_id,
    cast(states.try_number as integer) as attempt,
    states.dag_run_key as parent_native_id,
    'job' as kind,
    states.dag_id || '.' || states.task_id as run_name,
    states.dag_id as experiment,
    dag_runs.user_raw,
    dag_runs.team_raw,
    dag_runs.project_raw,
    states.run_status as status,
    states.state as status_raw,
    states.started_at,
    case
        when states.run_status = 'lost' then greatest(states.seen_at, states.started_at)
        when states.run_status not in ('queued', 'running')
            then coalesce(states.ended_at, states.started_at)
    end as ended_at,
    case
        when states.run_status in ('queued', 'running', 'lost') then states.seen_at
        else coalesce(states.ended_at, states.started_at)
    end as last_seen_at,
    case when regexp_full_match(states.bundle_version, '[0-9a-f]{40}') then states.bundle_version end as code_sha,
    cast(null as boolean) as code_is_dirty,
    states.gpu_count,
    cast(null as varchar) as cloud_job_arn
from states
left join staging.airflow__dag_runs as dag_runs
    on states.source = dag_runs.source and states.dag_run_key = dag_runs.native_id
