-- One row is about a run: who ran what, how long, and what it cost.
--
-- A run that several sources saw is one row.
-- Costs are the run's own part of machines, managed jobs and transfers; a run that no bill shows
-- costs 0 and has no currency. Its cost in the reporting currency is cut out of each day's converted total, the
-- runs of a day, source and currency before all else, as `spend_daily` does it for members.
--
-- grain: one row per run and currency it was billed in
-- key:   run_id, billing_currency
-- owner: ml-platform

with

run_day_costs as (
    select
        postings.run_id,
        postings.charge_date,
        postings.source,
        postings.billing_currency,
        rates.reporting_currency,
        rates.rate_times,
        rates.rate_over,
        whole_units(sum(postings.effective_cost)) as units
    from attribution.postings
    inner join attribution.reporting_rates as rates using (charge_date, billing_currency)
    where postings.run_id is not null
    group by all
),

running as (
    select
        *,
        cast(
            sum(units) over (
                partition by charge_date, source, billing_currency
                order by run_id
                rows between unbounded preceding and current row
            ) as hugeint
        ) as upto
    from run_day_costs
),

run_reports as (
    select
        run_id,
        billing_currency,
        case
            when count(*) = count(rate_times)
                then
                    sum(
                        units_cost(
                            converted_units(upto, rate_times, rate_over)
                            - converted_units(upto - units, rate_times, rate_over)
                        )
                    )
        end as reporting_cost,
        max(reporting_currency) as reporting_currency
    from running
    group by run_id, billing_currency
),

owned_runs as (
    select run_id
    from attribution.run_spend
    where user_id is not null and team is not null and project is not null
),

-- what runs say of themselves, where their costs do not
run_names as (
    select
        run_days.run_id,
        arg_max(user_days.user_id, run_days.charge_date) as user_id,
        arg_max(coalesce(run_days.team_raw, user_days.team), run_days.charge_date) as team,
        arg_max(run_days.project_raw, run_days.charge_date) as project
    from attribution.run_days
    anti join owned_runs using (run_id)
    left join attribution.user_days using (charge_date, user_raw)
    group by run_days.run_id
),

run_model_names as (
    select
        run_id,
        string_agg(model, ', ' order by model) as model,
        any_value(rule) as model_rule
    from attribution.run_models
    group by run_id
),

run_ends as (
    select
        *,
        (epoch_us(coalesce(ended_at, last_seen_at)) - epoch_us(started_at)) / 3.6e9 as duration_hours
    from attribution.run_facts
)

select
    run_ends.run_id,
    run_ends.native_id,  -- as its tracker calls it; run_records has what other systems call it
    run_ends.run_name,
    run_ends.experiment,
    run_ends.source,  -- the tracker
    run_ends.record_count,  -- sources that saw it, as run_records tells
    coalesce(run_spend.user_id, run_names.user_id) as user_id,
    people.user_name,
    coalesce(run_spend.team, run_names.team) as team,
    coalesce(run_spend.project, run_names.project) as project,
    run_model_names.model,  -- the models it was for, with commas
    run_model_names.model_rule,  -- registered, named, swept or started: how that is known
    run_ends.status,  -- queued, running, succeeded, failed, cancelled, preempted or lost
    run_ends.started_at,
    run_ends.ended_at,  -- null while it runs
    run_ends.duration_hours,  -- to the end, or to the last sign of life
    cast(
        case
            when run_spend.run_id is not null then run_spend.gpu_hours
            else coalesce(run_ends.gpu_count * greatest(run_ends.duration_hours, 0), 0)
        end
        as decimal(18, 6)
    ) as gpu_hours,  -- held, as the machines show; asked for, where no bill shows the run
    cast(coalesce(run_spend.effective_cost, 0) as decimal(38, 12)) as effective_cost,
    cast(coalesce(run_spend.billed_cost, 0) as decimal(38, 12)) as billed_cost,
    run_spend.billing_currency,  -- null where no bill shows the run
    cast(run_reports.reporting_cost as decimal(38, 12)) as reporting_cost,  -- null: a day of it has no rate
    case when run_reports.reporting_cost is not null then run_reports.reporting_currency end as reporting_currency,
    run_ends.status = 'running' or coalesce(run_spend.is_provisional, true) as is_provisional  -- may still change
from run_ends
left join attribution.run_spend on run_ends.run_id = run_spend.run_id
left join run_reports
    on run_spend.run_id = run_reports.run_id and run_spend.billing_currency = run_reports.billing_currency
left join run_names on run_ends.run_id = run_names.run_id
left join run_model_names on run_ends.run_id = run_model_names.run_id
left join attribution.people on coalesce(run_spend.user_id, run_names.user_id) = people.user_id
