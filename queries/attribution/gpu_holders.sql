-- One row is about a pod that held GPUs: its names, and whether it is still there.
--
-- The newest 14 days. A pod is live that was there within a day before the newest telemetry of its cluster:
-- where the telemetry stops, pods do not seem to end. Two pods with one hash would be taken for one.
--
-- grain: one row per pod
-- key:   pod_id
-- owner: ml-platform

with

holders as (
    select
        holder_hash,
        min(cluster) as cluster,
        min(pod_id) as pod_id,
        max(last_hour) as last_hour
    from attribution.gpu_pod_days
    group by holder_hash
)

select
    holder_hash,  -- of its cluster, namespace and name
    cluster,
    pod_id,
    last_hour > max(last_hour) over (partition by cluster) - interval 24 hour as is_live
from holders
