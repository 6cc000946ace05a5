-- The published full cost of a model or dataset.
--
-- grain: one row
-- param: dimension = 'model'          -- model or dataset
-- param: member = ''                  -- the one to be explained
-- param: billing_currency = ''        -- currencies are never added
-- param: measure = 'effective_cost'   -- effective_cost or billed_cost

with

published_costs as (
    select
        non_additive_cost,
        non_additive_billed_cost
    from published.marts.model_full_cost
    where $dimension = 'model' and model = $member and billing_currency = $billing_currency
    union all
    select
        non_additive_cost,
        non_additive_billed_cost
    from published.marts.dataset_full_cost
    where $dimension = 'dataset' and dataset = $member and billing_currency = $billing_currency
)

select
    sum(case $measure when 'billed_cost' then non_additive_billed_cost else non_additive_cost end) as cost,
    count(*) as row_count
from published_costs
