-- One row is about a run: what all records of it say together.
--
-- Most runs have one record, which says it; of the others see `linked_facts`.
--
-- grain:  one row per run
-- key:    run_id
-- inline: yes
-- owner:  ml-platform

select
    run_key as run_id,
    1 as record_count,
    native_id,  -- of the record that tells the name
    [native_id] as native_ids,  -- of all records
    attempt,
    source,
    kind,
    run_name,
    experiment,
    user_raw,  -- null where only a name is known that many share
    team_raw,
    project_raw,
    status,
    status_raw,
    started_at,
    ended_at,
    last_seen_at,
    gpu_count,
    cloud_job_arn
from attribution.records
anti join attribution.linked_records using (run_key)
union all
select
    run_id,
    record_count,
    native_id,
    native_ids,
    attempt,
    source,
    kind,
    run_name,
    experiment,
    user_raw,
    team_raw,
    project_raw,
    status,
    status_raw,
    started_at,
    ended_at,
    last_seen_at,
    gpu_count,
    cloud_job_arn
from attribution.linked_facts
