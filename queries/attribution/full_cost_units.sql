-- One row is about postings that belong to the full cost of the same models and datasets.
--
-- Lineage asks nothing of a posting but its run, dataset and model, and the day where it is storage.
--
-- grain:     one row per currency, run, method, dataset, model, model served, and day of storage
-- conserves: effective_cost, billed_cost of attribution.postings by billing_currency
-- owner:     ml-platform

select
    billing_currency,
    run_id,
    method,
    dataset,
    model,
    served_model,
    case when method = 'stored_bytes' then charge_date end as stored_date,
    sum(gpu_hours) as gpu_hours,
    sum(effective_cost) as effective_cost,
    sum(billed_cost) as billed_cost
from attribution.postings
group by all
