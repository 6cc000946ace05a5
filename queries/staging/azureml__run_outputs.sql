-- Data that a job of Azure Machine Learning wrote; its models are in `run_models`.
--
-- NONE: what runs within a pipeline wrote is not told with an address.
--
-- grain: one row per job and place
-- key:   run_key, dataset_uri
-- feeds: run_outputs
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
    place_uri(output[3]) as dataset_uri,
    cast(null as varchar) as dataset_digest
from outputs
where place_uri(output[3]) is not null and not output[2] ilike '%model'
