-- A job of Azure Machine Learning, or a run that a pipeline, a sweep or AutoML started.
--
-- Owners are those of its tags, else who started it. GPUs are those of the size of its machines, as far
-- as these are known; what only starts others holds none.
--
-- Flaw: the bill's lines are taken to name the compute (`.../workspaces/ml/computes/gpu`); lines that
-- name the workspace alone, or a compute that no job ran on, go to owners by rules. Jobs of a compute
-- share it by time, however many of its machines each held.
--
-- grain: one row per job, and per run that it started
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

states as (
    select
        *,
        case
            when status in ('Completed', 'Finished') then 'succeeded'
            when status = 'Failed' then 'failed'
            when status = 'Canceled' then 'cancelled'
            when is_gone then 'lost'
            when status in ('Running', 'Finalizing', 'CancelRequested', 'NotResponding', 'Paused') then 'running'
            when ended_at is not null then 'lost'
            else 'queued'
        end as run_status
    from staging.azureml__newest_jobs
)

select
    states.run_key,
    states.source,
    'azureml' as system,
    states.native_id,
    1 as attempt,
    states.parent_native_id,
    coalesce(
        nullif(states.tags['finops.kind'], ''),
        case when states.job_type ilike '%pipeline%' then 'pipeline' else 'training' end
    ) as kind,
    coalesce(nullif(states.name, ''), states.native_id) as run_name,
    states.experiment,
    coalesce(
        nullif(states.tags['finops.user'], ''), nullif(states.tags['user'], ''), nullif(states.created_by, '')
    ) as user_raw,
    coalesce(nullif(states.tags['finops.team'], ''), nullif(states.tags['team'], '')) as team_raw,
    coalesce(nullif(states.tags['finops.project'], ''), nullif(states.tags['project'], '')) as project_raw,
    states.run_status as status,
    states.status as status_raw,
    states.started_at,
    case
        when states.run_status = 'lost' and states.ended_at is null then greatest(states.seen_at, states.started_at)
        when states.run_status not in ('queued', 'running')
            then coalesce(states.ended_at, states.started_at)
    end as ended_at,
    coalesce(states.ended_at, states.seen_at) as last_seen_at,
    states.git_commit as code_sha,
    try_cast(lower(states.git_dirty) as boolean) as code_is_dirty,
    cast(
        try_cast(known.gpu_count as decimal(9, 3)) * coalesce(states.instance_count, 1) as decimal(18, 6)
    ) as gpu_count,
    case
        when states.compute is not null then lower(states.workspace || '/computes/' || states.compute)
    end as cloud_job_arn
from states
left join seeds.gpu_instances as known
    on known.cloud = 'azure' and lower(states.vm_size) = lower(known.instance_type)
