-- The currencies billed in, the one with most services first.
--
-- grain: one row per billing currency
-- key:   billing_currency
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

select
    billing_currency,
    count(distinct service_name) as service_count
from marts.spend_in(cast($currency as varchar))
group by billing_currency
order by service_count desc, billing_currency asc
