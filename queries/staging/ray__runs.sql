-- A job of a Ray cluster, submitted or run by a driver of its own.
--
-- Owners are those of the job's metadata. GPUs that the metadata states (`finops.gpu_count`) go
-- before those that its tasks and actors held.
--
-- grain: one row per job and attempt
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

gpus as (
    select
        run_key,
        cast(sum(gpu_count) as decimal(18, 6)) as gpu_count
    from staging.ray__run_places
    group by run_key
)

select
    run_key,
    source,
    'ray' as system,
    native_id,
    attempt,
    cast(null as varchar) as parent_native_id,
    coalesce(nullif(tags['finops.kind'], ''), 'job') as kind,
    coalesce(nullif(tags['name'], ''), nullif(tags['job_name'], ''), native_id) as run_name,
    nullif(tags['experiment'], '') as experiment,
    coalesce(nullif(tags['finops.user'], ''), nullif(tags['user'], '')) as user_raw,
    coalesce(nullif(tags['finops.team'], ''), nullif(tags['team'], '')) as team_raw,
    coalesce(nullif(tags['finops.project'], ''), nullif(tags['project'], '')) as project_raw,
    status,
    status_raw,
    started_at,
    ended_at,
    last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    coalesce(try_cast(tags['finops.gpu_count'] as decimal(18, 6)), gpus.gpu_count) as gpu_count,
    cast(null as varchar) as cloud_job_arn
from staging.ray__newest_jobs
left join gpus using (run_key)
