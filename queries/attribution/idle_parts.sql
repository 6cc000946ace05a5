-- One row is about machine cost that was idle on a day, and who pays for it.
--
-- idle_policy `separate` and `by_node` are settled already: rows pass through. `by_cluster` adds
-- up what is idle in a cluster and cuts it among all who held anything there that day, in
-- proportion to what they pay for it (`cluster_shares`); machines of no cluster, and clusters where
-- nobody held anything that costs, keep theirs.
--
-- Known drawback: `by_cluster` goes by all pools together, so a pod without GPUs pays a little of
-- idle ones.
--
-- grain: one row per line group of the day and holder; by cluster, per cluster and holder
-- step:  charge_date
-- param: idle_policy = 'separate'  -- who pays for what nobody held: separate, by_node or by_cluster
-- owner: ml-platform

with

clusters as (
    select
        charge_date,
        machine_no,
        min(cluster) as cluster
    from attribution.machine_hours
    where cluster is not null and $idle_policy = 'by_cluster'
    group by charge_date, machine_no
),

machine_costs as (
    select
        machine_parts.*,
        line_groups.charge_date,
        line_kinds.source,
        line_kinds.billing_period,
        line_kinds.billing_currency,
        line_kinds.sub_account_id,
        line_kinds.service_name,
        line_kinds.region_id,
        clusters.cluster
    from attribution.machine_parts
    inner join attribution.line_groups using (line_no)
    inner join attribution.line_kinds using (kind_no)
    inner join clusters
        on
            line_groups.charge_date = clusters.charge_date
            and line_kinds.machine_no = clusters.machine_no
),

pooled_lines as (
    select
        machine_costs.*,
        min(line_no) over (
            partition by
                charge_date, cluster, source, billing_period, billing_currency, sub_account_id,
                service_name, region_id
        ) as pool_line_no
    from machine_costs
    semi join attribution.cluster_shares using (charge_date, cluster, billing_currency)
    where cost_kind = 'idle'
),

pools as (
    select
        pool_line_no as line_no,
        charge_date,
        cluster,
        billing_currency,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost,
        sum(list_cost) as list_cost
    from pooled_lines
    group by pool_line_no, charge_date, cluster, billing_currency
)

select
    line_no,
    null as cluster,
    run_no,
    pod_no,
    served_no,
    effective_cost,
    billed_cost,
    list_cost
from attribution.machine_parts
anti join pooled_lines using (line_no)
where cost_kind = 'idle'
union all
select
    pools.line_no,  -- of one of the cluster's machines
    pools.cluster,  -- in the place of the machine; null: the line's own machine
    cluster_shares.run_no,
    cluster_shares.pod_no,
    cluster_shares.served_no,
    cut(pools.effective_cost, share_from, share_to) as effective_cost,
    cut(pools.billed_cost, share_from, share_to) as billed_cost,
    cut(pools.list_cost, share_from, share_to) as list_cost
from pools
inner join attribution.cluster_shares using (charge_date, cluster, billing_currency)
