-- What a job of Vertex AI says of itself: its labels.
--
-- grain: one row per job
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'label' as called,
    tags
from staging.vertex__newest_jobs
where cardinality(tags) > 0
