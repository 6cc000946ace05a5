-- What a run of W&B says of itself: its tags and its config.
--
-- grain: one row per run
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.wandb__newest_runs
where cardinality(tags) > 0
