-- A host on which a job of Ray held GPUs, or on which its driver ran where it held none.
--
-- A host is a machine, and in Kubernetes a pod, whose name is its host's name: both are given, and
-- attribution takes the one that it knows.
--
-- grain: one row per job and host
-- key:   run_key, node
-- feeds: run_places
-- owner: ml-platform

with

hosts as (
    select
        run_key,
        started_at,
        ended_at,
        length_ms,
        unnest(hosts) as host,
        unnest(gpu_ms) as host_gpu_ms
    from staging.ray__newest_jobs
)

select
    run_key,
    cast(null as varchar) as cluster,
    cast(null as varchar) as namespace,
    host as pod,
    cast(null as varchar) as pod_uid,
    host as node,
    nullif(regexp_extract(host, '^i-[0-9a-f]{8,17}$'), '') as instance_id,
    cast(
        nullif(sum(try_cast(host_gpu_ms as decimal(28, 6))), 0) / nullif(length_ms, 0) as decimal(18, 6)
    ) as gpu_count,
    cast(null as decimal(18, 6)) as cpu_count,
    cast(null as decimal(18, 6)) as memory_gib,
    started_at,
    ended_at
from hosts
group by run_key, host, length_ms, started_at, ended_at
