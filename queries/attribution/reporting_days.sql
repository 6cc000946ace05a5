-- One row is about a day of a bill in a currency: all of it in the reporting currency, converted once.
--
-- What `spend_daily` cuts into parts; by dimension, because each holds all of it once.
--
-- grain: one row per day, source, billing currency and dimension
-- key:   charge_date, source, billing_currency, dimension
-- owner: ml-platform

with

days as (
    select
        charge_date,
        source,
        billing_currency,
        dimension,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost
    from attribution.member_spend
    group by all
)

select
    days.*,
    rates.reporting_currency,
    rates.rates,
    converted(days.effective_cost, rates.rate_times, rates.rate_over) as reporting_cost,  -- null: no rate is known
    converted(days.billed_cost, rates.rate_times, rates.rate_over) as reporting_billed_cost
from days
inner join attribution.reporting_rates as rates using (charge_date, billing_currency)
