-- A try of a Prefect flow or task.
--
-- A subflow's parent is the task that stands for it, and that one's parent the flow which called it.
-- A try but the last has failed; the last is what the run is. One that was deleted while it was not
-- over is `lost`, and ended when it was last seen; so is one whose infrastructure crashed.
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
            when not is_last then 'failed'
            when state_type = 'COMPLETED' then 'succeeded'
            when state_type = 'FAILED' then 'failed'
            when state_type = 'CRASHED' then 'lost'
            when state_type in ('CANCELLED', 'CANCELLING') then 'cancelled'
            when is_gone then 'lost'
            when state_type in ('RUNNING', 'PAUSED') then 'running'
            else 'queued'
        end as run_status
    from staging.prefect__tries
)

select
    run_key,
    source,
    'prefect' as system,
    native_id,
    try_number as attempt,
    parent_id as parent_native_id,
    kind,
    name as run_name,
    experiment,
    coalesce(nullif(tags['user'], ''), created_by) as user_raw,
    nullif(tags['team'], '') as team_raw,
    nullif(tags['project'], '') as project_raw,
    run_status as status,
    state_name as status_raw,
    started_at,
    case
        when run_status = 'lost' and state_type <> 'CRASHED' then greatest(seen_at, started_at)
        when run_status not in ('queued', 'running') then coalesce(ended_at, started_at)
    end as ended_at,
    case
        when run_status in ('queued', 'running') or run_status = 'lost' and state_type <> 'CRASHED' then seen_at
        else coalesce(ended_at, started_at)
    end as last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    try_cast(tags['gpu_count'] as decimal(18, 6)) as gpu_count,
    cast(null as varchar) as cloud_job_arn
from states
