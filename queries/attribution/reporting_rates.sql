-- One row is about a day of cost and the currency it was billed in: what a unit is in the reporting currency.
--
-- The rate of the charge date, or the last one before it within 7 days, because none is published at
-- weekends and on holidays; for two currencies other than the euro through the euro, each with its own
-- last rate. No rate in that time: the fraction is null, and nothing is guessed. A currency is itself
-- without any rate. No rows where no reporting currency is set, nor for days to come (`covered_days`).
--
-- grain: one row per day and billing currency
-- key:   charge_date, billing_currency
-- owner: ml-platform

with

charged as (
    select distinct
        member_spend.charge_date,
        member_spend.billing_currency,
        reporting.currency as reporting_currency
    from attribution.member_spend
    cross join raw.reporting as reporting
    cross join marts.covered_days
    where member_spend.dimension = 'service' and member_spend.charge_date <= covered_days.newest_day
),

wanted as (
    select
        charge_date,
        billing_currency as currency
    from charged
    union
    select
        charge_date,
        reporting_currency as currency
    from charged
),

found as (
    select
        wanted.charge_date,
        wanted.currency,
        currency_legs.times,
        currency_legs.over,
        currency_legs.rate_text
    from wanted
    inner join attribution.currency_legs
        on
            wanted.currency = currency_legs.currency
            and currency_legs.rate_date between wanted.charge_date - 7 and wanted.charge_date
    qualify row_number() over (partition by wanted.charge_date, wanted.currency order by rate_date desc) = 1
    union all
    select
        charge_date,
        currency,
        cast(1 as hugeint) as times,
        cast(1 as hugeint) as over,
        null as rate_text
    from wanted
    where currency = 'EUR'
),

fractions as (
    select
        charged.*,
        case
            when charged.billing_currency = charged.reporting_currency then cast(1 as hugeint)
            else billed.times * reporting.over
        end as times,
        case
            when charged.billing_currency = charged.reporting_currency then cast(1 as hugeint)
            else billed.over * reporting.times
        end as over,
        case
            when charged.billing_currency <> charged.reporting_currency
                then concat_ws('; ', billed.rate_text, reporting.rate_text)
        end as rates
    from charged
    left join found as billed
        on charged.charge_date = billed.charge_date and charged.billing_currency = billed.currency
    left join found as reporting
        on charged.charge_date = reporting.charge_date and charged.reporting_currency = reporting.currency
)

select
    charge_date,
    billing_currency,
    reporting_currency,
    times // gcd(times, over) as rate_times,  -- a cost times this ...
    over // gcd(times, over) as rate_over,  -- ... over this is the cost in the reporting currency; null: no rate
    case when times is not null then rates end as rates  -- as published; null for a currency to itself
from fractions
