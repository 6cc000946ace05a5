-- A key under which jobs of schedulers name a run of another system.
--
-- grain: one row per key
-- key:   tag
-- owner: ml-platform

select
    unnest(known.tags) as tag,
    known.system,
    known.relation
from (
    values
    (['mlflow_run_id', 'mlflow.run_id', 'MLFLOW_RUN_ID'], 'mlflow', 'same'),
    (['wandb_run_id', 'wandb.run_id', 'WANDB_RUN_ID'], 'wandb', 'same'),
    (['clearml_task_id', 'clearml.task_id', 'CLEARML_TASK_ID'], 'clearml', 'same'),
    (['ray_job_id', 'ray.job_id', 'RAY_JOB_ID', 'ray_submission_id'], 'ray', 'same'),
    (['slurm_job_id', 'slurm.job_id', 'SLURM_JOB_ID'], 'slurm', 'same'),
    (['dagster_run_id', 'dagster.run_id', 'dagster/run_id', 'DAGSTER_RUN_ID'], 'dagster', 'parent'),
    (['prefect_flow_run_id', 'prefect.flow_run_id', 'prefect.io/flow-run-id'], 'prefect', 'parent'),
    (['kfp_run_id', 'KFP_RUN_ID', 'pipeline/runid'], 'kubeflow', 'parent')
) as known (tags, system, relation)
