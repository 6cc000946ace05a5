-- Where a try of a task ran: the host that Airflow names.
--
-- On Kubernetes a task's host is its pod, else a machine; Airflow does not say which. So the name is
-- given as both: attribution looks for a pod of this name, and takes it for a machine where there is none.
-- NONE: a try that has not begun has no place.
--
-- grain: one row per try
-- key:   run_key
-- feeds: run_places
-- owner: ml-platform

select
    tries.run_key,
    cast(null as varchar) as cluster,
    tries.pod_namespace as namespace,
    tries.hostname as pod,
    cast(null as varchar) as pod_uid,
    tries.hostname as node,
    cast(null as varchar) as instance_id,
    tries.gpu_count,
    cast(null as decimal(18, 6)) as cpu_count,
    cast(null as decimal(18, 6)) as memory_gib,
    runs.started_at,
    runs.ended_at
from staging.airflow__newest_tries as tries
inner join staging.airflow__runs as runs using (run_key)
where tries.hostname is not null and runs.started_at is not null
