-- A run of Kubeflow Pipelines, or a node of it.
--
-- A run's user is its service account, unless that is one that everybody has. Its team is its namespace
-- where the config says so; else ownership rules tell, by the pods' namespace or labels. Runs start when
-- they first ran; those that never did, when they were made.
--
-- grain: one row per run and node
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

states as (
    select
        *,
        case
            when state in ('SUCCEEDED', 'SKIPPED') then 'succeeded'
            when state = 'FAILED' then 'failed'
            when state = 'CANCELED' then 'cancelled'
            when is_gone then 'lost'
            when state in ('RUNNING', 'PAUSED', 'CANCELING') then 'running'
            when state = 'PENDING' then 'queued'
            when ended_at is not null then 'lost'
            else 'queued'
        end as run_status
    from staging.kubeflow__newest_runs
)

select
    run_key,
    source,
    'kubeflow' as system,
    native_id,
    1 as attempt,
    parent_native_id,
    case when parent_native_id is null then 'pipeline' else 'job' end as kind,
    name as run_name,
    experiment,
    case
        when service_account not in ('pipeline-runner', 'default-editor', 'default') then nullif(service_account, '')
    end as user_raw,
    team as team_raw,
    cast(null as varchar) as project_raw,
    run_status as status,
    state as status_raw,
    started_at,
    case
        when run_status = 'lost' and ended_at is null then greatest(seen_at, started_at)
        when run_status not in ('queued', 'running') then coalesce(ended_at, started_at)
    end as ended_at,
    case
        when run_status in ('queued', 'running', 'lost') then coalesce(ended_at, seen_at)
        else coalesce(ended_at, started_at)
    end as last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    cast(null as decimal(18, 6)) as gpu_count,
    cast(null as varchar) as cloud_job_arn
from states
