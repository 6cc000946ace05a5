-- A run of another system that a stage's metrics, recorded parameters or `meta` name.
--
-- grain: one row per run, mentioned run and relation
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

with

mentions as (
    select
        run_key,
        unnest(mentions) as mention
    from staging.dvc__stage_runs
)

select
    run_key,
    struct_extract(mention, 'system') as system,
    struct_extract(mention, 'native_id') as native_id,
    struct_extract(mention, 'relation') as relation,
    min(struct_extract(mention, 'evidence')) as evidence
from mentions
group by all
