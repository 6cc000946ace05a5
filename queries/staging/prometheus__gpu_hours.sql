-- A GPU, or a slice of one, in an hour: how busy it was, who held it, and how much of that was seen.
--
-- Activity is the share of time that the multiprocessors were active where DCGM measures it, else
-- the graphics engine's, else the device's utilisation in percent. What was not sampled is unknown,
-- not idle: `sample_share` says how much of the hour was seen.
--   exported_pod given: that pod held the GPU;
--   pod given, and it asked for GPUs in the hour: that pod held it;
--   any other pod is the exporter's own, and nobody held the GPU.
-- A GPU that changed hands within the hour has a row for each holder, each with its own share.
--
-- Known drawbacks: of pods that share a device, DCGM names one. A pod that holds GPUs by a DRA claim
-- is known only where Prometheus keeps the exporter's labels as exported_pod.
--
-- grain:     one row per GPU, slice, pod and hour
-- key:       charge_hour, cluster, gpu_uuid, gpu_instance_id, namespace, pod
-- partition: charge_date
-- feeds:     gpu_hours
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
        namespace,
        pod,
        resource,
        gpu_uuid,
        gpu_instance_id,
        exported_namespace,
        exported_pod
    from raw.prometheus__samples
    where isfinite(try_cast(value as double))
),

holders as (
    select distinct
        charge_hour,
        cluster,
        namespace,
        pod
    from samples
    where query = 'pod_request' and resource not in ('cpu', 'memory') and amount > 0
),

-- one row per series of the exporter: its measures side by side
series as (
    select
        charge_hour,
        cluster,
        max(node) as node,
        gpu_uuid,
        gpu_instance_id,
        namespace,
        pod,
        exported_namespace,
        exported_pod,
        coalesce(
            max(amount) filter (where query = 'gpu_sm'),
            max(amount) filter (where query = 'gpu_gr'),
            max(amount) filter (where query = 'gpu_util') / 100
        ) as activity,
        coalesce(
            max(amount) filter (where query = 'gpu_sm_max'),
            max(amount) filter (where query = 'gpu_gr_max'),
            max(amount) filter (where query = 'gpu_util_max') / 100
        ) as activity_max,
        max(amount) filter (where query = 'gpu_memory_mib') as memory_mib,
        max(amount) filter (where query = 'gpu_watts') as power_watts,
        max(amount * scrape_seconds) filter (where query = 'gpu_samples') as seen_seconds
    from samples
    where starts_with(query, 'gpu_') and gpu_uuid is not null
    group by
        charge_hour,
        cluster,
        gpu_uuid,
        gpu_instance_id,
        namespace,
        pod,
        exported_namespace,
        exported_pod
),

held as (
    select
        series.charge_hour,
        series.cluster,
        series.node,
        series.gpu_uuid,
        series.gpu_instance_id,
        case
            when series.exported_pod is not null then series.exported_namespace
            else holders.namespace
        end as namespace,
        coalesce(series.exported_pod, holders.pod) as pod,
        series.activity,
        series.activity_max,
        series.memory_mib,
        series.power_watts,
        coalesce(series.seen_seconds, 0) as seen_seconds,
        -- means of several series are weighed by what each saw
        coalesce(nullif(series.seen_seconds, 0), 1) as weight
    from series
    left join holders using (charge_hour, cluster, namespace, pod)
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    max(node) as node,
    gpu_uuid,
    gpu_instance_id,
    namespace,
    pod,
    -- rounded, because sums of doubles differ in their last bits with the order
    round(sum(activity * weight) / sum(weight) filter (where activity is not null), 9) as activity,
    max(activity_max) as activity_max,
    round(
        sum(memory_mib * weight) / sum(weight) filter (where memory_mib is not null) / 1024, 9
    ) as memory_used_gib,
    round(sum(power_watts * weight) / sum(weight) filter (where power_watts is not null), 9)
        as power_watts,
    least(sum(seen_seconds) / 3600, 1.0) as sample_share
from held
group by charge_hour, cluster, gpu_uuid, gpu_instance_id, namespace, pod
