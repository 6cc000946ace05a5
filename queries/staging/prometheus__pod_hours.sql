-- A pod in an hour: how long it ran, and the GPUs, cores and memory it held while it did.
--
-- A pod holds the larger of what it asked for and what it used; GPUs only what it asked for, all
-- its containers together for as long as one of them runs, because the scheduler gives them to
-- nobody else meanwhile. A GPU is a share of the node's physical ones: a time-sliced or MPS GPU
-- counts physical / offered, a MIG slice the larger of its compute sevenths and memory eighths.
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

samples as (
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

running as (
    select
        charge_hour,
        cluster,
        namespace,
        pod,
        pod_uid,
        cast(least(round(max(amount * scrape_seconds)), 3600) as integer) as held_seconds
    from samples
    where query = 'pod_running'
    group by charge_hour, cluster, namespace, pod, pod_uid
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
    where query = 'pod_request'
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
            when requests.resource in ('cpu', 'memory') then 0
            when requests.resource like 'nvidia\_com\_mig\_%' escape '\'
                then greatest(
                    try_cast(regexp_extract(requests.resource, '_mig_(\d+)g', 1) as double) / 7,
                    round(
                        try_cast(regexp_extract(requests.resource, '_(\d+)gb', 1) as double) * 8192
                        / nullif(node_labels.gpu_memory_mib, 0)
                    ) / 8
                )
            when requests.resource like 'nvidia\_com\_gpu%' escape '\'
                -- where GPUs are sliced the label counts slices
                then coalesce(
                    least(
                        case
                            when node_gpus.is_sliced then cast(node_gpus.gpu_count as double)
                            else greatest(cast(node_gpus.gpu_count as double), node_labels.gpu_count)
                        end
                        / nullif(offers.units, 0),
                        1
                    ),
                    1
                )
            else 1
        end as gpus_each
    from requests
    left join node_labels using (charge_hour, cluster, node)
    left join node_gpus using (charge_hour, cluster, node)
    left join offers using (charge_hour, cluster, node, resource)
),

asked as (
    select
        charge_hour,
        cluster,
        namespace,
        pod_uid,
        max(node) as node,
        sum(units * gpus_each) as gpu_units,
        max(units) filter (where resource = 'cpu') as cpu_cores,
        max(units) filter (where resource = 'memory') as memory_bytes
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
        max(amount) filter (where query = 'pod_memory_use') as memory_bytes
    from samples
    where query in ('pod_cpu_use', 'pod_memory_use')
    group by charge_hour, cluster, namespace, pod
),

places as (
    select
        charge_hour,
        cluster,
        namespace,
        pod_uid,
        max(node) as node
    from samples
    where query = 'pod_node'
    group by charge_hour, cluster, namespace, pod_uid
),

owners as (
    select
        charge_hour,
        cluster,
        namespace,
        pod_uid,
        max(owner_run) as run_native_id,
        max(owner_user) as user_raw,
        max(owner_team) as team_raw,
        max(owner_project) as project_raw,
        max(owner_model) as model_raw
    from samples
    where query = 'pod_labels'
    group by charge_hour, cluster, namespace, pod_uid
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    namespace,
    pod,
    pod_uid,
    coalesce(places.node, asked.node) as node,
    owners.run_native_id,
    owners.user_raw,
    owners.team_raw,
    owners.project_raw,
    owners.model_raw,
    running.held_seconds,
    cast(coalesce(asked.gpu_units, 0) as decimal(18, 6)) as gpu_units,
    -- use is a mean over the hour, what is held a mean over the time the pod ran
    cast(
        greatest(
            coalesce(asked.cpu_cores, 0),
            coalesce(uses.cpu_cores * 3600 / sum(running.held_seconds) over same_name, 0)
        ) as decimal(18, 6)
    ) as cpu_cores,
    cast(
        greatest(coalesce(asked.memory_bytes, 0), coalesce(uses.memory_bytes, 0)) / 1073741824
        as decimal(18, 6)
    ) as memory_gib
from running
left join asked using (charge_hour, cluster, namespace, pod_uid)
left join places using (charge_hour, cluster, namespace, pod_uid)
left join owners using (charge_hour, cluster, namespace, pod_uid)
left join uses using (charge_hour, cluster, namespace, pod)
where running.held_seconds > 0
window same_name as (partition by charge_hour, cluster, namespace, pod)
