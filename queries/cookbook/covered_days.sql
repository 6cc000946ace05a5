-- The first and the newest day with cost, the currencies billed in, and the one reported in.
--
-- grain: one row

select
    min(charge_date) as first_day,
    max(charge_date) as newest_day,
    list_sort(list(distinct billing_currency)) as billing_currencies,
    -- null: none is set, or a rate is missing
    case when count(*) = count(reporting_cost) then max(reporting_currency) end as reporting_currency
from marts.spend_daily
