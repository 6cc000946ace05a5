-- Data that a run wrote, as the run said (`mlflow__dataset_uses.sql` says how).
--
-- What a run wrote without saying where is not known here: it has no row.
--
-- grain: one row per run, place and version
-- key:   run_key, dataset_uri, dataset_digest
-- feeds: run_outputs
-- owner: ml-platform

select distinct
    run_key,
    dataset_uri,
    dataset_digest
from staging.mlflow__dataset_uses
where is_output and dataset_uri is not null
