-- An attempt of a job: the first, and one more for each time that it was requeued or resized.
--
-- ALL parts of a heterogeneous job (17+0, 17+1) are one attempt of job 17: its time is from the
-- first start to the last end, and who and what it is, its first part says.
--
-- When an attempt ended:
-- KNOWN: at its end; one that ended before it began never ran, and ended when it began.
-- SOME known: a job that claims to run, but is past its time limit by $lost_after_hours, or that sacct
-- has not told of for as long while it told of others, is lost: it ended at its limit, or
-- else when it was last seen.
--
-- Flaw: a job that sacct counts as suspended keeps its GPUs here.
--
-- grain: one row per job and attempt
-- key:   source, native_id, attempt
-- param: lost_after_hours = 24  -- hours without a sign of life after which an open run is over
-- owner: ml-platform

with

numbered as (
    select
        *,
        case when contains(job_id, '+') then split_part(job_id, '+', 1) else job_id_raw end as native_id,
        coalesce(try_cast(nullif(split_part(job_id, '+', 2), '') as integer), 0) as part,
        row_number() over (
            partition by source, job_id_raw order by submitted_at, try_cast(db_index as bigint), db_index
        ) as attempt,
        case
            when state in ('PENDING') then 'queued'
            when state in ('RUNNING', 'SUSPENDED', 'COMPLETING', 'CONFIGURING', 'STAGE_OUT') then 'running'
            when state = 'COMPLETED' then 'succeeded'
            when state in ('FAILED', 'TIMEOUT', 'DEADLINE', 'OUT_OF_MEMORY', 'NODE_FAIL', 'BOOT_FAIL') then 'failed'
            when state in ('CANCELLED', 'REVOKED') then 'cancelled'
            -- another attempt goes on
            when state in ('PREEMPTED', 'REQUEUED', 'RESIZING') then 'preempted'
            else 'lost'
        end as said_status
    from staging.slurm__newest_jobs
),

judged as (
    select
        *,
        started_at + elapsed as last_seen_at,
        said_status = 'running'
        and started_at + elapsed >= started_at + time_limit + $lost_after_hours * interval 1 hour as is_overdue,
        said_status = 'running' and extracted_at - seen_at >= $lost_after_hours * interval 1 hour as is_gone
    from numbered
),

closed as (
    select
        *,
        case
            when is_overdue or is_gone then 'lost'
            when said_status = 'running' and last_seen_at is null then 'lost'
            else said_status
        end as status,
        case
            when is_overdue then started_at + time_limit
            when is_gone then last_seen_at
            when said_status not in ('queued', 'running') then coalesce(ended_at, last_seen_at, started_at)
        end as over_at
    from judged
)

select
    source,
    native_id,
    cast(attempt as integer) as attempt,
    run_key_of(source, native_id, attempt) as run_key,
    first(job_name order by part) as job_name,
    first(user_name order by part) as user_name,
    first(account order by part) as account,
    first(ltrim(wckey, '*') order by part) as wckey,
    first(tags order by part) as tags,
    first(status order by part) as status,
    first(state_raw order by part) as state_raw,
    min(started_at) as started_at,
    case when bool_and(over_at is not null) then max(over_at) end as ended_at,
    max(coalesce(over_at, last_seen_at)) as last_seen_at,
    cast(sum(gpu_count) as decimal(18, 6)) as gpu_count,
    list(
        {
            'nodes': nodes,
            'gpu_count': gpu_count,
            'cpu_count': cpu_count,
            'memory_gib': memory_gib,
            'started_at': started_at,
            'ended_at': over_at
        }
        order by part
    ) as parts
from closed
group by source, native_id, attempt
