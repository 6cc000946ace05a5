-- What a run's events say of it: the tags of its job and its own.
--
-- grain: one row per run
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.openlineage__newest_runs
where cardinality(tags) > 0
