-- What a job of Azure Machine Learning says of itself: its tags.
--
-- grain: one row per job
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.azureml__newest_jobs
where cardinality(tags) > 0
