-- What no rule could attribute, by service and source, dearest first: where the next tag or rule pays most.
--
-- grain: one row per billing currency, source and service
-- key:   billing_currency, source, service_name
-- param: dimension = 'team'  -- user, team, project, model or dataset
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
)

select
    spend_daily.billing_currency,
    spend_daily.source,
    spend_daily.service_name,
    sum(spend_daily.effective_cost) as effective_cost
from marts.spend_in(cast($currency as varchar)) as spend_daily
cross join days
where
    spend_daily.dimension = $dimension
    and spend_daily.member = 'unattributed'
    and spend_daily.charge_date between days.from_date and days.to_date
group by all
order by spend_daily.billing_currency asc, effective_cost desc, spend_daily.source asc, spend_daily.service_name asc
