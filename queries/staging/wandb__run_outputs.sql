-- Data that a run of W&B wrote: an address in `finops.output_dataset` of its config.
--
-- grain: one row per run and address
-- key:   run_key, dataset_uri
-- feeds: run_outputs
-- owner: ml-platform

with

said as (
    select
        run_key,
        unnest(string_split(tags['finops.output_dataset'], ',')) as address
    from staging.wandb__newest_runs
)

select distinct
    run_key,
    place_uri(address) as dataset_uri,
    cast(null as varchar) as dataset_digest
from said
where trim(address) <> ''
