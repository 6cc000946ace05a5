-- A job of Ray as it was when it was last told.
--
-- When it ended:
-- KNOWN: at its end.
-- SOME known: a job that went on and that Ray does not know any more, because its cluster is gone, or
-- that was not seen for $lost_after_hours while others were, ended when it was last seen.
--
-- Ray's ids of drivers begin anew with each cluster: the same id at another time is another attempt.
-- GPUs are the mean over the job's time.
--
-- grain: one row per job and attempt
-- key:   run_key
-- param: lost_after_hours = 24  -- hours without a sign of life after which an open run is over
-- owner: ml-platform

with

told as (
    select
        *,
        coalesce(submission_id, job_id) as native_id,
        max(x_version_at) over (partition by x_source) as extracted_at
    from raw.ray__jobs
),

newest as (
    select *
    from told
    where status <> 'GONE'
    qualify
        row_number() over (
            partition by x_source, native_id, started_ms
            order by coalesce(ended_ms, observed_ms) desc, x_version_at desc, x_unit desc
        ) = 1
),

missed as (
    select
        told.x_source,
        told.native_id,
        told.started_ms
    from told
    inner join newest
        on
            told.x_source = newest.x_source
            and told.native_id = newest.native_id
            and told.started_ms is not distinct from newest.started_ms
    where told.status = 'GONE' and told.x_version_at > newest.x_version_at
    group by told.x_source, told.native_id, told.started_ms
),

attempts as (
    select
        newest.*,
        row_number() over (partition by newest.x_source, newest.native_id order by newest.started_ms) as attempt,
        newest.status in ('PENDING', 'RUNNING')
        and (
            missed.native_id is not null
            or newest.extracted_at - make_timestamp(newest.observed_ms * 1000) >= $lost_after_hours * interval 1 hour
        ) as is_lost
    from newest
    left join missed
        on
            newest.x_source = missed.x_source
            and newest.native_id = missed.native_id
            and newest.started_ms is not distinct from missed.started_ms
)

select
    run_key_of(x_source, native_id, attempt) as run_key,
    x_source as source,
    native_id,  -- the submission's, or that of the driver
    cast(attempt as integer) as attempt,
    job_id,
    case
        when is_lost then 'lost'
        when status = 'PENDING' then 'queued'
        when status = 'RUNNING' then 'running'
        when status = 'SUCCEEDED' then 'succeeded'
        when status = 'FAILED' then 'failed'
        when status = 'STOPPED' then 'cancelled'
        else 'lost'
    end as status,
    status as status_raw,
    make_timestamp(started_ms * 1000) as started_at,
    make_timestamp(case when is_lost then observed_ms else ended_ms end * 1000) as ended_at,
    make_timestamp(coalesce(ended_ms, observed_ms) * 1000) as last_seen_at,
    coalesce(ended_ms, observed_ms) - started_ms as length_ms,
    json_extract_string(held, '$[*][0]') as hosts,
    json_extract_string(held, '$[*][1]') as gpu_ms,  -- GPU-milliseconds, of each host
    metadata as tags
from attempts
