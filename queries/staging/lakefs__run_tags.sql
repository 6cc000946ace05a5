-- What a commit that names a run says of it: its metadata.
--
-- grain: one row per run
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'metadata' as called,
    metadata as tags
from staging.lakefs__named_runs
