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

pods as (
    select
        sampled_at,
        cluster,
        namespace,
        pod,
        coalesce(uid, namespace || '/' || pod) as pod_uid,
        max(node) as node,
        max(case when query = 'pod_running' then least(value * scrape_seconds, 3600) end) as held_seconds,
        max(case when resource = 'cpu' then value end) as cpu_cores,
        max(case when resource = 'memory' then value end) as memory_bytes,
        max(case when resource = 'nvidia_com_gpu' then value end) as gpus,
        max(case when resource = 'nvidia_com_gpu_shared' then value end) as shared_gpus,
        max(case when query = 'pod_labels' then labels end) as labels
    from raw.prometheus__samples
    where query in ('pod_running', 'pod_node', 'pod_request', 'pod_labels')
    group by sampled_at, cluster, namespace, pod, coalesce(uid, namespace || '/' || pod)
),

uses as (
    select
        sampled_at,
        cluster,
        namespace,
        pod,
        max(case when query = 'pod_cpu_use' then value end) as cpu_cores,
        max(case when query = 'pod_memory_use' then value end) as memory_bytes
    from raw.prometheus__samples
    where query in ('pod_cpu_use', 'pod_memory_use')
    group by sampled_at, cluster, namespace, pod
),

nodes as (
    select
        sampled_at,
        cluster,
        node,
        max(try_cast(labels['label_nvidia_com_gpu_count'] as double)) as gpu_count,
        max(try_cast(labels['label_nvidia_com_gpu_memory'] as double)) as gpu_memory_mib,
        max(case when resource = 'nvidia_com_gpu' then cast(value as double) end) as gpus_offered,
        max(case when resource = 'nvidia_com_gpu_shared' then cast(value as double) end) as shared_gpus_offered
    from raw.prometheus__samples
    where query in ('node_labels', 'node_capacity')
    group by sampled_at, cluster, node
),

slices as (
    select
        requests.sampled_at,
        requests.cluster,
        coalesce(requests.uid, requests.namespace || '/' || requests.pod) as pod_uid,
        sum(
            cast(requests.value as double) * greatest(
                cast(regexp_extract(requests.resource, 'mig_(\d+)g', 1) as double) / 7,
                coalesce(
                    round(
                        cast(regexp_extract(requests.resource, '_(\d+)gb', 1) as double) * 8192
                        / nullif(nodes.gpu_memory_mib, 0)
                    ) / 8,
                    0
                )
            )
        ) as gpus
    from raw.prometheus__samples as requests
    left join nodes using (sampled_at, cluster, node)
    where requests.query = 'pod_request' and starts_with(requests.resource, 'nvidia_com_mig_')
    group by requests.sampled_at, requests.cluster, coalesce(requests.uid, requests.namespace || '/' || requests.pod)
)

select
    cast(sampled_at - interval 1 hour as date) as charge_date,
    sampled_at - interval 1 hour as charge_hour,
    cluster,
    pods.namespace,
    pods.pod,
    pod_uid,
    pods.node,
    nullif(pods.labels['owner_run'], '') as run_native_id,
    nullif(pods.labels['owner_user'], '') as user_raw,
    nullif(pods.labels['owner_team'], '') as team_raw,
    nullif(pods.labels['owner_project'], '') as project_raw,
    nullif(pods.labels['owner_model'], '') as model_raw,
    cast(pods.held_seconds as integer) as held_seconds,
    cast(
        coalesce(cast(pods.gpus as double) * coalesce(nodes.gpu_count / nullif(nodes.gpus_offered, 0), 1), 0)
        + coalesce(
            cast(pods.shared_gpus as double) * coalesce(nodes.gpu_count / nullif(nodes.shared_gpus_offered, 0), 1),
            0
        )
        + coalesce(slices.gpus, 0) as decimal(18, 6)
    ) as gpu_units,
    -- use is a mean over the hour, what is held a mean over the time the pod ran
    cast(
        greatest(
            coalesce(pods.cpu_cores, 0),
            coalesce(cast(uses.cpu_cores as double) * 3600 / cast(pods.held_seconds as double), 0)
        ) as decimal(18, 6)
    ) as cpu_cores,
    cast(
        cast(greatest(coalesce(pods.memory_bytes, 0), coalesce(uses.memory_bytes, 0)) as double)
        / 1073741824 as decimal(18, 6)
    ) as memory_gib
from pods
left join nodes using (sampled_at, cluster, node)
left join uses using (sampled_at, cluster, namespace, pod)
left join slices using (sampled_at, cluster, pod_uid)
where pods.held_seconds > 0
