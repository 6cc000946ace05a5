-- A job of Azure Machine Learning, or a run that a job started, as it was when it was last delivered.
--
-- A job is delivered with all that it started whenever any of it changes. One that was deleted while
-- it was not over is `is_gone`; what was over stays as it was.
--
-- grain: one row per job, and per run that it started
-- key:   run_key
-- owner: ml-platform

with

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from raw.azureml__jobs
    where gone_at is not null
    group by x_source, key
),

newest as (
    select *
    from raw.azureml__jobs
    where gone_at is null
    qualify rank() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
)

select
    run_key_of(newest.x_source, concat_ws('|', newest.workspace, newest.run_id), 1) as run_key,
    newest.x_source as source,
    newest.run_id as native_id,
    newest.parent_run_id as parent_native_id,
    newest.workspace,
    newest.job_type,
    newest.name,
    coalesce(newest.experiment, first(newest.experiment) over (
        partition by newest.x_source, newest.key order by newest.parent_run_id is not null
    )) as experiment,
    newest.status,
    make_timestamp(coalesce(newest.started_at, newest.created_at)) as started_at,
    make_timestamp(newest.ended_at) as ended_at,
    newest.created_by,
    newest.compute,
    newest.vm_size,
    newest.instance_count,
    newest.git_commit,
    newest.git_dirty,
    from_json(newest.inputs, '[["VARCHAR"]]') as inputs,  -- name, address
    from_json(newest.outputs, '[["VARCHAR"]]') as outputs,  -- name, type, address, asset
    newest.tags,
    newest.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > newest.x_version_at as is_gone
from newest
left join gone on newest.x_source = gone.x_source and newest.key = gone.key
-- what a job started may be listed for itself, too
qualify
    row_number() over (
        partition by newest.x_source, newest.workspace, newest.run_id
        order by newest.parent_run_id is null asc, newest.x_version_at desc, newest.x_unit desc, newest.key asc
    ) = 1
