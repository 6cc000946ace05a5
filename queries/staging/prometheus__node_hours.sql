-- A Kubernetes node in an hour: which machine it is, what it offers, and how long it was up.
--
-- The machine is the last part of the node's provider id, as the bill writes it; the node's name where
-- it has none, as in clusters on machines of one's own. Of two machines that bore a node's name within
-- an hour, the one seen longer counts. GPUs are physical ones: those that DCGM sees or the node's label
-- counts, else what the node offers as whole GPUs; null, which leaves it to the table of instance types,
-- where it offers only slices of an unknown number.
--
-- An hour in which only pods tell of the node (a part of kube-state-metrics was down) is taken to be
-- whole, of the machine that the node was at other hours of the day. One without any sample of the node
-- or of its pods has no row: of a machine that is seen at other hours of the day its cost is
-- unattributed, not idle.
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
        query in ('node_up', 'node_capacity', 'node_labels', 'gpu_samples', 'pod_node')
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
),

seen_hours as (
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
),

node_days as (
    select
        charge_date,
        cluster,
        node,
        arg_max(instance_id, (up_seconds, instance_id)) as instance_id,
        max(instance_type) as instance_type,
        max(gpu_capacity) as gpu_capacity,
        max(cpu_capacity) as cpu_capacity,
        max(memory_gib_capacity) as memory_gib_capacity
    from seen_hours
    group by charge_date, cluster, node
),

pod_hours as (
    select distinct
        cast(charge_hour as date) as charge_date,
        charge_hour,
        cluster,
        node
    from samples
    where query = 'pod_node' and amount > 0
)

select
    charge_date,
    charge_hour,
    cluster,
    node,
    instance_id,
    instance_type,
    gpu_capacity,
    cpu_capacity,
    memory_gib_capacity,
    up_seconds
from seen_hours
union all
select
    charge_date,
    pod_hours.charge_hour,
    cluster,
    node,
    node_days.instance_id,
    node_days.instance_type,
    node_days.gpu_capacity,
    node_days.cpu_capacity,
    node_days.memory_gib_capacity,
    3600 as up_seconds
from pod_hours
inner join node_days using (charge_date, cluster, node)
anti join seen_hours using (charge_hour, cluster, node)
