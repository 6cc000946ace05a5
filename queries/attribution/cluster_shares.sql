-- One row is about a holder's share of what the machines of a cluster have in common on a day.
--
-- A holder's share is what it pays for what it held there, all pools together, of what all holders
-- pay; nobody holds nothing. There are rows only where a policy asks for them.
--
-- grain: one row per day, cluster, currency and holder
-- key:   charge_date, cluster, billing_currency, run_no, pod_no, served_no
-- step:  charge_date
-- param: idle_policy = 'separate'    -- who pays for what nobody held: separate, by_node or by_cluster
-- param: control_planes = 'shared'   -- who pays for a cluster's fee: shared or by_cluster
-- owner: ml-platform

with

clusters as (
    select
        charge_date,
        machine_no,
        min(cluster) as cluster
    from attribution.machine_hours
    where cluster is not null and 'by_cluster' in ($idle_policy, $control_planes)
    group by charge_date, machine_no
),

holder_costs as (
    select
        line_groups.charge_date,
        clusters.cluster,
        line_kinds.billing_currency,
        machine_parts.run_no,
        machine_parts.pod_no,
        machine_parts.served_no,
        sum(machine_parts.effective_cost) as held_cost
    from attribution.machine_parts
    inner join attribution.line_groups using (line_no)
    inner join attribution.line_kinds using (kind_no)
    inner join clusters
        on
            line_groups.charge_date = clusters.charge_date
            and line_kinds.machine_no = clusters.machine_no
    where machine_parts.cost_kind = 'direct'
    group by all
    having sum(machine_parts.effective_cost) > 0
),

running_costs as (
    select
        *,
        sum(held_cost) over up_to as upto_cost,
        sum(held_cost) over (partition by charge_date, cluster, billing_currency) as total_cost
    from holder_costs
    window up_to as (
        partition by charge_date, cluster, billing_currency order by run_no, pod_no, served_no
        rows between unbounded preceding and current row
    )
)

select
    charge_date,
    cluster,
    billing_currency,
    run_no,
    pod_no,
    served_no,
    share_of(upto_cost - held_cost, total_cost) as share_from,
    share_of(upto_cost, total_cost) as share_to
from running_costs
