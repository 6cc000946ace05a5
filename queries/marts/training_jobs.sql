-- One row is about an experiment of a team: how many training jobs, how many failed, what they cost.
--
-- Notebooks, serving and pipelines, whose steps are jobs of their own, are left out.
--
-- grain: one row per experiment, project, team and currency
-- key:   experiment, project, team, billing_currency
-- owner: ml-platform

with

other_runs as (
    select run_id
    from attribution.run_facts
    where kind not in ('training', 'job')
),

jobs as (
    select *
    from marts.runs
    anti join other_runs using (run_id)
)

select
    experiment,
    project,
    team,
    billing_currency,
    count(*) as run_count,
    count(*) filter (where status in ('failed', 'lost')) as failed_count,
    cast(count(*) filter (where status in ('failed', 'lost')) as double) / count(*) as failure_rate,  -- 0 to 1
    sum(effective_cost) as effective_cost,
    coalesce(sum(effective_cost) filter (where status in ('failed', 'lost')), 0) as failed_cost,
    max(duration_hours) as longest_hours,
    -- rounded, because sums of doubles differ in their last bits with the order
    round(sum(duration_hours) / count(duration_hours), 9) as mean_hours,
    arg_max(run_id, (effective_cost, run_id)) as dearest_run_id,
    max(effective_cost) as dearest_run_cost,
    case when count(*) = count(reporting_cost) then sum(reporting_cost) end
        as reporting_cost,  -- null: none is set, or a rate is missing
    case
        when count(*) = count(reporting_cost)
            then coalesce(sum(reporting_cost) filter (where status in ('failed', 'lost')), 0)
    end as reporting_failed_cost,
    case when count(*) = count(reporting_cost) then max(reporting_cost) end as reporting_dearest_run_cost,
    case when count(*) = count(reporting_cost) then max(reporting_currency) end as reporting_currency
from jobs
group by experiment, project, team, billing_currency
