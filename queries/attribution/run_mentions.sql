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

key_sets as (
    select distinct map_keys(tags) as tag_keys
    from staging.run_tags
),

set_keys as (
    select
        tag_keys,
        unnest(tag_keys) as tag_key
    from key_sets
),

known as (
    select
        string_split(tags, ' ') as names,
        string_split(tags, ' ')[1] as first_name,
        system,
        relation,
        replace(tags, ' ', ', ') as evidence
    from seeds.run_tags
),

telling as (
    select
        set_keys.tag_keys,
        known.names,
        known.system,
        known.relation,
        known.evidence
    from set_keys
    inner join known on set_keys.tag_key = known.first_name
    where list_has_all(set_keys.tag_keys, known.names)
    union all
    select
        tag_keys,
        [tag_key] as names,
        split_part(tag_key, '.', 3) as system,
        split_part(tag_key, '.', 2) as relation,
        tag_key as evidence
    from set_keys
    where regexp_matches(tag_key, '^finops\.(same|parent)\..')
),

few as (
    select run_tags.*
    from staging.run_tags
    semi join telling on map_keys(run_tags.tags) = telling.tag_keys
),

tagged as (
    select
        few.run_key,
        telling.system,
        list_transform(telling.names, lambda name: few.tags[name]) as said,
        telling.relation,
        few.called || ' ' || telling.evidence as evidence
    from few
    inner join telling on map_keys(few.tags) = telling.tag_keys
),

mentions as (
    select
        run_key,
        system,
        array_to_string(list_transform(said, lambda word: trim(word)), '/') as native_id,
        relation,
        evidence
    from tagged
    where len(list_filter(said, lambda word: word <> '')) = len(said)
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
