-- Where a Prefect flow ran, as its worker tells: a process of a host, or a job of Kubernetes.
--
-- `host:1234` is a process worker's. `<cluster id>:<namespace>:<job>` is a Kubernetes worker's and names
-- no pod: there, let Prometheus' `run_label` be `label_prefect_io_flow_run_id`. A flow that no worker
-- started has no place; a task runs where its flow does.
--
-- grain: one row per try
-- key:   run_key
-- feeds: run_places
-- owner: ml-platform

select
    tries.run_key,
    cast(null as varchar) as cluster,
    cast(null as varchar) as namespace,
    cast(null as varchar) as pod,
    cast(null as varchar) as pod_uid,
    regexp_extract(tries.infrastructure_pid, '^([^:]+):\d+$', 1) as node,
    cast(null as varchar) as instance_id,
    cast(null as decimal(18, 6)) as gpu_count,
    cast(null as decimal(18, 6)) as cpu_count,
    cast(null as decimal(18, 6)) as memory_gib,
    runs.started_at,
    runs.ended_at
from staging.prefect__tries as tries
inner join staging.prefect__runs as runs using (run_key)
where regexp_matches(tries.infrastructure_pid, '^[^:]+:\d+$') and runs.started_at is not null
