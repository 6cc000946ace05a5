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
-- key:   charge_date, instance_id, slot, run_id, pod_id
-- step:  charge_date
-- owner: ml-platform

with

node_machines as (
    select
        charge_date,
        charge_hour,
        cluster,
        node,
        min(lower(instance_id)) as instance_id
    from staging.node_hours
    where instance_id is not null
    group by charge_date, charge_hour, cluster, node
),

billed_machines as (
    select distinct
        charge_date,
        instance_id
    from attribution.machine_hours
),

pod_slots as (
    select
        pod_hours.charge_date,
        coalesce(node_machines.instance_id, lower(pod_hours.node)) as instance_id,
        cast(hour(pod_hours.charge_hour) as tinyint) as slot,
        concat_ws('/', pod_hours.cluster, pod_hours.namespace, pod_hours.pod) as pod_id,
        cast(sum(least(pod_hours.held_seconds, 3600)) * 1000000 as bigint) as held_us,
        cast(sum(unit_us(coalesce(pod_hours.gpu_units, 0), least(pod_hours.held_seconds, 3600))) as bigint) as gpu_us,
        cast(sum(unit_us(coalesce(pod_hours.cpu_cores, 0), least(pod_hours.held_seconds, 3600))) as bigint) as cpu_us,
        cast(sum(unit_us(coalesce(pod_hours.memory_gib, 0), least(pod_hours.held_seconds, 3600))) as bigint) as memory_us
    from staging.pod_hours
    left join node_machines using (charge_date, charge_hour, cluster, node)
    where pod_hours.held_seconds > 0
    group by all
),

billed_pods as (
    select *
    from pod_slots
    semi join billed_machines using (charge_date, instance_id)
),

pod_runs as (
    select
        billed_pods.*,
        run_holds.run_id,
        run_holds.run_us,
        cast(sum(run_holds.run_us) over up_to as bigint) as upto_us,
        greatest(cast(sum(run_holds.run_us) over whole_pod as bigint), billed_pods.held_us) as total_us,
        row_number() over up_to = count(*) over whole_pod as is_last
    from billed_pods
    inner join attribution.run_holds
        on
            run_holds.place_kind = 'pod'
            and billed_pods.charge_date = run_holds.charge_date
            and billed_pods.pod_id = run_holds.place_id
            and billed_pods.slot = run_holds.slot
    window
        whole_pod as (
            partition by
                billed_pods.charge_date, billed_pods.instance_id, billed_pods.slot, billed_pods.pod_id
        ),
        up_to as (
            partition by
                billed_pods.charge_date, billed_pods.instance_id, billed_pods.slot, billed_pods.pod_id
            order by run_holds.run_id
            rows between unbounded preceding and current row
        )
),

pod_holds as (
    select
        charge_date,
        instance_id,
        slot,
        run_id,
        pod_id,
        whole_upto(gpu_us, upto_us, total_us) - whole_upto(gpu_us, upto_us - run_us, total_us) as gpu_us,
        whole_upto(cpu_us, upto_us, total_us) - whole_upto(cpu_us, upto_us - run_us, total_us) as cpu_us,
        whole_upto(memory_us, upto_us, total_us) - whole_upto(memory_us, upto_us - run_us, total_us)
            as memory_us
    from pod_runs
    union all
    -- what the runs in a pod leave of it
    select
        billed_pods.charge_date,
        billed_pods.instance_id,
        billed_pods.slot,
        pod_days.run_id,
        billed_pods.pod_id,
        billed_pods.gpu_us - coalesce(whole_upto(billed_pods.gpu_us, pod_runs.upto_us, pod_runs.total_us), 0)
            as gpu_us,
        billed_pods.cpu_us - coalesce(whole_upto(billed_pods.cpu_us, pod_runs.upto_us, pod_runs.total_us), 0)
            as cpu_us,
        billed_pods.memory_us
        - coalesce(whole_upto(billed_pods.memory_us, pod_runs.upto_us, pod_runs.total_us), 0) as memory_us
    from billed_pods
    left join (select * from pod_runs where is_last) as pod_runs
        using (charge_date, instance_id, slot, pod_id)
    inner join attribution.pod_days
        on
            billed_pods.charge_date = pod_days.charge_date
            and billed_pods.pod_id = pod_days.pod_id
    where pod_runs.upto_us is null or pod_runs.upto_us < pod_runs.total_us
),

machine_slots as (
    select
        charge_date,
        instance_id,
        slot,
        slot as hold_slot
    from attribution.machine_hours
    where slot < 24
    union all
    select
        charge_date,
        instance_id,
        24 as slot,
        hours.hold_slot
    from attribution.machine_hours
    cross join (select cast(unnest(range(24)) as tinyint) as hold_slot) as hours
    where slot = 24
),

machine_runs as (
    select
        machine_slots.charge_date,
        machine_slots.instance_id,
        machine_slots.slot,
        run_holds.run_id,
        cast(sum(run_holds.run_us) as bigint) as run_us
    from attribution.run_holds
    inner join machine_slots
        on
            run_holds.place_kind = 'machine'
            and run_holds.charge_date = machine_slots.charge_date
            and run_holds.place_id = machine_slots.instance_id
            and run_holds.slot = machine_slots.hold_slot
    group by machine_slots.charge_date, machine_slots.instance_id, machine_slots.slot, run_holds.run_id
),

machine_run_times as (
    select
        machine_runs.*,
        machine_hours.gpu_us,
        machine_hours.cpu_us,
        machine_hours.memory_us,
        cast(sum(machine_runs.run_us) over up_to as bigint) as upto_us,
        greatest(cast(sum(machine_runs.run_us) over whole_machine as bigint), machine_hours.up_us) as total_us
    from machine_runs
    inner join attribution.machine_hours using (charge_date, instance_id, slot)
    window
        whole_machine as (
            partition by machine_runs.charge_date, machine_runs.instance_id, machine_runs.slot
        ),
        up_to as (
            partition by machine_runs.charge_date, machine_runs.instance_id, machine_runs.slot
            order by machine_runs.run_id
            rows between unbounded preceding and current row
        )
),

holds as (
    select
        pod_holds.charge_date,
        pod_holds.instance_id,
        machine_slots.slot,
        pod_holds.run_id,
        pod_holds.pod_id,
        pod_holds.gpu_us,
        pod_holds.cpu_us,
        pod_holds.memory_us
    from pod_holds
    inner join machine_slots
        on
            pod_holds.charge_date = machine_slots.charge_date
            and pod_holds.instance_id = machine_slots.instance_id
            and pod_holds.slot = machine_slots.hold_slot
    union all
    select
        charge_date,
        instance_id,
        slot,
        run_id,
        null as pod_id,
        whole_upto(gpu_us, upto_us, total_us) - whole_upto(gpu_us, upto_us - run_us, total_us) as gpu_us,
        whole_upto(cpu_us, upto_us, total_us) - whole_upto(cpu_us, upto_us - run_us, total_us) as cpu_us,
        whole_upto(memory_us, upto_us, total_us) - whole_upto(memory_us, upto_us - run_us, total_us)
            as memory_us
    from machine_run_times
)

select
    charge_date,
    instance_id,
    slot,  -- hour of the day, or 24: the day
    run_id,  -- null: no run is known in the pod
    pod_id,  -- null: the run holds the bare machine
    cast(sum(gpu_us) as bigint) as gpu_us,  -- GPUs x microseconds
    cast(sum(cpu_us) as bigint) as cpu_us,  -- cores x microseconds
    cast(sum(memory_us) as bigint) as memory_us  -- GiB x microseconds
from holds
group by charge_date, instance_id, slot, run_id, pod_id
