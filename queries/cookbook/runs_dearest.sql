-- The dearest runs of all, in each billing currency.
--
-- grain: one row per run and billing currency
-- key:   run_id, billing_currency
-- param: top = 50          -- how many runs of each currency
-- param: from_date = null  -- runs started on this day or later; null: the first day of the newest month
-- param: to_date = null    -- runs started on this day or earlier; null: the newest day
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
)

select
    runs.billing_currency,
    runs.run_id,
    runs.run_name,
    runs.experiment,
    runs.user_name,
    runs.team,
    runs.project,
    runs.model,
    runs.status,
    runs.started_at,
    runs.duration_hours,
    runs.gpu_hours,
    runs.effective_cost,
    runs.is_provisional
from marts.runs_in(cast($currency as varchar)) as runs
cross join days
where
    runs.billing_currency is not null  -- null: no bill shows the run
    and cast(runs.started_at as date) between days.from_date and days.to_date
qualify
    row_number() over (
        partition by runs.billing_currency order by runs.effective_cost desc, runs.run_id asc
    ) <= $top
order by runs.billing_currency asc, runs.effective_cost desc, runs.run_id asc
