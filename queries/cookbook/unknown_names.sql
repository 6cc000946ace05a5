-- Names in bills and runs that no identity knows, the dearest first: where the next alias pays most.
--
-- Cost is told once for each currency, and runs beside it, in the row without a currency.
--
-- grain: one row per name and billing currency
-- key:   user_id, billing_currency
-- param: from_month = null  -- first day of the first month; null: all months

select
    user_id,
    billing_currency,
    sum(effective_cost) as effective_cost,
    sum(run_count) as run_count,  -- a run counts in each of its months
    string_agg(distinct source, ', ' order by source) as sources,
    min(first_date) as first_date,
    max(last_date) as last_date,
    any_value(fix) as fix
from marts.unknown_names
where $from_month is null or charge_month >= cast($from_month as date)
group by user_id, billing_currency
order by effective_cost desc, run_count desc, user_id asc, billing_currency asc
