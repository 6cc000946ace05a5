-- An execution of a run of Guild AI.
--
-- When it ended:
-- ALL times known: when it stopped.
-- SOME known: one that left neither a lock nor a status, that wrote nothing for $lost_after_hours, that
-- vanished or was restarted while it was not over is `lost`, and ended when it last wrote something.
--
-- Its process may be on another machine and is not looked for. One that was told to stop, at the keyboard
-- or by `guild stop`, is cancelled. A trial's parent is its batch.
--
-- grain: one row per run and attempt
-- key:   run_key
-- feeds: runs
-- param: lost_after_hours = 24  -- hours without a sign of life after which an open run is over
-- owner: ml-platform

with

runs as (
    select
        *,
        case
            when status = 'completed' then 'succeeded'
            when exit_status in (-2, -15, 130, 143) and status in ('terminated', 'error') then 'cancelled'
            when status = 'terminated' or status = 'error' and exit_status is not null then 'failed'
            when status = 'error' or is_gone or is_replaced then 'lost'
            when status in ('staged', 'pending') then 'queued'
            when epoch_ms(seen_at) - epoch_ms(written_at) >= $lost_after_hours * 3600000 then 'lost'
            else 'running'
        end as run_status
    from staging.guild__newest_runs
)

select
    run_key,
    source,
    'guild' as system,
    native_id,
    attempt,
    batch as parent_native_id,
    coalesce(nullif(tags['finops.kind'], ''), case when is_batch then 'pipeline' else 'training' end) as kind,
    coalesce(nullif(operation, ''), native_id) as run_name,
    project as experiment,
    coalesce(nullif(tags['finops.user'], ''), nullif(tags['user'], ''), user_name) as user_raw,
    coalesce(nullif(tags['finops.team'], ''), nullif(tags['team'], '')) as team_raw,
    coalesce(nullif(tags['finops.project'], ''), nullif(tags['project'], ''), nullif(project, '')) as project_raw,
    run_status as status,
    concat_ws(' ', status, cast(exit_status as varchar)) as status_raw,
    started_at,
    case
        when run_status not in ('queued', 'running') then coalesce(stopped_at, greatest(written_at, started_at))
    end as ended_at,
    greatest(coalesce(stopped_at, written_at), started_at) as last_seen_at,
    nullif(regexp_extract(vcs_commit, '^(?:[a-z]+:)?([0-9a-f]+)\*?$', 1), '') as code_sha,
    vcs_commit like '%*' as code_is_dirty,
    coalesce(
        try_cast(tags['finops.gpu_count'] as decimal(18, 6)), cast(gpu_count as decimal(18, 6))
    ) as gpu_count,  -- those of `guild run --gpus`
    nullif(tags['finops.cloud_job_arn'], '') as cloud_job_arn
from runs
