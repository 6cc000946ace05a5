-- One row is about a version of a model on a day: what serving it cost, and what that gave.
--
-- Costs are those of pods whose servers count (`staging.served_hours`): hours with requests as `served_models`
-- share them, hours without as idle cost of the models that were loaded. Requests and tokens are of
-- all pods, and stand in each currency's row: do not add them over currencies.
--
-- Known drawback: a day whose requests came to pods that no bill shows has no row.
--
-- grain: one row per day, model, version and billing currency
-- key:   charge_date, model, model_version, billing_currency
-- owner: ml-platform

with

served as (
    select
        charge_date,
        model_name as model,
        model_version,
        sum(requests) as requests,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(compute_seconds) as compute_seconds
    from staging.served_hours
    group by charge_date, model_name, model_version
)

select
    costs.charge_date,
    costs.model,  -- as its server calls it
    costs.model_version,  -- null where the server tells none
    costs.billing_currency,
    costs.replica_count,  -- pods that had it loaded
    cast(served.requests as decimal(38, 6)) as requests,
    cast(served.input_tokens as decimal(38, 6)) as input_tokens,  -- null where the server does not count tokens
    cast(served.output_tokens as decimal(38, 6)) as output_tokens,
    cast(served.compute_seconds as decimal(38, 6)) as compute_seconds,  -- of requests side by side, added up
    costs.effective_cost,  -- amortised, of hours with requests
    costs.idle_cost,  -- of hours without requests
    costs.gpu_hours,  -- held, idle hours included
    case
        when served.requests > 0
            then scaled(costs.effective_cost, 1000000000, cast(served.requests * 1000000 as hugeint))
    end as cost_per_1000_requests,  -- without idle cost
    case
        when served.input_tokens + served.output_tokens > 0
            then
                scaled(
                    costs.effective_cost,
                    1000000000000,
                    cast((served.input_tokens + served.output_tokens) * 1000000 as hugeint)
                )
    end as cost_per_million_tokens  -- read and written, without idle cost
from attribution.serving_costs as costs
left join served
    on
        costs.charge_date = served.charge_date
        and costs.model = served.model
        and costs.model_version is not distinct from served.model_version
