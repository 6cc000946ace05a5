-- A run as MLflow had it when it was last delivered.
--
-- A run is delivered again whenever anything of it changes, so that the newest row is the run. Its
-- datasets and logged models come with it, under the same `unit`; older units of them are history.
--
-- grain: one row per run
-- key:   run_key
-- owner: ml-platform

with

extractions as (
    select
        x_source,
        max(x_version_at) as extracted_at
    from raw.mlflow__runs
    group by x_source
),

repeated as (
    select
        x_source,
        run_id
    from raw.mlflow__runs
    group by x_source, run_id
    having count(*) > 1
),

runs as (
    select *
    from raw.mlflow__runs
    anti join repeated using (x_source, run_id)
    union all
    select *
    from raw.mlflow__runs
    semi join repeated using (x_source, run_id)
    qualify row_number() over (partition by x_source, run_id order by x_version_at desc, x_unit desc) = 1
)

select
    -- MLflow has no attempts: the first is the only one
    run_key_of(x_source, run_id, 1) as run_key,
    x_source as source,
    x_unit as unit,  -- the extraction that delivered it
    extracted_at,  -- the newest extraction that delivered any run of the source
    run_id,
    run_name,
    experiment_id,
    user_id,
    status,
    start_time,  -- ms since 1970, by the clock of the machine that logged the run
    end_time,  -- ms since 1970
    lifecycle_stage,  -- active or deleted; what was deleted has cost money all the same
    last_metric_time,  -- ms since 1970; for runs alone that have no end, or one before their start
    tags
from runs
inner join extractions using (x_source)
