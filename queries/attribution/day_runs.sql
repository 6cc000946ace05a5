-- One row is about a run on a day, under a number that the steps of one build know it by.
--
-- Numbers follow the order of run ids, so that shares run in the same order in every build; they
-- mean nothing outside of it and are never stored.
--
-- grain: one row per run and day
-- key:   run_no
-- step:  charge_date
-- owner: ml-platform

select
    cast(row_number() over (order by charge_date, run_id) as integer) as run_no,
    charge_date,
    run_id
from attribution.run_days
