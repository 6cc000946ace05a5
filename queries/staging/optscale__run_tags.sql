-- What a run of OptScale's tracker says of itself: its tags.
--
-- grain: one row per run
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.optscale__newest_runs
where cardinality(tags) > 0
