-- One row is about one source's record of a run, and the run that it is a record of.
--
-- A run that several sources saw (a tracker, a scheduler, a managed service) has a record in each
-- (`linked_records`). Most runs have one record, whose key they are called by.
--
-- grain:  one row per record of a run
-- key:    run_key
-- inline: yes
-- owner:  ml-platform

select
    records.run_key,  -- one source's record
    coalesce(linked.run_id, records.run_key) as run_id,  -- the run, as every later model names it
    coalesce(linked.record_count, 1) as record_count,  -- of the run
    linked.rule,  -- what links the record to another of the run; null where it is the only one
    linked.evidence,
    linked.confidence  -- high or medium
from staging.runs as records
left join attribution.linked_records as linked using (run_key)
