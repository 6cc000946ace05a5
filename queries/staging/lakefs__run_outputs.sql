-- Data that a run wrote, as the commit has it that names the run.
--
-- grain: one row per run and place
-- key:   run_key, dataset_uri
-- feeds: run_outputs
-- owner: ml-platform

select distinct
    run_key,
    'lakefs://' || repository || '/' || commit_id as dataset_uri
from staging.lakefs__named_runs
