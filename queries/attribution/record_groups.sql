-- One row is about a record that ids link to others, and the group that they make.
--
-- A group in which one source has two records is no single piece of work: of such a group nothing is
-- believed but that what was named comes before what named it. So is one in which a record is said
-- to be the parent of another.
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
    union
    select
        other_key as run_key,
        run_key as other_key
    from attribution.record_claims
    where relation = 'same'
),

reached as (
    select
        run_key,
        run_key as reached_key
    from links
    union
    select
        reached.run_key,
        links.other_key as reached_key
    from reached
    inner join links on reached.reached_key = links.run_key
),

groups as (
    select
        run_key,
        min(reached_key) as group_key
    from reached
    group by run_key
),

doubtful as (
    select group_key
    from groups
    inner join attribution.record_spans using (run_key)
    group by group_key
    having count(*) > count(distinct source)
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
