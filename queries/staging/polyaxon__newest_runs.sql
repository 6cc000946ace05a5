-- A run of Polyaxon as it was when it was last delivered.
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
    from raw.polyaxon__runs
    where gone_at is not null
    group by x_source, key
),

newest as (
    select *
    from raw.polyaxon__runs
    where gone_at is null
    -- one that was moved to another project has another key, and the same id
    qualify row_number() over (partition by x_source, uuid order by x_version_at desc, x_unit desc) = 1
)

select
    run_key_of(newest.x_source, newest.uuid, 1) as run_key,
    newest.x_source as source,
    newest.uuid as native_id,
    newest.pipeline as parent_native_id,
    newest.project,
    newest.name,
    newest.kind,
    newest.runtime,
    newest.status,
    make_timestamp(coalesce(newest.started_at, newest.created_at)) as started_at,
    make_timestamp(newest.ended_at) as ended_at,
    newest.user,
    try_cast(newest.gpu_count as decimal(18, 6)) as gpu_count,
    -- tags that name something: `team:vision`, `mlflow_run_id=8f3c`
    tag_map(
        list_transform(
            list_filter(
                from_json(newest.tags, '["VARCHAR"]'), lambda tag: regexp_matches(tag, '^[^:=]+[:=].')
            ),
            lambda tag: {
                k: regexp_extract(tag, '^([^:=]+)[:=](.+)$', 1), v: regexp_extract(tag, '^([^:=]+)[:=](.+)$', 2)
            }
        )
    ) as tags,
    newest.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > newest.x_version_at as is_gone
from newest
left join gone on newest.x_source = gone.x_source and newest.key = gone.key
