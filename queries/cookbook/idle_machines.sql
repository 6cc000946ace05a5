-- Machines by what their idle hours cost, dearest first.
--
-- Idle is what no run and no pod held: GPUs, cores and memory together, at the price billed.
--
-- grain: one row per machine and billing currency
-- key:   instance_id, billing_currency
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
    machines_daily.billing_currency,
    machines_daily.instance_id,
    max(machines_daily.instance_type) as instance_type,
    max(machines_daily.region_id) as region_id,
    max(machines_daily.gpu_count) as gpu_count,
    sum(machines_daily.up_hours) as up_hours,
    sum(machines_daily.gpu_hours_held) as gpu_hours_held,
    sum(machines_daily.gpu_count * machines_daily.up_hours) as gpu_hours_up,  -- that there were
    sum(machines_daily.effective_cost) as effective_cost,
    sum(machines_daily.idle_cost) as idle_cost
from marts.machines_in(cast($currency as varchar)) as machines_daily
cross join days
where machines_daily.charge_date between days.from_date and days.to_date
group by machines_daily.billing_currency, machines_daily.instance_id
order by machines_daily.billing_currency asc, idle_cost desc, machines_daily.instance_id asc
