-- What newer deliveries changed in bills, the newest first.
--
-- grain: one row per bill, month of use, currency, measure and time
-- key:   restatement_no
-- param: measure = 'effective_cost'  -- effective_cost or billed_cost
-- param: top = 100                   -- how many

select
    restatement_no,
    restated_at,
    source,
    unit,
    charge_month,
    billing_currency,
    cost_before,
    cost_after,
    cost_change,
    was_open,
    cause
from marts.restatements
where measure = $measure
order by restatement_no desc
limit $top
