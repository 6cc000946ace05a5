-- One row is about what a run, a pod or both held of a billed machine in an hour.
--
-- A pod holds the larger of what it asked for and what it used. Runs in it share that by what they
-- held of the pod, and for how long; what no run covers stays with the run that the pod's label names, else with
-- the pod alone. Time of runs beyond the pod's own is scaled down to it. A run on a bare machine
-- holds its share of everything that the machine offers.
--   no run known in a pod: the pod holds, and its labels and namespace own the cost;
--   no pod and no run known on a machine: no row.
--
-- Known drawback: a run that names a Kubernetes node but no pod counts beside the node's pods, and
-- what they claim together is scaled to what there is.
--
-- Pods and nodes are brought together by hashes of their names (`pod_days`, `node_places`).
--
-- A holder has several rows in an hour where it was there more than once: pods of one name that follow
-- each other, or a machine billed by the day. They are not added up: whoever shares a cost by them does.
--
-- grain: one row per machine, hour (or day), holder and stay
-- step:  charge_date
-- owner: ml-platform

with

-- pods that telemetry knows, and those that only the bill knows
told_pods as (
    select
        charge_hour,
        pod_hash_of(charge_date, cluster, namespace, pod, pod_uid) as pod_hash,
        node_hash_of(charge_hour, cluster, node) as node_hash,
        held_seconds,
        gpu_units,
        cpu_cores,
        memory_gib
    from staging.pod_hours
    union all
    select
        charge_hour,
        pod_hash_of(charge_date, cluster, namespace, pod, pod_uid) as pod_hash,
        node_hash_of(charge_hour, cluster, node) as node_hash,
        held_seconds,
        gpu_units,
        cpu_cores,
        memory_gib
    from attribution.billed_pod_hours
),

covered_pods as (
    select
        pod_no,
        slot,
        cast(sum(gpu_us) as bigint) as covered_us
    from attribution.run_holds
    where pod_no is not null
    group by pod_no, slot
),

pod_stays as (
    select
        node_places.machine_hour_no,
        cast(hour(told_pods.charge_hour) as tinyint) as slot,
        pod_days.pod_no,
        pod_days.run_no as labelled_run_no,
        least(told_pods.held_seconds, 3600) as held_seconds,
        unit_us(coalesce(told_pods.gpu_units, 0), least(told_pods.held_seconds, 3600)) as gpu_us,
        unit_us(coalesce(told_pods.cpu_cores, 0), least(told_pods.held_seconds, 3600)) as cpu_us,
        unit_us(coalesce(told_pods.memory_gib, 0), least(told_pods.held_seconds, 3600)) as memory_us
    from told_pods
    inner join attribution.node_places using (node_hash)
    inner join attribution.pod_days using (pod_hash)
),

placed_pods as (
    select
        pod_stays.*,
        covered_pods.covered_us
    from pod_stays
    left join covered_pods using (pod_no, slot)
),

pod_times as (
    select
        machine_hour_no,
        slot,
        pod_no,
        labelled_run_no,
        covered_us,
        cast(sum(gpu_us) as bigint) as gpu_us,
        cast(sum(cpu_us) as bigint) as cpu_us,
        cast(sum(memory_us) as bigint) as memory_us,
        greatest(cast(sum(held_seconds) * 1000000 as bigint), covered_us) as total_us
    from placed_pods
    where covered_us is not null
    group by machine_hour_no, slot, pod_no, labelled_run_no, covered_us
),

pod_runs as (
    select
        pod_no,
        slot,
        run_no,
        gpu_us as run_gpu_us,
        cpu_us as run_cpu_us,
        memory_us as run_memory_us,
        cast(sum(gpu_us) over up_to as bigint) as upto_gpu_us,
        cast(sum(cpu_us) over up_to as bigint) as upto_cpu_us,
        cast(sum(memory_us) over up_to as bigint) as upto_memory_us
    from attribution.run_holds
    where pod_no is not null
    window up_to as (
        partition by pod_no, slot order by run_no rows between unbounded preceding and current row
    )
),

pod_stretches as (
    select
        pod_times.machine_hour_no,
        pod_runs.run_no,
        pod_times.pod_no,
        pod_times.gpu_us,
        pod_times.cpu_us,
        pod_times.memory_us,
        pod_runs.upto_gpu_us - pod_runs.run_gpu_us as from_gpu_us,
        pod_runs.upto_gpu_us,
        pod_runs.upto_cpu_us - pod_runs.run_cpu_us as from_cpu_us,
        pod_runs.upto_cpu_us,
        pod_runs.upto_memory_us - pod_runs.run_memory_us as from_memory_us,
        pod_runs.upto_memory_us,
        pod_times.total_us as total_gpu_us,
        pod_times.total_us as total_cpu_us,
        pod_times.total_us as total_memory_us
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
        covered_us as from_gpu_us,
        total_us as upto_gpu_us,
        covered_us as from_cpu_us,
        total_us as upto_cpu_us,
        covered_us as from_memory_us,
        total_us as upto_memory_us,
        total_us as total_gpu_us,
        total_us as total_cpu_us,
        total_us as total_memory_us
    from pod_times
    where covered_us < total_us
),

machine_runs as (
    select
        machine_slots.machine_hour_no,
        run_holds.run_no,
        cast(sum(run_holds.gpu_us) as bigint) as run_gpu_us,
        cast(sum(run_holds.cpu_us) as bigint) as run_cpu_us,
        cast(sum(run_holds.memory_us) as bigint) as run_memory_us
    from attribution.run_holds
    inner join attribution.machine_slots using (charge_date, instance_id, slot)
    group by machine_slots.machine_hour_no, run_holds.run_no
),

machine_stretches as (
    select
        machine_hours.machine_hour_no,
        machine_runs.run_no,
        machine_hours.gpu_us,
        machine_hours.cpu_us,
        machine_hours.memory_us,
        machine_runs.run_gpu_us,
        machine_runs.run_cpu_us,
        machine_runs.run_memory_us,
        cast(sum(machine_runs.run_gpu_us) over up_to as bigint) as upto_gpu_us,
        cast(sum(machine_runs.run_cpu_us) over up_to as bigint) as upto_cpu_us,
        cast(sum(machine_runs.run_memory_us) over up_to as bigint) as upto_memory_us,
        greatest(cast(sum(machine_runs.run_gpu_us) over an_hour as bigint), machine_hours.up_us) as total_gpu_us,
        greatest(cast(sum(machine_runs.run_cpu_us) over an_hour as bigint), machine_hours.up_us) as total_cpu_us,
        greatest(cast(sum(machine_runs.run_memory_us) over an_hour as bigint), machine_hours.up_us)
            as total_memory_us
    from machine_runs
    inner join attribution.machine_hours using (machine_hour_no)
    window
        an_hour as (partition by machine_runs.machine_hour_no),
        up_to as (
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
        from_gpu_us,
        upto_gpu_us,
        from_cpu_us,
        upto_cpu_us,
        from_memory_us,
        upto_memory_us,
        total_gpu_us,
        total_cpu_us,
        total_memory_us
    from pod_stretches
    union all
    select
        machine_hour_no,
        run_no,
        null as pod_no,
        gpu_us,
        cpu_us,
        memory_us,
        upto_gpu_us - run_gpu_us as from_gpu_us,
        upto_gpu_us,
        upto_cpu_us - run_cpu_us as from_cpu_us,
        upto_cpu_us,
        upto_memory_us - run_memory_us as from_memory_us,
        upto_memory_us,
        total_gpu_us,
        total_cpu_us,
        total_memory_us
    from machine_stretches
)

-- pods in which no run is known to have been: whole
select
    machine_hour_no,
    labelled_run_no as run_no,  -- null: no run is known in the pod
    pod_no,  -- null: the run holds the bare machine
    gpu_us,  -- GPUs x microseconds
    cpu_us,  -- cores x microseconds
    memory_us  -- GiB x microseconds
from placed_pods
where covered_us is null
union all
select
    machine_hour_no,
    run_no,
    pod_no,
    whole_upto(gpu_us, upto_gpu_us, total_gpu_us) - whole_upto(gpu_us, from_gpu_us, total_gpu_us) as gpu_us,
    whole_upto(cpu_us, upto_cpu_us, total_cpu_us) - whole_upto(cpu_us, from_cpu_us, total_cpu_us) as cpu_us,
    whole_upto(memory_us, upto_memory_us, total_memory_us)
    - whole_upto(memory_us, from_memory_us, total_memory_us) as memory_us
from stretches
