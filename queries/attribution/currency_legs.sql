-- One row is about a currency on a day: what one unit of it was in euros, as a fraction of whole numbers.
--
-- A rate is published one way round; the other way is its inverse, which no decimal holds, so it stays a
-- fraction. Where two sources tell of one day and currency, the first by name counts.
--
-- grain: one row per day with a rate, and currency
-- key:   rate_date, currency
-- owner: ml-platform

with

fractions as (
    select
        source,
        rate_date,
        from_currency,
        to_currency,
        rate,
        case when from_currency = 'EUR' then cast(1000000000000 as hugeint) else whole_units(rate) end as times,
        case when from_currency = 'EUR' then whole_units(rate) else cast(1000000000000 as hugeint) end as over
    from staging.exchange_rates
    where (from_currency = 'EUR') <> (to_currency = 'EUR') and rate > 0
)

select
    rate_date,
    case when from_currency = 'EUR' then to_currency else from_currency end as currency,
    times // gcd(times, over) as times,
    over // gcd(times, over) as over,
    '1 ' || from_currency || ' = ' || rtrim(rtrim(cast(rate as varchar), '0'), '.') || ' ' || to_currency
    || ' (' || cast(rate_date as varchar) || ', ' || source || ')' as rate_text  -- as published
from fractions
qualify row_number() over (partition by rate_date, currency order by source, from_currency) = 1
