-- A place where a run of a file ran.
--
-- The file written last that tells of the run counts, with all that it tells; a run that `runs` does
-- not have is not known here.
-- A place without times was held as long as the run; what is then told twice counts once.
--
-- grain: one row per run, cluster, namespace, pod, pod_uid, node, instance_id, started_at
-- key:   run_key, cluster, namespace, pod, pod_uid, node, instance_id, started_at
-- feeds: run_places
-- owner: ml-platform

with

newest as (
    select *
    from raw.runs_file__run_places
    qualify
        row(x_version_at, x_unit, x_version)
        = max(row(x_version_at, x_unit, x_version)) over (partition by x_source, native_id, coalesce(attempt, 1))
)

select
    runs.run_key,
    newest.cluster,
    newest.namespace,
    newest.pod,
    newest.pod_uid,
    newest.node,
    split_part(newest.instance_id, '/', -1) as instance_id,
    cast(max(newest.gpu_count) as decimal(18, 6)) as gpu_count,
    cast(max(newest.cpu_count) as decimal(18, 6)) as cpu_count,
    cast(max(newest.memory_gib) as decimal(18, 6)) as memory_gib,
    coalesce(newest.started_at, runs.started_at) as started_at,
    max(coalesce(newest.ended_at, runs.ended_at)) as ended_at
from newest
inner join staging.runs_file__runs as runs
    on
        newest.x_source = runs.source
        and newest.native_id = runs.native_id
        and coalesce(newest.attempt, 1) = runs.attempt
group by all
