-- Data that a job of SageMaker read from S3, by the name of its channel.
--
-- grain: one row per job, place and channel
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

with

channels as (
    select
        run_key,
        unnest(json_extract_string(inputs, '$[*][0]')) as channel,
        unnest(json_extract_string(inputs, '$[*][1]')) as uri
    from staging.sagemaker__newest_works
)

select distinct
    run_key,
    rtrim(uri, '/') as dataset_uri,
    cast(null as varchar) as dataset_name,
    cast(null as varchar) as dataset_digest,
    channel as context,
    cast(null as bigint) as bytes_read
from channels
