-- One row is about a record that ids link to others, and the group that they make.
--
-- A group in which one source has two records is no single piece of work: of such a group nothing is
-- believed but that what was named comes before what named it. So is one in which a record is said
-- to be the parent of another.
--
-- Most groups are two records that are linked to each other alone, which are of two sources; only the
-- others are followed from link to link.
--
-- grain: one row per record that is linked to others
-- key:   run_key
-- owner: ml-platform

with recursive

links as (
    select
        run_key,
        other_key
    from attribution.record_claims
    where relation = 'same'
    union all
    select
        other_key as run_key,
        run_key as other_key
    from attribution.record_claims
    where relation = 'same'
),

crowded as (
    select run_key
    from links
    group by run_key
    having count(*) > 1
),

chains as (
    select
        run_key,
        other_key
    from links
    where
        run_key in (select crowded.run_key from crowded)
        or other_key in (select crowded.run_key from crowded)
),

reached as (
    select
        run_key,
        run_key as reached_key
    from chains
    union
    select
        reached.run_key,
        chains.other_key as reached_key
    from reached
    inner join chains on reached.reached_key = chains.run_key
),

groups as (
    select
        run_key,
        least(run_key, other_key) as group_key,
        true as is_pair
    from links
    where
        run_key not in (select crowded.run_key from crowded)
        and other_key not in (select crowded.run_key from crowded)
    union all
    select
        run_key,
        min(reached_key) as group_key,
        false as is_pair
    from reached
    group by run_key
),

doubtful as (
    select groups.group_key
    from groups
    inner join attribution.record_spans using (run_key)
    where not groups.is_pair
    group by groups.group_key
    having count(*) > count(distinct record_spans.source)
    union
    select groups.group_key
    from attribution.record_claims as claims
    inner join groups on claims.run_key = groups.run_key
    inner join groups as other_groups on claims.other_key = other_groups.run_key
    where claims.relation = 'parent' and groups.group_key = other_groups.group_key
)

select
    run_key,
    case when doubtful.group_key is null then groups.group_key else run_key end as group_key,
    doubtful.group_key is null as is_one  -- false: the links do not fit together
from groups
left join doubtful using (group_key)
