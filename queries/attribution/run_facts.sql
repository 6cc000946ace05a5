-- One row is about a run: what all records of it say together.
--
-- Each fact is taken from the first record that has it. What people say (name, experiment, kind,
-- team, project) is taken in the order of `telling_rank`; what the machine room knows (user, GPUs,
-- managed job, how it ended) in that of `running_rank`, where a record that merely lost sight of
-- the run comes after those that saw its end. A run begins with its first record and ends with its
-- last.
--
-- grain: one row per run
-- key:   run_id
-- param: shared_users = 'root,ubuntu,ec2-user,jovyan,airflow,nobody'  -- names of no one person, with commas
-- owner: ml-platform

with

records as (
    select
        run_links.run_id,
        run_links.record_count,
        runs.* replace (named_owner(runs.team_raw) as team_raw, named_owner(runs.project_raw) as project_raw),
        case
            when not list_contains(string_split($shared_users, ','), lower(trim(runs.user_raw)))
                then named_owner(runs.user_raw)
        end as person
    from staging.runs
    inner join attribution.run_links using (run_key)
),

ranked as (
    select
        records.*,
        row_number() over (
            partition by records.run_id
            order by
                spans.telling_rank, spans.system, spans.source, records.run_key
        ) as telling,
        row_number() over (
            partition by records.run_id
            order by
                spans.running_rank, spans.system, spans.source, records.run_key
        ) as running
    from records
    inner join attribution.record_spans as spans using (run_key)
    where records.record_count > 1
),

endings as (
    select
        run_id,
        arg_min(running, (status is null or status in ('lost', 'running', 'queued'), running)) as running
    from ranked
    group by run_id
),

linked as (
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
        arg_min(person, ranked.running) as user_raw,
        arg_min(team_raw, telling) as team_raw,
        arg_min(project_raw, telling) as project_raw,
        arg_min(status, telling) filter (where ranked.running = endings.running) as status,
        arg_min(status_raw, telling) filter (where ranked.running = endings.running) as status_raw,
        min(started_at) as started_at,
        max(coalesce(ended_at, last_seen_at)) as ended_at,
        max(greatest(ended_at, last_seen_at)) as last_seen_at,
        arg_min(gpu_count, ranked.running) as gpu_count,
        arg_min(cloud_job_arn, ranked.running) as cloud_job_arn
    from ranked
    inner join endings using (run_id)
    group by ranked.run_id
)

select
    run_id,
    record_count,
    native_id,  -- of the record that tells the name
    [native_id] as native_ids,  -- of all records
    attempt,
    source,
    kind,
    run_name,
    experiment,
    person as user_raw,  -- null where only a name is known that many share
    team_raw,
    project_raw,
    status,
    status_raw,
    started_at,
    ended_at,
    last_seen_at,
    gpu_count,
    cloud_job_arn
from records
where record_count = 1
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
    case when coalesce(status, '') not in ('queued', 'running') then ended_at end as ended_at,
    last_seen_at,
    gpu_count,
    cloud_job_arn
from linked
