-- A custom job, tuning job or pipeline of Vertex AI as it was when it was last delivered.
--
-- One that was deleted while it was not over is `is_gone`; what was over stays as it was.
--
-- grain: one row per job
-- key:   run_key
-- owner: ml-platform

with

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from raw.vertex__jobs
    where gone_at is not null
    group by x_source, key
),

newest as (
    select *
    from raw.vertex__jobs
    where gone_at is null
    qualify row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
),

-- a custom job's parent: tuning jobs before pipelines, because these are started by those
started as (
    select
        x_source,
        kind,
        key as parent_id,
        unnest(from_json(children, '["VARCHAR"]')) as key
    from newest
),

parents as (
    select
        x_source,
        key,
        arg_min(parent_id, (kind <> 'tuning_job', parent_id)) as parent_id
    from started
    group by x_source, key
)

select
    run_key_of(newest.x_source, newest.key, 1) as run_key,
    newest.x_source as source,
    newest.key as native_id,  -- projects/1/locations/us-central1/customJobs/2
    parents.parent_id as parent_native_id,
    newest.kind,
    newest.name,
    newest.state,
    make_timestamp(coalesce(newest.started_at, newest.created_at)) as started_at,
    make_timestamp(newest.ended_at) as ended_at,
    newest.service_account,
    newest.experiment,
    from_json(newest.machines, '[["VARCHAR"]]') as machines,  -- type, accelerators of each, how many
    place_uri(newest.output_uri) as output_uri,
    from_json(newest.artifacts, '[["VARCHAR"]]') as artifacts,  -- way, schema, uri, name, resource, job
    newest.labels as tags,
    newest.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > newest.x_version_at as is_gone
from newest
left join gone on newest.x_source = gone.x_source and newest.key = gone.key
left join parents on newest.x_source = parents.x_source and newest.key = parents.key
