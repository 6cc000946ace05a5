-- The dearest runs of each member of one dimension, in each billing currency.
--
-- A run counts whole, whenever it was billed. Datasets and services have no runs of their own.
--
-- grain: one row per member, billing currency and run
-- key:   member, billing_currency, run_id
-- param: dimension = 'user'  -- user, team, project or model
-- param: member = null     -- one member alone; null: all
-- param: top = 20          -- how many runs of each member
-- param: from_date = null  -- runs started on this day or later; null: the first day of the newest month
-- param: to_date = null    -- runs started on this day or earlier; null: the newest day
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
),

member_runs as (
    select
        case $dimension
            when 'user' then user_id
            when 'team' then team
            when 'project' then project
            when 'model' then model
        end as member,
        runs.*
    from marts.runs_in(cast($currency as varchar)) as runs
    cross join days
    where
        runs.billing_currency is not null  -- null: no bill shows the run
        and cast(runs.started_at as date) between days.from_date and days.to_date
)

select
    member,
    billing_currency,
    run_id,
    run_name,
    experiment,
    user_name,
    team,
    project,
    model,
    status,
    started_at,
    duration_hours,
    gpu_hours,
    effective_cost,
    is_provisional  -- the month is open: the figure may still change
from member_runs
where
    member is not null
    and (cast($member as varchar) is null or member = cast($member as varchar))
qualify row_number() over (partition by member, billing_currency order by effective_cost desc, run_id asc) <= $top
order by member asc, billing_currency asc, effective_cost desc, run_id asc
