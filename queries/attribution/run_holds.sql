-- One row is about the time for which a run held a pod or a machine, in an hour.
--
-- Where stays at a place overlap, time is cut wherever a run comes or goes, and each piece is
-- shared by the runs present:
--   all of them say how many GPUs they hold: by GPUs; on a bare machine, what they leave of its
--     GPUs stays nobody's (idle);
--   some or none say so: equally, the whole place.
-- A run is silent while one below it (`run_nesting`) is at the same place: the lower holds it. So
-- each moment is paid once, by the leaf, whichever systems saw it, and a run that started others
-- holds what they leave.
--
-- A stay is matched to a pod by uid, else by name; a run whose pod no telemetry knows counts as a
-- run on the bare machine, if it names one.
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
        max(cast(round(cast(gpu_us as double) / cast(up_us as double) * 1e6) as bigint)) as gpu_micros
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

located as (
    select
        run_stays.*,
        coalesce(pods_by_uid.pod_no, pods_by_name.pod_no) as pod_no,
        coalesce(run_stays.instance_id, node_machines.instance_id, lower(run_stays.node)) as machine_id
    from attribution.run_stays
    left join attribution.pod_days as pods_by_uid
        on
            run_stays.charge_date = pods_by_uid.charge_date
            and run_stays.pod_uid = pods_by_uid.pod_uid
    left join attribution.pod_days as pods_by_name
        on
            pods_by_uid.pod_no is null
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
        located.gpu_count,
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
        stays.gpu_count,
        stays.gpu_micros
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
        max(gpu_count) as gpu_count,
        max(gpu_micros) as gpu_micros
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
),

shared_weights as (
    select
        *,
        count(*) over piece = count(case when gpu_count > 0 then 1 end) over piece as is_by_gpu,
        cast(sum(cast(gpu_count * 1000000 as bigint)) over piece as bigint) as all_micros,
        cast(sum(cast(gpu_count * 1000000 as bigint)) over up_to as bigint) as upto_micros,
        row_number() over up_to as upto_count,
        count(*) over piece as all_count
    from leaves
    window
        piece as (partition by charge_date, pod_no, instance_id, start_us),
        up_to as (
            partition by charge_date, pod_no, instance_id, start_us order by run_no
            rows between unbounded preceding and current row
        )
),

weighed_pieces as (
    select
        charge_date,
        pod_no,
        instance_id,
        run_no,
        start_us,
        end_us,
        case when is_by_gpu then upto_micros - cast(gpu_count * 1000000 as bigint) else upto_count - 1 end
            as from_weight,
        case when is_by_gpu then upto_micros else upto_count end as upto_weight,
        case when is_by_gpu then greatest(all_micros, coalesce(gpu_micros, 0)) else all_count end
            as total_weight
    from shared_weights
    union all
    -- stays alone at their place need no cutting
    select
        charge_date,
        pod_no,
        instance_id,
        run_no,
        start_us,
        end_us,
        0 as from_weight,
        case when gpu_count > 0 and gpu_micros > 0 then cast(gpu_count * 1000000 as bigint) else 1 end
            as upto_weight,
        case
            when gpu_count > 0 and gpu_micros > 0
                then greatest(cast(gpu_count * 1000000 as bigint), gpu_micros)
            else 1
        end as total_weight
    from stays
    where not is_shared
),

hours as (
    select
        *,
        unnest(range(start_us // 3600000000, (end_us - 1) // 3600000000 + 1)) as slot
    from weighed_pieces
    where end_us > start_us
),

hour_pieces as (
    select
        charge_date,
        pod_no,
        instance_id,
        cast(slot as tinyint) as slot,
        run_no,
        from_weight,
        upto_weight,
        total_weight,
        least(end_us, (slot + 1) * 3600000000) - greatest(start_us, slot * 3600000000) as piece_us
    from hours
)

select
    charge_date,
    pod_no,  -- null where the place is a machine
    instance_id,  -- null where the place is a pod
    slot,  -- hour of the day
    run_no,
    cast(
        sum(
            whole_upto(piece_us, upto_weight, total_weight)
            - whole_upto(piece_us, from_weight, total_weight)
        ) as bigint
    ) as run_us  -- microseconds of the whole place
from hour_pieces
group by charge_date, pod_no, instance_id, slot, run_no
