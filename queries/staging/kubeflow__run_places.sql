-- The pod of a node of Kubeflow Pipelines, where the server names it.
--
-- NONE: servers up to 2.17 name none. There, pods are known by their label `pipeline/runid` alone: let
-- Prometheus' `run_label` be `label_pipeline_runid`.
--
-- grain: one row per node
-- key:   run_key
-- feeds: run_places
-- owner: ml-platform

select
    nodes.run_key,
    cast(null as varchar) as cluster,
    parents.namespace,
    nodes.pod_name as pod,
    cast(null as varchar) as pod_uid,
    cast(null as varchar) as node,
    cast(null as varchar) as instance_id,
    cast(null as decimal(18, 6)) as gpu_count,
    cast(null as decimal(18, 6)) as cpu_count,
    cast(null as decimal(18, 6)) as memory_gib,
    runs.started_at,
    runs.ended_at
from staging.kubeflow__newest_runs as nodes
inner join staging.kubeflow__runs as runs using (run_key)
left join staging.kubeflow__newest_runs as parents
    on nodes.source = parents.source and nodes.parent_native_id = parents.native_id
where nodes.pod_name <> '' and runs.started_at is not null
