-- The run of SageMaker's own MLflow that a work of SageMaker names.
--
-- grain: one row per work
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

select
    run_key,
    'mlflow' as system,
    mlflow_run_id as native_id,
    'same' as relation,
    'MlflowDetails' as evidence
from staging.sagemaker__newest_works
where mlflow_run_id is not null
