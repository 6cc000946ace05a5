-- One row is about a run on a UTC day on which it ran: from the first of its records to the last.
--
-- grain:  one row per run and day
-- key:    run_id, charge_date
-- inline: yes
-- owner:  ml-platform

select
    run_id,
    charge_date,
    run_us  -- microseconds of the day
from attribution.run_dates
where record_count = 1
union all
select
    run_id,
    charge_date,
    -- a record that is listed on a day without time counts for none
    coalesce(
        epoch_us(max(ended_at) filter (where run_us > 0)) - epoch_us(min(started_at) filter (where run_us > 0)),
        0
    ) as run_us
from attribution.run_dates
where record_count > 1
group by run_id, charge_date
