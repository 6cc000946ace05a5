-- A GPU, or a slice of one, in an hour: how busy it was, who held it, and how much of that was seen.
--
-- Activity is the share of time that the multiprocessors were active where DCGM measures it, else
-- the graphics engine's, else the device's utilisation in percent. What was not sampled is unknown,
-- not idle: `sample_share` says how much of the hour was seen.
--
-- grain:     one row per GPU, slice, pod and hour
-- key:       charge_hour, cluster, gpu_uuid, gpu_instance_id, namespace, pod
-- partition: charge_date
-- feeds:     gpu_hours
-- owner:     ml-platform

with

samples as (
    select
        query,
        cluster,
        labels['Hostname'] as node,
        labels['UUID'] as gpu_uuid,
        nullif(labels['GPU_I_ID'], '') as gpu_instance_id,
        -- an exporter scraped without honor_labels keeps the workload in exported_*
        coalesce(nullif(labels['exported_namespace'], ''), nullif(namespace, '')) as namespace,
        coalesce(nullif(labels['exported_pod'], ''), nullif(pod, '')) as pod,
        sampled_at - interval 1 hour as charge_hour,
        cast(value as double) as value,
        scrape_seconds
    from raw.prometheus__samples
    where starts_with(query, 'gpu_')
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
    coalesce(
        max(value) filter (where query = 'gpu_sm'),
        max(value) filter (where query = 'gpu_gr'),
        max(value) filter (where query = 'gpu_util') / 100
    ) as activity,
    coalesce(
        max(value) filter (where query = 'gpu_sm_max'),
        max(value) filter (where query = 'gpu_gr_max'),
        max(value) filter (where query = 'gpu_util_max') / 100
    ) as activity_max,
    max(value) filter (where query = 'gpu_memory_mib') / 1024 as memory_used_gib,
    max(value) filter (where query = 'gpu_watts') as power_watts,
    least(max(value * scrape_seconds) filter (where query = 'gpu_samples') / 3600, 1.0) as sample_share
from samples
where gpu_uuid is not null
group by charge_hour, cluster, gpu_uuid, gpu_instance_id, namespace, pod
