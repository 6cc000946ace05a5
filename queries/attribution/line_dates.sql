-- One row is about a day of a bill: whether it is one that the bill has come to, or only one that is paid ahead.
--
-- An order that is paid once is spread over the days that it pays for (Alibaba's subscriptions), and most of
-- them are still to come; a purchase may be dated where its term begins. Neither says how new a bill is.
-- A line is such a part where it is usage that was charged once, and nothing was billed for it on that day.
--
-- grain:  one row per file of lines, day and source
-- beside: cost_lines
-- owner:  ml-platform

select
    charge_date,
    source,
    coalesce(
        bool_or(
            charge_category is distinct from 'Purchase'
            and not coalesce(charge_category = 'Usage' and charge_frequency = 'One-Time' and billed_cost = 0, false)
        ),
        false
    ) as is_current
from staging.cost_lines
group by charge_date, source
