-- The first and the newest day with cost, the currencies billed in, and the one reported in.
--
-- Days after the newest, to which what was paid ahead is spread, do not count.
--
-- grain: one row

select
    covered_days.first_day,
    covered_days.newest_day,
    list_sort(list(distinct spend_daily.billing_currency)) as billing_currencies,
    -- null: none is set, or a rate is missing
    case when count(*) = count(spend_daily.reporting_cost) then max(spend_daily.reporting_currency) end
        as reporting_currency
from marts.covered_days
left join marts.spend_daily on covered_days.newest_day >= spend_daily.charge_date
group by covered_days.first_day, covered_days.newest_day
