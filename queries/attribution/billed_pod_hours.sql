-- One row is about a pod in an hour that only the bill knows, by split cost allocation.
--
-- A node-hour has one source. Where the cluster's telemetry knows the machine in an hour, its pods are
-- telemetry's, because it sees how long each ran and which run it was; the bill's are left out. So a
-- cluster may be watched late or with gaps, and nothing is held twice.
-- With split_cost_allocation `ignore` there is no row: machines without telemetry are their tags' owners'.
-- Owners are what the pod's tags say, by the keys that resources have.
--
-- grain: one row per pod and hour
-- key:   charge_hour, instance_id, pod_uid
-- step:  charge_date
-- param: split_cost_allocation = 'use'  -- whether the bill's split rows tell of pods: use or ignore
-- owner: ml-platform

with

known_hours as (
    select
        charge_hour,
        lower(instance_id) as instance_id
    from staging.node_hours
    where up_seconds > 0
    union all
    -- telemetry may call a node by its machine's name, and know no more of it
    select
        charge_hour,
        lower(node) as instance_id
    from staging.pod_hours
),

lone_pods as (
    select * replace (lower(instance_id) as instance_id)
    from staging.billed_pods
    where $split_cost_allocation = 'use'
)

select
    lone_pods.charge_date,
    lone_pods.charge_hour,
    lone_pods.cluster,
    lone_pods.namespace,
    lone_pods.pod,
    lone_pods.pod_uid,
    -- one name for all pods of the machine
    coalesce(
        max(lone_pods.node) over (partition by lone_pods.charge_hour, lone_pods.instance_id), lone_pods.instance_id
    ) as node,
    lone_pods.instance_id,  -- in lower case
    cast(null as varchar) as run_native_id,
    tag_of_user(lone_pods.tags) as user_raw,
    tag_of_team(lone_pods.tags) as team_raw,
    tag_of_project(lone_pods.tags) as project_raw,
    cast(null as varchar) as model_raw,
    3600 as held_seconds,  -- the bill tells no less
    lone_pods.gpu_units,  -- as a mean over the hour
    lone_pods.cpu_cores,
    lone_pods.memory_gib,
    lone_pods.gpu_capacity,  -- of the machine
    lone_pods.cpu_capacity,
    lone_pods.memory_gib_capacity
from lone_pods
anti join known_hours
    on lone_pods.charge_hour = known_hours.charge_hour and lone_pods.instance_id = known_hours.instance_id
