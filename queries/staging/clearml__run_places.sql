-- Where an execution of a task of ClearML ran: the host that its own report names, else that of its worker.
--
-- In a container a host's name is that of the pod; ClearML does not say which it is. So the name is given
-- as both: attribution looks for a pod of this name, and takes it for a machine where there is none.
-- GPUs are those that the process could see. `finops.instance_id`, `finops.namespace` and `finops.cluster`
-- of the user properties say more.
-- NONE: what waits has no place.
--
-- grain: one row per task and attempt
-- key:   run_key
-- feeds: run_places
-- owner: ml-platform

select
    tasks.run_key,
    nullif(tasks.tags['finops.cluster'], '') as cluster,
    nullif(tasks.tags['finops.namespace'], '') as namespace,
    tasks.host as pod,
    cast(null as varchar) as pod_uid,
    tasks.host as node,
    coalesce(
        nullif(split_part(tasks.tags['finops.instance_id'], '/', -1), ''),
        nullif(regexp_extract(tasks.host, '^i-[0-9a-f]{8,17}$'), '')
    ) as instance_id,
    runs.gpu_count,
    cast(null as decimal(18, 6)) as cpu_count,
    cast(null as decimal(18, 6)) as memory_gib,
    runs.started_at,
    runs.ended_at
from staging.clearml__newest_tasks as tasks
inner join staging.clearml__runs as runs using (run_key)
where tasks.host is not null and runs.started_at is not null
