-- Data that a run wrote, as the commit has it that names the run.
--
-- grain: one row per run, place and version
-- key:   run_key, dataset_uri, dataset_digest
-- feeds: run_outputs
-- owner: ml-platform

select
    run_key,
    'lakefs://' || repository || '/' || commit_id as dataset_uri,
    commit_id as dataset_digest
from staging.lakefs__named_runs
