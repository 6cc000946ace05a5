-- One row is about a run: what all records of it say together.
--
-- Most runs have one record, which says it; of the others see `linked_facts`.
--
-- grain:  one row per run
-- key:    run_id
-- inline: yes
-- owner:  ml-platform

select
    records.run_key as run_id,
    coalesce(linked.record_count, 1) as record_count,
    records.native_id,  -- of the record that tells the name
    [records.native_id] as native_ids,  -- of all records
    records.attempt,
    records.source,
    records.kind,
    records.run_name,
    records.experiment,
    records.user_raw,  -- null where only a name is known that many share
    records.team_raw,
    records.project_raw,
    records.status,
    records.status_raw,
    records.started_at,
    records.ended_at,
    records.last_seen_at,
    records.gpu_count,
    records.cloud_job_arn
from attribution.records
left join attribution.linked_records as linked using (run_key)
where coalesce(linked.record_count, 1) = 1
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
