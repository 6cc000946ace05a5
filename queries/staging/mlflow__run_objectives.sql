-- A point of a metric that a run is for, as MLflow has it; which metrics those are says the config.
--
-- grain: one row per run, metric, step and time
-- key:   run_key, metric, step, logged_at
-- feeds: run_objectives
-- owner: ml-platform

select
    run_key_of(x_source, run_id, 1) as run_key,
    metric,
    step,
    make_timestamp(timestamp * 1000) as logged_at,
    case when isfinite(try_cast(value as double)) then try_cast(value as double) end as value
from raw.mlflow__objectives
qualify
    row_number() over (
        partition by x_source, run_id, metric, step, timestamp
        order by x_version_at desc, x_unit desc, try_cast(value as double) desc
    ) = 1
