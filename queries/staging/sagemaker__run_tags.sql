-- What a work of SageMaker says of itself: its tags.
--
-- grain: one row per work
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.sagemaker__newest_works
where cardinality(tags) > 0
