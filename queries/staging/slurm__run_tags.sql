-- What a job of Slurm says of itself: its comment, `#SBATCH --comment="mlflow_run_id=..."`.
--
-- grain: one row per job and attempt
-- key:   run_key
-- feeds: run_tags
-- owner: ml-platform

select
    run_key,
    'comment' as called,
    tags
from staging.slurm__attempts
where cardinality(tags) > 0
