-- A run of W&B.
--
-- When a run ended:
-- ALL: with its last heartbeat; W&B has no other end. A run that claims to run and has given no sign
-- for $lost_after_hours is `lost`, as is one that W&B calls crashed (it missed its heartbeats: the
-- machine may have died, or its network) and one that was deleted while it ran.
-- NONE: a run without a heartbeat that is over ended when it was made.
--
-- Flaws: a run that was resumed counts from when it was first made, its pause included. Times are those of
-- W&B's server. Parts of a sweep have no parent: a sweep's agent is no run.
--
-- grain: one row per run
-- key:   run_key
-- feeds: runs
-- param: lost_after_hours = 24  -- hours without a sign of life after which an open run is over
-- owner: ml-platform

with

runs as (
    select
        *,
        case
            when state = 'finished' then 'succeeded'
            when state = 'failed' then 'failed'
            when state = 'killed' then 'cancelled'
            when state = 'preempted' then 'preempted'
            when state = 'crashed' or is_gone then 'lost'
            when state = 'pending' then 'queued'
            when epoch_ms(seen_at) - epoch_ms(coalesce(heartbeat_at, created_at)) >= $lost_after_hours * 3600000
                then 'lost'
            else 'running'
        end as run_status,
        greatest(coalesce(heartbeat_at, created_at), created_at) as beat_at
    from staging.wandb__newest_runs
)

select
    run_key,
    source,
    'wandb' as system,
    native_id,
    1 as attempt,
    cast(null as varchar) as parent_native_id,
    coalesce(
        nullif(tags['finops.kind'], ''),
        case
            when job_type like '%eval%' or job_type like '%preprocess%' then 'job'
            when job_type like '%serv%' then 'serving'
            else 'training'
        end
    ) as kind,
    name as run_name,
    project || coalesce('/' || coalesce(sweep, group_name), '') as experiment,
    coalesce(nullif(tags['finops.user'], ''), username) as user_raw,
    coalesce(nullif(tags['finops.team'], ''), nullif(tags['team'], '')) as team_raw,
    coalesce(
        nullif(tags['finops.project'], ''), nullif(tags['project'], ''), split_part(project, '/', 2)
    ) as project_raw,
    run_status as status,
    state as status_raw,
    created_at as started_at,
    case when run_status not in ('queued', 'running') then beat_at end as ended_at,
    beat_at as last_seen_at,
    commit_sha as code_sha,
    cast(null as boolean) as code_is_dirty,
    try_cast(tags['finops.gpu_count'] as decimal(18, 6)) as gpu_count,  -- where the run says; not its machine's
    nullif(tags['finops.cloud_job_arn'], '') as cloud_job_arn
from runs
