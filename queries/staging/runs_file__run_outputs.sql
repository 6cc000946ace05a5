-- Data that a run of a file wrote.
--
-- The file written last that tells of the run counts, with all that it tells; a run that `runs` does
-- not have is not known here.
--
-- grain: one row per run, dataset_uri, dataset_digest
-- key:   run_key, dataset_uri, dataset_digest
-- feeds: run_outputs
-- owner: ml-platform

with

newest as (
    select *
    from raw.runs_file__run_outputs
    qualify
        row(x_version_at, x_unit, x_version)
        = max(row(x_version_at, x_unit, x_version)) over (partition by x_source, native_id, coalesce(attempt, 1))
)

select
    runs.run_key,
    place_uri(newest.dataset_uri) as dataset_uri,
    newest.dataset_digest
from newest
inner join staging.runs_file__runs as runs
    on
        newest.x_source = runs.source
        and newest.native_id = runs.native_id
        and coalesce(newest.attempt, 1) = runs.attempt
group by all
