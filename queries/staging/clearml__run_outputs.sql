-- Data that a task of ClearML wrote: an address in `finops.output_dataset` of its user properties.
--
-- grain: one row per task, attempt and address
-- key:   run_key, dataset_uri
-- feeds: run_outputs
-- owner: ml-platform

with

said as (
    select
        run_key,
        unnest(string_split(tags['finops.output_dataset'], ',')) as address
    from staging.clearml__newest_tasks
)

select distinct
    run_key,
    place_uri(address) as dataset_uri,
    cast(null as varchar) as dataset_digest
from said
where trim(address) <> ''
