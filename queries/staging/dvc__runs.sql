-- A run of a stage, as DVC has locked its result; of stages that name a run of another system.
--
-- DVC writes down what came of a run, not when it was: it holds no time, and no cost of its own. It
-- says what the run that it names read and wrote in its tags.
--
-- grain: one row per stage and state
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

select
    run_key,
    source,
    'dvc' as system,
    native_id,
    1 as attempt,
    cast(null as varchar) as parent_native_id,
    'job' as kind,
    stage as run_name,
    repository as experiment,
    coalesce(nullif(tags['user'], ''), nullif(tags['owner'], '')) as user_raw,
    nullif(tags['team'], '') as team_raw,
    nullif(tags['project'], '') as project_raw,
    'succeeded' as status,
    'locked' as status_raw,
    cast(null as timestamp) as started_at,
    cast(null as timestamp) as ended_at,
    cast(null as timestamp) as last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    cast(null as decimal(18, 6)) as gpu_count,
    cast(null as varchar) as cloud_job_arn
from staging.dvc__stage_runs
