-- A pod in an hour: how long it ran, and the GPUs, cores and memory it held while it did.
--
-- A pod holds the larger of what it asked for and what it used; GPUs only what it asked for, all
-- its containers together for as long as one of them runs, because the scheduler gives them to
-- nobody else meanwhile. A GPU is a share of the node's physical ones: a time-sliced or MPS GPU
-- counts physical / offered, a MIG slice the larger of its compute sevenths and memory eighths. Where a node
-- offers GPUs in several ways, those that are cut, or offered whole, do not stand behind what is shared in turns.
-- Requests of completed pods stay on record until they are collected: a pod that did not run in the
-- hour has no row.
--   node unknown: the row stands, without a machine to hold;
--   physical GPUs unknown (no DCGM, no node label): each one offered counts as one;
--   use unknown: what was asked for; nothing asked for: what was used.
--
-- Known drawbacks: use is known by pod name; pods of one name within an hour share it by the time
-- they ran. GPUs that a pod holds by a DRA claim are not among its requests.
--
-- grain:     one row per pod and hour
-- key:       charge_hour, cluster, namespace, pod_uid
-- partition: charge_date
-- feeds:     pod_hours
-- owner:     ml-platform

with

samples as not materialized (
    select
        query,
        sampled_at - interval 1 hour as charge_hour,
        try_cast(value as double) as amount,
        scrape_seconds,
        cluster,
        namespace,
        pod,
        coalesce(pod_uid, namespace || '/' || pod) as pod_uid,
        coalesce(node, hostname) as node,
        resource,
        gpu_uuid,
        gpu_instance_id,
        try_cast(gpu_count as double) as gpu_count,
        try_cast(gpu_memory_mib as double) as gpu_memory_mib,
        owner_run,
        owner_user,
        owner_team,
        owner_project,
        owner_model
    from raw.prometheus__samples
    where isfinite(try_cast(value as double))
),

-- all that is asked of a pod's own series, in one pass over them
pods as (
    select
        charge_hour,
        cluster,
        namespace,
        pod_uid,
        max(pod) filter (where query = 'pod_running') as pod,
        -- `least` passes over nulls: a pod that did not run would have run for an hour
        case
            when bool_or(query = 'pod_running')
                then
                    cast(
                        least(round(max(amount * scrape_seconds) filter (where query = 'pod_running')), 3600)
                        as integer
                    )
        end as held_seconds,
        max(node) filter (where query = 'pod_node') as node,
        max(node) filter (where query = 'pod_request') as requested_node,
        max(amount) filter (where query = 'pod_request' and resource = 'cpu') as cpu_cores,
        max(amount) filter (where query = 'pod_request' and resource = 'memory') as memory_bytes,
        max(owner_run) filter (where query = 'pod_labels') as run_native_id,
        max(owner_user) filter (where query = 'pod_labels') as user_raw,
        max(owner_team) filter (where query = 'pod_labels') as team_raw,
        max(owner_project) filter (where query = 'pod_labels') as project_raw,
        max(owner_model) filter (where query = 'pod_labels') as model_raw
    from samples
    where query in ('pod_running', 'pod_node', 'pod_request', 'pod_labels')
    group by charge_hour, cluster, namespace, pod_uid
),

node_labels as (
    select
        charge_hour,
        cluster,
        node,
        max(gpu_count) as gpu_count,
        max(gpu_memory_mib) as gpu_memory_mib
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
        count(distinct gpu_uuid) - count(distinct gpu_uuid) filter (where gpu_instance_id is not null)
            as uncut_count,
        bool_or(gpu_instance_id is not null) as is_sliced
    from samples
    where query = 'gpu_samples'
    group by charge_hour, cluster, node
),

offers as (
    select
        charge_hour,
        cluster,
        node,
        resource,
        max(amount) as units
    from samples
    where query = 'node_capacity'
    group by charge_hour, cluster, node, resource
),

whole_gpus as (
    select
        charge_hour,
        cluster,
        node,
        units
    from offers
    where resource = 'nvidia_com_gpu'
),

-- GPUs of a node, as far as they are known, and those of them that it offers whole beside shared ones
node_sizes as (
    select
        charge_hour,
        cluster,
        node,
        node_labels.gpu_memory_mib,
        case
            -- where GPUs are sliced the label counts slices
            when node_gpus.is_sliced
                then cast(coalesce(nullif(node_gpus.uncut_count, 0), node_gpus.gpu_count) as double)
            else greatest(cast(node_gpus.gpu_count as double), node_labels.gpu_count)
        end as gpu_count,
        whole_gpus.units as whole_count
    from node_labels
    full join node_gpus using (charge_hour, cluster, node)
    left join whole_gpus using (charge_hour, cluster, node)
),

requests as (
    select
        charge_hour,
        cluster,
        namespace,
        pod_uid,
        node,
        resource,
        max(amount) as units
    from samples
    where query = 'pod_request' and coalesce(resource, '') not in ('cpu', 'memory')
    group by charge_hour, cluster, namespace, pod_uid, node, resource
),

-- what one unit of a resource is worth in physical GPUs
units as (
    select
        requests.charge_hour,
        requests.cluster,
        requests.namespace,
        requests.pod_uid,
        requests.node,
        requests.resource,
        requests.units,
        case
            when requests.resource like 'nvidia\_com\_mig\_%' escape '\'
                then greatest(
                    try_cast(regexp_extract(requests.resource, '_mig_(\d+)g', 1) as double) / 7,
                    round(
                        try_cast(regexp_extract(requests.resource, '_(\d+)gb', 1) as double) * 8192
                        / nullif(node_sizes.gpu_memory_mib, 0)
                    ) / 8
                )
            when requests.resource like 'nvidia\_com\_gpu%' escape '\'
                then coalesce(
                    least(
                        case
                            when
                                requests.resource = 'nvidia_com_gpu_shared'
                                and node_sizes.whole_count < node_sizes.gpu_count
                                then node_sizes.gpu_count - node_sizes.whole_count
                            else node_sizes.gpu_count
                        end
                        / nullif(offers.units, 0),
                        1
                    ),
                    1
                )
            else 1
        end as gpus_each
    from requests
    left join node_sizes using (charge_hour, cluster, node)
    left join offers using (charge_hour, cluster, node, resource)
),

gpus as (
    select
        charge_hour,
        cluster,
        namespace,
        pod_uid,
        sum(units * gpus_each) as gpu_units
    from units
    group by charge_hour, cluster, namespace, pod_uid
),

uses as (
    select
        charge_hour,
        cluster,
        namespace,
        pod,
        max(amount) filter (where query = 'pod_cpu_use') as cpu_cores,
        max(amount) filter (where query = 'pod_memory_use') as memory_bytes,
        max(amount) filter (where query = 'pod_received') as received_bytes
    from samples
    where query in ('pod_cpu_use', 'pod_memory_use', 'pod_received')
    group by charge_hour, cluster, namespace, pod
),

-- use is a mean over the hour, what is held a mean over the time the pod ran
named_uses as (
    select
        charge_hour,
        cluster,
        namespace,
        pod,
        any_value(uses.cpu_cores) * 3600 / sum(pods.held_seconds) as cpu_cores,
        any_value(uses.memory_bytes) as memory_bytes,
        any_value(uses.received_bytes) * 3600 / sum(pods.held_seconds) as received_bytes
    from pods
    inner join uses using (charge_hour, cluster, namespace, pod)
    where pods.held_seconds > 0
    group by charge_hour, cluster, namespace, pod
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    namespace,
    pod,
    pod_uid,
    coalesce(pods.node, pods.requested_node) as node,
    pods.run_native_id,
    pods.user_raw,
    pods.team_raw,
    pods.project_raw,
    pods.model_raw,
    pods.held_seconds,
    cast(coalesce(gpus.gpu_units, 0) as decimal(18, 6)) as gpu_units,
    cast(greatest(coalesce(pods.cpu_cores, 0), coalesce(named_uses.cpu_cores, 0)) as decimal(18, 6))
        as cpu_cores,
    cast(
        greatest(coalesce(pods.memory_bytes, 0), coalesce(named_uses.memory_bytes, 0)) / 1073741824
        as decimal(18, 6)
    ) as memory_gib,
    cast(named_uses.cpu_cores as decimal(18, 6)) as cpu_used_cores,
    -- rounded, because sums of doubles differ in their last bits with the order
    round(named_uses.received_bytes / 1048576, 6) as received_mib_per_second
from pods
left join gpus using (charge_hour, cluster, namespace, pod_uid)
left join named_uses using (charge_hour, cluster, namespace, pod)
where pods.held_seconds > 0
