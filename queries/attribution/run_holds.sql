-- One row is about the time for which a run held a pod or a machine, in an hour.
--
-- Time is cut wherever a run comes or goes, and each piece is shared by the runs present:
--   all of them say how many GPUs they hold: by GPUs; on a bare machine, what they leave of its
--     GPUs stays nobody's (idle);
--   some or none say so: equally, the whole place.
-- A run whose child is at the same place at that moment holds nothing: the child does. So two
-- runs on one machine share it and never pay twice.
--
-- A stay is matched to a pod by uid, else by name; a run whose pod no telemetry knows counts as a
-- run on the bare machine, if it names one.
--
-- Known drawback: of three generations at one place, the oldest shares while its child is away.
--
-- grain: one row per place, hour and run
-- key:   charge_date, place_kind, place_id, slot, run_id
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
        min(lower(instance_id)) as instance_id
    from staging.node_hours
    where instance_id is not null
    group by charge_date, lower(node)
),

located as (
    select
        run_stays.*,
        coalesce(pods_by_uid.pod_id, pods_by_name.pod_id) as pod_id,
        coalesce(run_stays.instance_id, node_machines.instance_id, lower(run_stays.node)) as machine_id
    from attribution.run_stays
    left join attribution.pod_days as pods_by_uid
        on
            run_stays.charge_date = pods_by_uid.charge_date
            and run_stays.pod_uid = pods_by_uid.pod_uid
    left join attribution.pod_days as pods_by_name
        on
            run_stays.charge_date = pods_by_name.charge_date
            and run_stays.pod = pods_by_name.pod
            and coalesce(run_stays.namespace, pods_by_name.namespace) = pods_by_name.namespace
            and coalesce(run_stays.cluster, pods_by_name.cluster) = pods_by_name.cluster
    left join node_machines
        on
            run_stays.charge_date = node_machines.charge_date
            and lower(run_stays.node) = node_machines.node
),

place_stays as (
    select
        charge_date,
        case when pod_id is null then 'machine' else 'pod' end as place_kind,
        coalesce(pod_id, machine_id) as place_id,
        run_id,
        record_id,
        parent_record_id,
        gpu_count,
        started_at,
        ended_at
    from located
    where coalesce(pod_id, machine_id) is not null
),

edges as (
    select charge_date, place_kind, place_id, started_at as edge_at
    from place_stays
    union
    select charge_date, place_kind, place_id, ended_at as edge_at
    from place_stays
    union
    select
        charge_date,
        place_kind,
        place_id,
        unnest(
            generate_series(
                date_trunc('hour', started_at) + interval 1 hour,
                ended_at - interval 1 microsecond,
                interval 1 hour
            )
        ) as edge_at
    from place_stays
),

pieces as (
    select
        charge_date,
        place_kind,
        place_id,
        edge_at as started_at,
        lead(edge_at) over (
            partition by charge_date, place_kind, place_id order by edge_at
        ) as ended_at
    from edges
),

present as (
    select
        pieces.charge_date,
        pieces.place_kind,
        pieces.place_id,
        pieces.started_at,
        pieces.ended_at,
        place_stays.run_id,
        place_stays.record_id,
        max(place_stays.parent_record_id) as parent_record_id,
        max(place_stays.gpu_count) as gpu_count
    from pieces
    inner join place_stays
        on
            pieces.charge_date = place_stays.charge_date
            and pieces.place_kind = place_stays.place_kind
            and pieces.place_id = place_stays.place_id
            and pieces.started_at >= place_stays.started_at
            and pieces.ended_at <= place_stays.ended_at
    group by
        pieces.charge_date,
        pieces.place_kind,
        pieces.place_id,
        pieces.started_at,
        pieces.ended_at,
        place_stays.run_id,
        place_stays.record_id
),

leaves as (
    select
        charge_date,
        place_kind,
        place_id,
        started_at,
        ended_at,
        run_id,
        max(gpu_count) as gpu_count
    from present
    where
        not exists (
            select 1
            from present as children
            where
                children.charge_date = present.charge_date
                and children.place_kind = present.place_kind
                and children.place_id = present.place_id
                and children.started_at = present.started_at
                and children.parent_record_id = present.record_id
                and children.run_id <> present.run_id
        )
    group by charge_date, place_kind, place_id, started_at, ended_at, run_id
),

claims as (
    select
        leaves.*,
        case
            when coalesce(min(gpu_count) over piece, 0) > 0 and count(*) over piece = count(gpu_count) over piece
                then cast(gpu_count * 1000000 as bigint)
        end as claimed_micros,
        machines.gpu_micros
    from leaves
    left join machines
        on
            leaves.charge_date = machines.charge_date
            and leaves.place_id = machines.instance_id
            and leaves.place_kind = 'machine'
    window piece as (
        partition by leaves.charge_date, leaves.place_kind, leaves.place_id, leaves.started_at
    )
),

weights as (
    select
        *,
        coalesce(claimed_micros, 1) as weight,
        cast(sum(coalesce(claimed_micros, 1)) over up_to as bigint) as upto_weight,
        greatest(
            cast(sum(coalesce(claimed_micros, 1)) over piece as bigint),
            case when claimed_micros is not null then coalesce(gpu_micros, 0) else 0 end
        ) as total_weight,
        epoch_us(ended_at) - epoch_us(started_at) as piece_us
    from claims
    window
        piece as (partition by charge_date, place_kind, place_id, started_at),
        up_to as (
            partition by charge_date, place_kind, place_id, started_at order by run_id
            rows between unbounded preceding and current row
        )
)

select
    charge_date,
    place_kind,  -- pod or machine
    place_id,
    cast(hour(started_at) as tinyint) as slot,  -- hour of the day
    run_id,
    cast(
        sum(
            whole_upto(piece_us, upto_weight, total_weight)
            - whole_upto(piece_us, upto_weight - weight, total_weight)
        ) as bigint
    ) as run_us  -- microseconds of the whole place
from weights
group by charge_date, place_kind, place_id, hour(started_at), run_id
