-- The dataset that a run of OptScale's tracker was trained on.
--
-- grain: one row per run and dataset
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

select
    run_key,
    place_uri(dataset_path) as dataset_uri,
    dataset_name,
    cast(null as varchar) as dataset_digest,
    cast(null as varchar) as context,
    cast(null as bigint) as bytes_read
from staging.optscale__newest_runs
where place_uri(dataset_path) is not null
