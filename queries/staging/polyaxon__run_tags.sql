-- What a run of Polyaxon says of itself: its tags, `mlflow_run_id:8f3c`.
--
-- grain: one row per run
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.polyaxon__newest_runs
where cardinality(tags) > 0
