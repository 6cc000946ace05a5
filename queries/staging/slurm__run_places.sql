-- A machine on which a job of Slurm ran.
--
-- ALL nodes of a job are its places. GPUs, cores and memory are counted for the job: SOME nodes may have
-- had more of them than others, which sacct does not tell, so that they are taken as spread evenly. A job
-- that never began has NONE. A node that is named as an instance of EC2 is that instance.
--
-- grain: one row per attempt and node
-- key:   run_key, node
-- feeds: run_places
-- owner: ml-platform

with

parts as (
    select
        run_key,
        unnest(parts) as part
    from staging.slurm__attempts
),

places as (
    select
        run_key,
        unnest(part.nodes) as node,
        cast(part.gpu_count as decimal(18, 6)) / len(part.nodes) as gpu_count,
        cast(part.cpu_count as decimal(18, 6)) / len(part.nodes) as cpu_count,
        cast(part.memory_gib as decimal(18, 6)) / len(part.nodes) as memory_gib,
        part.started_at as begun_at,
        part.ended_at as over_at
    from parts
    where part.started_at is not null
)

select
    run_key,
    cast(null as varchar) as cluster,
    cast(null as varchar) as namespace,
    cast(null as varchar) as pod,
    cast(null as varchar) as pod_uid,
    node,
    nullif(regexp_extract(node, '^i-[0-9a-f]{8,17}$'), '') as instance_id,
    cast(sum(gpu_count) as decimal(18, 6)) as gpu_count,
    cast(sum(cpu_count) as decimal(18, 6)) as cpu_count,
    cast(sum(memory_gib) as decimal(18, 6)) as memory_gib,
    min(begun_at) as started_at,
    case when bool_and(over_at is not null) then max(over_at) end as ended_at
from places
group by run_key, node
