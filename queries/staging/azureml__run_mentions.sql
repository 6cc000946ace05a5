-- A run of another system that is one with a job of Azure Machine Learning, or is named in its tags.
--
-- Each job is a run of its workspace's MLflow by the same id. Which tags name which system stands in
-- `seeds/run_tags.csv`.
--
-- grain: one row per job, mentioned run and relation
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
        jobs.run_key,
        unnest(mentions_in(jobs.tags, known.mentions)) as mention
    from staging.azureml__newest_jobs as jobs
    cross join known
    where cardinality(jobs.tags) > 0
),

mentions as (
    select
        run_key,
        'mlflow' as system,
        native_id,
        'same' as relation,
        'the id of the job' as evidence
    from staging.azureml__newest_jobs
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
