-- What the machines cost each day, and how much of it was idle.
--
-- grain: one row per day and billing currency
-- key:   charge_date, billing_currency
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
)

select
    machines_daily.charge_date,
    machines_daily.billing_currency,
    count(distinct machines_daily.instance_id) as machine_count,
    sum(machines_daily.gpu_count * machines_daily.up_hours) as gpu_hours_up,
    sum(machines_daily.gpu_hours_held) as gpu_hours_held,
    sum(machines_daily.effective_cost) as effective_cost,
    sum(machines_daily.idle_cost) as idle_cost
from marts.machines_in(cast($currency as varchar)) as machines_daily
cross join days
where machines_daily.charge_date between days.from_date and days.to_date
group by all
order by all
