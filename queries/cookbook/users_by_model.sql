-- What each user spent on each model, through the runs that trained or served it.
--
-- A run counts whole, whenever it was billed; runs of no model are under `not a model's`. Storage
-- and other cost without a run is not in it, so this does not add up to the bill: the leaderboard does.
--
-- grain: one row per billing currency, user and model
-- key:   billing_currency, user_id, model_name
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
    coalesce(runs.user_id, 'unattributed') as user_id,
    coalesce(any_value(runs.user_name), 'unattributed') as user_name,
    coalesce(runs.model, 'not a model''s') as model_name,
    count(*) as run_count,
    sum(runs.gpu_hours) as gpu_hours,
    sum(runs.effective_cost) as effective_cost
from marts.runs_in(cast($currency as varchar)) as runs
cross join days
where
    runs.billing_currency is not null  -- null: no bill shows the run
    and cast(runs.started_at as date) between days.from_date and days.to_date
group by runs.billing_currency, runs.user_id, runs.model
order by runs.billing_currency asc, effective_cost desc, user_id asc, model_name asc
