-- One row is about a pod that held GPUs in an hour: how busy they were, and how much of that was seen.
--
-- The newest 14 days. Of several GPUs the busiest decides: a pod that uses one of eight is not quiet.
--   all devices sampled throughout: `seen_share` is 1;
--   some, or for some of the time: less;
--   none, or the device is shared by time-slicing, of whose users DCGM names one: 0. That is
--   unknown, not idle.
-- A pod is live that was there within a day before the newest telemetry of its cluster: where the
-- telemetry stops, pods do not seem to end.
--
-- Known drawback: runs on bare machines are not looked at.
--
-- grain: one row per pod and hour
-- key:   charge_hour, pod_id
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

-- pods whose server counts what it is asked
servers as (
    select distinct
        charge_date,
        cluster,
        namespace,
        pod
    from staging.served_hours
),

held as (
    select
        pod_hours.charge_date,
        pod_hours.charge_hour,
        pod_hours.cluster,
        pod_hours.namespace,
        pod_hours.pod,
        max(pod_hours.gpu_units) as gpu_units,
        least(sum(pod_hours.held_seconds), 3600) as held_seconds,
        cast(max(pod_hours.cpu_used_cores / nullif(pod_hours.cpu_cores, 0)) as double) as cpu_used_share,
        max(pod_hours.received_mib_per_second) as received_mib_per_second,
        coalesce(max(pod_hours.model_raw), max(servers.pod)) is not null as is_serving
    from staging.pod_hours
    cross join newest
    left join servers
        on
            pod_hours.charge_date = servers.charge_date
            and pod_hours.cluster is not distinct from servers.cluster
            and pod_hours.namespace is not distinct from servers.namespace
            and pod_hours.pod = servers.pod
    where
        pod_hours.gpu_units > 0
        and pod_hours.held_seconds > 0
        and pod_hours.charge_date > newest.as_of - 14
        and pod_hours.charge_date <= newest.as_of
    group by pod_hours.charge_date, pod_hours.charge_hour, pod_hours.cluster, pod_hours.namespace, pod_hours.pod
),

newest_hours as (
    select
        cluster,
        max(charge_hour) as charge_hour
    from held
    group by cluster
),

live_pods as (
    select distinct
        held.cluster,
        hash(held.cluster, held.namespace, held.pod) as pod_hash
    from held
    inner join newest_hours
        on
            held.cluster is not distinct from newest_hours.cluster
            and held.charge_hour > newest_hours.charge_hour - interval 24 hour
),

devices as (
    select
        gpu_hours.charge_hour,
        gpu_hours.cluster,
        gpu_hours.namespace,
        gpu_hours.pod,
        bool_and(gpu_hours.gpu_instance_id is not null) as is_sliced,
        max(gpu_hours.activity) as activity,
        max(gpu_hours.activity_max) as activity_max,
        max(gpu_hours.memory_used_gib) as memory_used_gib,
        max(gpu_hours.power_watts) as power_watts,
        sum(gpu_hours.sample_share) * 3600 as seen_seconds
    from staging.gpu_hours
    cross join newest
    where
        gpu_hours.pod is not null
        and gpu_hours.activity is not null
        and gpu_hours.charge_date > newest.as_of - 14
        and gpu_hours.charge_date <= newest.as_of
    group by gpu_hours.charge_hour, gpu_hours.cluster, gpu_hours.namespace, gpu_hours.pod
)

select
    held.charge_date,
    held.charge_hour,
    held.cluster,
    live_pods.pod_hash is not null as is_live,
    concat_ws('/', held.cluster, held.namespace, held.pod) as pod_id,
    held.gpu_units,
    cast(held.held_seconds as integer) as held_seconds,
    held.is_serving,  -- it serves a model: quiet is not idle without its requests
    devices.activity,  -- mean of the busiest device, 0 to 1
    coalesce(devices.activity_max, devices.activity) as activity_max,
    devices.memory_used_gib,
    devices.power_watts,
    held.cpu_used_share,  -- cores used of those held, 0 to 1; null where nobody measured
    held.received_mib_per_second,  -- over the network; null where nobody measured
    case
        when devices.seen_seconds is null then 0.0
        when held.gpu_units < 1 and not devices.is_sliced then 0.0
        else least(devices.seen_seconds / (ceil(held.gpu_units) * held.held_seconds), 1.0)
    end as seen_share  -- samples seen of those expected, 0 to 1
from held
left join live_pods
    on
        hash(held.cluster, held.namespace, held.pod) = live_pods.pod_hash
        and held.cluster is not distinct from live_pods.cluster
left join devices
    on
        held.charge_hour = devices.charge_hour
        and held.cluster is not distinct from devices.cluster
        and held.namespace is not distinct from devices.namespace
        and held.pod = devices.pod
