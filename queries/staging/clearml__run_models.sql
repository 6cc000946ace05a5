-- A model that a task of ClearML made. ClearML's models have no versions: each has an id.
--
-- grain: one row per task, attempt and model
-- key:   run_key, model_name, model_version
-- feeds: run_models
-- owner: ml-platform

with

made as (
    select
        run_key,
        unnest(models) as model
    from staging.clearml__newest_tasks
)

select distinct
    run_key,
    model[1] as model_name,
    model[2] as model_version
from made
