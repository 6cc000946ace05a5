-- A dataset that a run read or wrote, as the run said.
--
-- A run says so by logging the dataset, or by the tags `finops.input_dataset` and
-- `finops.output_dataset`, which list URIs, comma-separated. A dataset logged with a context that
-- begins with `output` was written, any other was read.
--
-- A URI is normalised, so that one place has one name: scheme and host in lower case, s3a and s3n
-- are s3, gcs is gs, no slash at the end, and no query that signs it (which is a secret, too).
-- ALL sources have a URI but those that name a table or a script: their rows have none, and are
-- known by name and digest. A dataset of the Hugging Face hub is written hf://datasets/<path>.
-- Flaw: MLflow's digest is of the first 10,000 rows at most; equal digests are not equal data.
--
-- grain: one row per run, direction, dataset and context
-- key:   run_key, is_output, dataset_uri, dataset_name, dataset_digest, context
-- owner: ml-platform

with

logged as (
    select
        newest_runs.run_key,
        lower(coalesce(inputs.tags['mlflow.data.context'], '')) like 'output%' as is_output,
        try_cast(inputs.dataset_source as json) as location,
        case
            when inputs.dataset_source_type = 'hugging_face' then 'hf://datasets/' || (location ->> '$.path')
            when location is null then inputs.dataset_source
            else coalesce(location ->> '$.uri', location ->> '$.url', location ->> '$.path')
        end as uri,
        nullif(inputs.dataset_name, '') as dataset_name,
        nullif(inputs.dataset_digest, '') as dataset_digest,
        nullif(inputs.tags['mlflow.data.context'], '') as context,
        try_cast(inputs.tags['finops.bytes_read'] as bigint) as bytes_read
    from raw.mlflow__run_inputs as inputs
    inner join staging.mlflow__newest_runs as newest_runs
        on
            inputs.x_source = newest_runs.source
            and inputs.run_id = newest_runs.run_id
            and inputs.x_unit = newest_runs.unit
),

tagged as (
    select
        run_key,
        false as is_output,
        tags['finops.input_dataset'] as uris
    from staging.mlflow__newest_runs
    union all
    select
        run_key,
        true as is_output,
        tags['finops.output_dataset'] as uris
    from staging.mlflow__newest_runs
),

uses as (
    select
        run_key,
        is_output,
        uri,
        dataset_name,
        dataset_digest,
        context,
        bytes_read
    from logged
    union all
    select
        run_key,
        is_output,
        unnest(regexp_split_to_array(uris, ',')) as uri,
        null as dataset_name,
        null as dataset_digest,
        null as context,
        null as bytes_read
    from tagged
    where trim(uris) <> ''
),

split_uris as (
    select
        *,
        nullif(regexp_extract(trim(uri), '^([A-Za-z][A-Za-z0-9+.-]*)://', 1), '') as scheme,
        regexp_replace(
            regexp_replace(trim(uri), '^[A-Za-z][A-Za-z0-9+.-]*://', ''),
            '[?].*(X-Amz-|X-Goog-|Signature=|AWSAccessKeyId=|sig=).*$',
            ''
        ) as rest
    from uses
    where coalesce(nullif(trim(uri), ''), dataset_name) is not null
),

normalised as (
    select
        *,
        case
            when scheme is null then nullif(rtrim(rest, '/'), '')
            when lower(scheme) in ('s3a', 's3n') then 's3://'
            when lower(scheme) = 'gcs' then 'gs://'
            else lower(scheme) || '://'
        end as beginning,
        lower(split_part(rest, '/', 1)) as host,
        rtrim(substr(rest, length(split_part(rest, '/', 1)) + 1), '/') as path
    from split_uris
)

select
    run_key,
    is_output,
    case when scheme is null then beginning else beginning || host || path end as dataset_uri,
    dataset_name,
    dataset_digest,
    context,
    max(bytes_read) as bytes_read
from normalised
group by all
