-- The MLflow run that the server's own plugin made for a run of Kubeflow Pipelines.
--
-- What else runs in a pipeline names it by `KFP_RUN_ID` and the like (`seeds/run_tags.csv`).
--
-- grain: one row per run
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

select
    run_key,
    'mlflow' as system,
    mlflow_run_id as native_id,
    'same' as relation,
    'plugins_output mlflow root_run_id' as evidence
from staging.kubeflow__newest_runs
where mlflow_run_id is not null
