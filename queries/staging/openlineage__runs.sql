-- A run that told of itself by OpenLineage.
--
-- ALL events came: it ran from START to COMPLETE, FAIL or ABORT. SOME came: a run without START began
-- with its first event; one without an end is going on, until no event has come for $lost_after_hours:
-- then it is `lost`, and ended with its last. Owners are those of the job; tags say more, and count first.
-- Flaw: a run that says nothing while it works is lost until its end comes.
--
-- grain: one row per run
-- key:   run_key
-- feeds: runs
-- param: lost_after_hours = 24  -- hours without an event after which an open run is over
-- owner: ml-platform

with

runs as (
    select
        *,
        case
            when end_type = 'COMPLETE' then 'succeeded'
            when end_type = 'FAIL' then 'failed'
            when end_type = 'ABORT' then 'cancelled'
            when epoch_us(extracted_at) - last_us < $lost_after_hours * 3600000000 then 'running'
            else 'lost'
        end as run_status,
        coalesce(start_us, first_us) as begun_us
    from staging.openlineage__newest_runs
)

select
    run_key,
    source,
    'openlineage' as system,
    run_id as native_id,
    1 as attempt,
    coalesce(parent ->> '$.run.runId', parent ->> '$.root.run.runId') as parent_native_id,
    coalesce(
        nullif(tags['finops.kind'], ''),
        case when upper(job_type) in ('DAG', 'PIPELINE', 'WORKFLOW') then 'pipeline' else 'job' end
    ) as kind,
    job_name as run_name,
    coalesce(parent ->> '$.root.job.name', parent ->> '$.job.name', job_namespace) as experiment,
    coalesce(
        nullif(tags['finops.user'], ''),
        nullif(tags['user'], ''),
        regexp_extract(list_filter(owners, lambda owner: starts_with(owner, 'user:'))[1], '^user:(.+)$', 1),
        list_filter(owners, lambda owner: contains(owner, '@') and not contains(owner, ':'))[1]
    ) as user_raw,
    coalesce(
        nullif(tags['finops.team'], ''),
        nullif(tags['team'], ''),
        regexp_extract(list_filter(owners, lambda owner: regexp_matches(owner, '^(team|group):.'))[1], ':(.+)$', 1)
    ) as team_raw,
    coalesce(nullif(tags['finops.project'], ''), nullif(tags['project'], '')) as project_raw,
    run_status as status,
    coalesce(end_type, last_type) as status_raw,
    make_timestamp(begun_us) as started_at,
    make_timestamp(
        case
            when run_status = 'lost' then greatest(last_us, begun_us)
            when run_status <> 'running' then coalesce(end_us, begun_us)
        end
    ) as ended_at,
    make_timestamp(last_us) as last_seen_at,
    code_sha,
    cast(null as boolean) as code_is_dirty,
    try_cast(coalesce(tags['finops.gpu_count'], tags['gpu_count']) as decimal(18, 6)) as gpu_count,
    nullif(tags['finops.cloud_job_arn'], '') as cloud_job_arn
from runs
