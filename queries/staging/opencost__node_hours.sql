-- A node in an hour, as the pods on it show: which machine it is, and how long it was seen.
--
-- OpenCost's allocations say nothing of a node's size, so capacity is left to the bill and to the table
-- of instance types. A node counts as up from the first start to the last end of a pod in the hour.
--
-- Known drawback: a node without any pod has no row; its hours are the machine's owner's, not idle,
-- unless another hour of the day has one.
--
-- grain:     one row per node and hour
-- key:       charge_hour, cluster, node
-- partition: charge_date
-- feeds:     node_hours
-- owner:     ml-platform

with

pod_hours as (
    select
        *,
        unnest(range(date_trunc('hour', started_at), ended_at, interval 1 hour)) as charge_hour
    from raw.opencost__allocations
    where ended_at > started_at and node is not null
),

nodes as (
    select
        charge_hour,
        cluster,
        node,
        max(provider_id) as provider_id,
        min(greatest(started_at, charge_hour)) as seen_from,
        max(least(ended_at, charge_hour + interval 1 hour)) as seen_until
    from pod_hours
    group by charge_hour, cluster, node
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    node,
    coalesce(nullif(machine_of(provider_id), ''), node) as instance_id,
    cast(null as varchar) as instance_type,
    cast(null as decimal(18, 6)) as gpu_capacity,
    cast(null as decimal(18, 6)) as cpu_capacity,
    cast(null as decimal(18, 6)) as memory_gib_capacity,
    cast(ceil(datediff('microsecond', seen_from, seen_until) / 1e6) as integer) as up_seconds
from nodes
