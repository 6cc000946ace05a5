-- A machine that a run of OptScale's tracker ran on, by its id in its cloud.
--
-- grain: one row per run and machine
-- key:   run_key, instance_id
-- feeds: run_places
-- owner: ml-platform

with

machines as (
    select
        run_key,
        unnest(executors) as instance_id
    from staging.optscale__newest_runs
)

select distinct
    machines.run_key,
    cast(null as varchar) as cluster,
    cast(null as varchar) as namespace,
    cast(null as varchar) as pod,
    cast(null as varchar) as pod_uid,
    machines.instance_id as node,
    machines.instance_id,
    cast(null as decimal(18, 6)) as gpu_count,
    cast(null as decimal(18, 6)) as cpu_count,
    cast(null as decimal(18, 6)) as memory_gib,
    runs.started_at,
    runs.ended_at
from machines
inner join staging.optscale__runs as runs using (run_key)
where machines.instance_id <> ''
