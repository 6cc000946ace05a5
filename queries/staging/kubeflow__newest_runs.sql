-- A run of Kubeflow Pipelines, or a node of it, as it was when it was last delivered.
--
-- A run is delivered with all its nodes whenever any of them changes. Nodes that the system makes for
-- its own work (drivers, the executor within a task, the root) are left out. One that was deleted while
-- it was not over is `is_gone`; what was over stays as it was.
--
-- Flaw: the node that stands for the whole workflow cannot be told from a task, and stays.
--
-- grain: one row per run and node
-- key:   run_key
-- owner: ml-platform

with

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from raw.kubeflow__runs
    where gone_at is not null
    group by x_source, key
),

newest as (
    select *
    from raw.kubeflow__runs
    where gone_at is null
    qualify rank() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
),

told as (
    select
        *,
        list(name) over (partition by x_source, key) as names
    from newest
)

select
    run_key_of(told.x_source, concat_ws('/', told.key, told.task_id), 1) as run_key,
    told.x_source as source,
    concat_ws('/', told.key, told.task_id) as native_id,
    case when told.task_id is not null then told.key end as parent_native_id,
    told.name,
    told.state,
    make_timestamp(coalesce(told.started_at, told.created_at)) as started_at,
    make_timestamp(told.ended_at) as ended_at,
    told.pod_name,
    told.experiment,
    nullif(told.namespace, '') as namespace,
    nullif(told.team, '') as team,  -- its namespace, where the config says that it is one
    told.service_account,
    told.mlflow_run_id,
    told.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > told.x_version_at as is_gone
from told
left join gone on told.x_source = gone.x_source and told.key = gone.key
where
    told.task_id is null
    or not (
        told.name in ('root', 'executor', 'root-driver')
        or (told.name like '%-driver' and list_contains(told.names, regexp_replace(told.name, '-driver$', '')))
    )
