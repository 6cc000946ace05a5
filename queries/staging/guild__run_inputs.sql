-- Data that a run of Guild AI required: a file, which is known by its name alone, or an address.
--
-- grain: one row per run, attempt and dataset
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

with

required as (
    select
        run_key,
        unnest(inputs) as uri
    from staging.guild__newest_runs
    union all
    select
        run_key,
        unnest(string_split(tags['finops.input_dataset'], ',')) as uri
    from staging.guild__newest_runs
)

select distinct
    run_key,
    case when contains(uri, '://') then place_uri(uri) end as dataset_uri,
    case when not contains(uri, '://') then rtrim(regexp_replace(trim(uri), '^file:', ''), '/') end as dataset_name,
    cast(null as varchar) as dataset_digest,
    cast(null as varchar) as context,
    cast(null as bigint) as bytes_read
from required
where trim(uri) <> ''
