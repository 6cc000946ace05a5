-- A Kubernetes node in an hour: which machine it is, what it offers, and how long it was up.
--
-- The machine is the last part of the node's provider id, as the bill writes it. GPUs are physical
-- ones where the node's label counts them, else what the node offers as nvidia.com/gpu.
--
-- grain:     one row per node and hour
-- key:       charge_hour, cluster, node
-- partition: charge_date
-- feeds:     node_hours
-- owner:     ml-platform

with

samples as (
    select
        query,
        cluster,
        node,
        resource,
        labels,
        sampled_at - interval 1 hour as charge_hour,
        value,
        scrape_seconds
    from raw.prometheus__samples
    where query in ('node_up', 'node_capacity', 'node_labels')
),

up as (
    select
        charge_hour,
        cluster,
        node,
        max(split_part(labels['provider_id'], '/', -1)) as instance_id,
        cast(least(max(value) * max(scrape_seconds), 3600) as integer) as up_seconds
    from samples
    where query = 'node_up' and value > 0
    group by charge_hour, cluster, node
),

capacities as (
    select
        charge_hour,
        cluster,
        node,
        max(value) filter (where resource = 'cpu') as cpu,
        max(value) filter (where resource = 'memory') as memory_bytes,
        max(value) filter (where resource = 'nvidia_com_gpu') as gpu
    from samples
    where query = 'node_capacity'
    group by charge_hour, cluster, node
),

named as (
    select
        charge_hour,
        cluster,
        node,
        max(labels['label_node_kubernetes_io_instance_type']) as instance_type,
        max(try_cast(labels['label_nvidia_com_gpu_count'] as decimal(18, 6))) as gpu
    from samples
    where query = 'node_labels'
    group by charge_hour, cluster, node
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    node,
    nullif(up.instance_id, '') as instance_id,
    named.instance_type,
    cast(coalesce(named.gpu, capacities.gpu, 0) as decimal(18, 6)) as gpu_capacity,
    cast(capacities.cpu as decimal(18, 6)) as cpu_capacity,
    cast(cast(capacities.memory_bytes as double) / 1073741824 as decimal(18, 6)) as memory_gib_capacity,
    up.up_seconds
from up
left join capacities using (charge_hour, cluster, node)
left join named using (charge_hour, cluster, node)
