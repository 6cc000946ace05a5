-- One row is about a pod that held GPUs: its names, and whether it is still there.
--
-- The newest 14 days. A pod is live that was there within a day before the newest telemetry of its cluster:
-- where the telemetry stops, pods do not seem to end. Two pods with one hash would be taken for one.
--
-- grain: one row per pod
-- key:   pod_id
-- owner: ml-platform

with

last_hours as (
    select
        holder_hash,
        max(charge_hour) as last_hour
    from attribution.gpu_holder_hours
    group by holder_hash
),

oldest as (
    select min(charge_date) as oldest_date
    from attribution.gpu_holder_hours
),

names as (
    select
        hash(told_pods.cluster, told_pods.namespace, told_pods.pod) as holder_hash,
        min(told_pods.cluster) as cluster,
        min(concat_ws('/', told_pods.cluster, told_pods.namespace, told_pods.pod)) as pod_id
    from attribution.told_pods
    cross join oldest
    where told_pods.charge_date >= oldest.oldest_date
    group by holder_hash
)

select
    holder_hash,  -- of its cluster, namespace and name
    names.cluster,
    names.pod_id,
    last_hours.last_hour > max(last_hours.last_hour) over (partition by names.cluster) - interval 24 hour as is_live
from last_hours
inner join names using (holder_hash)
