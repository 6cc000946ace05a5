-- Data that a run of Guild AI wrote: an address in its flag `finops.output_dataset`.
--
-- grain: one row per run, attempt and address
-- key:   run_key, dataset_uri
-- feeds: run_outputs
-- owner: ml-platform

with

said as (
    select
        run_key,
        unnest(string_split(tags['finops.output_dataset'], ',')) as address
    from staging.guild__newest_runs
)

select distinct
    run_key,
    place_uri(address) as dataset_uri,
    cast(null as varchar) as dataset_digest
from said
where trim(address) <> ''
