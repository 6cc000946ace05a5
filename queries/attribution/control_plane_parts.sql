-- One row is about a holder's part of the fee of its cluster on a day.
--
-- Under control_planes `by_cluster` what EKS, GKE or AKS charges for a cluster goes to all who held
-- its machines that day, in proportion to what they pay for them (`cluster_shares`). The cluster is
-- the one that telemetry calls as the fee's resource ends: `arn:aws:eks:...:cluster/lab` is lab's. A
-- fee stays shared cost whose resource no cluster is called after, or whose cluster nobody held.
--
-- grain: one row per line group and holder
-- key:   line_no, run_no, pod_no, served_no
-- step:  charge_date
-- param: control_planes = 'shared'  -- who pays for a cluster's fee: shared or by_cluster
-- owner: ml-platform

with

clusters as (
    select
        charge_date,
        billing_currency,
        lower(cluster) as cluster_key,
        min(cluster) as cluster
    from attribution.cluster_shares
    where $control_planes = 'by_cluster'
    group by charge_date, billing_currency, lower(cluster)
)

select
    line_groups.line_no,
    cluster_shares.run_no,
    cluster_shares.pod_no,
    cluster_shares.served_no,
    cut(line_groups.effective_cost, share_from, share_to) as effective_cost,
    cut(line_groups.billed_cost, share_from, share_to) as billed_cost,
    cut(line_groups.list_cost, share_from, share_to) as list_cost
from attribution.line_groups
inner join attribution.line_kinds using (kind_no)
inner join clusters
    on
        line_groups.charge_date = clusters.charge_date
        and line_kinds.billing_currency = clusters.billing_currency
        and last_part(line_kinds.resource_id) = clusters.cluster_key
inner join attribution.cluster_shares
    on
        clusters.charge_date = cluster_shares.charge_date
        and clusters.billing_currency = cluster_shares.billing_currency
        and clusters.cluster = cluster_shares.cluster
where line_kinds.x_line_class = 'control_plane'
