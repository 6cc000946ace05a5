-- A job of a Slurm cluster, once for each attempt.
--
-- The team is the account that the job is charged to and the project its WCKey, unless the job's
-- comment says `team=` or `project=`. A task of an array is a job like others, under the id that it
-- knows itself by. A job that waits has no start, and takes part in nothing.
--
-- grain: one row per job and attempt
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

select
    run_key,
    source,
    'slurm' as system,
    native_id,
    attempt,
    cast(null as varchar) as parent_native_id,
    coalesce(tags['finops.kind'], 'job') as kind,
    coalesce(job_name, native_id) as run_name,
    cast(null as varchar) as experiment,
    coalesce(tags['finops.user'], user_name) as user_raw,
    coalesce(tags['finops.team'], tags['team'], account) as team_raw,
    coalesce(tags['finops.project'], tags['project'], nullif(wckey, '')) as project_raw,
    status,
    state_raw as status_raw,
    started_at,
    ended_at,
    last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    gpu_count,
    cast(null as varchar) as cloud_job_arn
from staging.slurm__attempts
