-- A model that a job of Azure Machine Learning registered; the job does not tell the version.
--
-- grain: one row per job and model
-- key:   run_key, model_name, model_version
-- feeds: run_models
-- owner: ml-platform

with

outputs as (
    select
        run_key,
        unnest(outputs) as output
    from staging.azureml__newest_jobs
)

select distinct
    run_key,
    output[4] as model_name,
    cast(null as varchar) as model_version
from outputs
where output[2] ilike '%model' and output[4] <> ''
