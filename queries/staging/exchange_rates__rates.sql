-- What a euro came to in a currency, or a unit of the currency in euros, on a day.
--
-- Of what was landed about a day and currency the newest counts.
--
-- grain: one row per source, day and currency
-- key:   source, rate_date, from_currency, to_currency
-- feeds: exchange_rates
-- owner: ml-platform

with

newest as (
    select *
    from raw.exchange_rates__rates
    qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source, x_unit)
)

select
    x_source as source,
    cast(date as date) as rate_date,
    case quoted when 'per_euro' then 'EUR' else currency end as from_currency,
    case quoted when 'per_euro' then currency else 'EUR' end as to_currency,
    cast(rate as decimal(38, 12)) as rate
from newest
qualify row_number() over (partition by x_source, date, currency order by x_version_at desc, x_version desc) = 1
