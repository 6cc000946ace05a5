-- Which training jobs cost most: experiments by cost, dearest first.
--
-- grain: one row per billing currency, experiment, project and team
-- key:   billing_currency, experiment, project, team
-- param: top = 50  -- how many of each currency
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

select
    billing_currency,
    experiment,
    project,
    team,
    run_count,
    effective_cost,
    failed_cost,
    dearest_run_id,
    dearest_run_cost
from marts.training_jobs_in(cast($currency as varchar))
where billing_currency is not null  -- null: no bill shows the runs
qualify
    row_number() over (
        partition by billing_currency order by effective_cost desc, experiment asc, project asc, team asc
    ) <= $top
order by billing_currency asc, effective_cost desc, experiment asc, project asc, team asc
