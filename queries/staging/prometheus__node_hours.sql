-- A Kubernetes node in an hour: which machine it is, what it offers, and how long it was up.
--
-- The machine is the last part of the node's provider id, as the bill writes it; the node's name where
-- it has none, as in clusters on machines of one's own. Of two machines that bore a node's name within
-- an hour, the one seen longer counts. GPUs are physical ones: those that DCGM sees or the node's label
-- counts, else what the node offers as whole GPUs; null, which leaves it to the table of instance types,
-- where it offers only slices of an unknown number.
--
-- Known drawback: a node that was never seen by kube-state-metrics has no row, its hours are idle.
--
-- grain:     one row per node and hour
-- key:       charge_hour, cluster, node
-- partition: charge_date
-- feeds:     node_hours
-- owner:     ml-platform

with

samples as not materialized (
    select
        query,
        sampled_at - interval 1 hour as charge_hour,
        try_cast(value as double) as amount,
        scrape_seconds,
        cluster,
        coalesce(node, hostname) as node,
        resource,
        provider_id,
        machine_of(provider_id) as instance_id,
        instance_type,
        gpu_uuid,
        gpu_instance_id,
        try_cast(gpu_count as double) as gpu_count
    from raw.prometheus__samples
    where
        query in ('node_up', 'node_capacity', 'node_labels', 'gpu_samples')
        and isfinite(try_cast(value as double))
),

up as (
    select
        charge_hour,
        cluster,
        node,
        coalesce(nullif(arg_max(instance_id, (amount, provider_id)), ''), node) as instance_id,
        cast(least(round(max(amount * scrape_seconds)), 3600) as integer) as up_seconds
    from samples
    where query = 'node_up'
    group by charge_hour, cluster, node
),

capacities as (
    select
        charge_hour,
        cluster,
        node,
        max(amount) filter (where resource = 'cpu') as cpu,
        max(amount) filter (where resource = 'memory') as memory_bytes,
        max(amount) filter (where resource in ('nvidia_com_gpu', 'nvidia_com_gpu_shared'))
            as nvidia_gpu,
        sum(amount) filter (
            where resource in ('amd_com_gpu', 'habana_ai_gaudi', 'aws_amazon_com_neuron')
        ) as other_gpu,
        coalesce(
            sum(amount) filter (where resource like 'nvidia\_com\_mig\_%' escape '\'), 0
        ) > 0 as has_slices
    from samples
    where query = 'node_capacity'
    group by charge_hour, cluster, node
),

node_labels as (
    select
        charge_hour,
        cluster,
        node,
        max(instance_type) as instance_type,
        max(gpu_count) as gpu_count
    from samples
    where query = 'node_labels'
    group by charge_hour, cluster, node
),

node_gpus as (
    select
        charge_hour,
        cluster,
        node,
        count(distinct gpu_uuid) as gpu_count,
        bool_or(gpu_instance_id is not null) as is_sliced
    from samples
    where query = 'gpu_samples'
    group by charge_hour, cluster, node
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    node,
    up.instance_id,
    node_labels.instance_type,
    cast(
        coalesce(
            case
                -- where GPUs are sliced the label counts slices
                when node_gpus.is_sliced then cast(node_gpus.gpu_count as double)
                else greatest(cast(node_gpus.gpu_count as double), node_labels.gpu_count)
            end,
            case
                when capacities.has_slices then null
                else coalesce(capacities.nvidia_gpu, 0) + coalesce(capacities.other_gpu, 0)
            end
        ) as decimal(18, 6)
    ) as gpu_capacity,
    cast(capacities.cpu as decimal(18, 6)) as cpu_capacity,
    cast(capacities.memory_bytes / 1073741824 as decimal(18, 6)) as memory_gib_capacity,
    up.up_seconds
from up
left join capacities using (charge_hour, cluster, node)
left join node_labels using (charge_hour, cluster, node)
left join node_gpus using (charge_hour, cluster, node)
where up.up_seconds > 0
