-- A run of another system that a run of a file names.
--
-- The file written last that tells of the run counts, with all that it tells; a run that `runs` does
-- not have is not known here.
--
-- grain: one row per run, system, native_id, relation
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

with

newest as (
    select *
    from raw.runs_file__run_mentions
    qualify
        row(x_version_at, x_unit, x_version)
        = max(row(x_version_at, x_unit, x_version)) over (partition by x_source, native_id, coalesce(attempt, 1))
)

select
    runs.run_key,
    newest.mentioned_system as system,
    newest.mentioned_id as native_id,
    newest.relation,
    min(coalesce(newest.evidence, 'run_mentions file')) as evidence
from newest
inner join staging.runs_file__runs as runs
    on
        newest.x_source = runs.source
        and newest.native_id = runs.native_id
        and coalesce(newest.attempt, 1) = runs.attempt
group by runs.run_key, newest.mentioned_system, newest.mentioned_id, newest.relation
