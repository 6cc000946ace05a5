-- A run of another system that a job names in its comment: `#SBATCH --comment="mlflow_run_id=..."`.
--
-- grain: one row per job, mentioned run and relation
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

select
    attempts.run_key,
    named.system,
    attempts.tags[named.tag] as native_id,
    named.relation,
    min('comment ' || named.tag) as evidence
from staging.slurm__attempts as attempts
inner join staging.scheduler__mention_tags as named on list_contains(map_keys(attempts.tags), named.tag)
group by all
