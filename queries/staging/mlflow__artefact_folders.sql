-- The folders of an MLflow run: its own, called after its id, and those of the models that it logged.
--
-- MLflow 3 keeps logged models beside the runs, in `models/`. A model that two runs name is the
-- first's by key: bytes are never paid twice.
--
-- grain: one row per folder
-- key:   source, root_uri, folder
-- feeds: artefact_folders
-- owner: ml-platform

with

runs as (
    select
        newest_runs.run_key,
        newest_runs.source,
        newest_runs.unit,
        newest_runs.run_id,
        roots.root_uri,
        roots.is_deleted or coalesce(newest_runs.lifecycle_stage = 'deleted', false) as is_deleted
    from staging.mlflow__newest_runs as newest_runs
    inner join staging.mlflow__artefact_roots as roots
        on newest_runs.source = roots.source and newest_runs.experiment_id = roots.experiment_id
)

select
    source,
    root_uri,
    run_id as folder,
    run_key,
    is_deleted
from runs
union all
select
    runs.source,
    runs.root_uri || '/models' as root_uri,
    logged_models.model_id as folder,
    min(runs.run_key) as run_key,
    bool_and(runs.is_deleted) as is_deleted
from runs
inner join raw.mlflow__run_logged_models as logged_models
    on
        runs.source = logged_models.x_source
        and runs.run_id = logged_models.run_id
        and runs.unit = logged_models.x_unit
group by runs.source, runs.root_uri, logged_models.model_id
