-- Data that a run of Dagster wrote: addresses that its materialisations tell of.
--
-- grain: one row per run, address and version
-- key:   run_key, dataset_uri, dataset_digest
-- feeds: run_outputs
-- owner: ml-platform

with

written as (
    select
        run_key,
        unnest(places) as place,
        place[2] as address
    from staging.dagster__newest_runs
)

select distinct
    run_key,
    regexp_replace(
        lower(regexp_extract(address, '^[^:]+://[^/]*')) || regexp_extract(address, '^[^:]+://[^/]*(.*?)/*$', 1),
        '^s3[an]:',
        's3:'
    ) as dataset_uri,
    nullif(place[3], '') as dataset_digest
from written
where regexp_matches(address, '^[A-Za-z0-9+.-]+://')
