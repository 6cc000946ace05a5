-- One row is about a holder's share of a machine's cost in each hour of a stint, or the share that is idle.
--
-- A machine's cost falls into a pool for each of its resources k, GPUs, cores and memory, by
-- weight x capacity: W(k) = w(k) cap(k) / sum of w cap, with 9 : 0.9 : 0.1 by default, as AWS
-- splits container cost. A holder pays for each pool by what it held, a(k):
--     share = sum over k of W(k) a(k) / D(k),   D(k) = the larger of capacity and all that is held
--   all is held: the holders share the whole cost;
--   some: the rest, W(k) (D(k) - held(k)) / D(k), is idle;
--   nothing, on a machine that is watched (`machine_stints`): all of it is idle;
--   nothing, on a machine that nobody watches: no row; the machine's tags own its cost;
--   telemetry lost the hour: what no run is known to hold is unattributed under every policy, not
--     idle. Of a day, as much as the hours lost are of it.
-- More is held than there is: the holders share the pool in proportion.
-- idle_policy `separate` leaves idle cost a member of its own; `by_node` gives it to the machine's
-- holders, pool by pool, in proportion to what they hold, and keeps what no one shares;
-- `by_cluster` does so for a whole cluster, later (`idle_parts`).
--
-- Shares run upwards from 0 to 1 over the holders, then the idle rest, then what is lost, so that
-- parts of a cost that are cut by them add up.
--
-- Source: https://docs.aws.amazon.com/cur/latest/userguide/split-cost-allocation-data.html
--
-- grain: one row per stint of a machine, kind of cost, holder and stay
-- step:  charge_date
-- param: idle_policy = 'separate'  -- who pays for what nobody held: separate, by_node or by_cluster
-- param: gpu_weight = 9            -- price of a GPU against the other weights
-- param: cpu_weight = 0.9          -- price of a core
-- param: memory_weight = 0.1       -- price of a GiB of memory
-- owner: ml-platform

with

stints as (
    select distinct stint_no
    from attribution.machine_stints
),

held as (
    select
        stints.stint_no,
        held_hours.run_no,
        held_hours.pod_no,
        held_hours.gpu_us,
        held_hours.cpu_us,
        held_hours.memory_us
    from attribution.held_hours
    inner join stints on held_hours.machine_hour_no = stints.stint_no
),

held_pools as (
    select
        stint_no,
        cast(sum(gpu_us) as bigint) as gpu_us,
        cast(sum(cpu_us) as bigint) as cpu_us,
        cast(sum(memory_us) as bigint) as memory_us
    from held
    group by stint_no
),

pool_sizes as (
    select
        stint_no,
        coalesce(held_pools.gpu_us, 0) as held_gpu,
        coalesce(held_pools.cpu_us, 0) as held_cpu,
        coalesce(held_pools.memory_us, 0) as held_memory,
        1 - cast(machine_hours.lost_us as double) / cast(machine_hours.up_us as double) as seen_share,
        greatest(machine_hours.gpu_us, coalesce(held_pools.gpu_us, 0)) as all_gpu,
        greatest(machine_hours.cpu_us, coalesce(held_pools.cpu_us, 0)) as all_cpu,
        greatest(machine_hours.memory_us, coalesce(held_pools.memory_us, 0)) as all_memory,
        -- a capacity that is not known is taken to be what was held
        $gpu_weight * cast(coalesce(nullif(machine_hours.gpu_us, 0), held_pools.gpu_us, 0) as double)
            as gpu_worth,
        $cpu_weight * cast(coalesce(nullif(machine_hours.cpu_us, 0), held_pools.cpu_us, 0) as double)
            as cpu_worth,
        $memory_weight * cast(coalesce(nullif(machine_hours.memory_us, 0), held_pools.memory_us, 0) as double)
            as memory_worth
    from attribution.machine_hours
    inner join stints on machine_hours.machine_hour_no = stints.stint_no
    left join held_pools using (stint_no)
),

prices as (
    select
        stint_no,
        seen_share,
        held_gpu,
        held_cpu,
        held_memory,
        -- share of the machine's cost for one unit held
        coalesce(gpu_worth / nullif(gpu_worth + cpu_worth + memory_worth, 0) / nullif(all_gpu, 0), 0)
            as gpu_price,
        coalesce(cpu_worth / nullif(gpu_worth + cpu_worth + memory_worth, 0) / nullif(all_cpu, 0), 0)
            as cpu_price,
        coalesce(memory_worth / nullif(gpu_worth + cpu_worth + memory_worth, 0) / nullif(all_memory, 0), 0)
            as memory_price,
        -- what its holders pay on top of a unit's price for what is idle in its pool
        case
            when $idle_policy = 'by_node'
                then greatest(coalesce(all_gpu * seen_share / nullif(held_gpu, 0), 1), 1) - 1
            else 0.0
        end as gpu_surcharge,
        case
            when $idle_policy = 'by_node'
                then greatest(coalesce(all_cpu * seen_share / nullif(held_cpu, 0), 1), 1) - 1
            else 0.0
        end as cpu_surcharge,
        case
            when $idle_policy = 'by_node'
                then greatest(coalesce(all_memory * seen_share / nullif(held_memory, 0), 1), 1) - 1
            else 0.0
        end as memory_surcharge
    from pool_sizes
),

running as (
    select
        stint_no,
        run_no,
        pod_no,
        gpu_us,
        cpu_us,
        memory_us,
        cast(sum(gpu_us) over up_to as double) as upto_gpu,
        cast(sum(cpu_us) over up_to as double) as upto_cpu,
        cast(sum(memory_us) over up_to as double) as upto_memory
    from held
    window up_to as (
        partition by stint_no order by run_no, pod_no, gpu_us, cpu_us, memory_us
        rows between unbounded preceding and current row
    )
),

holder_shares as (
    select
        stint_no,
        machine_cost('direct') as cost_kind,
        running.run_no,
        running.pod_no,
        running.gpu_us,
        to_share(
            (upto_gpu - gpu_us) * gpu_price + (upto_cpu - cpu_us) * cpu_price
            + (upto_memory - memory_us) * memory_price
        ) as share_from,
        to_share(upto_gpu * gpu_price + upto_cpu * cpu_price + upto_memory * memory_price) as share_to
    from running
    inner join prices using (stint_no)
),

held_shares as (
    select
        *,
        held_gpu * gpu_price + held_cpu * cpu_price + held_memory * memory_price as held_share
    from prices
),

unpaid_shares as (
    select
        stint_no,
        to_share(
            held_share + held_gpu * gpu_price * gpu_surcharge + held_cpu * cpu_price * cpu_surcharge
            + held_memory * memory_price * memory_surcharge
        ) as paid_share,
        to_share(seen_share) as seen_share
    from held_shares
),

idle_shares as (
    -- what holders pay for idle resources, above what they held
    select
        stint_no,
        machine_cost('idle') as cost_kind,
        running.run_no,
        running.pod_no,
        0 as gpu_us,
        to_share(
            held_share + (upto_gpu - gpu_us) * gpu_price * gpu_surcharge
            + (upto_cpu - cpu_us) * cpu_price * cpu_surcharge
            + (upto_memory - memory_us) * memory_price * memory_surcharge
        ) as share_from,
        to_share(
            held_share + upto_gpu * gpu_price * gpu_surcharge + upto_cpu * cpu_price * cpu_surcharge
            + upto_memory * memory_price * memory_surcharge
        ) as share_to
    from running
    inner join held_shares using (stint_no)
    where $idle_policy = 'by_node'
    union all
    -- what stays nobody's
    select
        stint_no,
        machine_cost('idle') as cost_kind,
        null as run_no,
        null as pod_no,
        0 as gpu_us,
        paid_share as share_from,
        greatest(paid_share, seen_share) as share_to
    from unpaid_shares
    union all
    select
        stint_no,
        machine_cost('unattributed') as cost_kind,
        null as run_no,
        null as pod_no,
        0 as gpu_us,
        greatest(paid_share, seen_share) as share_from,
        1.0 as share_to
    from unpaid_shares
    where seen_share < 1
)

select
    stint_no,  -- of `machine_stints`
    cost_kind,  -- direct, idle or unattributed: lost to telemetry
    run_no,
    pod_no,
    gpu_us,  -- GPUs x microseconds held in each of its hours
    share_from,
    share_to
from holder_shares
where share_from < share_to or gpu_us > 0
union all
select
    stint_no,
    cost_kind,
    run_no,
    pod_no,
    gpu_us,
    share_from,
    share_to
from idle_shares
where share_from < share_to
