-- Data that a job of Azure Machine Learning, or a run that it started, read.
--
-- A data asset is named by its name, with its version as digest; it keeps Azure's own address.
--
-- grain: one row per run, place and input
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

with

inputs as (
    select
        run_key,
        unnest(inputs) as input
    from staging.azureml__newest_jobs
)

select distinct
    run_key,
    place_uri(input[2]) as dataset_uri,
    nullif(regexp_extract(input[2], '/data/([^/]+)/versions/[^/]+$', 1), '') as dataset_name,
    nullif(regexp_extract(input[2], '/data/[^/]+/versions/([^/]+)$', 1), '') as dataset_digest,
    input[1] as context,
    cast(null as bigint) as bytes_read
from inputs
where place_uri(input[2]) is not null
