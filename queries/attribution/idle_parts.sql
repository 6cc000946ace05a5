-- One row is about machine cost that was idle on a day, and who pays for it.
--
-- idle_policy `separate` and `by_node` are settled already: rows pass through. `by_cluster` adds
-- up what is idle in a cluster and cuts it among all who held anything there that day, in
-- proportion to what they pay for it; machines of no cluster, and clusters where nobody held
-- anything that costs, keep theirs.
--
-- Known drawback: `by_cluster` goes by all pools together, so a pod without GPUs pays a little of
-- idle ones.
--
-- grain:     one row per line group of the day and holder; by cluster, per cluster and holder
-- step:      charge_date
-- param:     idle_policy = 'separate'  -- who pays for what nobody held: separate, by_node or by_cluster
-- owner:     ml-platform

with

clusters as (
    select
        charge_date,
        instance_id,
        min(cluster) as cluster
    from attribution.machine_hours
    where cluster is not null and $idle_policy = 'by_cluster'
    group by charge_date, instance_id
),

holder_costs as (
    select
        machine_parts.charge_date,
        clusters.cluster,
        machine_parts.billing_currency,
        machine_parts.run_no,
        machine_parts.pod_no,
        sum(machine_parts.effective_cost) as held_cost
    from attribution.machine_parts
    inner join clusters
        on
            machine_parts.charge_date = clusters.charge_date
            and lower(machine_parts.resource_id) = clusters.instance_id
    where machine_parts.cost_kind = 'direct'
    group by all
    having sum(machine_parts.effective_cost) > 0
),

cluster_shares as (
    select
        *,
        sum(held_cost) over up_to as upto_cost,
        sum(held_cost) over (partition by charge_date, cluster, billing_currency) as total_cost
    from holder_costs
    window up_to as (
        partition by charge_date, cluster, billing_currency order by run_no, pod_no
        rows between unbounded preceding and current row
    )
),

shared_clusters as (
    select distinct
        charge_date,
        cluster,
        billing_currency
    from cluster_shares
),

idle_lines as (
    select
        machine_parts.*,
        shared_clusters.cluster
    from attribution.machine_parts
    left join clusters
        on
            machine_parts.charge_date = clusters.charge_date
            and lower(machine_parts.resource_id) = clusters.instance_id
    left join shared_clusters
        on
            machine_parts.charge_date = shared_clusters.charge_date
            and machine_parts.billing_currency = shared_clusters.billing_currency
            and clusters.cluster = shared_clusters.cluster
    where machine_parts.cost_kind = 'idle'
),

idle_clusters as (
    select
        source,
        billing_period,
        charge_date,
        billing_currency,
        sub_account_id,
        service_name,
        region_id,
        x_line_class,
        cluster,
        bool_or(is_provisional) as is_provisional,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost,
        sum(list_cost) as list_cost
    from idle_lines
    where cluster is not null
    group by all
)

select
    source,
    billing_period,
    charge_date,
    billing_currency,
    sub_account_id,
    service_name,
    region_id,
    resource_id,
    x_line_class,
    x_from_region,
    x_to_region,
    tag_user,
    tag_team,
    tag_project,
    tag_marks,
    run_no,
    pod_no,
    is_provisional,
    effective_cost,
    billed_cost,
    list_cost
from idle_lines
where cluster is null
union all
select
    source,
    billing_period,
    charge_date,
    billing_currency,
    sub_account_id,
    service_name,
    region_id,
    cluster as resource_id,
    x_line_class,
    null as x_from_region,
    null as x_to_region,
    null as tag_user,
    null as tag_team,
    null as tag_project,
    null as tag_marks,
    cluster_shares.run_no,
    cluster_shares.pod_no,
    idle_clusters.is_provisional,
    cut(
        idle_clusters.effective_cost,
        share_of(upto_cost - held_cost, total_cost),
        share_of(upto_cost, total_cost)
    ) as effective_cost,
    cut(
        idle_clusters.billed_cost, share_of(upto_cost - held_cost, total_cost), share_of(upto_cost, total_cost)
    ) as billed_cost,
    cut(
        idle_clusters.list_cost, share_of(upto_cost - held_cost, total_cost), share_of(upto_cost, total_cost)
    ) as list_cost
from idle_clusters
inner join cluster_shares using (charge_date, cluster, billing_currency)
