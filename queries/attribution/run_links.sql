-- One row is about a record of a run in one source, and the run that it is a record of.
--
-- A run that several sources saw (a tracker, a scheduler, a managed service) has a record in each.
-- Today every record is a run of its own; everything after this model speaks of `run_id` alone, so
-- that linking records changes nothing else.
--
-- grain: one row per record of a run
-- key:   run_key
-- owner: ml-platform

select
    run_key,  -- one source's record
    run_key as run_id  -- the run, as every later model names it
from staging.runs
