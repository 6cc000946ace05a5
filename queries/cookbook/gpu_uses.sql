-- What GPU machines cost, by what their GPUs did: unallocated, dead, starved, the wrong class, in use.
--
-- The newest 14 days. `marts.gpu_uses` says when an hour is which.
--
-- grain: one row per billing currency and use
-- key:   billing_currency, gpu_use
-- param: team = null  -- what one team paid for; null: all, and what nobody held

with

totals as (
    select
        billing_currency,
        gpu_use,
        sum(effective_cost) as effective_cost
    from marts.gpu_uses
    where $team is null or team = $team
    group by billing_currency, gpu_use
)

select
    billing_currency,
    gpu_use,
    effective_cost,
    cast(effective_cost as double)
    / nullif(cast(sum(effective_cost) over (partition by billing_currency) as double), 0)
        as cost_share  -- of what the GPU machines cost here, 0 to 1
from totals
order by billing_currency asc, effective_cost desc, gpu_use asc
