-- How often training jobs fail, and what the failed runs cost.
--
-- grain: one row per billing currency, experiment, project and team
-- key:   billing_currency, experiment, project, team
-- param: min_runs = 3  -- fewer runs say nothing about a rate
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

select
    billing_currency,
    experiment,
    project,
    team,
    run_count,
    failed_count,
    failure_rate,  -- 0 to 1
    failed_cost,
    effective_cost
from marts.training_jobs_in(cast($currency as varchar))
where run_count >= $min_runs and billing_currency is not null  -- null: no bill shows the runs
order by billing_currency asc, failed_cost desc, experiment asc, project asc, team asc
