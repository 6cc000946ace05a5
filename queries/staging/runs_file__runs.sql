-- A run that a file tells of.
--
-- The file written last that has the run counts. A run that no file has any more stays. One that is
-- going on was last seen when its file was written, unless the file says when.
-- Flaw: a run that its files leave going on for ever does so here.
--
-- grain: one row per run and attempt
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

newest as (
    select *
    from raw.runs_file__runs
    qualify
        row_number() over (
            partition by x_source, native_id, coalesce(attempt, 1)
            order by x_version_at desc, x_unit desc, x_version desc
        ) = 1
)

select
    run_key_of(x_source, native_id, coalesce(attempt, 1)) as run_key,
    x_source as source,
    coalesce(system, 'runs_file') as system,
    native_id,
    cast(coalesce(attempt, 1) as integer) as attempt,
    parent_native_id,
    coalesce(kind, 'job') as kind,
    coalesce(run_name, native_id) as run_name,
    experiment,
    user_raw,
    team_raw,
    project_raw,
    status,
    coalesce(status_raw, status) as status_raw,
    started_at,
    ended_at,
    coalesce(last_seen_at, ended_at, greatest(x_version_at, started_at)) as last_seen_at,
    code_sha,
    code_is_dirty,
    cast(gpu_count as decimal(18, 6)) as gpu_count,
    cloud_job_arn
from newest
