-- A run of another system that a run names in its tags.
--
-- Which tags name which system stands in `seeds/run_tags.csv`; `finops.same.<system>` and
-- `finops.parent.<system>` name a run of any system. Runs without such a tag are passed by at once:
-- most have none.
--
-- grain: one row per run, mentioned run and relation
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

with

known as (
    select
        list(struct_pack(tags := tags, system := system, relation := relation)) as mentions,
        list(string_split(tags, ' ')[1]) as first_tags
    from seeds.run_tags
),

mentions as (
    select
        newest_runs.run_key,
        unnest(mentions_in(newest_runs.tags, known.mentions)) as mention
    from staging.mlflow__newest_runs as newest_runs
    cross join known
    where
        list_has_any(map_keys(newest_runs.tags), known.first_tags)
        or contains(array_to_string(map_keys(newest_runs.tags), ' '), 'finops.same.')
        or contains(array_to_string(map_keys(newest_runs.tags), ' '), 'finops.parent.')
)

select
    run_key,
    struct_extract(mention, 'system') as system,
    struct_extract(mention, 'native_id') as native_id,
    struct_extract(mention, 'relation') as relation,
    min(struct_extract(mention, 'evidence')) as evidence
from mentions
group by all
