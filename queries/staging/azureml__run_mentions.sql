-- The run of its workspace's MLflow that a job of Azure Machine Learning is, by the same id.
--
-- grain: one row per job
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

select
    run_key,
    'mlflow' as system,
    native_id,
    'same' as relation,
    'the id of the job' as evidence
from staging.azureml__newest_jobs
