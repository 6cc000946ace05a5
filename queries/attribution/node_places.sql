-- One row is about a Kubernetes node in an hour, and the billed machine that it was.
--
-- The cluster's telemetry or the bill's split rows map nodes to machines. A node that nothing maps may carry
-- its machine's name. Nodes are known by a hash of hour, cluster and name, 64 bits, as pods are (`pod_days`).
--
-- grain: one row per node, hour and machine-hour (or day)
-- step:  charge_date
-- owner: ml-platform

with

told_nodes as (
    select
        charge_date,
        charge_hour,
        node_hash_of(charge_hour, cluster, node) as node_hash,
        lower(instance_id) as instance_id
    from staging.node_hours
    where node is not null
    union all
    select
        charge_date,
        charge_hour,
        node_hash_of(charge_hour, cluster, node) as node_hash,
        instance_id
    from attribution.billed_pod_hours
    where node is not null
),

node_slots as (
    select distinct
        told_nodes.node_hash,
        machine_slots.machine_hour_no
    from told_nodes
    inner join attribution.machine_slots
        on
            told_nodes.charge_date = machine_slots.charge_date
            and hour(told_nodes.charge_hour) = machine_slots.slot
            and told_nodes.instance_id = machine_slots.instance_id
),

-- of pods that telemetry knows, and of those that only the bill knows
pod_nodes as (
    select
        charge_date,
        charge_hour,
        node,
        node_hash_of(charge_hour, cluster, node) as node_hash
    from staging.pod_hours
    union all
    select
        charge_date,
        charge_hour,
        node,
        node_hash_of(charge_hour, cluster, node) as node_hash
    from attribution.billed_pod_hours
),

unmapped_nodes as (
    select distinct
        charge_date,
        charge_hour,
        node_hash,
        lower(node) as instance_id
    from pod_nodes
    where node is not null and node_hash not in (select node_slots.node_hash from node_slots)
)

select
    node_hash,
    machine_hour_no
from node_slots
union all
select
    unmapped_nodes.node_hash,
    machine_slots.machine_hour_no
from unmapped_nodes
inner join attribution.machine_slots
    on
        unmapped_nodes.charge_date = machine_slots.charge_date
        and hour(unmapped_nodes.charge_hour) = machine_slots.slot
        and unmapped_nodes.instance_id = machine_slots.instance_id
