-- A pod in an hour, as OpenCost saw it: how long it ran, and what it held.
--
-- OpenCost counts, per container and window, hours of cores, GPUs and memory, each the larger of
-- request and use. Windows of an hour are taken as they are; one of a day is spread evenly over the
-- time that the container ran in it. A pod holds what its containers hold together, and runs as long
-- as any of them. Dollars are not read.
--
-- Known drawbacks: pods of one name within an hour are one; a GPU is one that the scheduler gave out,
-- so a slice counts as a whole one.
--
-- grain:     one row per pod and hour
-- key:       charge_hour, cluster, namespace, pod_uid
-- partition: charge_date
-- feeds:     pod_hours
-- owner:     ml-platform

with

container_hours as (
    select
        *,
        unnest(range(date_trunc('hour', started_at), ended_at, interval 1 hour)) as charge_hour
    from raw.opencost__allocations
    where ended_at > started_at
),

-- the part of a container's time that is in the hour
parts as (
    select
        *,
        datediff(
            'microsecond',
            greatest(started_at, charge_hour),
            least(ended_at, charge_hour + interval 1 hour)
        ) as held_us,
        datediff('microsecond', started_at, ended_at) as all_us
    from container_hours
),

pods as (
    select
        charge_hour,
        cluster,
        namespace,
        pod,
        max(node) as node,
        max(owner_run) as run_native_id,
        max(owner_user) as user_raw,
        max(owner_team) as team_raw,
        max(owner_project) as project_raw,
        max(owner_model) as model_raw,
        greatest(max(held_us), 1) as held_us,
        sum(cast(gpu_hours as double) * held_us / all_us) as gpu_hours,
        sum(cast(cpu_core_hours as double) * held_us / all_us) as cpu_core_hours,
        sum(cast(ram_byte_hours as double) * held_us / all_us) as ram_byte_hours
    from parts
    group by charge_hour, cluster, namespace, pod
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    namespace,
    pod,
    namespace || '/' || pod as pod_uid,
    node,
    run_native_id,
    user_raw,
    team_raw,
    project_raw,
    model_raw,
    cast(ceil(held_us / 1e6) as integer) as held_seconds,
    -- hours over the seconds that the row says, so that nothing held is lost in rounding
    cast(gpu_hours * 3600 / ceil(held_us / 1e6) as decimal(18, 6)) as gpu_units,
    cast(cpu_core_hours * 3600 / ceil(held_us / 1e6) as decimal(18, 6)) as cpu_cores,
    cast(ram_byte_hours * 3600 / ceil(held_us / 1e6) / 1073741824 as decimal(18, 6)) as memory_gib,
    -- told only beside what was asked for
    cast(null as decimal(18, 6)) as cpu_used_cores,
    cast(null as double) as received_mib_per_second
from pods
