-- One row is about a run on a UTC day on which it ran: from the first of its records to the last.
--
-- grain: one row per run and day
-- key:   run_id, charge_date
-- owner: ml-platform

select
    run_dates.run_id,
    run_dates.charge_date,
    run_dates.run_us  -- microseconds of the day
from attribution.run_dates
inner join attribution.run_links using (run_key)
where run_links.record_count = 1
union all
select
    run_dates.run_id,
    run_dates.charge_date,
    -- a record that is listed on a day without time counts for none
    coalesce(
        epoch_us(max(run_dates.ended_at) filter (where run_dates.run_us > 0))
        - epoch_us(min(run_dates.started_at) filter (where run_dates.run_us > 0)),
        0
    ) as run_us
from attribution.run_dates
inner join attribution.run_links using (run_key)
where run_links.record_count > 1
group by run_dates.run_id, run_dates.charge_date
