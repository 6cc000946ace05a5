-- What was billed in each currency, and what it is in the reporting currency, by month and source.
--
-- `reporting_cost` is each day's total converted once, `difference` how far the parts in `spend_daily` are
-- off it. The rates of every day are in `marts.conversions`.
--
-- grain: one row per month, source and billing currency
-- key:   charge_month, source, billing_currency

select
    cast(date_trunc('month', charge_date) as date) as charge_month,
    source,
    billing_currency,
    reporting_currency,
    count(*) as day_count,
    count(*) filter (where is_missing) as missing_days,  -- of which no rate is known
    sum(effective_cost) as effective_cost,
    sum(billed_cost) as billed_cost,
    arg_max(rates, charge_date) as newest_rates,  -- of the newest day; null for a currency to itself
    sum(reporting_cost) as reporting_cost,  -- of the days whose rate is known
    sum(reporting_billed_cost) as reporting_billed_cost,
    sum(difference) as difference
from marts.conversions
group by all
order by charge_month desc, source asc, billing_currency asc
