-- One row is about one of the newest 14 days that bills tell of: how GPUs are used is looked at for these.
--
-- grain: one row per day
-- key:   charge_date
-- owner: ml-platform

select cast(unnest(generate_series(max(as_of) - 13, max(as_of), interval 1 day)) as date) as charge_date
from attribution.bill_sources
