-- A run of another system that a work of SageMaker names: its own MLflow's, or one in a tag.
--
-- grain: one row per work, mentioned run and relation
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

with

mentions as (
    select
        run_key,
        'mlflow' as system,
        mlflow_run_id as native_id,
        'same' as relation,
        'MlflowDetails' as evidence
    from staging.sagemaker__newest_works
    where mlflow_run_id is not null
    union all
    select
        works.run_key,
        named.system,
        works.tags[named.tag] as native_id,
        named.relation,
        'tag ' || named.tag as evidence
    from staging.sagemaker__newest_works as works
    inner join staging.scheduler__mention_tags as named on list_contains(map_keys(works.tags), named.tag)
    where works.tags[named.tag] <> ''
)

select
    run_key,
    system,
    native_id,
    relation,
    min(evidence) as evidence
from mentions
group by run_key, system, native_id, relation
