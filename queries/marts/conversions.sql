-- One row is about a day of a bill in a currency: what it is in the reporting currency, and by which rates.
--
-- The proof of what stands beside billed cost: `reporting_cost` is the day's total converted once,
-- `difference` is how far the rows of `spend_daily` are off it in any dimension. No rows where no
-- reporting currency is set.
--
-- grain: one row per day, source and billing currency
-- key:   charge_date, source, billing_currency
-- owner: ml-platform

with

parts as (
    select
        charge_date,
        source,
        billing_currency,
        dimension,
        sum(reporting_cost) as reporting_cost,
        sum(reporting_billed_cost) as reporting_billed_cost
    from marts.spend_daily
    where reporting_currency is not null
    group by all
),

differences as (
    select
        days.charge_date,
        days.source,
        days.billing_currency,
        max(
            abs(coalesce(days.reporting_cost, 0) - coalesce(parts.reporting_cost, 0))
            + abs(coalesce(days.reporting_billed_cost, 0) - coalesce(parts.reporting_billed_cost, 0))
        ) as difference
    from attribution.reporting_days as days
    left join parts using (charge_date, source, billing_currency, dimension)
    group by all
)

select
    days.charge_date,
    days.source,
    days.billing_currency,
    cast(days.effective_cost as decimal(38, 12)) as effective_cost,  -- as billed, amortised
    cast(days.billed_cost as decimal(38, 12)) as billed_cost,  -- as billed, cash
    days.reporting_currency,
    days.rates,  -- as published, with their days and sources; null for a currency to itself, and where there is none
    cast(days.reporting_cost as decimal(38, 12)) as reporting_cost,  -- of effective_cost; null: a rate is missing
    cast(days.reporting_billed_cost as decimal(38, 12)) as reporting_billed_cost,  -- of billed_cost
    days.reporting_cost is null as is_missing,  -- no rate of that day, nor of the 7 before it
    cast(differences.difference as decimal(38, 12)) as difference  -- 0, or nothing is published
from attribution.reporting_days as days
inner join differences using (charge_date, source, billing_currency)
where days.dimension = 'service'
