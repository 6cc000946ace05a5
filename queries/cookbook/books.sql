-- The books of every source, billing period, month of use and measure, with the difference from the bill.
--
-- grain: one row per source, billing period, month of use, billing currency and measure
-- key:   source, billing_period, charge_month, billing_currency, measure
-- param: dimension = 'user'  -- user, team, project, model, dataset or service

select
    source,
    billing_period,
    charge_month,
    billing_currency,
    measure,
    billed,
    attributed,
    idle,
    shared,
    unattributed,
    difference,
    beyond_12_places  -- what the source delivered beyond 12 places, exactly, as text
from marts.books
where dimension = $dimension
order by all
