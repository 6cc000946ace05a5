-- What a run of MLflow says of itself: its tags.
--
-- grain:  one row per run
-- key:    run_key
-- feeds:  run_tags
-- inline: yes
-- owner:  ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.mlflow__newest_runs
where cardinality(tags) > 0
