-- What a flow or a task of Prefect says of itself: its tags, `mlflow_run_id:8f3c`.
--
-- grain: one row per try
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.prefect__tries
where cardinality(tags) > 0
