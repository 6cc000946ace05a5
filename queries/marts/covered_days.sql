-- The first and the newest day with cost. The newest is "today" to every report: days after it, to which a
-- subscription that was paid at once is spread, have cost already but are still to come.
--
-- grain: one row
-- owner: ml-platform

with

days as (
    select
        min(charge_date) as first_day,
        max(charge_date) filter (where is_current) as newest_current_day,
        max(charge_date) as last_day
    from attribution.line_dates
)

select
    first_day,  -- UTC; null where there is no bill
    coalesce(newest_current_day, last_day) as newest_day,  -- of any bill, mostly not complete yet
    last_day  -- up to which cost is spread that was paid ahead; the newest day where none was
from days
