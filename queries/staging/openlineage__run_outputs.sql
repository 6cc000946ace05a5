-- Data that a run wrote, as its events said (`openlineage__dataset_uses.sql` says how).
--
-- grain: one row per run, place and version
-- key:   run_key, dataset_uri, dataset_digest
-- feeds: run_outputs
-- owner: ml-platform

select distinct
    run_key,
    dataset_uri,
    dataset_digest
from staging.openlineage__dataset_uses
where is_output and dataset_uri is not null
