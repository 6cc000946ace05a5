-- One row is about what a run cost on a day, and how much of that after a metric of its was best.
--
-- The cost of a day is spread evenly over the time that the run ran on it. Transfers are left out: they
-- do not go by time.
--
-- grain: one row per run, metric, day and currency
-- key:   run_id, metric, charge_date, billing_currency
-- owner: ml-platform

with

run_day_costs as (
    select
        run_id,
        charge_date,
        billing_currency,
        sum(effective_cost) as effective_cost
    from attribution.postings
    where run_id in (select objectives.run_id from attribution.run_objectives as objectives) and method <> 'reads'
    group by run_id, charge_date, billing_currency
),

spans as (
    select
        costs.*,
        objectives.metric,
        epoch_us(greatest(runs.started_at, cast(costs.charge_date as timestamp))) as from_us,
        epoch_us(
            least(
                greatest(coalesce(runs.ended_at, runs.last_seen_at), objectives.last_at),
                cast(costs.charge_date + 1 as timestamp)
            )
        ) as to_us,
        epoch_us(objectives.best_at) as best_us
    from run_day_costs as costs
    inner join attribution.run_objectives as objectives using (run_id)
    inner join attribution.run_facts as runs using (run_id)
),

shares as (
    select
        *,
        case
            when best_us is null then null
            when best_us <= from_us then 0
            when best_us >= to_us then 1
            else share_of(best_us - from_us, to_us - from_us)
        end as share_before
    from spans
)

select
    run_id,
    metric,
    charge_date,
    billing_currency,
    effective_cost,
    cut(effective_cost, share_before, 1) as cost_after_best  -- null where nothing is best
from shares
