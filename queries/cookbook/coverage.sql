-- Which rule found the owner of how much cost, dearest first.
--
-- grain: one row per billing currency, rule and confidence
-- key:   billing_currency, rule_id, confidence
-- param: dimension = 'user'  -- user, team or project

select
    billing_currency,
    rule_id,
    confidence,  -- how sure the owners are: high, medium or none
    effective_cost,
    cost_share  -- of all cost in this currency, 0 to 1
from marts.coverage
where dimension = $dimension
order by billing_currency asc, effective_cost desc, rule_id asc, confidence asc
