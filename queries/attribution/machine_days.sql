-- One row is about a machine on a day: what it offered, what was held of it, what it cost.
--
-- grain:     one row per machine, currency and day
-- key:       charge_date, instance_id, billing_currency
-- partition: charge_date
-- owner:     ml-platform

with

capacities as (
    select
        charge_date,
        instance_id,
        max(instance_type) as instance_type,
        min(region_id) as region_id,
        max(cast(gpu_us as double) / up_us) as gpu_count,
        sum(case when slot < 24 or is_daily then up_us end) / 3.6e9 as up_hours
    from (
        select
            *,
            min(slot) over (partition by charge_date, instance_id) = 24 as is_daily
        from attribution.machine_hours
    ) as machine_hours
    group by charge_date, instance_id
),

costs as (
    select
        charge_date,
        lower(resource_id) as instance_id,
        billing_currency,
        cast(sum(coalesce(gpu_us, 0)) as bigint) as gpu_us,
        sum(effective_cost) as effective_cost,
        sum(case when cost_kind = 'idle' then effective_cost else 0 end) as idle_cost
    from attribution.machine_parts
    group by charge_date, lower(resource_id), billing_currency
    union all
    select
        charge_date,
        instance_id,
        billing_currency,
        0 as gpu_us,
        sum(effective_cost) as effective_cost,
        0 as idle_cost
    from attribution.line_methods
    where instance_id is not null and method <> 'machine_share'
    group by charge_date, instance_id, billing_currency
)

select
    charge_date,
    instance_id,  -- in lower case
    any_value(instance_type) as instance_type,
    any_value(region_id) as region_id,
    billing_currency,
    cast(round(any_value(gpu_count), 6) as decimal(18, 6)) as gpu_count,
    cast(round(any_value(up_hours), 6) as decimal(18, 6)) as up_hours,
    cast(sum(gpu_us) / 3.6e9 as decimal(18, 6)) as gpu_hours_held,
    cast(sum(effective_cost) as decimal(38, 12)) as effective_cost,
    cast(sum(idle_cost) as decimal(38, 12)) as idle_cost  -- watched, and held by nobody
from costs
inner join capacities using (charge_date, instance_id)
group by charge_date, instance_id, billing_currency
