-- One row is about what pods with counters cost on a day, by version of the model they served.
--
-- grain: one row per day, model, version and currency
-- key:   charge_date, model, model_version, billing_currency
-- owner: ml-platform

select
    charge_date,
    served_model as model,
    model_version,
    billing_currency,
    count(distinct pod_id) as replica_count,
    cast(sum(case when model <> '(idle replicas)' then effective_cost else 0 end) as decimal(38, 12))
        as effective_cost,
    cast(sum(case when model = '(idle replicas)' then effective_cost else 0 end) as decimal(38, 12)) as idle_cost,
    sum(gpu_hours) as gpu_hours
from attribution.postings
where served_model is not null
group by charge_date, served_model, model_version, billing_currency
