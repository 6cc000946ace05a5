-- A try of a task as Airflow had it when it was last delivered.
--
-- A task is delivered again, with all its tries, whenever any of them changes. What was deleted while
-- it was not over is `gone_at` the extraction that missed it; what was over stays as it was.
--
-- grain: one row per try
-- key:   run_key
-- owner: ml-platform

with

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from raw.airflow__task_tries
    where gone_at is not null
    group by x_source, key
),

tries as (
    select *
    from raw.airflow__task_tries
    where gone_at is null
    qualify row_number() over (partition by x_source, key, try_number order by x_version_at desc, x_unit desc) = 1
)

select
    run_key_of(tries.x_source, tries.key, tries.try_number) as run_key,
    tries.x_source as source,
    tries.key as native_id,  -- dag/run/task, and /index of a mapped task
    tries.dag_id,
    regexp_extract(tries.key, '^[^/]*/[^/]*') as dag_run_key,
    tries.task_id,
    tries.try_number,
    tries.state,
    make_timestamp(tries.start_date) as started_at,
    make_timestamp(tries.end_date) as ended_at,
    tries.hostname,
    tries.bundle_version,
    tries.pod_namespace,
    try_cast(tries.pod_gpus as decimal(18, 6)) as gpu_count,
    tries.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > tries.x_version_at as is_gone
from tries
left join gone on tries.x_source = gone.x_source and tries.key = gone.key
