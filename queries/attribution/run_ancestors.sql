-- One row is about a run and another that started it, or started what started it.
--
-- A source names the parents of its own records; `record_parents` has those in other sources. Runs
-- that are said to have started each other did not: they have no row.
--
-- grain: one row per run and run above it
-- key:   run_id, ancestor_id
-- owner: ml-platform

with recursive

known_parents as (
    select
        run_key,
        parent_key,
        false as is_named
    from attribution.source_parents
    union all
    select
        run_key,
        parent_key,
        is_named
    from attribution.record_parents
),

parents as (
    select
        coalesce(links.run_id, known_parents.run_key) as run_id,
        coalesce(parent_links.run_id, known_parents.parent_key) as ancestor_id,
        bool_or(known_parents.is_named) as is_named
    from known_parents
    left join attribution.linked_records as links using (run_key)
    left join attribution.linked_records as parent_links on known_parents.parent_key = parent_links.run_key
    where coalesce(links.run_id, known_parents.run_key) <> coalesce(parent_links.run_id, known_parents.parent_key)
    group by all
),

reached as (
    select
        run_id,
        ancestor_id
    from parents
    union
    select
        reached.run_id,
        parents.ancestor_id
    from reached
    inner join parents on reached.ancestor_id = parents.run_id
),

above as (
    select reached.*
    from reached
    left join reached as back on reached.run_id = back.ancestor_id and reached.ancestor_id = back.run_id
    where back.run_id is null
),

named as (
    select
        parents.run_id,
        parents.ancestor_id
    from parents
    where parents.is_named
    union
    select
        parents.run_id,
        above.ancestor_id
    from parents
    inner join above on parents.ancestor_id = above.run_id
    where parents.is_named
)

select
    above.run_id,
    above.ancestor_id,
    named.run_id is not null as is_named  -- reached over an id by which the run named another system's
from above
left join named
    on above.run_id = named.run_id and above.ancestor_id = named.ancestor_id
