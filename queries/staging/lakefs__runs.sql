-- A commit of lakeFS that names the run which made it; other commits are no runs.
--
-- It holds no time and no cost of its own: it tells what the run of another system wrote.
--
-- grain: one row per commit
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

select
    run_key,
    source,
    'lakefs' as system,
    repository || '/' || commit_id as native_id,
    1 as attempt,
    cast(null as varchar) as parent_native_id,
    'job' as kind,
    'commit ' || left(commit_id, 12) as run_name,
    repository as experiment,
    coalesce(nullif(metadata['user'], ''), committer) as user_raw,
    nullif(metadata['team'], '') as team_raw,
    nullif(metadata['project'], '') as project_raw,
    'succeeded' as status,
    'committed' as status_raw,
    cast(null as timestamp) as started_at,
    cast(null as timestamp) as ended_at,
    cast(null as timestamp) as last_seen_at,  -- of the commit, not of the run
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    cast(null as decimal(18, 6)) as gpu_count,
    cast(null as varchar) as cloud_job_arn
from staging.lakefs__named_runs
