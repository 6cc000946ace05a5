-- A GPU of a machine in an hour: how busy the runs saw it that logged system metrics with MLflow.
--
-- MLflow's monitor looks at every GPU of its host, whoever uses it, every ten seconds by default. Where
-- a run says where it runs (`finops.instance_id`, else `finops.node`), its metrics are that machine's;
-- of a run on several machines those whose node id (MLFLOW_SYSTEM_METRICS_NODE_ID) is one of them.
--   ALL minutes of an hour have a point: `sample_share` is 1;
--   SOME: their share. An hour in which no run logged is unknown, not idle;
--   NONE: no row, nor for a run in a pod, which other telemetry watches.
--
-- Known drawbacks: who logs less often than once a minute is seen for a part of the time. The share is
-- of time in which any kernel ran, which is high for kernels that use little of the GPU.
--
-- grain:     one row per machine, GPU and hour
-- key:       charge_hour, cluster, gpu_uuid, gpu_instance_id, namespace, pod
-- partition: charge_date
-- feeds:     gpu_hours
-- owner:     ml-platform

with

points as (
    select
        make_timestamp(timestamp * 1000) as sampled_at,
        nullif(regexp_extract(key, '^system/(.+)/gpu_\d+_', 1), '') as node_id,
        regexp_extract(key, 'gpu_(\d+)_utilization_percentage$', 1) as gpu,
        try_cast(value as double) / 100 as activity,
        string_split(replace(coalesce(nullif(instance_id, ''), node), ' ', ''), ',') as places
    from raw.mlflow__gpu_metrics
    where nullif(pod, '') is null
),

placed as (
    select
        date_trunc('hour', sampled_at) as charge_hour,
        date_trunc('minute', sampled_at) as sampled_minute,
        lower(
            case
                when len(places) = 1 then split_part(places[1], '/', -1)
                else split_part(list_filter(places, lambda place: split_part(place, '/', -1) = node_id)[1], '/', -1)
            end
        ) as machine,
        gpu,
        activity
    from points
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cast(null as varchar) as cluster,
    machine as node,
    machine || ' gpu ' || gpu as gpu_uuid,
    cast(null as varchar) as gpu_instance_id,
    cast(null as varchar) as namespace,
    cast(null as varchar) as pod,
    round(avg(activity), 9) as activity,
    max(activity) as activity_max,
    cast(null as double) as memory_used_gib,
    cast(null as double) as power_watts,
    count(distinct sampled_minute) / 60.0 as sample_share
from placed
where machine <> '' and activity between 0 and 1
group by charge_hour, machine, gpu
