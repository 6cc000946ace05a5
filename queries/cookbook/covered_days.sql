-- The first and the newest day with cost, and the currencies billed in.
--
-- grain: one row

select
    min(charge_date) as first_day,
    max(charge_date) as newest_day,
    list_sort(list(distinct billing_currency)) as billing_currencies
from marts.spend_daily
