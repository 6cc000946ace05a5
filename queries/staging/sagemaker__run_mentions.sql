-- A run of another system that a work of SageMaker names: its own MLflow's, or one in a tag.
--
-- Which tags name which system stands in `seeds/run_tags.csv`.
--
-- grain: one row per work, mentioned run and relation
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

with

known as (
    select list(struct_pack(tags := tags, system := system, relation := relation)) as mentions
    from seeds.run_tags
),

tagged as (
    select
        works.run_key,
        unnest(mentions_in(works.tags, known.mentions)) as mention
    from staging.sagemaker__newest_works as works
    cross join known
    where cardinality(works.tags) > 0
),

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
        run_key,
        struct_extract(mention, 'system') as system,
        struct_extract(mention, 'native_id') as native_id,
        struct_extract(mention, 'relation') as relation,
        struct_extract(mention, 'evidence') as evidence
    from tagged
)

select
    run_key,
    system,
    native_id,
    relation,
    min(evidence) as evidence
from mentions
group by all
