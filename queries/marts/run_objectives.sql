-- One row is about a metric that a run is for: where it began, was best and ended, and what was spent after the best.
--
-- Which metrics there are is said by `objectives` of the tracker in the config. Costs are the run's own, without
-- transfers, each day's spread evenly over the time that it ran. What came after the best may have been needed to
-- know that it was.
--
-- grain: one row per run, metric and currency the run was billed in
-- key:   run_id, metric, billing_currency
-- owner: ml-platform

with

costs as (
    select
        run_id,
        metric,
        billing_currency,
        sum(effective_cost) as effective_cost,
        sum(cost_after_best) as cost_after_best
    from attribution.objective_days
    group by run_id, metric, billing_currency
)

select
    objectives.run_id,
    runs.run_name,
    runs.experiment,
    objectives.metric,
    objectives.direction,  -- minimise or maximise; null: neither the config nor the name says which way is better
    objectives.point_count,
    objectives.lost_points,  -- logged as no number, or as infinite
    objectives.first_value,
    objectives.best_value,  -- null where the direction is not known
    objectives.last_value,
    objectives.best_step,
    objectives.last_step,
    objectives.best_at,  -- when the best was logged first
    objectives.last_at,
    (epoch_us(objectives.last_at) - epoch_us(objectives.best_at)) / 3.6e9 as hours_after_best,
    cast(coalesce(costs.effective_cost, 0) as decimal(38, 12)) as effective_cost,  -- of the run, without transfers
    -- of it, what was spent after the best; null where nothing is best
    cast(
        case when objectives.best_at is not null then coalesce(costs.cost_after_best, 0) end as decimal(38, 12)
    ) as cost_after_best,
    costs.billing_currency  -- null where no bill shows the run
from attribution.run_objectives as objectives
inner join attribution.run_facts as runs using (run_id)
left join costs on objectives.run_id = costs.run_id and objectives.metric = costs.metric
