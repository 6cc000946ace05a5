-- A model that a stage made: an output that dvc.yaml names among its artifacts, as of type `model`.
--
-- A version is the file's own hash.
--
-- grain: one row per run, model and version
-- key:   run_key, model_name, model_version
-- feeds: run_models
-- owner: ml-platform

select distinct
    runs.run_key,
    coalesce(files.artifact, files.repository || '/' || files.path) as model_name,
    files.digest as model_version
from raw.dvc__files as files
inner join staging.dvc__stage_runs as runs
    on
        files.x_source = runs.source
        and files.repository = runs.repository
        and files.stage = runs.stage
        and files.stage_digest = runs.digest
where files.role = 'out' and files.artifact_type = 'model' and files.digest is not null
