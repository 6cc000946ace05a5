-- A pod in an hour: how long it ran, and the GPUs, cores and memory it held while it did.
--
-- A pod holds the larger of what it asked for and what it used; GPUs only what it asked for, as a
-- share of the node's physical GPUs: a time-sliced or MPS GPU counts by the node's replicas, a MIG
-- slice by the larger of its compute sevenths and its memory eighths. Requests of completed pods
-- stay on record until they are collected: a pod that did not run in the hour has no row.
--
-- Known drawback: use is known by pod name, not by uid; a name used twice within an hour shares it.
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
        labels['cluster'] as cluster,
        labels['namespace'] as namespace,
        labels['pod'] as pod,
        coalesce(labels['uid'], labels['namespace'] || '/' || labels['pod']) as pod_uid,
        labels['node'] as node,
        labels['resource'] as resource,
        labels,
        sampled_at - interval 1 hour as charge_hour,
        value,
        scrape_seconds
    from raw.prometheus__samples
),

running as (
    select
        charge_hour,
        cluster,
        namespace,
        pod,
        pod_uid,
        cast(least(max(value) * max(scrape_seconds), 3600) as integer) as held_seconds
    from samples
    where query = 'pod_running' and value > 0
    group by charge_hour, cluster, namespace, pod, pod_uid
),

nodes as (
    select
        charge_hour,
        cluster,
        node,
        max(labels['label_nvidia_com_gpu_count']) as gpu_count,
        max(labels['label_nvidia_com_gpu_memory']) as gpu_memory_mib
    from samples
    where query = 'node_labels'
    group by charge_hour, cluster, node
),

capacities as (
    select
        charge_hour,
        cluster,
        node,
        resource,
        max(value) as units
    from samples
    where query = 'node_capacity' and starts_with(resource, 'nvidia_com_')
    group by charge_hour, cluster, node, resource
),

requests as (
    select
        requested.charge_hour,
        requested.cluster,
        requested.pod_uid,
        max(requested.node) as node,
        max(requested.value) filter (where requested.resource = 'cpu') as cpu_cores,
        max(requested.value) filter (where requested.resource = 'memory') as memory_bytes,
        sum(
            case
                when starts_with(requested.resource, 'nvidia_com_mig_')
                    then
                        cast(requested.value as double) * greatest(
                            cast(regexp_extract(requested.resource, 'mig_(\d+)g', 1) as double) / 7,
                            coalesce(
                                round(
                                    cast(regexp_extract(requested.resource, '_(\d+)gb', 1) as double) * 8192
                                    / nullif(try_cast(nodes.gpu_memory_mib as double), 0)
                                ) / 8,
                                0
                            )
                        )
                when starts_with(requested.resource, 'nvidia_com_gpu')
                    then
                        cast(requested.value as double) * coalesce(
                            try_cast(nodes.gpu_count as double) / nullif(cast(capacities.units as double), 0),
                            1
                        )
            end
        ) as gpu_units
    from samples as requested
    left join nodes using (charge_hour, cluster, node)
    left join capacities using (charge_hour, cluster, node, resource)
    where requested.query = 'pod_request'
    group by requested.charge_hour, requested.cluster, requested.pod_uid
),

uses as (
    select
        charge_hour,
        cluster,
        namespace,
        pod,
        max(value) filter (where query = 'pod_cpu_use') as cpu_cores,
        max(value) filter (where query = 'pod_memory_use') as memory_bytes
    from samples
    where query in ('pod_cpu_use', 'pod_memory_use')
    group by charge_hour, cluster, namespace, pod
),

places as (
    select
        charge_hour,
        cluster,
        pod_uid,
        max(node) as node
    from samples
    where query = 'pod_node'
    group by charge_hour, cluster, pod_uid
),

owners as (
    select
        charge_hour,
        cluster,
        pod_uid,
        max(nullif(labels['owner_run'], '')) as run_native_id,
        max(nullif(labels['owner_user'], '')) as user_raw,
        max(nullif(labels['owner_team'], '')) as team_raw,
        max(nullif(labels['owner_project'], '')) as project_raw,
        max(nullif(labels['owner_model'], '')) as model_raw
    from samples
    where query = 'pod_labels'
    group by charge_hour, cluster, pod_uid
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    running.namespace,
    running.pod,
    pod_uid,
    coalesce(places.node, requests.node) as node,
    owners.run_native_id,
    owners.user_raw,
    owners.team_raw,
    owners.project_raw,
    owners.model_raw,
    running.held_seconds,
    cast(coalesce(requests.gpu_units, 0) as decimal(18, 6)) as gpu_units,
    -- use is a mean over the hour, what is held a mean over the time the pod ran
    cast(
        greatest(
            coalesce(requests.cpu_cores, 0),
            coalesce(cast(uses.cpu_cores as double) * 3600 / running.held_seconds, 0)
        ) as decimal(18, 6)
    ) as cpu_cores,
    cast(
        cast(greatest(coalesce(requests.memory_bytes, 0), coalesce(uses.memory_bytes, 0)) as double)
        / 1073741824 as decimal(18, 6)
    ) as memory_gib
from running
left join requests using (charge_hour, cluster, pod_uid)
left join places using (charge_hour, cluster, pod_uid)
left join owners using (charge_hour, cluster, pod_uid)
left join uses using (charge_hour, cluster, namespace, pod)
where running.held_seconds > 0
