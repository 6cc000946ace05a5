-- Data that a stage wrote and DVC keeps in a remote; models are in `dvc__run_models.sql`.
--
-- grain: one row per run, place and version
-- key:   run_key, dataset_uri, dataset_digest
-- feeds: run_outputs
-- owner: ml-platform

select distinct
    runs.run_key,
    place_uri(files.place) as dataset_uri,
    files.digest as dataset_digest
from raw.dvc__files as files
inner join staging.dvc__stage_runs as runs
    on
        files.x_source = runs.source
        and files.repository = runs.repository
        and files.stage = runs.stage
        and files.stage_digest = runs.digest
where files.role = 'out' and files.place is not null and files.artifact_type is distinct from 'model'
