-- The whole bill by what became of it: direct, idle, shared, unused commitment, tax, credit, unattributed.
--
-- grain: one row per billing currency and cost kind
-- key:   billing_currency, cost_kind
-- param: dimension = 'user'  -- user, team, project, model, dataset or service: each has its own unattributed
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
),

kinds as (
    select
        spend_daily.billing_currency,
        case
            when spend_daily.member = 'unattributed' then 'unattributed'
            else spend_daily.cost_kind
        end as cost_kind,
        spend_daily.effective_cost,
        spend_daily.billed_cost
    from marts.spend_in(cast($currency as varchar)) as spend_daily
    cross join days
    where
        spend_daily.dimension = $dimension
        and spend_daily.charge_date between days.from_date and days.to_date
)

select
    billing_currency,
    cost_kind,
    sum(effective_cost) as effective_cost,
    sum(billed_cost) as billed_cost
from kinds
group by billing_currency, cost_kind
order by billing_currency asc, effective_cost desc, cost_kind asc
