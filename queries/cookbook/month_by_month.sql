-- Cost by month of each member of one dimension.
--
-- grain: one row per member, month and billing currency
-- key:   member, charge_month, billing_currency
-- param: dimension = 'team'  -- user, team, project, model, dataset or service
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

select
    member,
    cast(date_trunc('month', charge_date) as date) as charge_month,
    billing_currency,
    sum(effective_cost) as effective_cost,
    sum(billed_cost) as billed_cost,
    sum(gpu_hours) as gpu_hours
from marts.spend_in(cast($currency as varchar))
where dimension = $dimension
group by all
order by all
