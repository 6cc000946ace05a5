-- A run of Polyaxon: a job, a service, or a graph, matrix or schedule of others.
--
-- A run's team and user are those of its tags, else its user is who started it. Its project is
-- Polyaxon's. Of a run that was resumed Polyaxon keeps one start and one end: the stop between counts.
--
-- grain: one row per run
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

states as (
    select
        *,
        case
            when status in ('succeeded', 'skipped', 'done') then 'succeeded'
            when status in ('failed', 'upstream_failed') then 'failed'
            when status = 'stopped' then 'cancelled'
            when is_gone then 'lost'
            when status in ('running', 'processing', 'stopping', 'warning') then 'running'
            when status = 'unknown' and ended_at is not null then 'lost'
            else 'queued'
        end as run_status
    from staging.polyaxon__newest_runs
)

select
    run_key,
    source,
    'polyaxon' as system,
    native_id,
    1 as attempt,
    parent_native_id,
    coalesce(
        nullif(tags['finops.kind'], ''),
        case
            when kind in ('dag', 'matrix', 'schedule') then 'pipeline'
            when runtime = 'notebook' then 'notebook'
            when kind = 'service' then 'serving'
            else 'training'
        end
    ) as kind,
    coalesce(nullif(name, ''), native_id) as run_name,
    project as experiment,
    coalesce(nullif(tags['user'], ''), nullif(user, '')) as user_raw,
    nullif(tags['team'], '') as team_raw,
    coalesce(nullif(tags['project'], ''), project) as project_raw,
    run_status as status,
    status as status_raw,
    started_at,
    case
        when run_status = 'lost' and ended_at is null then greatest(seen_at, started_at)
        when run_status not in ('queued', 'running') then coalesce(ended_at, started_at)
    end as ended_at,
    coalesce(ended_at, seen_at) as last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    gpu_count,
    cast(null as varchar) as cloud_job_arn
from states
