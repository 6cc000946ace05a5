-- One row is about a pod that held GPUs on a day: its names, for how long it held them, and how much of that was seen.
--
-- grain: one row per pod and day
-- key:   charge_date, holder_hash
-- kept:  attribution.recent_days
-- owner: ml-platform

with

names as (
    select
        charge_date,
        cluster,
        namespace,
        pod,
        hash(cluster, namespace, pod) as holder_hash
    from attribution.told_pods
    where charge_date in (select charge_date from attribution.recent_days)
),

held as (
    select
        charge_date,
        holder_hash,
        max(charge_hour) as last_hour,
        sum(held_seconds) as held_seconds,
        sum(gpu_units * held_seconds) as gpu_seconds,
        sum(case when seen_share >= 0.9 then gpu_units * held_seconds else 0 end) as known_gpu_seconds
    from attribution.gpu_holder_hours
    where charge_date in (select charge_date from attribution.recent_days)
    group by charge_date, holder_hash
)

select
    charge_date,
    holder_hash,  -- of its cluster, namespace and name
    min(names.cluster) as cluster,
    min(concat_ws('/', names.cluster, names.namespace, names.pod)) as pod_id,
    any_value(held.last_hour) as last_hour,
    any_value(held.held_seconds) as held_seconds,
    any_value(held.gpu_seconds) as gpu_seconds,
    any_value(held.known_gpu_seconds) as known_gpu_seconds  -- of hours with at least 90 % of the samples
from names
inner join held using (charge_date, holder_hash)
group by charge_date, holder_hash
