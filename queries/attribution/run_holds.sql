-- One row is about what a run held of a pod or of a machine, in an hour.
--
-- Where stays at a place overlap, time is cut wherever a run comes or goes, and each piece is
-- shared by the runs present. GPUs, cores and memory are shared each by itself:
--   all of them say how much of it they hold: by that; on a bare machine, what they leave of it stays
--     nobody's (idle). In a pod somebody holds all that the pod does, whatever they say;
--   some or none say so: cores and memory as the GPUs, where all hold some; else equally, the whole place.
-- A run that says that it holds no GPU so pays for none, and takes its part of the cores.
-- A run is silent while one below it (`run_nesting`) is at the same place: the lower holds it. So
-- each moment is paid once, by the leaf, whichever systems saw it, and a run that started others
-- holds what they leave.
--
-- A stay is matched to a pod by uid, else by name. Where several clusters or namespaces have a pod of that
-- name and the stay does not tell which, it is in none of them; a run whose pod no telemetry knows counts as
-- a run on the bare machine, if it names one.
--
-- grain: one row per place, hour and run
-- key:   pod_no, charge_date, instance_id, slot, run_no
-- step:  charge_date
-- owner: ml-platform

with

machines as (
    select
        charge_date,
        instance_id,
        max(cast(round(cast(gpu_us as double) / cast(up_us as double) * 1e6) as bigint)) as gpu_micros,
        max(cast(round(cast(cpu_us as double) / cast(up_us as double) * 1e6) as bigint)) as cpu_micros,
        max(cast(round(cast(memory_us as double) / cast(up_us as double) * 1e6) as bigint)) as memory_micros
    from attribution.machine_hours
    group by charge_date, instance_id
),

node_machines as (
    select
        charge_date,
        lower(node) as node,
        min(instance_id) as instance_id
    from (
        select
            charge_date,
            node,
            lower(instance_id) as instance_id
        from staging.node_hours
        union all
        select
            charge_date,
            node,
            instance_id
        from attribution.billed_pod_hours
    ) as nodes
    where instance_id is not null
    group by charge_date, lower(node)
),

vague_names as (
    select distinct
        charge_date,
        cluster,
        namespace,
        pod
    from attribution.run_stays
    where pod is not null and (cluster is null or namespace is null)
),

ambiguous_names as (
    select
        vague_names.charge_date,
        vague_names.cluster,
        vague_names.namespace,
        vague_names.pod
    from vague_names
    inner join attribution.pod_days
        on
            vague_names.charge_date = pod_days.charge_date
            and vague_names.pod = pod_days.pod
            and coalesce(vague_names.namespace, pod_days.namespace) = pod_days.namespace
            and coalesce(vague_names.cluster, pod_days.cluster) = pod_days.cluster
    group by vague_names.charge_date, vague_names.cluster, vague_names.namespace, vague_names.pod
    having count(distinct row(pod_days.cluster, pod_days.namespace)) > 1
),

located as (
    select
        run_stays.*,
        coalesce(pods_by_uid.pod_no, pods_by_name.pod_no) as pod_no,
        case
            when ambiguous_names.pod is null
                then coalesce(run_stays.instance_id, node_machines.instance_id, lower(run_stays.node))
        end as machine_id
    from attribution.run_stays
    left join attribution.pod_days as pods_by_uid
        on
            run_stays.charge_date = pods_by_uid.charge_date
            and run_stays.pod_uid = pods_by_uid.pod_uid
    left join ambiguous_names
        on
            run_stays.charge_date = ambiguous_names.charge_date
            and run_stays.pod = ambiguous_names.pod
            and run_stays.namespace is not distinct from ambiguous_names.namespace
            and run_stays.cluster is not distinct from ambiguous_names.cluster
    left join attribution.pod_days as pods_by_name
        on
            pods_by_uid.pod_no is null
            and ambiguous_names.pod is null
            and run_stays.charge_date = pods_by_name.charge_date
            and run_stays.pod = pods_by_name.pod
            and coalesce(run_stays.namespace, pods_by_name.namespace) = pods_by_name.namespace
            and coalesce(run_stays.cluster, pods_by_name.cluster) = pods_by_name.cluster
    left join node_machines
        on
            run_stays.charge_date = node_machines.charge_date
            and lower(run_stays.node) = node_machines.node
),

placed as (
    select
        located.charge_date,
        located.pod_no,
        case when located.pod_no is null then located.machine_id end as instance_id,
        day_runs.run_no,
        cast(located.gpu_count * 1000000 as bigint) as held_gpu,
        cast(located.cpu_count * 1000000 as bigint) as held_cpu,
        cast(located.memory_gib * 1000000 as bigint) as held_memory,
        epoch_us(located.started_at) - epoch_us(cast(located.charge_date as timestamp)) as start_us,
        epoch_us(located.ended_at) - epoch_us(cast(located.charge_date as timestamp)) as end_us
    from located
    inner join attribution.day_runs using (charge_date, run_id)
    where located.pod_no is not null or located.machine_id is not null
),

stays as (
    select
        placed.*,
        machines.gpu_micros,
        machines.cpu_micros,
        machines.memory_micros,
        -- another stay at the place begins before this one ends, or ends after this one begins
        coalesce(lead(placed.start_us) over by_start < placed.end_us, false)
        or coalesce(
            max(placed.end_us) over (by_start rows between unbounded preceding and 1 preceding)
            > placed.start_us,
            false
        ) as is_shared
    from placed
    left join machines
        on placed.charge_date = machines.charge_date and placed.instance_id = machines.instance_id
    window by_start as (
        partition by placed.charge_date, placed.pod_no, placed.instance_id
        order by placed.start_us, placed.end_us
    )
),

edges as (
    select
        charge_date,
        pod_no,
        instance_id,
        start_us as edge_us
    from stays
    where is_shared
    union
    select
        charge_date,
        pod_no,
        instance_id,
        end_us as edge_us
    from stays
    where is_shared
),

pieces as (
    select
        charge_date,
        pod_no,
        instance_id,
        edge_us as start_us,
        lead(edge_us) over (partition by charge_date, pod_no, instance_id order by edge_us) as end_us
    from edges
),

present as (
    select distinct
        pieces.charge_date,
        pieces.pod_no,
        pieces.instance_id,
        pieces.start_us,
        pieces.end_us,
        stays.run_no,
        stays.held_gpu,
        stays.held_cpu,
        stays.held_memory,
        stays.gpu_micros,
        stays.cpu_micros,
        stays.memory_micros
    from pieces
    inner join stays
        on
            stays.is_shared
            and pieces.charge_date = stays.charge_date
            and pieces.pod_no is not distinct from stays.pod_no
            and pieces.instance_id is not distinct from stays.instance_id
            and pieces.start_us >= stays.start_us
            and pieces.end_us <= stays.end_us
),

nested as (
    select
        nesting.charge_date,
        lower_runs.run_no,
        upper_runs.run_no as ancestor_no
    from attribution.run_nesting as nesting
    inner join attribution.day_runs as lower_runs using (charge_date, run_id)
    inner join attribution.day_runs as upper_runs
        on nesting.charge_date = upper_runs.charge_date and nesting.ancestor_id = upper_runs.run_id
),

silent as (
    select distinct
        upper_runs.charge_date,
        upper_runs.pod_no,
        upper_runs.instance_id,
        upper_runs.start_us,
        upper_runs.run_no
    from nested
    inner join present as upper_runs
        on nested.charge_date = upper_runs.charge_date and nested.ancestor_no = upper_runs.run_no
    inner join present as lower_runs
        on
            nested.charge_date = lower_runs.charge_date
            and nested.run_no = lower_runs.run_no
            and upper_runs.pod_no is not distinct from lower_runs.pod_no
            and upper_runs.instance_id is not distinct from lower_runs.instance_id
            and upper_runs.start_us = lower_runs.start_us
),

leaves as (
    select
        charge_date,
        pod_no,
        instance_id,
        start_us,
        end_us,
        run_no,
        max(held_gpu) as held_gpu,
        max(held_cpu) as held_cpu,
        max(held_memory) as held_memory,
        max(gpu_micros) as gpu_micros,
        max(cpu_micros) as cpu_micros,
        max(memory_micros) as memory_micros
    from present
    where
        not exists (
            select 1
            from silent
            where
                silent.charge_date = present.charge_date
                and silent.pod_no is not distinct from present.pod_no
                and silent.instance_id is not distinct from present.instance_id
                and silent.start_us = present.start_us
                and silent.run_no = present.run_no
        )
    group by charge_date, pod_no, instance_id, start_us, end_us, run_no
    union all
    select
        charge_date,
        pod_no,
        instance_id,
        start_us,
        end_us,
        run_no,
        held_gpu,
        held_cpu,
        held_memory,
        gpu_micros,
        cpu_micros,
        memory_micros
    from stays
    where not is_shared and instance_id is not null
),

told as (
    select
        *,
        count(held_gpu) over piece = count(*) over piece
        and (sum(held_gpu) over piece > 0 or coalesce(gpu_micros, 0) > 0) as is_by_gpu,
        min(held_gpu) over piece > 0 as all_have_gpus,
        count(held_cpu) over piece = count(*) over piece and sum(held_cpu) over piece > 0 as is_by_cpu,
        count(held_memory) over piece = count(*) over piece and sum(held_memory) over piece > 0 as is_by_memory
    from leaves
    window piece as (partition by charge_date, pod_no, instance_id, start_us)
),

weights as (
    select
        charge_date,
        pod_no,
        instance_id,
        start_us,
        end_us,
        run_no,
        case when is_by_gpu then held_gpu else 1 end as gpu_weight,
        case when is_by_gpu then coalesce(gpu_micros, 0) else 0 end as gpu_there,
        case when is_by_cpu then held_cpu when is_by_gpu and all_have_gpus then held_gpu else 1 end as cpu_weight,
        case
            when is_by_cpu then coalesce(cpu_micros, 0)
            when is_by_gpu and all_have_gpus then coalesce(gpu_micros, 0)
            else 0
        end as cpu_there,
        case when is_by_memory then held_memory when is_by_gpu and all_have_gpus then held_gpu else 1 end
            as memory_weight,
        case
            when is_by_memory then coalesce(memory_micros, 0)
            when is_by_gpu and all_have_gpus then coalesce(gpu_micros, 0)
            else 0
        end as memory_there
    from told
),

weighed as (
    select
        charge_date,
        pod_no,
        instance_id,
        run_no,
        start_us,
        end_us,
        gpu_weight,
        cpu_weight,
        memory_weight,
        sum(gpu_weight) over up_to as upto_gpu,
        sum(cpu_weight) over up_to as upto_cpu,
        sum(memory_weight) over up_to as upto_memory,
        greatest(sum(gpu_weight) over piece, gpu_there) as all_gpu,
        greatest(sum(cpu_weight) over piece, cpu_there) as all_cpu,
        greatest(sum(memory_weight) over piece, memory_there) as all_memory
    from weights
    window
        piece as (partition by charge_date, pod_no, instance_id, start_us),
        up_to as (
            partition by charge_date, pod_no, instance_id, start_us order by run_no
            rows between unbounded preceding and current row
        )
),

hours as (
    select
        *,
        unnest(range(start_us // 3600000000, (end_us - 1) // 3600000000 + 1)) as slot
    from weighed
    where end_us > start_us
),

hour_pieces as (
    select
        *,
        least(end_us, (slot + 1) * 3600000000) - greatest(start_us, slot * 3600000000) as piece_us
    from hours
),

-- a run alone in its pod has all of it
lone_hours as (
    select
        charge_date,
        pod_no,
        instance_id,
        run_no,
        start_us,
        end_us,
        unnest(range(start_us // 3600000000, (end_us - 1) // 3600000000 + 1)) as slot
    from stays
    where not is_shared and instance_id is null and end_us > start_us
),

lone_pieces as (
    select
        charge_date,
        pod_no,
        instance_id,
        slot,
        run_no,
        least(end_us, (slot + 1) * 3600000000) - greatest(start_us, slot * 3600000000) as piece_us
    from lone_hours
),

held as (
    select
        charge_date,
        pod_no,
        instance_id,
        slot,
        run_no,
        whole_upto(piece_us, upto_gpu, all_gpu) - whole_upto(piece_us, upto_gpu - gpu_weight, all_gpu) as gpu_us,
        whole_upto(piece_us, upto_cpu, all_cpu) - whole_upto(piece_us, upto_cpu - cpu_weight, all_cpu) as cpu_us,
        whole_upto(piece_us, upto_memory, all_memory)
        - whole_upto(piece_us, upto_memory - memory_weight, all_memory) as memory_us
    from hour_pieces
    union all
    select
        charge_date,
        pod_no,
        instance_id,
        slot,
        run_no,
        piece_us as gpu_us,
        piece_us as cpu_us,
        piece_us as memory_us
    from lone_pieces
)

select
    charge_date,
    pod_no,  -- null where the place is a machine
    instance_id,  -- null where the place is a pod
    cast(slot as tinyint) as slot,  -- hour of the day
    run_no,
    cast(sum(gpu_us) as bigint) as gpu_us,  -- microseconds of all GPUs of the place
    cast(sum(cpu_us) as bigint) as cpu_us,  -- of all its cores
    cast(sum(memory_us) as bigint) as memory_us  -- of all its memory
from held
group by charge_date, pod_no, instance_id, slot, run_no
