-- Cost by billing period, which is the invoice's month, and the month of use of each member of a dimension.
--
-- grain: one row per billing period, month of use, member and billing currency
-- key:   billing_period, charge_month, member, billing_currency
-- param: dimension = 'service'  -- user, team, project, model, dataset or service

select
    billing_period,
    cast(date_trunc('month', charge_date) as date) as charge_month,
    member,
    billing_currency,
    sum(billed_cost) as billed_cost,
    sum(effective_cost) as effective_cost
from marts.spend_daily
where dimension = $dimension
group by all
order by all
