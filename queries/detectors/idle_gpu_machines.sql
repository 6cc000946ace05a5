-- GPU machines outside of any cluster on whose GPUs next to nothing runs, whoever holds them.
--
-- Whole hours in a row of complete telemetry count, of a machine that is still up on the newest day.
-- A machine is known by the name its telemetry gives it: the id on the bill, else what a run or an
-- inventory says the machine of that name is. The waste is what the machine cost in those hours.
--
-- fix:   stop the machine, or end what holds its GPUs
-- param: min_hours = 2          -- hours in a row
-- param: max_activity = 0.05    -- highest activity within an hour, of the busiest device, 0 to 1
-- param: max_power_watts = 120  -- above it something runs that the counters miss; unknown power is no veto
-- param: min_samples = 0.9      -- of the samples expected of all its GPUs; fewer is unknown, not idle
-- param: window_days = 7        -- days looked at
-- param: min_waste = 25.0       -- a month, in the bill's currency
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

-- nodes of a cluster are the business of other detectors
cluster_nodes as (
    select distinct lower(node) as node
    from staging.node_hours
),

hours as (
    select
        lower(gpu_hours.node) as node,
        gpu_hours.charge_date,
        gpu_hours.charge_hour,
        sum(gpu_hours.sample_share) filter (where gpu_hours.activity is not null) as seen_gpus,
        max(coalesce(gpu_hours.activity_max, gpu_hours.activity)) as activity_max,
        max(gpu_hours.memory_used_gib) as memory_used_gib,
        max(gpu_hours.power_watts) as power_watts
    from staging.gpu_hours
    cross join newest
    where
        gpu_hours.pod is null
        and gpu_hours.node is not null
        and gpu_hours.charge_date > newest.as_of - $window_days
        and gpu_hours.charge_date <= newest.as_of
    group by lower(gpu_hours.node), gpu_hours.charge_date, gpu_hours.charge_hour
),

names as (
    select distinct
        instance_id as node,
        instance_id
    from attribution.machine_days
    union
    select
        lower(node) as node,
        min(lower(instance_id)) as instance_id
    from staging.run_places
    where node is not null and instance_id is not null
    group by lower(node)
    having count(distinct lower(instance_id)) = 1
    union
    select
        lower(resource_name) as node,
        min(lower(resource_id)) as instance_id
    from staging.inventory
    where resource_type = 'instance' and resource_name is not null
    group by lower(resource_name)
    having count(distinct lower(resource_id)) = 1
),

machines as (
    select
        node,
        min(instance_id) as instance_id
    from names
    anti join cluster_nodes using (node)
    group by node
    having count(distinct instance_id) = 1
),

machine_days as (
    select
        machine_days.*,
        machines.node
    from attribution.machine_days
    inner join machines using (instance_id)
    where machine_days.gpu_count > 0 and machine_days.up_hours > 0
),

capacities as (
    select distinct
        charge_date,
        node,
        instance_id,
        gpu_count
    from machine_days
),

quiet_hours as (
    select
        hours.*,
        capacities.instance_id,
        hours.charge_hour
        - row_number() over (partition by capacities.instance_id order by hours.charge_hour) * interval 1 hour
            as spell
    from hours
    inner join capacities using (charge_date, node)
    where
        hours.seen_gpus >= capacities.gpu_count * $min_samples
        and hours.activity_max <= $max_activity
        and coalesce(hours.power_watts, 0) <= $max_power_watts
),

long_spells as (
    select *
    from quiet_hours
    qualify count(*) over (partition by instance_id, spell) >= $min_hours
),

quiet_days as (
    select
        instance_id,
        charge_date,
        count(*) as quiet_hours,
        max(memory_used_gib) as memory_used_gib
    from long_spells
    group by instance_id, charge_date
),

wastes as (
    select
        machine_days.instance_id,
        machine_days.billing_currency,
        min(machine_days.node) as node,
        min(machine_days.region_id) as region_id,
        min(machine_days.instance_type) as instance_type,
        max(machine_days.gpu_count) as gpu_count,
        min(quiet_days.charge_date) as since,
        sum(quiet_days.quiet_hours) as quiet_hours,
        max(quiet_days.memory_used_gib) as memory_used_gib,
        max(machine_days.charge_date) = max(newest.as_of) as is_up,
        per_month(
            sum(
                scaled(
                    machine_days.effective_cost,
                    cast(coalesce(least(quiet_days.quiet_hours, machine_days.up_hours), 0) * 3600 as bigint),
                    cast(machine_days.up_hours * 3600 as bigint)
                )
            ),
            max(newest.as_of) - min(machine_days.charge_date) + 1
        ) as monthly_waste
    from machine_days
    cross join newest
    left join quiet_days using (charge_date, instance_id)
    where machine_days.charge_date > newest.as_of - $window_days and machine_days.charge_date <= newest.as_of
    group by machine_days.instance_id, machine_days.billing_currency
),

owners as (
    select
        resource_key,
        billing_currency,
        min(provider) as provider,
        min(owner_user) as owner_user,
        min(owner_team) as owner_team
    from attribution.resource_costs
    where line_class = 'instance'
    group by resource_key, billing_currency
)

select
    wastes.instance_id as resource_id,
    wastes.node as resource_name,
    owners.provider,
    wastes.region_id,
    owners.owner_user,
    owners.owner_team,
    wastes.since,
    wastes.monthly_waste,
    wastes.billing_currency,
    case when wastes.memory_used_gib < 1 then 'high' else 'medium' end as confidence,
    'for ' || wastes.quiet_hours || ' h of the last ' || $window_days || ' days next to nothing ran on the '
    || cast(wastes.gpu_count as integer) || ' GPUs of this ' || coalesce(wastes.instance_type, 'machine')
    || case when wastes.memory_used_gib >= 1 then ', with memory in use' else '' end as evidence,
    'machine ' || wastes.instance_id as conflict_key
from wastes
left join owners
    on
        resource_key(wastes.instance_id) = owners.resource_key
        and wastes.billing_currency = owners.billing_currency
where wastes.is_up and wastes.quiet_hours > 0 and wastes.monthly_waste >= $min_waste
