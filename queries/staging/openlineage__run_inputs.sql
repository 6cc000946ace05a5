-- A dataset that a run read, as its events said (`openlineage__dataset_uses.sql` says how).
--
-- grain: one row per run and dataset
-- key:   run_key, dataset_uri, dataset_name, dataset_digest
-- feeds: run_inputs
-- owner: ml-platform

select
    run_key,
    dataset_uri,
    dataset_name,
    dataset_digest,
    cast(null as varchar) as context,
    bytes_read
from staging.openlineage__dataset_uses
where not is_output
