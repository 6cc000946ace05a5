-- What a task of ClearML says of itself: its tags and user properties.
--
-- grain: one row per task and attempt
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.clearml__newest_tasks
where cardinality(tags) > 0
