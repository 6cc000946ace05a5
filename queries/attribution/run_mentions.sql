-- One row is about a run that a record of a run names in another system: in its tags, or as its source tells.
--
-- Which tags name which system stands in `seeds/run_tags.csv`; `finops.same.<system>` and
-- `finops.parent.<system>` name a run of any system. Records without such a tag are passed by at once: most have none.
--
-- grain: one row per record, mentioned run and relation
-- key:   run_key, system, native_id, relation
-- owner: ml-platform

with

known as (
    select
        list(struct_pack(tags := tags, system := system, relation := relation)) as mentions,
        list(string_split(tags, ' ')[1]) as first_tags
    from seeds.run_tags
),

tagged as (
    select
        run_tags.run_key,
        run_tags.called,
        unnest(mentions_in(run_tags.tags, known.mentions)) as mention
    from staging.run_tags
    cross join known
    where
        list_has_any(map_keys(run_tags.tags), known.first_tags)
        or contains(array_to_string(map_keys(run_tags.tags), ' '), 'finops.same.')
        or contains(array_to_string(map_keys(run_tags.tags), ' '), 'finops.parent.')
),

mentions as (
    select
        run_key,
        struct_extract(mention, 'system') as system,
        struct_extract(mention, 'native_id') as native_id,
        struct_extract(mention, 'relation') as relation,
        called || ' ' || struct_extract(mention, 'evidence') as evidence
    from tagged
    union all
    select
        run_key,
        system,
        native_id,
        relation,
        evidence
    from staging.run_mentions
)

select
    run_key,
    system,
    native_id,
    relation,
    min(evidence) as evidence
from mentions
group by all
