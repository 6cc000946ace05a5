-- One row is about a machine in an hour for which it is billed: what it offered.
--
-- Capacity comes from the cluster's telemetry; where it has none, from what the bill says of the
-- machine, then from the table of instance types, with the hours on the bill, then from what the bill
-- says of the parts that pods had of it; where nobody knows it, a machine is one whole thing, counted
-- as one core. One billed by the day has one row, slot 24.
--
-- An hour in which telemetry has no sample of a machine that it saw at other hours of the day is lost:
-- nobody can tell what was held. Of a day, as many whole hours are as one line of the bill has more than
-- telemetry saw, and no more than there are hours without a sample.
--
-- Known drawback: where telemetry says that a machine was up for part of an hour and the bill
-- covers all of it, the bill's whole cost is spread over the part.
--
-- grain: one row per machine and hour, or day
-- key:   charge_date, machine_no, slot
-- step:  charge_date
-- owner: ml-platform

with

billed_machines as (
    select
        line_groups.charge_date,
        line_kinds.machine_no,
        line_groups.slot,
        max(line_groups.instance_type) as instance_type,
        max(cast(line_groups.gpu_count as double)) as billed_gpu_count,
        max(cast(line_groups.cpu_count as double)) as billed_cpu_count,
        max(cast(line_groups.memory_gib as double)) as billed_memory_gib,
        min(line_kinds.region_id) as region_id,
        sum(line_groups.used_hours) as used_hours,
        -- licences of one machine repeat its hours: only one line's are sure to be its own
        max(cast(line_groups.used_hours as double)) as line_hours
    from attribution.line_groups
    inner join attribution.line_kinds using (kind_no)
    where line_groups.slot is not null
    group by line_groups.charge_date, line_kinds.machine_no, line_groups.slot
),

machines as (
    select distinct
        machine_no,
        instance_id
    from attribution.line_kinds
    where machine_no is not null
),

observed_hours as (
    select
        charge_date,
        machine_no,
        cast(hour(charge_hour) as tinyint) as slot,
        min(cluster) as cluster,
        max(node_hours.instance_type) as instance_type,
        least(max(up_seconds), 3600) * cast(1000000 as bigint) as up_us,
        unit_us(max(gpu_capacity), least(max(up_seconds), 3600)) as gpu_us,
        unit_us(max(cpu_capacity), least(max(up_seconds), 3600)) as cpu_us,
        unit_us(max(memory_gib_capacity), least(max(up_seconds), 3600)) as memory_us
    from staging.node_hours
    inner join machines on lower(node_hours.instance_id) = machines.instance_id
    where up_seconds > 0
    group by charge_date, machine_no, hour(charge_hour)
),

observed_days as (
    select
        charge_date,
        machine_no,
        24 as slot,
        min(cluster) as cluster,
        max(instance_type) as instance_type,
        count(*) as seen_count,
        cast(sum(up_us) as bigint) as up_us,
        cast(sum(gpu_us) as bigint) as gpu_us,
        cast(sum(cpu_us) as bigint) as cpu_us,
        cast(sum(memory_us) as bigint) as memory_us
    from observed_hours
    group by charge_date, machine_no
),

observed_slots as (
    select
        charge_date,
        machine_no,
        slot,
        cluster,
        instance_type,
        up_us,
        gpu_us,
        cpu_us,
        memory_us
    from observed_hours
    union all
    select * exclude (seen_count)
    from observed_days
),

-- machines that only the bill's split rows know of, in microseconds of a whole hour
split_hours as (
    select
        charge_date,
        instance_id,
        cast(hour(charge_hour) as tinyint) as slot,
        min(cluster) as cluster,
        unit_us(max(gpu_capacity), 3600) as gpu_us,
        unit_us(max(cpu_capacity), 3600) as cpu_us,
        unit_us(max(memory_gib_capacity), 3600) as memory_us
    from attribution.billed_pod_hours
    group by charge_date, instance_id, hour(charge_hour)
),

split_slots as (
    select
        charge_date,
        instance_id,
        slot,
        cluster,
        gpu_us,
        cpu_us,
        memory_us
    from split_hours
    union all
    select
        charge_date,
        instance_id,
        24 as slot,
        min(cluster) as cluster,
        cast(sum(gpu_us) as bigint) as gpu_us,
        cast(sum(cpu_us) as bigint) as cpu_us,
        cast(sum(memory_us) as bigint) as memory_us
    from split_hours
    group by charge_date, instance_id
),

instance_types as (
    select
        instance_type,
        cast(gpu_count as double) as gpu_count,
        cast(vcpu as double) as vcpu,
        cast(memory_gib as double) as memory_gib
    from seeds.gpu_instances
),

up_times as (
    select
        billed_machines.charge_date,
        billed_machines.machine_no,
        machines.instance_id,
        billed_machines.slot,
        billed_machines.region_id,
        coalesce(observed_slots.cluster, split_slots.cluster, observed_days.cluster) as cluster,
        observed_slots.up_us is not null or split_slots.slot is not null as is_observed,
        coalesce(observed_slots.instance_type, billed_machines.instance_type) as instance_type,
        billed_machines.billed_gpu_count,
        billed_machines.billed_cpu_count,
        billed_machines.billed_memory_gib,
        observed_slots.gpu_us,
        observed_slots.cpu_us,
        observed_slots.memory_us,
        split_slots.gpu_us as split_gpu_us,
        split_slots.cpu_us as split_cpu_us,
        split_slots.memory_us as split_memory_us,
        coalesce(
            observed_slots.up_us,
            least(
                cast(round(cast(nullif(billed_machines.used_hours, 0) as double) * 3600) as bigint)
                * 1000000,
                case when billed_machines.slot = 24 then 86400000000 else 3600000000 end
            )
        ) as up_us,
        observed_days.seen_count is not null and coalesce(observed_slots.slot, split_slots.slot) is null
            as is_lost,
        case
            when billed_machines.slot = 24 and split_slots.slot is null
                then
                    greatest(
                        least(
                            floor(coalesce(billed_machines.line_hours, 0) - observed_slots.up_us / 3.6e9),
                            24 - observed_days.seen_count
                        ),
                        0
                    )
        end as lost_day_hours
    from billed_machines
    inner join machines using (machine_no)
    left join observed_slots using (charge_date, machine_no, slot)
    left join observed_days
        on
            billed_machines.charge_date = observed_days.charge_date
            and billed_machines.machine_no = observed_days.machine_no
    left join split_slots
        on
            billed_machines.charge_date = split_slots.charge_date
            and machines.instance_id = split_slots.instance_id
            and billed_machines.slot = split_slots.slot
),

capacities as (
    select
        up_times.charge_date,
        up_times.machine_no,
        up_times.instance_id,
        up_times.slot,
        up_times.region_id,
        up_times.cluster,
        up_times.is_observed,
        up_times.is_lost,
        up_times.instance_type,
        greatest(
            coalesce(up_times.up_us, case when up_times.slot = 24 then 86400000000 else 3600000000 end),
            1
        ) as up_us,
        cast(coalesce(up_times.lost_day_hours, 0) as bigint) * 3600000000 as lost_day_us,
        up_times.gpu_us,
        up_times.cpu_us,
        up_times.memory_us,
        up_times.split_gpu_us,
        up_times.split_cpu_us,
        up_times.split_memory_us,
        coalesce(up_times.billed_gpu_count, instance_types.gpu_count) as gpu_count,
        coalesce(up_times.billed_cpu_count, instance_types.vcpu) as vcpu,
        coalesce(up_times.billed_memory_gib, instance_types.memory_gib) as memory_gib
    from up_times
    left join instance_types
        on replace(up_times.instance_type, 'ml.', '') = instance_types.instance_type
),

filled as (
    select
        charge_date,
        machine_no,
        instance_id,
        slot,
        region_id,
        cluster,
        is_observed,
        instance_type,
        up_us,
        case when is_lost then up_us else lost_day_us end as lost_us,
        lost_day_us,
        coalesce(gpu_us, cast(gpu_count * up_us as bigint), split_gpu_us, 0) as gpu_us,
        coalesce(cpu_us, cast(vcpu * up_us as bigint), split_cpu_us, 0) as cpu_us,
        coalesce(memory_us, cast(memory_gib * up_us as bigint), split_memory_us, 0) as memory_us
    from capacities
),

-- a day's lost hours offered what the others did
whole_days as (
    select
        * replace (
            up_us + lost_day_us as up_us,
            case when lost_day_us > 0 then whole_upto(gpu_us, up_us + lost_day_us, up_us) else gpu_us end
                as gpu_us,
            case when lost_day_us > 0 then whole_upto(cpu_us, up_us + lost_day_us, up_us) else cpu_us end
                as cpu_us,
            case when lost_day_us > 0 then whole_upto(memory_us, up_us + lost_day_us, up_us) else memory_us end
                as memory_us
        )
    from filled
)

select
    -- known by it within one build, in the order of days, machines and slots
    (date_diff('day', date '2000-01-01', charge_date) * 4294967296 + machine_no) * 32 + slot as machine_hour_no,
    charge_date,
    machine_no,  -- of its kinds of lines
    instance_id,  -- in lower case
    slot,  -- hour of the day, or 24: the day
    instance_type,
    region_id,
    cluster,  -- null where no cluster knows the machine
    is_observed,  -- the cluster's telemetry knows this hour, or the bill splits it
    up_us,  -- microseconds that it was up
    lost_us,  -- of these, those of which telemetry knows nothing though it watches the machine
    gpu_us,  -- GPUs x microseconds that it offered
    case when gpu_us + cpu_us + memory_us = 0 then up_us else cpu_us end as cpu_us,  -- cores x microseconds
    memory_us  -- GiB x microseconds
from whole_days
