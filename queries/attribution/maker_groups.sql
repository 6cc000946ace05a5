-- One row is about a run that made something, and its group: the runs that made the same things.
--
-- Lineage asks of a run only what it made and when it began. A pipeline's thousands of runs are one group.
--
-- grain: one row per run
-- key:   run_id
-- owner: ml-platform

with

made as (
    select
        run_id,
        min(cast(started_at as date)) as started_date,
        list(dimension || ' ' || thing order by dimension asc, thing asc) as things
    from attribution.makers
    group by run_id
)

select
    run_id,
    started_date,  -- UTC day on which it began
    dense_rank() over (order by things) as group_no  -- known by it within one build
from made
