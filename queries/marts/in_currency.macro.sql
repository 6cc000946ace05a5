-- The marts in one currency: `from marts.spend_in('EUR')` is spend_daily with all its cost in EUR, where that is the
-- reporting currency. Days whose rate is missing are left out, so ask for it only where `covered_days` names it. With
-- null each row is as it was billed.
create or replace macro marts.spend_in(in_currency) as table
    select
        * replace (  -- noqa: AM04
            case when in_currency is null then billing_currency else reporting_currency end as billing_currency,
            case when in_currency is null then effective_cost else reporting_cost end as effective_cost,
            case when in_currency is null then billed_cost else reporting_billed_cost end as billed_cost
        )
    from marts.spend_daily
    where in_currency is null or reporting_currency = in_currency;

-- A run that was billed in two currencies is one row; billed_cost is null in the reporting currency.
create or replace macro marts.runs_in(in_currency) as table
    select *  -- noqa: AM04
    from marts.runs
    where in_currency is null
    union all by name
    select
        * exclude (gpu_hours, effective_cost, billed_cost, billing_currency, is_provisional, reporting_cost),
        reporting_currency as billing_currency,
        sum(gpu_hours) as gpu_hours,
        sum(reporting_cost) as effective_cost,
        bool_or(is_provisional) as is_provisional,
        sum(reporting_cost) as reporting_cost
    from marts.runs
    where reporting_currency = in_currency
    group by all;

create or replace macro marts.machines_in(in_currency) as table
    select
        * replace (  -- noqa: AM04
            case when in_currency is null then billing_currency else reporting_currency end as billing_currency,
            case when in_currency is null then effective_cost else reporting_cost end as effective_cost,
            case when in_currency is null then idle_cost else reporting_idle_cost end as idle_cost,
            case when in_currency is null then lost_cost else reporting_lost_cost end as lost_cost
        )
    from marts.machines_daily
    where in_currency is null or reporting_currency = in_currency;

-- Jobs billed in two currencies are one row, and a run of theirs in both counts in both.
create or replace macro marts.training_jobs_in(in_currency) as table
    select *  -- noqa: AM04
    from marts.training_jobs
    where in_currency is null
    union all by name
    select
        experiment,
        project,
        team,
        coalesce(reporting_currency, billing_currency) as billing_currency,
        cast(sum(run_count) as bigint) as run_count,
        cast(sum(failed_count) as bigint) as failed_count,
        cast(sum(failed_count) as double) / cast(sum(run_count) as double) as failure_rate,
        sum(reporting_cost) as effective_cost,
        sum(reporting_failed_cost) as failed_cost,
        max(longest_hours) as longest_hours,
        round(sum(mean_hours * run_count) / sum(run_count), 9) as mean_hours,
        arg_max(dearest_run_id, (reporting_dearest_run_cost, dearest_run_id)) as dearest_run_id,
        max(reporting_dearest_run_cost) as dearest_run_cost
    from marts.training_jobs
    where in_currency is not null and (reporting_currency = in_currency or billing_currency is null)
    group by all;
