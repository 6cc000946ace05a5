-- One row is about a pod that held GPUs in an hour: how busy they were, and how much of that was seen.
--
-- Of several GPUs the busiest decides: a pod that uses one of eight is not quiet.
--   all devices sampled throughout: `seen_share` is 1;
--   some, or for some of the time: less;
--   none, or the device is shared by time-slicing, of whose users DCGM names one: 0. That is
--   unknown, not idle.
-- A pod is known by a hash of its names, 64 bits, which `gpu_holders` tells: most hours are asked for none.
--
-- Known drawback: runs on bare machines are not looked at.
--
-- grain: one row per pod and hour
-- key:   charge_hour, holder_hash
-- kept:  attribution.recent_days
-- owner: ml-platform

with

told as (
    select
        pod_hours.charge_hour,
        hash(pod_hours.cluster, pod_hours.namespace, pod_hours.pod) as holder_hash,
        pod_hours.gpu_units,
        pod_hours.held_seconds,
        cast(pod_hours.cpu_used_cores / nullif(pod_hours.cpu_cores, 0) as double) as cpu_used_share,
        pod_hours.received_mib_per_second,
        pod_hours.model_raw
    from staging.pod_hours
    where
        pod_hours.charge_date in (select charge_date from attribution.recent_days)
        and pod_hours.gpu_units > 0
        and pod_hours.held_seconds > 0
),

held as (
    select
        charge_hour,
        holder_hash,
        max(gpu_units) as gpu_units,
        least(sum(held_seconds), 3600) as held_seconds,
        max(cpu_used_share) as cpu_used_share,
        max(received_mib_per_second) as received_mib_per_second,
        bool_or(model_raw is not null) as is_serving
    from told
    group by charge_hour, holder_hash
),

-- pods whose server counts what it is asked
servers as (
    select distinct
        charge_date,
        hash(cluster, namespace, pod) as holder_hash
    from staging.served_hours
    where charge_date in (select charge_date from attribution.recent_days) and pod is not null
),

devices as (
    select
        gpu_hours.charge_hour,
        hash(gpu_hours.cluster, gpu_hours.namespace, gpu_hours.pod) as holder_hash,
        bool_and(gpu_hours.gpu_instance_id is not null) as is_sliced,
        max(gpu_hours.activity) as activity,
        max(gpu_hours.activity_max) as activity_max,
        max(gpu_hours.memory_used_gib) as memory_used_gib,
        max(gpu_hours.power_watts) as power_watts,
        sum(gpu_hours.sample_share) * 3600 as seen_seconds
    from staging.gpu_hours
    where
        gpu_hours.charge_date in (select charge_date from attribution.recent_days)
        and gpu_hours.pod is not null
        and gpu_hours.activity is not null
    group by gpu_hours.charge_hour, holder_hash
)

select
    cast(held.charge_hour as date) as charge_date,
    held.charge_hour,
    held.holder_hash,
    held.gpu_units,
    cast(held.held_seconds as integer) as held_seconds,
    -- it serves a model: quiet is not idle without its requests
    held.is_serving or servers.holder_hash is not null as is_serving,
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
left join servers
    on cast(held.charge_hour as date) = servers.charge_date and held.holder_hash = servers.holder_hash
left join devices
    on held.charge_hour = devices.charge_hour and held.holder_hash = devices.holder_hash
