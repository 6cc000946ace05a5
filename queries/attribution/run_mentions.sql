-- One row is about a run that a record of a run names in another system: in its tags, or as its source tells.
--
-- Which tags name which system stands in `seeds/run_tags.csv`; `finops.same.<system>` and
-- `finops.parent.<system>` name a run of any system. Many runs have the same tags, and few have one of these: what
-- tags there are together is looked at first.
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

key_sets as (
    select distinct array_to_string(map_keys(tags), ' ') as tag_keys
    from staging.run_tags
),

telling_keys as (
    select key_sets.tag_keys
    from key_sets
    cross join known
    where
        list_has_any(string_split(key_sets.tag_keys, ' '), known.first_tags)
        or contains(key_sets.tag_keys, 'finops.same.')
        or contains(key_sets.tag_keys, 'finops.parent.')
),

telling as (
    select run_tags.*
    from staging.run_tags
    semi join telling_keys on array_to_string(map_keys(run_tags.tags), ' ') = telling_keys.tag_keys
),

tagged as (
    select
        telling.run_key,
        telling.called,
        unnest(mentions_in(telling.tags, known.mentions)) as mention
    from telling
    cross join known
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
