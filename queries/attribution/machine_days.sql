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
        min(cluster) as cluster,
        max(cast(gpu_us as double) / up_us) as gpu_count,
        sum(case when slot < 24 or is_daily then up_us end) / 3.6e9 as up_hours,
        sum(case when slot < 24 or is_daily then lost_us end) / 3.6e9 as lost_hours
    from (
        select
            *,
            min(slot) over (partition by charge_date, instance_id) = 24 as is_daily
        from attribution.machine_hours
    ) as machine_hours
    group by charge_date, instance_id
),

held as (
    select
        line_no,
        cast(sum(coalesce(gpu_us, 0)) as bigint) as gpu_us,
        sum(case when cost_kind = 'idle' then effective_cost else 0 end) as idle_cost,
        sum(case when cost_kind = 'unattributed' then effective_cost else 0 end) as lost_cost
    from attribution.machine_parts
    group by line_no
),

costs as (
    select
        line_groups.charge_date,
        line_kinds.instance_id,
        line_kinds.billing_currency,
        cast(sum(coalesce(held.gpu_us, 0)) as bigint) as gpu_us,
        sum(line_groups.effective_cost) as effective_cost,
        sum(coalesce(held.idle_cost, 0)) as idle_cost,
        sum(coalesce(held.lost_cost, 0)) as lost_cost
    from attribution.line_groups
    inner join attribution.line_kinds using (kind_no)
    left join held using (line_no)
    where line_groups.slot is not null
    group by line_groups.charge_date, line_kinds.instance_id, line_kinds.billing_currency
)

select
    costs.charge_date,
    costs.instance_id,  -- in lower case
    capacities.instance_type,
    capacities.region_id,
    costs.billing_currency,
    cast(round(capacities.gpu_count, 6) as decimal(18, 6)) as gpu_count,
    cast(round(capacities.up_hours, 6) as decimal(18, 6)) as up_hours,
    cast(costs.gpu_us / 3.6e9 as decimal(18, 6)) as gpu_hours_held,
    cast(costs.effective_cost as decimal(38, 12)) as effective_cost,
    cast(costs.idle_cost as decimal(38, 12)) as idle_cost,  -- watched, and held by nobody
    capacities.cluster,  -- null where no cluster knows the machine
    cast(round(capacities.lost_hours, 6) as decimal(18, 6)) as lost_hours,  -- of those up: telemetry saw nothing
    cast(costs.lost_cost as decimal(38, 12)) as lost_cost  -- of those hours, beyond what runs are known to have held
from costs
inner join capacities using (charge_date, instance_id)
