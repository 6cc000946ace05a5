-- One row is about what a version of a model or dataset cost on a day, by kind of cost and service.
--
-- The rows of `spend_daily` about models and datasets, cut by version: the versions of a member add up to what it cost
-- there. What no version is known for has null, and is not divided among those that are known.
-- `serving_daily` tells what a version's requests cost, and the idle replicas by version.
--
-- grain: one row per day, bill, dimension, member, version, kind of cost and service
-- key: charge_date, source, billing_period, billing_currency, dimension, member, version, cost_kind, service_name
-- conserves: effective_cost, billed_cost of attribution.work_spend by charge_date, billing_currency, dimension, member
-- owner: ml-platform

select
    charge_date,  -- UTC day of use; the first day where a charge covers more
    source,  -- the configured source of the bill
    billing_period,  -- first day of the invoice's month
    billing_currency,
    dimension,  -- model or dataset; never added to each other
    member,  -- which; '(idle)', '(shared)', 'not a model''s', 'not a dataset''s', ... where none
    version,  -- as registry, server or reading run call it; null: nobody knows, or it is of none
    cost_kind,  -- direct, idle, shared, commitment_unused, tax, credit or unattributed
    service_name,
    effective_cost,  -- amortised
    billed_cost,  -- cash
    gpu_hours  -- GPUs held x hours
from attribution.version_spend
