-- One row is about a record of a run on a UTC day on which it ran, its interval cut to the day.
--
-- A run of a managed service is also listed, with no time, the day before and the day after, because
-- providers may bill an hour that the tracker did not see.
--
-- grain: one row per record of a run and day
-- key:   run_id, run_key, charge_date
-- owner: ml-platform

with

run_spans as (
    select
        coalesce(linked.run_id, run_key) as run_id,
        run_key,
        coalesce(linked.record_count, 1) as record_count,
        spans.started_at,
        spans.ended_at,
        case when spans.cloud_job_arn is null then interval 0 day else interval 1 day end as margin
    from attribution.record_spans as spans
    left join attribution.linked_records as linked using (run_key)
    where spans.started_at is not null
),

run_days as (
    select
        *,
        unnest(
            generate_series(
                date_trunc('day', started_at - margin), date_trunc('day', ended_at + margin), interval 1 day
            )
        ) as day_start
    from run_spans
)

select
    run_id,
    run_key,
    record_count,  -- of the run
    cast(day_start as date) as charge_date,
    greatest(started_at, day_start) as started_at,
    greatest(least(ended_at, day_start + interval 1 day), greatest(started_at, day_start)) as ended_at,
    epoch_us(greatest(least(ended_at, day_start + interval 1 day), greatest(started_at, day_start)))
    - epoch_us(greatest(started_at, day_start)) as run_us  -- microseconds of the day
from run_days
where
    margin > interval 0 day
    or day_start < ended_at
    or cast(day_start as date) = cast(started_at as date)
