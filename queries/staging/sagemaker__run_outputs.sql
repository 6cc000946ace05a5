-- Data that a job of SageMaker wrote to S3.
--
-- grain: one row per job and place
-- key:   run_key, dataset_uri
-- feeds: run_outputs
-- owner: ml-platform

with

places as (
    select
        run_key,
        unnest(json_extract_string(outputs, '$[*]')) as uri
    from staging.sagemaker__newest_works
)

select distinct
    run_key,
    rtrim(uri, '/') as dataset_uri,
    cast(null as varchar) as dataset_digest
from places
