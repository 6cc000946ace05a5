-- What a run of Guild AI says of itself: its tags, its label and its flags.
--
-- grain: one row per run and attempt
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'tag' as called,
    tags
from staging.guild__newest_runs
where cardinality(tags) > 0
