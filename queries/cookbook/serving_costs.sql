-- Models by what serving them cost: per 1,000 requests, per million tokens, and idle.
--
-- Unit costs are those of hours with requests; the idle share is what replicas cost that nobody asked.
--
-- grain: one row per model, version and billing currency
-- key:   model, model_version, billing_currency
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
),

sums as (
    select
        serving_daily.billing_currency,
        serving_daily.model,
        serving_daily.model_version,
        sum(serving_daily.requests) as requests,
        sum(serving_daily.input_tokens + serving_daily.output_tokens) as tokens,
        sum(serving_daily.effective_cost) as effective_cost,
        sum(serving_daily.idle_cost) as idle_cost
    from marts.serving_daily
    cross join days
    where serving_daily.charge_date between days.from_date and days.to_date
    group by serving_daily.billing_currency, serving_daily.model, serving_daily.model_version
)

select
    billing_currency,
    model,
    model_version,
    requests,
    tokens,
    effective_cost,
    idle_cost,
    -- in whole units of 1e-6, cut off
    cast(
        cast(effective_cost * 1000000 as hugeint) * 1000000000
        // nullif(cast(requests * 1000000 as hugeint), 0) as decimal(32, 0)
    ) * cast(0.000001 as decimal(6, 6)) as cost_per_1000_requests,
    cast(
        cast(effective_cost * 1000000 as hugeint) * 1000000000000
        // nullif(cast(tokens * 1000000 as hugeint), 0) as decimal(32, 0)
    ) * cast(0.000001 as decimal(6, 6)) as cost_per_million_tokens,
    cast(idle_cost as double) / nullif(cast(effective_cost + idle_cost as double), 0) as idle_share
from sums
order by billing_currency asc, effective_cost + idle_cost desc, model asc, model_version asc
