-- A cloud resource that a run of a file names.
--
-- The file written last that tells of the run counts, with all that it tells; a run that `runs` does
-- not have is not known here.
--
-- grain: one row per run, resource_id
-- key:   run_key, resource_id
-- feeds: run_references
-- owner: ml-platform

with

newest as (
    select *
    from raw.runs_file__run_references
    qualify
        row(x_version_at, x_unit, x_version)
        = max(row(x_version_at, x_unit, x_version)) over (partition by x_source, native_id, coalesce(attempt, 1))
)

select
    runs.run_key,
    newest.resource_id
from newest
inner join staging.runs_file__runs as runs
    on
        newest.x_source = runs.source
        and newest.native_id = runs.native_id
        and coalesce(newest.attempt, 1) = runs.attempt
group by all
