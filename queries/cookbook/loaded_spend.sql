-- What teams cost with the shared cost that they are to carry, month by month.
--
-- grain: one row per month, billing currency and team
-- key:   charge_month, billing_currency, member

select
    charge_month,
    billing_currency,
    member,
    sum(effective_cost) filter (where step_no = 0) as own_cost,
    coalesce(sum(effective_cost) filter (where step_no > 0), 0) as loaded_onto_it,
    sum(effective_cost) as loaded_cost
from marts.loaded_spend
group by all
having loaded_cost <> 0 or own_cost <> 0
order by charge_month desc, billing_currency asc, loaded_cost desc, member asc
