-- A run of Dagster as it had it when it was last delivered.
--
-- One that was deleted while it was not over is `is_gone`; what was over stays as it was. The run that
-- a re-execution repeats is no parent of it: the one does not run inside the other.
--
-- grain: one row per run
-- key:   run_key
-- owner: ml-platform

with

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from raw.dagster__runs
    where gone_at is not null
    group by x_source, key
),

newest as (
    select *
    from raw.dagster__runs
    where gone_at is null
    qualify row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
)

select
    run_key_of(newest.x_source, newest.key, 1) as run_key,
    newest.x_source as source,
    newest.key as native_id,
    -- assets are run by a job without a name of its own
    case
        when newest.job_name <> '__ASSET_JOB' then newest.job_name
        else coalesce(nullif(array_to_string(from_json(newest.assets, '["VARCHAR"]'), ', '), ''), 'assets')
    end as job_name,
    newest.status,
    make_timestamp(newest.start_time) as started_at,
    make_timestamp(newest.end_time) as ended_at,
    from_json(coalesce(newest.tags, '{}'), '"MAP(VARCHAR, VARCHAR)"') as tags,
    from_json(
        coalesce(newest.steps, '[]'),
        '[{"step": "VARCHAR", "status": "VARCHAR", "begun": "BIGINT",
           "attempts": [{"begun": "BIGINT", "ended": "BIGINT"}]}]'
    ) as steps,
    from_json(coalesce(newest.places, '[]'), '[["VARCHAR"]]') as places,
    newest.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > newest.x_version_at as is_gone
from newest
left join gone on newest.x_source = gone.x_source and newest.key = gone.key
