-- An execution of a task of ClearML as it was when it was last told.
--
-- A task that is reset and run again keeps its id and gets a new start: each start that was told is an
-- attempt. One that was not over when the next began is `is_replaced`. What waits has no start yet; a
-- draft is no attempt at all. A task that was deleted while it was not over is `is_gone`; what was over
-- stays as it was.
--
-- grain: one row per task and attempt
-- key:   run_key
-- owner: ml-platform

with

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from raw.clearml__tasks
    where gone_at is not null
    group by x_source, key
),

told as (
    select
        *,
        row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1 as is_newest
    from raw.clearml__tasks
    where gone_at is null
),

executions as (
    select *
    from told
    where started is not null or (is_newest and status <> 'created')
    qualify
        row_number() over (partition by x_source, key, started order by x_version_at desc, x_unit desc) = 1
),

attempts as (
    select
        *,
        row_number() over (partition by x_source, key order by started asc nulls last) as attempt
    from executions
)

select
    run_key_of(attempts.x_source, attempts.key, attempts.attempt) as run_key,
    attempts.x_source as source,
    attempts.key as native_id,
    cast(attempts.attempt as integer) as attempt,
    attempts.name,
    attempts.type,
    attempts.status,
    attempts.status_reason,
    make_timestamp(attempts.started) as started_at,
    make_timestamp(attempts.completed) as completed_at,
    make_timestamp(attempts.last_update) as updated_at,
    make_timestamp(attempts.last_worker_report) as reported_at,
    attempts.user_name,
    attempts.project,
    attempts.parent as parent_id,
    nullif(attempts.commit_sha, '') as commit_sha,
    coalesce(nullif(attempts.host, ''), nullif(split_part(attempts.worker, ':', 1), '')) as host,
    cast(nullif(attempts.gpu_count, 0) as decimal(18, 6)) as gpu_count,
    attempts.version,
    list_contains(from_json(coalesce(attempts.system_tags, '[]'), '["VARCHAR"]'), 'dataset') as is_dataset,
    labels_of(attempts.properties, attempts.tags) as tags,
    from_json(coalesce(attempts.datasets, '{}'), '"MAP(VARCHAR, VARCHAR)"') as datasets,  -- alias, id of a task
    from_json(coalesce(attempts.models, '[]'), '[["VARCHAR"]]') as models,  -- name, id
    attempts.x_version_at as seen_at,  -- the extraction that delivered it
    not attempts.is_newest as is_replaced,
    gone.gone_at is not null and make_timestamp(gone.gone_at) > attempts.x_version_at as is_gone
from attempts
left join gone on attempts.x_source = gone.x_source and attempts.key = gone.key
