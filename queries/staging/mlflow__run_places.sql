-- A place where a run ran: a machine, a pod, or both.
--
-- MLflow does not know where a run runs; whoever starts it says so by tags, which are the contract:
-- `finops.instance_id`, `finops.node`, `finops.pod`, `finops.pod_uid`, `finops.namespace`,
-- `finops.cluster`, `finops.gpu_count`.
-- ALL places: a run on several machines lists them, comma-separated and in the same order in each
-- tag; a tag with one value holds for all of them. `finops.gpu_count` is a list like the others, or
-- the run's total, which its places share evenly.
-- SOME tags: what is absent is null, and attribution uses what there is.
-- NONE: the run has no row here; pods that name the run by a label may still place it.
--
-- grain: one row per run and place
-- key:   run_key, cluster, namespace, pod, pod_uid, node, instance_id
-- feeds: run_places
-- owner: ml-platform

with

listed as (
    select
        run_key,
        nullif(tags['finops.cluster'], '') as cluster,
        nullif(tags['finops.namespace'], '') as namespace,
        string_split(nullif(replace(tags['finops.instance_id'], ' ', ''), ''), ',') as instance_ids,
        string_split(nullif(replace(tags['finops.node'], ' ', ''), ''), ',') as nodes,
        string_split(nullif(replace(tags['finops.pod'], ' ', ''), ''), ',') as pods,
        string_split(nullif(replace(tags['finops.pod_uid'], ' ', ''), ''), ',') as pod_uids,
        string_split(nullif(replace(tags['finops.gpu_count'], ' ', ''), ''), ',') as gpu_counts
    from staging.mlflow__newest_runs
    where
        coalesce(tags['finops.instance_id'], tags['finops.node'], tags['finops.pod'], tags['finops.pod_uid'])
        is not null
),

counted as (
    select
        *,
        greatest(len(instance_ids), len(nodes), len(pods), len(pod_uids)) as place_count
    from listed
),

numbered as (
    select
        *,
        unnest(generate_series(1, place_count)) as place
    from counted
),

places as (
    select
        run_key,
        cluster,
        namespace,
        pods[least(place, len(pods))] as pod,
        pod_uids[least(place, len(pod_uids))] as pod_uid,
        nodes[least(place, len(nodes))] as node,
        split_part(instance_ids[least(place, len(instance_ids))], '/', -1) as instance_id,
        case
            when len(gpu_counts) = place_count then try_cast(gpu_counts[place] as decimal(18, 6))
            else try_cast(gpu_counts[1] as decimal(18, 6)) / place_count
        end as gpu_count
    from numbered
)

select
    run_key,
    cluster,
    namespace,
    pod,
    pod_uid,
    node,
    instance_id,  -- a provider id such as aws:///us-east-1a/i-0abc is cut to its last part
    cast(sum(places.gpu_count) as decimal(18, 6)) as gpu_count,
    cast(null as decimal(18, 6)) as cpu_count,
    cast(null as decimal(18, 6)) as memory_gib,
    runs.started_at,
    runs.ended_at
from places
inner join staging.mlflow__runs as runs using (run_key)
group by run_key, cluster, namespace, pod, pod_uid, node, instance_id, runs.started_at, runs.ended_at
