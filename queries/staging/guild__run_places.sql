-- Where an execution of a run of Guild AI ran: its host.
--
-- In a container a host's name is that of the pod; Guild does not say which it is. So the name is given as
-- both: attribution looks for a pod of this name, and takes it for a machine where there is none.
-- NONE: what is staged has no place.
--
-- grain: one row per run and attempt
-- key:   run_key
-- feeds: run_places
-- owner: ml-platform

select
    newest_runs.run_key,
    nullif(newest_runs.tags['finops.cluster'], '') as cluster,
    nullif(newest_runs.tags['finops.namespace'], '') as namespace,
    newest_runs.host as pod,
    cast(null as varchar) as pod_uid,
    newest_runs.host as node,
    coalesce(
        nullif(split_part(newest_runs.tags['finops.instance_id'], '/', -1), ''),
        nullif(regexp_extract(newest_runs.host, '^i-[0-9a-f]{8,17}$'), '')
    ) as instance_id,
    runs.gpu_count,
    cast(null as decimal(18, 6)) as cpu_count,
    cast(null as decimal(18, 6)) as memory_gib,
    runs.started_at,
    runs.ended_at
from staging.guild__newest_runs as newest_runs
inner join staging.guild__runs as runs using (run_key)
where newest_runs.host is not null and runs.started_at is not null
