-- One row is about a run that several sources saw: what all records of it say together.
--
-- Each fact is taken from the first record that has it. What people say (name, experiment, kind,
-- team, project) is taken in the order `telling`; what the machine room knows (user, GPUs, managed
-- job, how it ended) in the order `running`, where a record that merely lost sight of
-- the run comes after those that saw its end. A run begins with its first record and ends with its
-- last.
--
-- grain: one row per run
-- key:   run_id
-- owner: ml-platform

with

ranked as (
    select
        linked.run_id,
        linked.record_count,
        linked.telling,
        linked.running,
        records.*
    from attribution.records
    inner join attribution.linked_records as linked using (run_key)
),

endings as (
    select
        run_id,
        arg_min(running, (status is null or status in ('lost', 'running', 'queued'), running)) as running
    from ranked
    group by run_id
)

select
    ranked.run_id,
    first(record_count) as record_count,
    arg_min(native_id, telling) as native_id,
    list(distinct native_id order by native_id) as native_ids,
    arg_min(attempt, telling) as attempt,
    arg_min(source, telling) as source,
    arg_min(kind, telling) as kind,
    arg_min(run_name, telling) as run_name,
    arg_min(experiment, telling) as experiment,
    arg_min(user_raw, ranked.running) as user_raw,
    arg_min(team_raw, telling) as team_raw,
    arg_min(project_raw, telling) as project_raw,
    arg_min(status, telling) filter (where ranked.running = endings.running) as status,
    arg_min(status_raw, telling) filter (where ranked.running = endings.running) as status_raw,
    min(started_at) as started_at,
    case
        when
            coalesce(arg_min(status, telling) filter (where ranked.running = endings.running), '')
            not in ('queued', 'running')
            then max(coalesce(ended_at, last_seen_at))
    end as ended_at,
    max(greatest(ended_at, last_seen_at)) as last_seen_at,
    arg_min(gpu_count, ranked.running) as gpu_count,
    arg_min(cloud_job_arn, ranked.running) as cloud_job_arn
from ranked
inner join endings using (run_id)
group by ranked.run_id
