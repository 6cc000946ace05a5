-- A dataset that a run read, as the run said (`mlflow__dataset_uses.sql` says how).
--
-- grain: one row per run, dataset and context
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

select
    run_key,
    dataset_uri,
    dataset_name,
    dataset_digest,
    context,
    bytes_read
from staging.mlflow__dataset_uses
where not is_output
