-- How long training jobs take: experiments by their longest run.
--
-- grain: one row per billing currency, experiment, project and team
-- key:   billing_currency, experiment, project, team
-- param: top = 50  -- how many
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

select
    experiment,
    project,
    team,
    longest_hours,
    mean_hours,
    run_count,
    billing_currency,
    effective_cost
from marts.training_jobs_in(cast($currency as varchar))
order by longest_hours desc, experiment asc, project asc, team asc, billing_currency asc
limit $top
