-- Data that a run wrote, as its events said (`openlineage__dataset_uses.sql` says how).
--
-- grain: one row per run and place
-- key:   run_key, dataset_uri
-- feeds: run_outputs
-- owner: ml-platform

select distinct
    run_key,
    dataset_uri
from staging.openlineage__dataset_uses
where is_output and dataset_uri is not null
