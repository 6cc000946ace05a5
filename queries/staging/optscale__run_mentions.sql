-- A run of another system that a run of OptScale's tracker names in its tags.
--
-- Which keys name which system stands in `seeds/run_tags.csv`.
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

mentions as (
    select
        tagged.run_key,
        unnest(mentions_in(tagged.tags, known.mentions)) as mention
    from staging.optscale__newest_runs as tagged
    cross join known
    where cardinality(tagged.tags) > 0
)

select
    run_key,
    struct_extract(mention, 'system') as system,
    struct_extract(mention, 'native_id') as native_id,
    struct_extract(mention, 'relation') as relation,
    min(struct_extract(mention, 'evidence')) as evidence
from mentions
group by all
