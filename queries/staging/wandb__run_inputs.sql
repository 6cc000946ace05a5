-- A dataset that a run of W&B read: an artifact, or an address in `finops.input_dataset` of its config.
--
-- Artifacts have a name and a digest, but no address: where the bytes lie only W&B knows. Models and
-- code that a run read are no datasets. Flaw: artifacts of one name in two projects are one dataset.
--
-- grain: one row per run, dataset and digest
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

with

used as (
    select
        run_key,
        unnest(inputs) as artifact
    from staging.wandb__newest_runs
),

said as (
    select
        run_key,
        unnest(string_split(tags['finops.input_dataset'], ',')) as address
    from staging.wandb__newest_runs
)

select distinct
    run_key,
    cast(null as varchar) as dataset_uri,
    split_part(artifact[2], '/', -1) as dataset_name,
    nullif(artifact[4], '') as dataset_digest,
    cast(null as varchar) as context,
    cast(null as bigint) as bytes_read
from used
where artifact[1] not in ('model', 'code', 'source-code', 'job', 'wandb-history', 'run_table')
union
select
    run_key,
    place_uri(address) as dataset_uri,
    cast(null as varchar) as dataset_name,
    cast(null as varchar) as dataset_digest,
    cast(null as varchar) as context,
    cast(null as bigint) as bytes_read
from said
where trim(address) <> ''
