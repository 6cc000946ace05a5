-- What a stage says of its run: its `meta`, and what its metrics and recorded parameters call runs and jobs.
--
-- grain: one row per run
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.dvc__stage_runs
