-- The currencies billed in, the one with most services first.
--
-- grain: one row per billing currency
-- key:   billing_currency

select
    billing_currency,
    count(distinct service_name) as service_count
from marts.spend_daily
group by billing_currency
order by service_count desc, billing_currency asc
