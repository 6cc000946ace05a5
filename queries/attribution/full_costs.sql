-- One row is about a part of the full cost of a model or dataset. Not additive over members.
--
-- grain: one row per model or dataset, currency, part, depth and data
-- key:   dimension, member, billing_currency, part, depth, data
-- owner: ml-platform

select
    dimension,
    member,
    billing_currency,
    part,
    depth,
    data,
    any_value(path) as path,
    sum(run_count) as run_count,
    sum(gpu_hours) as gpu_hours,
    sum(effective_cost) as effective_cost,
    sum(billed_cost) as billed_cost
from attribution.full_cost_lines
group by dimension, member, billing_currency, part, depth, data
