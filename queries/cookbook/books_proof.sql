-- The proof that the books close, by month and currency: what was billed and what became of it.
--
-- `billed` is summed from the raw files by code that does not read the models.
--
-- grain: one row per month of use and billing currency
-- key:   charge_month, billing_currency
-- param: measure = 'effective_cost'  -- effective_cost or billed_cost
-- param: dimension = 'user'          -- user, team, project, model, dataset or service

select
    charge_month,
    billing_currency,
    sum(billed) as billed,
    sum(attributed) as attributed,
    sum(idle) as idle,
    sum(shared) as shared,
    sum(unattributed) as unattributed,
    sum(difference) as difference
from marts.books
where measure = $measure and dimension = $dimension
group by all
order by all
