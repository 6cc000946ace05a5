-- One row is about a record of a run, and the record of what started it in the same source.
--
-- A parent that was tried several times has a record of each try, and all of them count.
--
-- grain: one row per record and record of its parent
-- key:   run_key, parent_key
-- owner: ml-platform

with

parents as (
    select
        run_key,
        source,
        native_id
    from staging.runs
    where native_id in (select children.parent_native_id from staging.runs as children)
)

select
    children.run_key,
    parents.run_key as parent_key
from staging.runs as children
inner join parents on children.source = parents.source and children.parent_native_id = parents.native_id
where children.run_key <> parents.run_key
