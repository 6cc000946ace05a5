-- A run of another system that a stage's metrics, recorded parameters or `meta` name.
--
-- grain: one row per run, mentioned run and relation
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
        runs.run_key,
        unnest(mentions_in(runs.tags, known.mentions)) as mention
    from staging.dvc__stage_runs as runs
    cross join known
    where cardinality(runs.tags) > 0
)

select
    run_key,
    struct_extract(mention, 'system') as system,
    struct_extract(mention, 'native_id') as native_id,
    struct_extract(mention, 'relation') as relation,
    min(struct_extract(mention, 'evidence')) as evidence
from tagged
group by all
