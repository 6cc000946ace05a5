-- One row is about what a run, a pod or both held of a billed machine in an hour.
--
-- A pod holds the larger of what it asked for and what it used. Runs in it share that by the time
-- they held the pod; what no run covers stays with the run that the pod's label names, else with
-- the pod alone. Time of runs beyond the pod's own is scaled down to it. A run on a bare machine
-- holds its share of everything that the machine offers.
--   no run known in a pod: the pod holds, and its labels and namespace own the cost;
--   no pod and no run known on a machine: no row.
--
-- Known drawback: a run that names a Kubernetes node but no pod counts beside the node's pods, and
-- what they claim together is scaled to what there is.
--
-- grain: one row per machine, hour (or day) and holder
-- key:   machine_hour_no, run_no, pod_no
-- step:  charge_date
-- owner: ml-platform

with

hours as (
    select cast(unnest(range(24)) as tinyint) as slot
),

machine_slots as (
    select
        charge_date,
        instance_id,
        slot,
        machine_hour_no
    from attribution.machine_hours
    where slot < 24
    union all
    -- a machine billed by the day takes what was held in each of its hours
    select
        charge_date,
        instance_id,
        hours.slot,
        machine_hour_no
    from attribution.machine_hours
    cross join hours
    where machine_hours.slot = 24
),

-- pods that telemetry knows, and those that only the bill knows
told_pods as (
    select
        charge_date,
        charge_hour,
        cluster,
        namespace,
        pod,
        node,
        held_seconds,
        gpu_units,
        cpu_cores,
        memory_gib
    from staging.pod_hours
    union all
    select
        charge_date,
        charge_hour,
        cluster,
        namespace,
        pod,
        node,
        held_seconds,
        gpu_units,
        cpu_cores,
        memory_gib
    from attribution.billed_pod_hours
),

told_nodes as (
    select
        charge_date,
        charge_hour,
        cluster,
        node,
        lower(instance_id) as instance_id
    from staging.node_hours
    union all
    select
        charge_date,
        charge_hour,
        cluster,
        node,
        instance_id
    from attribution.billed_pod_hours
),

node_slots as (
    select distinct
        node_hours.charge_date,
        node_hours.charge_hour,
        node_hours.cluster,
        node_hours.node,
        machine_slots.slot,
        machine_slots.machine_hour_no
    from told_nodes as node_hours
    inner join machine_slots
        on
            node_hours.charge_date = machine_slots.charge_date
            and hour(node_hours.charge_hour) = machine_slots.slot
            and node_hours.instance_id = machine_slots.instance_id
),

placed_pods as (
    select
        coalesce(node_slots.machine_hour_no, machine_slots.machine_hour_no) as machine_hour_no,
        cast(hour(pod_hours.charge_hour) as tinyint) as slot,
        pod_days.pod_no,
        pod_days.run_no as labelled_run_no,
        least(pod_hours.held_seconds, 3600) as held_seconds,
        pod_hours.gpu_units,
        pod_hours.cpu_cores,
        pod_hours.memory_gib
    from told_pods as pod_hours
    inner join attribution.pod_days
        on
            pod_hours.charge_date = pod_days.charge_date
            and pod_hours.cluster is not distinct from pod_days.cluster
            and pod_hours.namespace is not distinct from pod_days.namespace
            and pod_hours.pod is not distinct from pod_days.pod
    left join node_slots
        on
            pod_hours.charge_hour = node_slots.charge_hour
            and pod_hours.node = node_slots.node
            and pod_hours.cluster is not distinct from node_slots.cluster
    -- a node that telemetry does not map to a machine may carry the machine's name
    left join machine_slots
        on
            node_slots.machine_hour_no is null
            and pod_hours.charge_date = machine_slots.charge_date
            and hour(pod_hours.charge_hour) = machine_slots.slot
            and lower(pod_hours.node) = machine_slots.instance_id
    where
        pod_hours.held_seconds > 0
        and coalesce(node_slots.machine_hour_no, machine_slots.machine_hour_no) is not null
),

pod_slots as (
    select
        machine_hour_no,
        slot,
        pod_no,
        labelled_run_no,
        sum(held_seconds) * 1000000 as held_us,
        sum(unit_us(coalesce(gpu_units, 0), held_seconds)) as gpu_us,
        sum(unit_us(coalesce(cpu_cores, 0), held_seconds)) as cpu_us,
        sum(unit_us(coalesce(memory_gib, 0), held_seconds)) as memory_us
    from placed_pods
    group by machine_hour_no, slot, pod_no, labelled_run_no
),

pod_runs as (
    select
        pod_no,
        slot,
        run_no,
        run_us,
        cast(sum(run_us) over up_to as bigint) as upto_us
    from attribution.run_holds
    where pod_no is not null
    window up_to as (
        partition by pod_no, slot order by run_no rows between unbounded preceding and current row
    )
),

covered_pods as (
    select
        pod_no,
        slot,
        cast(sum(run_us) as bigint) as covered_us
    from attribution.run_holds
    where pod_no is not null
    group by pod_no, slot
),

pod_times as (
    select
        pod_slots.machine_hour_no,
        pod_slots.slot,
        pod_slots.pod_no,
        pod_slots.labelled_run_no,
        cast(pod_slots.gpu_us as bigint) as gpu_us,
        cast(pod_slots.cpu_us as bigint) as cpu_us,
        cast(pod_slots.memory_us as bigint) as memory_us,
        coalesce(covered_pods.covered_us, 0) as covered_us,
        greatest(cast(pod_slots.held_us as bigint), coalesce(covered_pods.covered_us, 0)) as total_us
    from pod_slots
    left join covered_pods using (pod_no, slot)
),

pod_stretches as (
    select
        pod_times.machine_hour_no,
        pod_runs.run_no,
        pod_times.pod_no,
        pod_times.gpu_us,
        pod_times.cpu_us,
        pod_times.memory_us,
        pod_runs.upto_us - pod_runs.run_us as from_us,
        pod_runs.upto_us,
        pod_times.total_us
    from pod_times
    inner join pod_runs using (pod_no, slot)
    union all
    -- what the runs in a pod leave of it
    select
        machine_hour_no,
        labelled_run_no as run_no,
        pod_no,
        gpu_us,
        cpu_us,
        memory_us,
        covered_us as from_us,
        total_us as upto_us,
        total_us
    from pod_times
    where covered_us < total_us
),

machine_runs as (
    select
        machine_slots.machine_hour_no,
        run_holds.run_no,
        cast(sum(run_holds.run_us) as bigint) as run_us
    from attribution.run_holds
    inner join machine_slots using (charge_date, instance_id, slot)
    group by machine_slots.machine_hour_no, run_holds.run_no
),

machine_stretches as (
    select
        machine_hours.machine_hour_no,
        machine_runs.run_no,
        machine_hours.gpu_us,
        machine_hours.cpu_us,
        machine_hours.memory_us,
        machine_runs.run_us,
        cast(sum(machine_runs.run_us) over up_to as bigint) as upto_us,
        greatest(
            cast(sum(machine_runs.run_us) over (partition by machine_runs.machine_hour_no) as bigint),
            machine_hours.up_us
        ) as total_us
    from machine_runs
    inner join attribution.machine_hours using (machine_hour_no)
    window up_to as (
        partition by machine_runs.machine_hour_no order by machine_runs.run_no
        rows between unbounded preceding and current row
    )
),

stretches as (
    select
        machine_hour_no,
        run_no,
        pod_no,
        gpu_us,
        cpu_us,
        memory_us,
        from_us,
        upto_us,
        total_us
    from pod_stretches
    union all
    select
        machine_hour_no,
        run_no,
        null as pod_no,
        gpu_us,
        cpu_us,
        memory_us,
        upto_us - run_us as from_us,
        upto_us,
        total_us
    from machine_stretches
)

select
    machine_hour_no,
    run_no,  -- null: no run is known in the pod
    pod_no,  -- null: the run holds the bare machine
    cast(sum(whole_upto(gpu_us, upto_us, total_us) - whole_upto(gpu_us, from_us, total_us)) as bigint)
        as gpu_us,  -- GPUs x microseconds
    cast(sum(whole_upto(cpu_us, upto_us, total_us) - whole_upto(cpu_us, from_us, total_us)) as bigint)
        as cpu_us,  -- cores x microseconds
    cast(sum(whole_upto(memory_us, upto_us, total_us) - whole_upto(memory_us, from_us, total_us)) as bigint)
        as memory_us  -- GiB x microseconds
from stretches
group by machine_hour_no, run_no, pod_no
