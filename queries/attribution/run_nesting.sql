-- One row is about a run and one above it (`run_ancestors`), on a day of the lower.
--
-- grain:  one row per run, run above it and day
-- key:    charge_date, run_id, ancestor_id
-- hashed: charge_date
-- owner:  ml-platform

select distinct
    run_dates.charge_date,
    run_ancestors.run_id,
    run_ancestors.ancestor_id
from attribution.run_ancestors
inner join attribution.run_dates using (run_id)
