-- A run of OptScale's tracker as it was when it was last delivered.
--
-- One that was deleted while it was not over is `is_gone`; what was over stays as it was.
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
    from raw.optscale__runs
    where gone_at is not null
    group by x_source, key
),

newest as (
    select *
    from raw.optscale__runs
    where gone_at is null
    qualify row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
)

select
    run_key_of(newest.x_source, newest.key, 1) as run_key,
    newest.x_source as source,
    newest.key as native_id,
    newest.name,
    newest.number,
    newest.task,
    newest.owner_id,
    newest.state,
    make_timestamp(newest.started_s * 1000000) as started_at,
    make_timestamp(newest.ended_s * 1000000) as ended_at,
    newest.git_commit,
    newest.git_status,
    from_json(newest.executors, '["VARCHAR"]') as executors,
    newest.dataset_path,
    newest.dataset_name,
    newest.tags,
    newest.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > newest.x_version_at as is_gone
from newest
left join gone on newest.x_source = gone.x_source and newest.key = gone.key
