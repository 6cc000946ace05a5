-- What a job of Ray says of itself: its metadata.
--
-- grain: one row per job
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'metadata' as called,
    tags
from staging.ray__newest_jobs
where cardinality(tags) > 0
