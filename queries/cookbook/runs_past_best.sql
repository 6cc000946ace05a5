-- Runs on which the most was spent after their metric was best, in each billing currency.
--
-- Of the metrics that `objectives` of a tracker names. What came after the best may have been needed to know that it
-- was.
--
-- grain: one row per run, metric and billing currency
-- key:   run_id, metric, billing_currency
-- param: top = 50     -- how many of each currency
-- param: days = 30    -- runs that ended, or were last heard of, in so many days up to the newest

with

newest as (
    select max(last_at) as last_at
    from marts.run_objectives
)

select
    objectives.billing_currency,
    objectives.run_id,
    objectives.run_name,
    objectives.experiment,
    objectives.metric,
    objectives.direction,
    objectives.first_value,
    objectives.best_value,
    objectives.last_value,
    objectives.best_at,
    objectives.hours_after_best,
    objectives.effective_cost,
    objectives.cost_after_best
from marts.run_objectives as objectives
cross join newest
where
    objectives.billing_currency is not null  -- null: no bill shows the run
    and objectives.cost_after_best > 0
    and objectives.last_at > newest.last_at - to_days($days)
qualify
    row_number() over (
        partition by objectives.billing_currency
        order by objectives.cost_after_best desc, objectives.run_id asc, objectives.metric asc
    ) <= $top
order by
    objectives.billing_currency asc, objectives.cost_after_best desc, objectives.run_id asc, objectives.metric asc
