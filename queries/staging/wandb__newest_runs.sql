-- A run of W&B as it had it when it was last delivered.
--
-- Ids of runs are unique within a project: what W&B calls a run is kept as its id, because that is
-- what other systems name it by, and its key is made of entity, project and id. One that was deleted
-- while it was not over is `is_gone`; what was over stays as it was.
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
    from raw.wandb__runs
    where gone_at is not null
    group by x_source, key
),

newest as (
    select *
    from raw.wandb__runs
    where gone_at is null
    qualify row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
)

select
    run_key_of(newest.x_source, newest.key, 1) as run_key,
    newest.x_source as source,
    newest.run_id as native_id,
    newest.entity || '/' || newest.project as project,
    coalesce(nullif(newest.name, ''), newest.run_id) as name,
    newest.state,
    nullif(newest.group_name, '') as group_name,
    lower(newest.job_type) as job_type,
    nullif(newest.sweep, '') as sweep,
    nullif(newest.commit_sha, '') as commit_sha,
    make_timestamp(newest.created_at) as created_at,
    make_timestamp(newest.heartbeat_at) as heartbeat_at,
    newest.username,
    nullif(newest.host, '') as host,
    labels_of(newest.config, newest.tags) as tags,
    -- type, name, version, digest
    from_json(coalesce(newest.inputs, '[]'), '[["VARCHAR"]]') as inputs,
    from_json(coalesce(newest.outputs, '[]'), '[["VARCHAR"]]') as outputs,
    newest.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > newest.x_version_at as is_gone
from newest
left join gone on newest.x_source = gone.x_source and newest.key = gone.key
