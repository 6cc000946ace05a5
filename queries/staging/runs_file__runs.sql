-- A run that a file tells of.
--
-- The file written last that has the run counts. A run that no file has any more stays. One that is
-- going on was last seen when its file was written, unless the file says when. One that runs by a file,
-- and was last seen $lost_after_hours before the newest file of its source was written, is `lost`, and
-- ended when it was last seen.
--
-- Flaw: where each file has only what changed since the one before, a run that says nothing for a day
-- counts as lost until it ends; then its own times replace the guess.
--
-- grain: one row per run and attempt
-- key:   run_key
-- feeds: runs
-- param: lost_after_hours = 24  -- hours without a sign of life after which an open run is over
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
),

extractions as (
    select
        x_source,
        max(x_version_at) as extracted_at
    from raw.runs_file__runs
    group by x_source
),

seen as (
    select
        newest.*,
        coalesce(last_seen_at, ended_at, greatest(x_version_at, started_at)) as seen_at,
        coalesce(
            status = 'running' and extracted_at - seen_at >= $lost_after_hours * interval 1 hour, false
        ) as is_lost
    from newest
    inner join extractions using (x_source)
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
    case when is_lost then 'lost' else status end as status,
    coalesce(status_raw, status) as status_raw,
    started_at,
    case when is_lost then greatest(seen_at, started_at) else ended_at end as ended_at,
    seen_at as last_seen_at,
    code_sha,
    code_is_dirty,
    cast(gpu_count as decimal(18, 6)) as gpu_count,
    cloud_job_arn
from seen
