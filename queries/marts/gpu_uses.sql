-- One row is about the cost of GPU machines on a day, and what their GPUs did for it.
--
-- What a pod paid that held GPUs goes hour by hour, by what its busiest GPU did in that hour, the first
-- that fits:
--   unknown      telemetry has less than 90 % of the samples, or the device is shared by time-slicing
--   dead         held and no work: at most 5 % active and 120 W, and no server of a model
--   waiting      the same of a pod that serves a model
--   starved      less than 40 % active while 85 % of the cores it holds are used or 50 MiB/s come in over the
--                network: the GPU waits for cores or data
--   wrong class  less than 30 % active with less than half of the GPU's memory in use: a smaller one would do
--   slow         less than 30 % active for no reason that telemetry tells
--   in use       all else
-- Of starved, wrong class and slow hours the active share is in use, the rest is lost to that cause.
-- `lost` is what machines cost while telemetry lost them; `unwatched` is what other holders pay of GPU
-- machines: runs on bare ones, pods without GPUs, owners of machines that nobody watches. What is left of
-- a machine's cost is `unallocated`, so a day's rows add up to what its GPU machines cost. The newest 14
-- days; cost as billed.
--
-- Known drawbacks: data that comes from a local disk or by a mount of the host is not seen, so waiting for
-- it is wrong class or slow. A machine's idle cores and memory are unallocated with its GPUs.
--
-- grain: one row per day, cluster, team, use and currency
-- key:   charge_date, cluster, team, gpu_use, billing_currency
-- owner: ml-platform

with

gpu_memories as (
    select
        instance_type,
        max(cast(gpu_memory_gib as double)) as gpu_memory_gib  -- of one GPU
    from seeds.gpu_instances
    group by instance_type
),

machines as (
    select
        machine_days.*,
        gpu_memories.gpu_memory_gib
    from attribution.machine_days
    semi join attribution.recent_days using (charge_date)
    left join gpu_memories using (instance_type)
    where machine_days.gpu_count > 0
),

-- what holders of GPU machines paid on a day, by the team that pays
costs as (
    select
        postings.charge_date,
        machines.instance_id,
        coalesce(holders.cluster, machines.cluster) as cluster,
        holders.holder_hash,  -- null: not a pod that held GPUs
        postings.billing_currency,
        coalesce(
            case when postings.is_team_of_user then user_days.team end,
            member_or_kind(postings.team, postings.cost_kind, 'unattributed')
        ) as team,
        max(machines.gpu_memory_gib) as gpu_memory_gib,
        sum(postings.effective_cost) as effective_cost
    from attribution.postings
    inner join machines
        on
            postings.charge_date = machines.charge_date
            and postings.billing_currency = machines.billing_currency
            and lower(postings.resource_id) = machines.instance_id
    left join attribution.gpu_pod_days as holders
        on
            postings.method = 'machine_share'
            and postings.charge_date = holders.charge_date
            and postings.pod_id = holders.pod_id
    left join attribution.user_days
        on postings.charge_date = user_days.charge_date and postings.user_raw = user_days.user_raw
    where
        postings.x_line_class = 'instance'
        and postings.cost_kind <> 'idle'
        and coalesce(postings.user_rule, '') <> 'lost_telemetry'
    group by all
),

held_costs as (
    select
        charge_date,
        instance_id,
        billing_currency,
        sum(effective_cost) as effective_cost
    from costs
    group by charge_date, instance_id, billing_currency
),

pod_memories as (
    select
        charge_date,
        holder_hash,
        max(gpu_memory_gib) as gpu_memory_gib
    from costs
    where holder_hash is not null
    group by charge_date, holder_hash
),

hours as (
    select
        hours.charge_date,
        hours.holder_hash,
        hours.held_seconds,
        hours.activity,
        case
            when hours.seen_share < 0.9 or hours.activity is null then 'unknown'
            when hours.activity <= 0.05 and coalesce(hours.power_watts, 0) <= 120
                then case when hours.is_serving then 'waiting' else 'dead' end
            when
                hours.activity < 0.4
                and (hours.cpu_used_share >= 0.85 or hours.received_mib_per_second >= 50)
                then 'starved'
            when
                hours.activity < 0.3
                and hours.memory_used_gib
                < pod_memories.gpu_memory_gib * least(cast(hours.gpu_units as double), 1) / 2
                then 'wrong class'
            when hours.activity < 0.3 then 'slow'
            else 'in use'
        end as gpu_use
    from attribution.gpu_holder_hours as hours
    inner join pod_memories using (charge_date, holder_hash)
),

parts as (
    select
        charge_date,
        holder_hash,
        gpu_use,
        cast(held_seconds as bigint) * 1000000
        - case
            when gpu_use in ('starved', 'wrong class', 'slow')
                then cast(round(activity * 1000000) as bigint) * held_seconds
            else 0
        end as part
    from hours
    union all
    select
        charge_date,
        holder_hash,
        'in use' as gpu_use,
        cast(round(activity * 1000000) as bigint) * held_seconds as part
    from hours
    where gpu_use in ('starved', 'wrong class', 'slow')
),

use_days as (
    select
        charge_date,
        holder_hash,
        gpu_use,
        sum(part) as part
    from parts
    group by charge_date, holder_hash, gpu_use
),

running as (
    select
        charge_date,
        holder_hash,
        gpu_use,
        part,
        sum(part) over up_to as upto_part,
        sum(part) over (partition by charge_date, holder_hash) as all_parts
    from use_days
    window up_to as (
        partition by charge_date, holder_hash order by gpu_use rows between unbounded preceding and current row
    )
),

used as (
    select
        costs.charge_date,
        costs.cluster,
        costs.team,
        running.gpu_use,
        costs.billing_currency,
        cut(
            costs.effective_cost,
            share_of(running.upto_part - running.part, running.all_parts),
            share_of(running.upto_part, running.all_parts)
        ) as effective_cost
    from costs
    inner join running using (charge_date, holder_hash)
    union all
    select
        charge_date,
        cluster,
        team,
        'unwatched' as gpu_use,
        billing_currency,
        effective_cost
    from costs
    where holder_hash is null
    union all
    select
        machines.charge_date,
        machines.cluster,
        '(idle)' as team,
        'unallocated' as gpu_use,
        machines.billing_currency,
        machines.effective_cost - machines.lost_cost - coalesce(held_costs.effective_cost, 0) as effective_cost
    from machines
    left join held_costs using (charge_date, instance_id, billing_currency)
    where machines.effective_cost - machines.lost_cost <> coalesce(held_costs.effective_cost, 0)
    union all
    select
        charge_date,
        cluster,
        'unattributed' as team,
        'lost' as gpu_use,
        billing_currency,
        lost_cost as effective_cost
    from machines
    where lost_cost <> 0
)

select
    charge_date,
    cluster,  -- null where no cluster knows the machine
    team,  -- that pays; '(idle)' where nobody held the GPUs
    gpu_use,  -- unallocated, dead, waiting, starved, wrong class, slow, in use, unknown, unwatched or lost
    billing_currency,
    cast(sum(effective_cost) as decimal(38, 12)) as effective_cost
from used
group by charge_date, cluster, team, gpu_use, billing_currency
