-- Which rule found the owner of how much cost, dearest first.
--
-- grain: one row per billing currency and rule
-- key:   billing_currency, rule_id
-- param: dimension = 'user'  -- user, team, project, model or dataset

select
    billing_currency,
    rule_id,
    effective_cost,
    cost_share  -- of all cost in this currency, 0 to 1
from marts.coverage
where dimension = $dimension
order by billing_currency asc, effective_cost desc, rule_id asc
