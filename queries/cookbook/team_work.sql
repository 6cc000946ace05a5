-- What a team's runs were for, and what moved: models, projects or experiments, by cost.
--
-- Runs are counted by the day they started. What moved most is `moved_cost`; the runs behind it,
-- and the dearest of them, are its reasons.
--
-- grain: one row per billing currency and model, project or experiment
-- key:   billing_currency, work
-- param: by = 'model'      -- model, project or experiment
-- param: team = null       -- one team; null: all
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
),

started as (
    select
        runs.*,
        coalesce(
            case $by when 'model' then runs.model when 'project' then runs.project else runs.experiment end,
            '(no ' || $by || ')'
        ) as work,
        cast(runs.started_at as date) >= days.from_date as is_now
    from marts.runs_in(cast($currency as varchar)) as runs
    inner join days
        on
            runs.started_at >= days.from_date - cast(days.to_date - days.from_date + 1 as integer)
            and runs.started_at < days.to_date + 1
    where runs.billing_currency is not null and ($team is null or runs.team = $team)
)

select
    billing_currency,
    work,
    coalesce(sum(effective_cost) filter (where is_now), 0) as effective_cost,
    coalesce(sum(effective_cost) filter (where not is_now), 0) as previous_cost,
    coalesce(sum(effective_cost) filter (where is_now), 0)
    - coalesce(sum(effective_cost) filter (where not is_now), 0) as moved_cost,
    count(*) filter (where is_now) as run_count,
    count(*) filter (where not is_now) as previous_run_count,
    count(*) filter (where is_now and status = 'failed') as failed_count,
    coalesce(sum(effective_cost) filter (where is_now and status = 'failed'), 0) as failed_cost,
    coalesce(sum(gpu_hours) filter (where is_now), 0) as gpu_hours,
    arg_max(run_name, (effective_cost, run_id)) filter (where is_now) as dearest_run,
    arg_max(user_name, (effective_cost, run_id)) filter (where is_now) as dearest_user,
    max(effective_cost) filter (where is_now) as dearest_cost
from started
group by billing_currency, work
order by billing_currency asc, effective_cost desc, work asc
